"""The simulated exchange by direct call: an account on `SimulatedExchange` behind the `Exchange` port, in virtual time.

Nothing is lost on the way and nothing takes time, so this is the exchange that learning and research trade on, and the
standard that the others are held against. Time passes only while somebody sleeps on its clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from mycelial.adapters.exchanges.outbox import Outbox
from mycelial.domain.amounts import DECIMALS
from mycelial.domain.errors import OrderRejected
from mycelial.domain.orders import Amendment, Fill, NewOrder, OrderReport, OrderStatus, Remembered, Side, TimeInForce
from mycelial.domain.ports import (
    AccountState,
    BookChanged,
    BookView,
    ExchangeEvent,
    LinkChanged,
    PublicTrade,
    VenueStatus,
)
from mycelial.domain.trading_rules import TradingRules
from mycelial.kraken.client.budget import TradingBudget
from mycelial.kraken.client.tracker import ExecType, Execution, OrderTracker
from mycelial.kraken.client.translating import told_fill
from mycelial.market.rate_counters import Cost, Transaction
from mycelial.simulation.exchange import SimulatedExchange
from mycelial.simulation.exchange import commands as wish
from mycelial.simulation.exchange import reports as told

TO_AMOUNT = 10 ** (DECIMALS - wish.MONEY_DECIMALS)
STEP_NS = 50_000_000  # how often those who sleep look at what happened
_SIDES = {Side.BUY: wish.Side.BUY, Side.SELL: wish.Side.SELL}
_ENDS = {
    told.OrderStatus.FILLED: ExecType.FILLED,
    told.OrderStatus.CANCELED: ExecType.CANCELED,
    told.OrderStatus.EXPIRED: ExecType.EXPIRED,
}


class SimulatedAccount:
    """One account of a `SimulatedExchange`; also the clock of whoever trades on it.

    Parameters
    ----------
    exchange : may be shared by several accounts; whoever moves time moves it for all.
    account : its number.
    symbols : pairs whose books are followed.
    """

    def __init__(self, exchange: SimulatedExchange, account: int, symbols: Sequence[str], *, depth: int = 10) -> None:
        self.exchange, self.number, self.depth = exchange, account, depth
        self.tracker = OrderTracker()
        self.budget = TradingBudget(exchange.trading_limits(account), exchange.venue.tariff)
        self._symbols = tuple(symbols)
        self._rules = {symbol: rules_of(exchange, symbol) for symbol in exchange.listings}
        self._outbox = Outbox()

    # ---- clock -----------------------------------------------------------------------------------------------------

    def now_ns(self) -> int:
        """Return the exchange's time."""
        return self.exchange.now

    async def sleep_until(self, time_ns: int) -> None:
        """Let time pass, step by step, so that others who wait see every step."""
        while self.exchange.now < time_ns:
            self.exchange.advance(min(time_ns, self.exchange.now + STEP_NS))
            self._pump()
            await asyncio.sleep(0)

    # ---- port ------------------------------------------------------------------------------------------------------

    @property
    def rules(self) -> Mapping[str, TradingRules]:
        """Pairs by symbol."""
        return self._rules

    def remember(self, orders: Sequence[Remembered]) -> None:
        """Take up orders of a former run."""
        for one in orders:
            self.tracker.remember(one)

    async def start(self) -> None:
        """Take up what is open."""
        now = self.exchange.now
        orders = [self._state(one) for one in self.exchange.open_orders(self.number)]
        self.tracker.snapshot(orders, asked_ns=now, now_ns=now)
        self._outbox.tell(LinkChanged(True))
        self._pump()

    async def stop(self) -> None:
        """Let go."""
        self._outbox.close()

    def events(self) -> AsyncIterator[ExchangeEvent]:
        """Return what happens."""
        return self._outbox

    def book(self, symbol: str) -> BookView:
        """Return the book as it is."""
        levels = self.exchange.depth(symbol, self.depth)
        steps = self.exchange.listings[symbol].tick_step
        sides = [tuple((int(p) // steps, int(q)) for p, q in side) for side in (levels.bids, levels.asks)]
        return BookView(symbol, sides[0], sides[1], self.exchange.now, True)

    def is_ready(self) -> bool:
        """Return True: nothing here can be down."""
        return True

    async def submit(self, order: NewOrder) -> OrderReport:
        """Place an order."""
        if order.symbol not in self._rules:
            raise OrderRejected(f"the exchange does not trade {order.symbol}; it has {', '.join(self._rules)}")
        self._rules[order.symbol].check(order)
        steps = self.exchange.listings[order.symbol].tick_step
        self.tracker.sending(order, deadline_ns=self.exchange.now)
        outcome = self._send(
            order.symbol,
            self.budget.cost(Transaction.ADD, self.exchange.now),
            wish.AddOrder(
                symbol=order.symbol,
                side=_SIDES[order.side],
                type=wish.OrderType.MARKET if order.price_ticks is None else wish.OrderType.LIMIT,
                qty=order.lots,
                limit=None if order.price_ticks is None else wish.Price(order.price_ticks * steps),
                time_in_force=wish.TimeInForce[order.time_in_force.name],
                expires_ns=order.expires_ns or 0 if order.time_in_force is TimeInForce.GTD else 0,
                post_only=order.post_only,
                cl_ord_id=order.client_id,
            ),
        )
        if isinstance(outcome, wish.Refused):
            self.tracker.refused(order.client_id, _text(outcome))
        else:
            self.tracker.accepted(order.client_id, outcome.order_id, self.exchange.now)
        self._pump()
        return self.tracker[order.client_id].report()

    async def amend(self, change: Amendment) -> OrderReport:
        """Change a resting order."""
        order = self._known(change.client_id)
        self._rules[order.symbol].check_amendment(change, order.lots, order.price_ticks)
        self.tracker.changing(change, deadline_ns=self.exchange.now)
        steps = self.exchange.listings[order.symbol].tick_step
        outcome = self._send(
            order.symbol,
            self.budget.cost(Transaction.AMEND, self.exchange.now, (order.touched_ns,)),
            wish.Amend(
                order_id=order.order_id,
                qty=change.lots,
                limit=None if change.price_ticks is None else wish.Price(change.price_ticks * steps),
                post_only=change.post_only,
            ),
        )
        if isinstance(outcome, wish.Refused):
            self.tracker.change_refused(change)
        else:
            self.tracker.change_accepted(change, self.exchange.now)
        self._pump()
        return self.tracker[change.client_id].report()

    async def cancel(self, client_id: str) -> OrderReport:
        """Take an order back."""
        order = self._known(client_id)
        if order.status.is_live:
            cost = self.budget.cost(Transaction.CANCEL, self.exchange.now, (order.touched_ns,))
            self._send(order.symbol, cost, wish.Cancel(order_id=order.order_id))
        self._pump()
        return self.tracker[client_id].report()

    async def cancel_all(self) -> None:
        """Take every order of the account back."""
        self.exchange.submit(self.number, wish.CancelAll())
        self._pump()

    async def account(self) -> AccountState:
        """Return balances and open orders."""
        now = self.exchange.now
        balances = {one.asset: one.total * TO_AMOUNT for one in self.exchange.balances(self.number)}
        reports = []
        for state in self.exchange.open_orders(self.number):
            one = self._state(state)
            assert one.side is not None
            assert one.lots is not None
            reports.append(
                OrderReport(
                    *(one.client_id or one.order_id, one.symbol, one.side, OrderStatus.OPEN, one.lots),
                    *(one.price_ticks, one.cum_lots or 0, one.order_id),
                )
            )
        return AccountState(balances, reports, now, now)

    async def resolve(self, client_id: str) -> OrderReport:
        """Return what became of an order."""
        order = self._known(client_id)
        now = self.exchange.now
        for state in self.exchange.orders(self.number, [order.order_id]).values():
            self.tracker.found(self._state(state), asked_ns=now, now_ns=now)
        self._pump()
        return order.report()

    async def fills(self, since_ns: int) -> Sequence[Fill]:
        """Return own fills since a time, oldest first."""
        found: list[Fill] = []
        while True:
            page = self.exchange.own_trades(self.number, start_ns=since_ns, offset=len(found))
            found += [self._fill(row) for row in page.rows]
            if not page.rows or len(found) >= page.whole:
                return sorted(found, key=lambda fill: (fill.time_ns, fill.exec_id))

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _known(self, client_id: str) -> Any:
        if client_id not in self.tracker:
            raise OrderRejected(f"order {client_id} was never placed here")
        return self.tracker[client_id]

    def _send(self, symbol: str, cost: Cost, command: wish.Command) -> Any:
        ticket = self.budget.sending(symbol, cost)
        outcome = self.exchange.submit(self.number, command)
        self.budget.answered(ticket, self.exchange.now, carried_out=not isinstance(outcome, wish.Refused))
        return outcome

    def _pump(self) -> None:
        """Tell what happened since the last time."""
        for event in self.exchange.drain():
            match event:
                case told.OrderReport() if event.account == self.number:
                    self._took(event)
                case told.PublicTrades() if event.symbol in self._symbols:
                    steps = self.exchange.listings[event.symbol].tick_step
                    for one in event.trades:
                        side = Side.BUY if one.side is wish.Side.BUY else Side.SELL
                        self._outbox.tell(
                            PublicTrade(one.symbol, side, one.price // steps, one.qty, one.number, one.time_ns)
                        )
                case told.ModeChanged() if not event.symbol:
                    self._outbox.tell(VenueStatus(event.mode.name.lower()))
        for symbol in self._symbols:
            self._outbox.tell(BookChanged(symbol))
        for news in self.tracker.drain():
            self._outbox.tell(news)

    def _took(self, report: told.OrderReport) -> None:
        fill = None if report.trade is None else self._fill(report.trade)
        if fill is not None:
            self.tracker.execution(told_fill(fill), self.exchange.now)
        kind = _ENDS.get(report.status, ExecType(report.kind.value))
        if kind is not ExecType.TRADE:
            self.tracker.execution(self._execution(report, kind), self.exchange.now)

    def _execution(self, one: told.OrderReport | told.OrderState, kind: ExecType) -> Execution:
        terms = one.terms
        time_ns = one.time_ns if isinstance(one, told.OrderReport) else max(one.opened_ns, one.closed_ns)
        return Execution(
            kind,
            one.order_id,
            time_ns,
            one.cl_ord_id,
            terms.symbol,
            Side.BUY if terms.side is wish.Side.BUY else Side.SELL,
            terms.qty,
            terms.limit // self.exchange.listings[terms.symbol].tick_step if terms.limit else None,
            one.cum_qty,
            one.reason,
        )

    def _state(self, state: told.OrderState) -> Execution:
        return self._execution(state, _ENDS.get(state.status, ExecType.NEW))

    def _fill(self, trade: told.OwnTrade) -> Fill:
        order = self.tracker.named(trade.order_id)
        return Fill(
            trade.trade_id,
            order.client_id if order else trade.cl_ord_id,
            trade.order_id,
            trade.symbol,
            Side.BUY if trade.side is wish.Side.BUY else Side.SELL,
            trade.qty,
            trade.price // self.exchange.listings[trade.symbol].tick_step,
            trade.cost * TO_AMOUNT,
            trade.fee * TO_AMOUNT,
            trade.fee_asset,
            trade.maker,
            trade.time_ns,
        )


def rules_of(exchange: SimulatedExchange, symbol: str) -> TradingRules:
    """Return the rules of a pair as the simulated exchange lists it."""
    pair = exchange.listings[symbol].pair
    lot = Decimal(1).scaleb(-pair.lot_decimals)
    return TradingRules(
        symbol,
        pair.tick_size,
        lot,
        pair.price_decimals,
        pair.lot_decimals,
        pair.cost_decimals,
        max(1, -(-int(pair.min_quantity.scaleb(pair.lot_decimals)) // 1)),
        int(pair.min_cost.scaleb(DECIMALS)),
        pair.status,
    )


def _text(outcome: wish.Refused) -> str:
    return f"{outcome.reason.value}: {outcome.detail}" if outcome.detail else outcome.reason.value
