"""`DryRunExchange`: orders that never leave, filled against the market as it goes by.

Books and trades come from the public side of an exchange, live or ours; the address is configuration. Own orders live
in our matching core with queue positions (`market.replay.live`): they join behind what is shown, and are filled by the
trades that would have reached them. Balances are play money of this run. There is no key here and no private address,
so there is nothing that an order could be sent with.

Fees are those of an account without volume: a dry run flatters nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import aiohttp
import numpy as np

from mycelial.adapters.exchanges.dry_run.wallet import PaperWallet
from mycelial.adapters.exchanges.kraken.exchange import connect_budget, public_socket, read_rules
from mycelial.adapters.exchanges.kraken.market_feed import MarketFeed
from mycelial.adapters.exchanges.kraken.rest import Rest
from mycelial.adapters.exchanges.kraken.settings import Settings
from mycelial.adapters.exchanges.outbox import Outbox
from mycelial.domain.errors import ExchangeError, OrderRejected
from mycelial.domain.orders import Amendment, Fill, NewOrder, OrderReport, OrderStatus, Remembered, Side, TimeInForce
from mycelial.domain.ports import (
    AccountState,
    BookChanged,
    BookView,
    Clock,
    ExchangeEvent,
    PublicTrade,
)
from mycelial.domain.trading_rules import TradingRules
from mycelial.kraken.client.budget import Budget, TradingBudget
from mycelial.kraken.client.keeping import ClockOffset
from mycelial.kraken.client.tracker import ExecType, Execution, OrderTracker
from mycelial.kraken.client.translating import told_fill
from mycelial.market.book.records import INPUT, Done, EventKind, Flag, Kind, Reject, Tif
from mycelial.market.rate_counters import Transaction
from mycelial.market.replay.live import LiveReplay, warm_up
from mycelial.market.replay.session import ReplayRules
from mycelial.market.venues.rules import Venue

log = logging.getLogger(__name__)
_TIFS = {TimeInForce.GTC: Tif.GTC, TimeInForce.GTD: Tif.GTD, TimeInForce.IOC: Tif.IOC, TimeInForce.FOK: Tif.FOK}
_ENDS = {Done.FILLED: ExecType.FILLED, Done.EXPIRED: ExecType.EXPIRED}
_COLLAR_PPM = 10_000  # a market buy holds so much more than the best ask


class DryRunExchange:
    """A paper account in a real market; see `domain.ports.Exchange`.

    Parameters
    ----------
    balances : opening amounts of play money.
    latency_ns : how long our orders would take to reach the market.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        venue: Venue,
        balances: Mapping[str, int],
        *,
        latency_ns: int = 50_000_000,
        budget: TradingBudget | None = None,
    ) -> None:
        self.settings, self._clock, self._venue = settings, clock, venue
        tiers = [venue.fee_schedules[venue.pair(symbol).fees].at(0) for symbol in settings.pairs]
        self._maker_ppm = max(tier.maker_ppm for tier in tiers)
        self._taker_ppm = max(tier.taker_ppm for tier in tiers)
        self._latency_ns = latency_ns
        self.wallet = PaperWallet(balances, self._taker_ppm)
        self.tracker = OrderTracker()
        self.budget = budget or TradingBudget(venue.limits(settings.tier), venue.tariff)
        self._rules: dict[str, TradingRules] = {}
        self._engines: dict[str, LiveReplay] = {}
        self._shown: dict[str, tuple[dict[int, int], dict[int, int]]] = {}
        self._numbers: dict[int, str] = {}  # the engine's client ids
        self._fills: list[Fill] = []
        self._outbox = Outbox()
        self._last = 0
        self._session: aiohttp.ClientSession | None = None
        self._family: asyncio.Task[None] | None = None
        self._known_books = asyncio.Event()
        self.market: MarketFeed

    # ---- life ------------------------------------------------------------------------------------------------------

    def remember(self, orders: Sequence[Remembered]) -> None:
        """Paper orders end with their run: those of a former one are gone."""
        for one in orders:
            self.tracker.remember(one)
            gone = Execution(ExecType.CANCELED, one.report.order_id, 0, one.report.client_id, reason="the run ended")
            self.tracker.execution(gone, 0)

    async def start(self) -> None:
        """Connect to the public side; see the port."""
        await asyncio.to_thread(warm_up)
        self._session = aiohttp.ClientSession(trust_env=False)
        settings, clock = self.settings, self._clock
        try:
            calls = Budget(self._venue.rest_limits(settings.tier), reserve_ppm=0)
            rest = Rest(settings.rest, self._session, clock, calls, self._venue.rest, answer_ns=settings.answer_ns)
            self._rules = (await read_rules(rest, settings.pairs))[0]
            socket = public_socket(settings, self._session, clock, connect_budget(self._venue), ClockOffset())
            self.market = MarketFeed(socket, clock, self._rules, settings.pairs, settings.depth, self._took)
            for symbol in settings.pairs:
                self._engines[symbol] = LiveReplay(
                    ReplayRules(up_ns=self._latency_ns, maker_ppm=self._maker_ppm, taker_ppm=self._taker_ppm)
                )
            self._family = asyncio.create_task(self._run(), name="dry-run")
            waiting = asyncio.create_task(self._known_books.wait())
            patience = settings.start_ns / 1e9
            await asyncio.wait({waiting, self._family}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if self._family.done():
                await self._family
            if not self._known_books.is_set():
                raise ExchangeError(f"no book came from {settings.ws} in {patience:g} s; is the exchange running?")
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Let go; open paper orders end with the run."""
        if self._family is not None:
            self._family.cancel()
            with suppress(asyncio.CancelledError, ExchangeError):
                await self._family
        if self._session is not None:
            await self._session.close()
        self._outbox.close()

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.market.run(), name="market")
                tasks.create_task(self._tick(), name="tick")
        except BaseExceptionGroup as group:
            self._outbox.close(group.exceptions[0])
            raise group.exceptions[0] from None

    async def _tick(self) -> None:
        """Let orders arrive and expire when the market is silent."""
        while True:
            await self._clock.sleep_until(self._clock.now_ns() + max(self._latency_ns, 20_000_000))
            for symbol in self._engines:
                self._advance(symbol)

    # ---- what is known ---------------------------------------------------------------------------------------------

    @property
    def rules(self) -> Mapping[str, TradingRules]:
        """Pairs by symbol."""
        return self._rules

    def events(self) -> AsyncIterator[ExchangeEvent]:
        """Return what happens."""
        return self._outbox

    def book(self, symbol: str) -> BookView:
        """Return a book as it is known now."""
        return self.market.view(symbol)

    def is_ready(self) -> bool:
        """Return whether every book is known: without one a paper order would be filled by imagination."""
        return bool(self._engines) and all(self.market.view(symbol).is_verified for symbol in self._engines)

    # ---- orders ----------------------------------------------------------------------------------------------------

    async def submit(self, order: NewOrder) -> OrderReport:
        """Place a paper order."""
        if order.symbol not in self._engines:
            raise OrderRejected(f"the dry run does not trade {order.symbol}; it trades {', '.join(self._engines)}")
        rules, book = self._rules[order.symbol], self.book(order.symbol)
        rules.check(order)
        if not book.is_verified:
            raise OrderRejected(f"order {order.client_id} was not placed: the book of {order.symbol} is being fetched")
        self._need_room(order.symbol, Transaction.ADD, ())
        now = self._clock.now_ns()
        self.tracker.sending(order, deadline_ns=now)
        self._charge(order.symbol, Transaction.ADD, ())
        self._last += 1
        price = order.price_ticks
        if price is None:
            best = book.asks[0][0] if book.asks else 0
            price = best + best * _COLLAR_PPM // 1_000_000
        if not self.wallet.hold(order, rules, price):
            self.tracker.refused(order.client_id, "EOrder:Insufficient funds")
        else:
            self._numbers[self._last] = order.client_id
            record = np.zeros(1, INPUT)
            record["kind"], record["side"], record["group"] = Kind.NEW, order.side is Side.SELL, -1
            record["tif"], record["client_id"] = _TIFS[order.time_in_force], self._last
            record["flags"] = Flag.POST_ONLY * order.post_only + Flag.MARKET * (order.price_ticks is None)
            record["price"], record["lots"] = order.price_ticks or 0, order.lots
            record["expire"] = order.expires_ns or 0
            self._send(order.symbol, record)
        self._pump()
        return self.tracker[order.client_id].report()

    async def amend(self, change: Amendment) -> OrderReport:
        """Change a resting paper order."""
        order = self._known(change.client_id)
        rules = self._rules[order.symbol]
        rules.check_amendment(change, order.lots, order.price_ticks)
        self._need_room(order.symbol, Transaction.AMEND, (order.touched_ns,))
        lots = order.lots if change.lots is None else change.lots
        price = order.price_ticks if change.price_ticks is None else change.price_ticks
        if not self.wallet.change(change.client_id, order.side, rules, price or 0, max(0, lots - order.done_lots)):
            raise OrderRejected(f"order {change.client_id} stays as it is: the dry run lacks the funds for more")
        self.tracker.changing(change, deadline_ns=self._clock.now_ns() + self._latency_ns)
        self._charge(order.symbol, Transaction.AMEND, (order.touched_ns,))
        record = np.zeros(1, INPUT)
        record["kind"], record["handle"], record["client_id"] = Kind.AMEND, -1, self._number(change.client_id)
        record["price"] = -1 if change.price_ticks is None else change.price_ticks
        record["lots"] = -1 if change.lots is None else change.lots
        record["display"] = -1
        self._send(order.symbol, record)
        self._pump()
        return self.tracker[change.client_id].report()

    async def cancel(self, client_id: str) -> OrderReport:
        """Take a paper order back."""
        order = self._known(client_id)
        if order.status.is_live:
            self._charge(order.symbol, Transaction.CANCEL, (order.touched_ns,))
            record = np.zeros(1, INPUT)
            record["kind"], record["handle"], record["client_id"] = Kind.CANCEL, -1, self._number(client_id)
            self._send(order.symbol, record)
        self._pump()
        return self.tracker[client_id].report()

    async def cancel_all(self) -> None:
        """Take every paper order back."""
        for order in self.tracker.live():
            await self.cancel(order.client_id)

    async def account(self) -> AccountState:
        """Return the paper account."""
        now = self._clock.now_ns()
        live = [one.report() for one in self.tracker.live() if one.status is OrderStatus.OPEN]
        return AccountState(dict(self.wallet.total), live, now, now)

    async def resolve(self, client_id: str) -> OrderReport:
        """Return what is known of an order; nothing is ever in doubt here."""
        return self._known(client_id).report()

    async def fills(self, since_ns: int) -> Sequence[Fill]:
        """Return paper fills since a time."""
        return [fill for fill in self._fills if fill.time_ns >= since_ns]

    # ---- the market ------------------------------------------------------------------------------------------------

    def _took(self, event: ExchangeEvent) -> None:
        """Take what the feed tells: the engine first, then the trader."""
        match event:
            case BookChanged(symbol):
                self._took_book(symbol)
                if all(self.market.view(one).is_verified for one in self._engines):
                    self._known_books.set()
            case PublicTrade():
                engine = self._engines.get(event.symbol)
                if engine is not None:
                    side = 0 if event.side is Side.BUY else 1
                    self._told(event.symbol, engine.trade(self._time(engine), event.price_ticks, event.lots, side))
        self._outbox.tell(event)
        self._pump()

    def _took_book(self, symbol: str) -> None:
        view, engine = self.market.view(symbol), self._engines[symbol]
        if not view.is_verified:
            self._shown.pop(symbol, None)  # the next book that is proven counts as a snapshot
            return
        before = self._shown.get(symbol)
        after = dict(view.bids), dict(view.asks)
        self._shown[symbol] = after
        if before is None:
            events = engine.levels(self._time(engine), view.bids, view.asks, is_snapshot=True)
        else:
            bids, asks = (_changes(old, new) for old, new in zip(before, after, strict=True))
            events = engine.levels(self._time(engine), bids, asks, is_snapshot=False)
        self._told(symbol, events)

    def _advance(self, symbol: str) -> None:
        engine = self._engines[symbol]
        self._told(symbol, engine.advance(self._time(engine)))
        self._pump()

    def _time(self, engine: LiveReplay) -> int:
        return max(self._clock.now_ns(), engine.time_ns)

    def _send(self, symbol: str, record: Any) -> None:
        engine = self._engines[symbol]
        record["ts"] = self._time(engine)
        engine.submit(record)
        if self._latency_ns == 0:
            self._advance(symbol)

    def _told(self, symbol: str, events: Any) -> None:
        """Tell the tracker what the engine did with own orders."""
        rules, now = self._rules[symbol], self._clock.now_ns()
        for event in events:
            kind, number = EventKind(int(event["kind"])), int(event["client_id"])
            client_id, order_id = self._numbers.get(number, ""), f"DRY-{symbol}-{int(event['handle'])}"
            match kind:
                case EventKind.ACCEPTED:
                    self.tracker.accepted(client_id, order_id, now)
                case EventKind.REJECTED:
                    self._rejected(client_id, Reject(int(event["reason"])).name.lower().replace("_", " "))
                case EventKind.TRADE:
                    self._traded(rules, event)
                case EventKind.AMENDED:
                    order = self.tracker[client_id]
                    for change, _ in list(order.changes):
                        self.tracker.change_accepted(change, now)
                case EventKind.DONE:
                    done = Done(int(event["reason"]))
                    end = _ENDS.get(done, ExecType.CANCELED)
                    self.tracker.execution(
                        Execution(end, order_id, now, client_id, cum_lots=int(event["lots"]), reason=_why(done)), now
                    )
                    self.wallet.release(client_id)

    def _rejected(self, client_id: str, reason: str) -> None:
        order = self.tracker[client_id]
        if order.changes:
            for change, _ in list(order.changes):
                self.tracker.change_refused(change)
            rules = self._rules[order.symbol]
            self.wallet.change(client_id, order.side, rules, order.price_ticks or 0, order.worst_lots)
        elif order.status is OrderStatus.SENDING:
            self.tracker.refused(client_id, reason)
            self.wallet.release(client_id)

    def _traded(self, rules: TradingRules, event: Any) -> None:
        is_maker = int(event["maker_handle"]) >= 0
        handle = int(event["maker_handle"] if is_maker else event["handle"])
        order = self.tracker.named(f"DRY-{rules.symbol}-{handle}")
        assert order is not None
        lots, price = int(event["lots"]), int(event["price"])
        fee = int(event["maker_fee"] if is_maker else event["taker_fee"])
        fill = Fill(
            f"DRY-{rules.symbol}-{int(event['event_seq'])}",
            *(order.client_id, order.order_id, rules.symbol, order.side, lots, price),
            *(rules.cost(price, lots), rules.cost(1, fee), rules.quote, is_maker, self._clock.now_ns()),
        )
        self._fills.append(fill)
        self.wallet.book(fill, rules)
        self.tracker.execution(told_fill(fill), fill.time_ns)
        self.wallet.change(order.client_id, order.side, rules, order.price_ticks or price, order.worst_lots)

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _need_room(self, symbol: str, kind: Transaction, touched: tuple[int, ...]) -> None:
        now = self._clock.now_ns()
        if not self.budget.fits(symbol, now, self.budget.cost(kind, now, touched)):
            raise OrderRejected(f"{symbol}: the message counter is full; amend old orders, use other pairs, or wait")

    def _charge(self, symbol: str, kind: Transaction, touched: tuple[int, ...]) -> None:
        now = self._clock.now_ns()
        self.budget.answered(self.budget.sending(symbol, self.budget.cost(kind, now, touched)), now, carried_out=True)

    def _number(self, client_id: str) -> int:
        return next(number for number, name in self._numbers.items() if name == client_id)

    def _known(self, client_id: str) -> Any:
        if client_id not in self.tracker:
            raise OrderRejected(f"order {client_id} was never placed here")
        return self.tracker[client_id]

    def _pump(self) -> None:
        for news in self.tracker.drain():
            self._outbox.tell(news)


def _changes(before: dict[int, int], after: dict[int, int]) -> list[tuple[int, int]]:
    """Return the levels that differ, with 0 for those that left the view."""
    gone = [(price, 0) for price in before if price not in after]
    return gone + [(price, lots) for price, lots in after.items() if before.get(price) != lots]


def _why(done: Done) -> str:
    return "" if done is Done.FILLED else done.name.lower().replace("_", " ")
