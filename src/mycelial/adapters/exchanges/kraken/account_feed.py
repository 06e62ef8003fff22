"""The account over one private socket: own orders as they change, balances, the dead man's switch, order messages.

After every connection the whole account is taken up anew: a fresh token, every open order (`snap_orders`) and the
latest trades (`snap_trades`). Until that snapshot is here, every order that was open counts as unknown. A gap in the
sequence of reports ends the connection, because what was missed can only be had that way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from mycelial.adapters.exchanges.kraken.market_feed import refuse_failure
from mycelial.adapters.exchanges.kraken.rest import Rest
from mycelial.adapters.exchanges.kraken.socket import Dropped, Fatal, Socket
from mycelial.domain.amounts import amount_of
from mycelial.domain.ports import Clock, LinkChanged
from mycelial.domain.trading_rules import TradingRules
from mycelial.kraken.client.keeping import SECOND, DeadManSwitch, SequenceWatch, Step, TokenState
from mycelial.kraken.client.tracker import ExecType, Execution, OrderTracker
from mycelial.kraken.client.translating import execution
from mycelial.kraken.errors import Reaction
from mycelial.kraken.orders import CancelAllAfter, Command
from mycelial.kraken.rest.envelope import Answered
from mycelial.kraken.rest.queries import GetWebSocketsToken
from mycelial.kraken.ws import account_data
from mycelial.kraken.ws.order_writing import params_of
from mycelial.kraken.ws.reading import ChannelFrame, Reply
from mycelial.kraken.ws.requests import Subscription, subscription_params

log = logging.getLogger(__name__)


class AccountFeed:
    """Follows one account.

    Parameters
    ----------
    tracker : told everything about orders.
    changed : called after every message that told of orders or of the connection.
    counted : told the exchange's own counter of a pair, in points.
    """

    def __init__(
        self,
        socket: Socket,
        rest: Rest,
        clock: Clock,
        rules: dict[str, TradingRules],
        tracker: OrderTracker,
        switch: DeadManSwitch | None,
        changed: Callable[[LinkChanged | None], None],
        counted: Callable[[str, float], None],
    ) -> None:
        self._socket, self._rest, self._clock = socket, rest, clock
        self._rules, self._tracker, self._switch, self._changed = rules, tracker, switch, changed
        self._counted = counted
        self.token = TokenState()
        self.balances: dict[str, int] = {}
        self.is_followed = False  # the snapshot of orders is here
        self.resyncs = 0
        self._executions, self._balances = SequenceWatch(), SequenceWatch()
        self._asked_ns = 0

    async def run(self) -> None:
        """Keep following until cancelled."""
        await self._socket.run(self)

    async def command(self, command: Command) -> Reply:
        """Send an order message and return its reply; see `Socket.request` for what it raises."""
        method, params = params_of(command, self.token.text)
        reply = await self._socket.request(method, params)
        if not reply.success and reply.meaning.reaction is Reaction.NEW_TOKEN:
            self._socket.drop("the token is not known any more")
        return reply

    # ---- the socket's owner ----------------------------------------------------------------------------------------

    async def opened(self) -> None:
        """Take up the account, then wind up the dead man's switch for ever."""
        await self._socket.ping()
        await self._fetch_token()
        self._executions.restart()
        self._balances.restart()
        self._asked_ns = self._clock.now_ns()
        await self._subscribe(
            Subscription(channel="executions", token=self.token.text, snap_trades=True, ratecounter=True)
        )
        self.token.subscribed()
        await self._subscribe(Subscription(channel="balances", token=self.token.text))
        while self._switch is not None:
            await self._wind_up(self._switch)
            await self._clock.sleep_until(self._switch.due_ns())

    def took(self, frame: ChannelFrame) -> None:
        """Take one message."""
        if frame.channel == "executions":
            if self._is_next(self._executions, frame):
                self._took_executions(frame)
        elif frame.channel == "balances" and self._is_next(self._balances, frame):
            for row in frame.data:
                self.balances[row.asset] = amount_of(row.balance, f"balance of {row.asset}")

    def beat(self) -> None:
        """The connection lives."""

    def closed(self, reason: str) -> None:
        """Nothing that is open is certain any more."""
        self.token.dropped()
        self._tracker.doubt_all()
        was, self.is_followed = self.is_followed, False
        self._changed(LinkChanged(False, reason) if was else None)

    # ---- inside ----------------------------------------------------------------------------------------------------

    async def _fetch_token(self) -> None:
        asked = self._clock.now_ns()
        try:
            token = await self._rest.ask_private(GetWebSocketsToken())
        except Answered as error:
            if error.meaning.reaction is Reaction.STOP:
                raise Fatal(f"the exchange does not let this key in: {error}") from None
            raise
        self.token.received(token.token, token.expires, asked)

    async def _subscribe(self, subscription: Subscription) -> None:
        reply = await self._socket.request("subscribe", subscription_params(subscription))
        refuse_failure(reply, subscription)

    async def _wind_up(self, switch: DeadManSwitch) -> None:
        asked = self._clock.now_ns()
        switch.asking(asked)
        reply = await self.command(CancelAllAfter(timeout_s=switch.timeout_ns // SECOND))
        if not reply.success:
            raise Dropped(f"the dead man's switch was not wound up: {reply.error}")
        was_armed = switch.is_armed(asked)
        switch.confirmed(asked)
        if not was_armed:
            self._changed(None)

    def _is_next(self, watch: SequenceWatch, frame: ChannelFrame) -> bool:
        if frame.sequence is None:
            return True
        step = watch.take(frame.sequence)
        if step is Step.GAP:
            self.resyncs += 1
            raise Dropped(f"{frame.channel} jumped from {watch.last} to {frame.sequence}")
        return step is Step.NEXT

    def _took_executions(self, frame: ChannelFrame) -> None:
        now = self._clock.now_ns()
        told = [self._translated(report) for report in frame.data]
        for report, one in zip(frame.data, told, strict=True):
            if report.ratecount is not None and one.symbol:
                self._counted(one.symbol, float(report.ratecount))
        if frame.kind != "snapshot":
            for one in told:
                self._tracker.execution(one, now)
            self._changed(None)
            return
        # Old trades of orders that nobody here knows are history, not news.
        for one in told:
            if one.exec_type is ExecType.TRADE and self._knows(one):
                self._tracker.execution(one, now)
        if not self.is_followed:
            orders = [one for one in told if one.exec_type is not ExecType.TRADE]
            self._tracker.snapshot(orders, asked_ns=self._asked_ns, now_ns=now)
            self.is_followed = True
            self._changed(LinkChanged(True))
        else:
            self._changed(None)

    def _translated(self, report: account_data.Execution) -> Execution:
        return execution(report, self._rules_of)

    def _rules_of(self, symbol: str, order_id: str, client_id: str) -> TradingRules | None:
        if symbol:
            return self._rules.get(symbol)
        order = self._tracker.named(order_id)
        if order is None and client_id in self._tracker:
            order = self._tracker[client_id]
        return None if order is None else self._rules.get(order.symbol)

    def _knows(self, told: Execution) -> bool:
        return self._tracker.named(told.order_id) is not None or told.client_id in self._tracker


def order_id_of(result: dict[str, Any]) -> str:
    """Return the order id that a reply names."""
    return str(result.get("order_id", ""))
