"""Finding out what happened: orders in doubt, fills that were missed and strangers, from the exchange's own records.

An order is looked up by its exchange id if one is known, else by its client id: among the open ones first, then among
the closed ones, so that one that ends in between is seen. Kraken: "a just placed order can be missing from OpenOrders
for a moment"; the deadline that every order carries, and a second beyond it, take care of that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from decimal import Decimal

from mycelial.adapters.exchanges.kraken.rest import Rest
from mycelial.domain.errors import ExchangeError
from mycelial.domain.orders import Fill, OrderReport, OrderStatus
from mycelial.domain.ports import AccountState, Clock
from mycelial.domain.trading_rules import TradingRules
from mycelial.kraken.client.keeping import SECOND, Backoff
from mycelial.kraken.client.tracker import Execution, OrderTracker
from mycelial.kraken.client.translating import modern_balances, order_row, told_fill, trade_row
from mycelial.kraken.errors import Reaction
from mycelial.kraken.rest.account_answers import ClosedOrdersAnswer, OpenOrdersAnswer, OrderRow, TradesAnswer
from mycelial.kraken.rest.envelope import Answered
from mycelial.kraken.rest.queries import Balance, ClosedOrders, OpenOrders, QueryOrders, QueryTrades, TradesHistory

log = logging.getLogger(__name__)
EVERY_NS = SECOND  # how often doubts are looked into at most
MOST_ORDERS, MOST_TRADES, PAGE = 50, 20, 50


class Recovery:
    """Looks things up for one account.

    Parameters
    ----------
    names : rules by pair id, altname and symbol, in capitals.
    modern : gives the modern name of an asset.
    changed : called after every look-up that told the tracker something.
    """

    def __init__(
        self,
        rest: Rest,
        clock: Clock,
        tracker: OrderTracker,
        names: dict[str, TradingRules],
        modern: Callable[[str], str],
        backoff: Backoff,
        changed: Callable[[], None],
    ) -> None:
        self._rest, self._clock, self._tracker = rest, clock, tracker
        self._names, self._modern, self._backoff, self._changed = names, modern, backoff, changed
        self._wake = asyncio.Event()
        self.look_ups = 0

    def wake(self) -> None:
        """Something is in doubt."""
        self._wake.set()

    async def run(self) -> None:
        """Resolve doubts until cancelled."""
        while True:
            if self._has_doubts():
                try:
                    await self.resolve_all()
                    self._backoff.succeeded()
                    pause = EVERY_NS
                except ExchangeError as error:
                    pause = self._backoff.next_ns(EVERY_NS)
                    log.warning("look-up failed (%s), next try in %.1f s", error, pause / 1e9)
                await self._clock.sleep_until(self._clock.now_ns() + pause)
            else:
                self._wake.clear()
                try:
                    async with asyncio.timeout(EVERY_NS / 1e9):
                        await self._wake.wait()
                except TimeoutError:
                    continue  # changes whose answer is overdue become doubts by time alone

    def _has_doubts(self) -> bool:
        tracker = self._tracker
        return bool(tracker.unresolved(self._clock.now_ns()) or tracker.with_missing_fills() or tracker.strangers)

    async def resolve_all(self) -> None:
        """Look into every doubt once."""
        doubtful = self._tracker.unresolved(self._clock.now_ns())
        named = [self._tracker[one].order_id for one in doubtful if self._tracker[one].order_id]
        await self._query([*named, *self._tracker.strangers])
        for client_id in doubtful:
            if not self._tracker[client_id].order_id:
                await self._search(client_id)
        await self._fetch_missing_fills()
        self._changed()

    async def resolve(self, client_id: str) -> OrderReport:
        """Look up one order now and return what is known then."""
        order = self._tracker[client_id]
        if order.order_id:
            await self._query([order.order_id])
        else:
            await self._search(client_id)
        if order.cum_lots > order.filled_lots:
            await self._fetch_missing_fills()
        self._changed()
        return order.report()

    async def account(self) -> AccountState:
        """Return balances and open orders as the exchange has them."""
        asked = self._clock.now_ns()
        answer: OpenOrdersAnswer = await self._rest.ask_private(OpenOrders())
        balances: dict[str, Decimal] = await self._rest.ask_private(Balance())
        reports = [self._report(order_id, row) for order_id, row in answer.open.items()]
        return AccountState(modern_balances(balances, self._modern), reports, asked, self._clock.now_ns())

    async def fills(self, since_ns: int) -> list[Fill]:
        """Return own fills since a time, oldest first."""
        found: dict[str, Fill] = {}
        offset = 0
        while True:
            start = f"{since_ns // SECOND}.{since_ns % SECOND:09d}"
            page: TradesAnswer = await self._rest.ask_private(
                TradesHistory(start=start, ofs=offset, consolidate_taker=False)
            )
            for exec_id, row in page.trades.items():
                order = self._tracker.named(row.ordertxid)
                found[exec_id] = trade_row(exec_id, row, self._rules(row.pair), order.client_id if order else "")
            offset += PAGE
            if not page.trades or offset >= (page.count or 0):
                return sorted(found.values(), key=lambda fill: (fill.time_ns, fill.exec_id))

    # ---- inside ----------------------------------------------------------------------------------------------------

    async def _query(self, order_ids: Iterable[str]) -> None:
        """Look up orders by their ids; those that the exchange does not know are missed."""
        wanted = list(dict.fromkeys(order_ids))
        for first in range(0, len(wanted), MOST_ORDERS):
            part = wanted[first : first + MOST_ORDERS]
            asked = self._clock.now_ns()
            for order_id, row in (await self._rows(part)).items():
                self._found(order_id, row, asked)
                part.remove(order_id)
            for order_id in part:
                order = self._tracker.named(order_id)
                self._tracker.strangers.discard(order_id)
                if order is not None:
                    self._tracker.not_found(order.client_id, asked_ns=asked)

    async def _rows(self, order_ids: list[str]) -> dict[str, OrderRow]:
        """Return the exchange's records; if it refuses a list for one id that it does not know, one by one."""
        self.look_ups += 1
        try:
            rows: dict[str, OrderRow] = await self._rest.ask_private(QueryOrders(txid=tuple(order_ids)))
        except Answered as error:
            if error.meaning.reaction not in (Reaction.TREAT_AS_GONE, Reaction.CORRECT):
                raise
            if len(order_ids) == 1:
                return {}
            rows = {}
            for order_id in order_ids:
                rows |= await self._rows([order_id])
        return rows

    async def _search(self, client_id: str) -> None:
        asked = self._clock.now_ns()
        self.look_ups += 1
        opened: OpenOrdersAnswer = await self._rest.ask_private(OpenOrders(cl_ord_id=client_id))
        rows = {order_id: row for order_id, row in opened.open.items() if row.cl_ord_id == client_id}
        if not rows:
            closed: ClosedOrdersAnswer = await self._rest.ask_private(ClosedOrders(cl_ord_id=client_id))
            rows = {order_id: row for order_id, row in closed.closed.items() if row.cl_ord_id == client_id}
        for order_id, row in rows.items():
            self._found(order_id, row, asked)
        if not rows:
            self._tracker.not_found(client_id, asked_ns=asked)

    async def _fetch_missing_fills(self) -> None:
        for client_id in self._tracker.with_missing_fills():
            order = self._tracker[client_id]
            rows: dict[str, OrderRow] = await self._rest.ask_private(QueryOrders(txid=(order.order_id,), trades=True))
            ids = [one for row in rows.values() for one in row.trades or () if one not in order.fills]
            for first in range(0, len(ids), MOST_TRADES):
                trades = await self._rest.ask_private(QueryTrades(txid=tuple(ids[first : first + MOST_TRADES])))
                for exec_id, trade in trades.items():
                    fill = trade_row(exec_id, trade, self._rules(trade.pair), client_id)
                    self._tracker.execution(told_fill(fill), self._clock.now_ns())

    def _found(self, order_id: str, row: OrderRow, asked_ns: int) -> None:
        told = order_row(order_id, row, self._rules(row.descr.pair))
        self._tracker.found(told, asked_ns=asked_ns, now_ns=self._clock.now_ns())

    def _report(self, order_id: str, row: OrderRow) -> OrderReport:
        told: Execution = order_row(order_id, row, self._rules(row.descr.pair))
        assert told.side is not None
        assert told.lots is not None
        return OrderReport(
            told.client_id or order_id,
            told.symbol,
            told.side,
            OrderStatus.OPEN,
            told.lots,
            told.price_ticks,
            told.cum_lots or 0,
            order_id,
        )

    def _rules(self, name: str) -> TradingRules:
        found = self._names.get(name.upper())
        if found is None:
            raise ExchangeError(f"the exchange speaks of the pair {name}, which it did not list; restart to read it")
        return found
