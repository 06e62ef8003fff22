"""One conversation over WebSocket v2: requests in, replies and subscriptions out."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from mycelial.adapters.exchanges.kraken_server.connection import Connection, text_frame
from mycelial.adapters.exchanges.kraken_server.desk import Desk
from mycelial.adapters.exchanges.kraken_server.faults import Faults
from mycelial.adapters.exchanges.kraken_server.hub import Hub, PrivateFeed, Topic
from mycelial.adapters.exchanges.kraken_server.public_answers import system
from mycelial.adapters.exchanges.kraken_server.translating import error_text
from mycelial.kraken import errors, orders
from mycelial.kraken.errors import ProtocolError, Refused
from mycelial.kraken.json_writing import dumps
from mycelial.kraken.limits import Budget
from mycelial.kraken.permissions import Permission
from mycelial.kraken.times import rfc3339
from mycelial.kraken.ws import replies
from mycelial.kraken.ws.account_data import BalanceRow, Wallet
from mycelial.kraken.ws.order_requests import TRADING_METHODS, Trading, read_command
from mycelial.kraken.ws.requests import (
    MALFORMED,
    PRIVATE_CHANNELS,
    TOKEN_CHANNELS,
    Envelope,
    Subscription,
    read_envelope,
    read_subscription,
    salvaged,
)
from mycelial.market.venues.rules import Pair
from mycelial.simulation.exchange import commands as own
from mycelial.simulation.exchange.accounts import ApiKey

MESSAGES_PER_S = 2_000.0  # of one connection; Kraken publishes no figure
MESSAGE_BURST = 10_000.0
SNAPSHOT_TRADES = 50
EXCEEDED = "Exceeded msg rate"

log = logging.getLogger(__name__)

_CANCELS = (Permission.CANCEL_ORDERS, Permission.MODIFY_ORDERS)
_NEEDS = {
    **dict.fromkeys(("add_order", "batch_add", "amend_order", "edit_order"), (Permission.MODIFY_ORDERS,)),
    **dict.fromkeys(("cancel_order", "batch_cancel", "cancel_all", "cancel_all_orders_after"), _CANCELS),
}


class Session:
    """A client of WebSocket v2.

    Parameters
    ----------
    mixed : whether public and private requests are both taken here.
    """

    def __init__(self, desk: Desk, hub: Hub, faults: Faults, connection: Connection, *, mixed: bool = False) -> None:
        self.desk, self.hub, self.faults, self.connection, self.mixed = desk, hub, faults, connection, mixed
        self._tokens: dict[str, ApiKey] = {}  # that opened something here
        self._messages = Budget(MESSAGES_PER_S, MESSAGE_BURST)
        self._level3: Budget | None = None
        self._level3_symbols = 0

    def open(self) -> None:
        """Greet the client."""
        self.hub.audience.connections[self.connection] = False
        self.connection.send(replies.status(system(self.desk), self.connection.number))

    def receive(self, frame: str | bytes) -> None:
        """Answer one message; whatever it holds, the conversation goes on."""
        began = self.desk.now()
        try:
            envelope = read_envelope(frame)
        except ProtocolError:
            method, req_id = salvaged(frame)
            self.connection.send(replies.malformed(MALFORMED, method, began, self.desk.now(), req_id))
            return
        method, req_id = envelope.method, envelope.req_id
        try:
            if not self._messages.take(self.desk.wall_ns()):
                raise Refused(EXCEEDED)
            if method == "ping":
                self.connection.send(replies.pong(began, self.desk.now(), req_id))
            elif method in TRADING_METHODS:
                self._trade(envelope, began)
            elif method in ("subscribe", "unsubscribe"):
                self._subscription(envelope, began)
            else:
                raise Refused(MALFORMED)
        except Refused as refused:
            self._reply(replies.refused(method, refused.text, began, self.desk.now(), req_id))
        except Exception:
            log.exception("a request of WebSocket v2 failed: %s", method)
            self._reply(replies.refused(method, errors.INTERNAL_ERROR, began, self.desk.now(), req_id))

    def _reply(self, payload: bytes, late_ns: int = 0) -> None:
        if self.faults.take("lose_reply") or self.faults.loses(self.desk.exchange.seed):
            return
        if late_ns:
            asyncio.get_running_loop().call_later(late_ns * 1e-9, self.connection.send, payload)
        else:
            self.connection.send(payload)

    # ----------------------------------------------------------------------------------------------------- trading

    def _trade(self, envelope: Envelope, began: int) -> None:
        self._refuse_wrong_host(is_private=True)
        if self.faults.silent or self.faults.loses(self.desk.exchange.seed):
            return
        trading = read_command(envelope)
        key = self.desk.tokens.key_of(trading.token, self._tokens)
        self.connection.wanted_something = True
        self.desk.check(key, _NEEDS[envelope.method])
        command = trading.command
        if isinstance(command, orders.CancelOrders) and not command.batch:
            self._cancel_each(envelope, command, key, began)
        else:
            outcome = self.desk.carry_out(key.account, command, self._pair)
            self._reply(self._answer(envelope, trading, outcome, began))
        self.desk.pump()

    def _answer(self, envelope: Envelope, trading: Trading, outcome: own.Outcome, began: int) -> bytes:
        now, method, req_id = self.desk.now(), envelope.method, envelope.req_id
        match outcome:
            case own.Refused():
                return replies.refused(method, error_text(outcome), began, now, req_id)
            case own.AddedBatch():
                rows = [_placed(one) for one in outcome.rows]
                failed = [row["error"] for row in rows if "error" in row]
                if failed:
                    return replies.refused(method, failed[0], began, now, req_id, result=rows)
                return replies.succeeded(method, rows, began, now, req_id)
            case own.Added():
                result = _placed(outcome)
            case own.Amended():
                name = "order_id" if getattr(trading.command, "order_id", None) else "cl_ord_id"
                result = {"amend_id": outcome.amend_id, name: getattr(outcome, name)}
            case own.Edited():
                result = {"order_id": outcome.order_id, "original_order_id": outcome.original_id}
            case own.Canceled():
                result = {"count": len(outcome.order_ids)}
            case own.SwitchSet():
                fires = rfc3339(outcome.triggers_ns, 0) if outcome.triggers_ns else "0"
                result = {"currentTime": rfc3339(outcome.now_ns, 0), "triggerTime": fires}
        return replies.succeeded(method, result, began, now, req_id)

    def _cancel_each(self, envelope: Envelope, command: orders.CancelOrders, key: ApiKey, began: int) -> None:
        """Cancel each name and answer each by itself."""
        for one, outcome in self.desk.cancel_each(key.account, command):
            now = self.desk.now()
            if isinstance(outcome, own.Refused):
                payload = replies.refused(envelope.method, error_text(outcome), began, now, envelope.req_id)
                self._reply(payload)
                continue
            assert isinstance(outcome, own.Canceled)
            named = [{"cl_ord_id": one.cl_ord_id}] if one.cl_ord_id else [{"order_id": i} for i in outcome.order_ids]
            for result in named:
                done = replies.succeeded(envelope.method, result, began, now, envelope.req_id)
                self._reply(done, self.faults.cancel_ack_ns)

    def _pair(self, symbol: str) -> Pair:
        pair = self.desk.table.by_symbol(symbol)
        if pair is None:
            raise Refused(replies.pair_not_supported(symbol))
        return pair

    # ----------------------------------------------------------------------------------------------- subscriptions

    def _subscription(self, envelope: Envelope, began: int) -> None:
        wanted = read_subscription(envelope)
        joins = envelope.method == "subscribe"
        private = wanted.channel in TOKEN_CHANNELS
        self._refuse_wrong_host(is_private=private)
        if wanted.channel in PRIVATE_CHANNELS:
            self._private(envelope, wanted, began, joins=joins)
            return
        if private:
            key = self.desk.tokens.key_of(wanted.token, self._tokens)
            self.desk.check(key, (Permission.ACCESS_WEBSOCKETS,))
            self._tokens[wanted.token or ""] = key
        if wanted.channel in ("instrument", "heartbeat"):
            self._join_or_leave(envelope, wanted, (wanted.channel,), None, began, joins=joins)
            return
        for symbol in wanted.symbols:
            if self.desk.table.by_symbol(symbol) is None:
                text = replies.pair_not_supported(symbol)
                self._refuse(envelope, text, began, symbol)
                continue
            if wanted.channel == "level3" and joins:
                refusal = self._level3_refusal(wanted, envelope)
                if refusal:
                    self._refuse(envelope, refusal, began, symbol)
                    continue
            self._join_or_leave(envelope, wanted, _topic(wanted, symbol), symbol, began, joins=joins)

    def _join_or_leave(
        self, envelope: Envelope, wanted: Subscription, topic: Topic, symbol: str | None, began: int, *, joins: bool
    ) -> None:
        audience = self.hub.audience
        member = self.connection in audience.topics.get(topic, {})
        if member == joins:
            text = replies.ALREADY_SUBSCRIBED if joins else replies.NOT_SUBSCRIBED
            self._refuse(envelope, text, began, symbol)
            return
        result = wanted.result(symbol)
        if not joins:
            self.hub.leave(topic, self.connection)
            self._acknowledge(envelope, result, began)
            return
        snapshot = self._snapshot(wanted, symbol)  # also brings everybody else up to the same moment
        audience.join(topic, self.connection)
        if wanted.channel == "instrument":
            result["warnings"] = [replies.INSTRUMENT_WARNING]
        self._acknowledge(envelope, result, began)
        if snapshot:
            self.connection.send_frame(text_frame(snapshot))

    def _snapshot(self, wanted: Subscription, symbol: str | None) -> bytes:
        """Begin to watch a topic; return its snapshot, empty if none is wanted."""
        exchange, showing = self.desk.exchange, self.hub.showing
        book = level3 = None
        if wanted.channel == "book" and symbol is not None:
            book = exchange.watch_levels(symbol, wanted.depth or 10)
        elif wanted.channel == "level3" and symbol is not None:
            level3 = exchange.watch_orders(symbol, wanted.depth or 10)
        self.desk.pump()
        if not wanted.snapshot:
            return b""
        if book is not None:
            return showing.book(book)
        if level3 is not None:
            return showing.level3(level3)
        match wanted.channel, symbol:
            case "trade", str():
                return showing.past_trades(symbol)
            case "ticker", str():
                return showing.ticker(symbol, "snapshot")
            case "ohlc", str():
                return showing.past_candles(symbol, wanted.interval or 1)
            case "instrument", None:
                return showing.instruments("snapshot", self.desk.table.pairs)
        return b""

    def _level3_refusal(self, wanted: Subscription, envelope: Envelope) -> str:
        """Return why another level3 subscription is too much, if it is."""
        rules = self.desk.venue.websocket
        tier = self.desk.exchange.account_of(self._tokens[wanted.token or ""]).tier
        per_s = float(rules.level3_per_s[tier])
        self._level3 = self._level3 or Budget(per_s, per_s)
        cost = rules.level3_costs[rules.level3_depths.index(wanted.depth or 10)]
        if self._level3_symbols >= rules.level3_symbols:
            return "Exceeded symbols per connection"
        if not self._level3.take(self.desk.wall_ns(), float(cost)):
            return EXCEEDED
        self._level3_symbols += 1
        return ""

    def _private(self, envelope: Envelope, wanted: Subscription, began: int, *, joins: bool) -> None:
        try:
            key = self.desk.tokens.key_of(wanted.token, self._tokens)
            self.desk.check(key, (Permission.ACCESS_WEBSOCKETS,))
            if wanted.channel == "executions":
                self.desk.check(key, (Permission.QUERY_OPEN_ORDERS, Permission.QUERY_CLOSED_ORDERS))
            else:
                self.desk.check(key, (Permission.QUERY_FUNDS,))
            feeds = self.hub.audience.feeds(self.connection)
            mine = [one for one in feeds if (one.account, one.channel) == (key.account, wanted.channel)]
            if joins == bool(mine):
                raise Refused(replies.ALREADY_SUBSCRIBED if joins else replies.NOT_SUBSCRIBED)
        except Refused as refused:
            text, now = refused.text, self.desk.now()
            payload = replies.refused(envelope.method, text, began, now, envelope.req_id, channel=wanted.channel)
            self._reply(payload)
            return
        result: dict[str, Any] = wanted.result()
        if not joins:
            self.hub.audience.drop_feed(mine[0])
            self._acknowledge(envelope, {"channel": wanted.channel}, began)
            return
        self.desk.pump()
        self._tokens[wanted.token or ""] = key
        feed = PrivateFeed(
            *(self.connection, key.account, wanted.channel), order_status=wanted.order_status,
            ratecounter=wanted.ratecounter,
        )  # fmt: skip
        if wanted.channel == "executions":
            result["maxratecount"] = self.desk.exchange.trading_limits(key.account).threshold // 1_000_000
        self._acknowledge(envelope, result, began)
        self.hub.audience.add_feed(feed)
        self._private_snapshot(feed, wanted)

    def _private_snapshot(self, feed: PrivateFeed, wanted: Subscription) -> None:
        exchange, shown = self.desk.exchange, self.desk.reports
        if feed.channel == "balances":
            if wanted.snapshot:
                rows = [
                    (one.asset, self.desk.amounts.money(one.total, one.asset))
                    for one in exchange.balances(feed.account)
                ]
                feed.send("snapshot", dumps([_balance(asset, total) for asset, total in rows]))
            return
        if wanted.snap_orders:
            open_orders = exchange.open_orders(feed.account)
            feed.send("snapshot", dumps([shown.snapshot_order(one) for one in open_orders]))
        if wanted.snap_trades:
            trades = exchange.own_trades(feed.account, most=SNAPSHOT_TRADES).rows
            feed.send("snapshot", dumps([shown.snapshot_trade(one) for one in trades]))

    # ------------------------------------------------------------------------------------------------------ replies

    def _refuse_wrong_host(self, *, is_private: bool) -> None:
        if self.mixed or is_private == self.connection.is_private:
            return
        raise Refused(replies.WRONG_HOST_PUBLIC if is_private else replies.WRONG_HOST_PRIVATE)

    def _refuse(self, envelope: Envelope, text: str, began: int, symbol: str | None) -> None:
        now = self.desk.now()
        self._reply(replies.refused(envelope.method, text, began, now, envelope.req_id, symbol=symbol))

    def _acknowledge(self, envelope: Envelope, result: dict[str, Any], began: int) -> None:
        self._reply(replies.succeeded(envelope.method, result, began, self.desk.now(), envelope.req_id))


def _topic(wanted: Subscription, symbol: str) -> Topic:
    match wanted.channel:
        case "book" | "level3":
            return wanted.channel, symbol, wanted.depth
        case "ohlc":
            return wanted.channel, symbol, wanted.interval
        case "ticker":
            return wanted.channel, symbol, wanted.event_trigger
    return wanted.channel, symbol


def _placed(outcome: own.Added | own.Refused) -> dict[str, Any]:
    if isinstance(outcome, own.Refused):
        return {"error": error_text(outcome)}
    result: dict[str, Any] = {"order_id": outcome.order_id}
    if outcome.command.cl_ord_id:
        result["cl_ord_id"] = outcome.command.cl_ord_id
    if outcome.command.userref is not None:
        result["order_userref"] = outcome.command.userref
    return result


def _balance(asset: str, total: Any) -> BalanceRow:
    return BalanceRow(asset=asset, balance=total, wallets=(Wallet(balance=total),))
