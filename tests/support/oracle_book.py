"""The order book once more, in plain Python and for reading: the kernel must say the same, field by field.

Written from the words of `mycelial.market.book.records` and `docs/decisions/0009-order-book.md` alone. A level is a
deque of orders, a side a dict of levels, an account four integers. Nothing here is fast, and nothing is shared with
the kernel but the words.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.instrument import Instrument
from mycelial.market.book.records import (
    EVENT,
    INPUT,
    Done,
    EventFlag,
    EventKind,
    Flag,
    Kind,
    Mode,
    Reject,
    Side,
    Stp,
    Tif,
)

DAY_NS = 86_400 * 10**9
WINDOW_DAYS = 30
BALANCE_BOUND = 2**62
GENERATIONS = 2**31
ONE = 1_000_000  # parts per million in one

ACCOUNT = np.dtype(
    [
        ("cash_free", "<i8"),
        ("cash_held", "<i8"),
        ("asset_free", "<i8"),
        ("asset_held", "<i8"),
        ("maker_ppm", "<i8"),
        ("taker_ppm", "<i8"),
        ("volume_30d", "<i8"),
    ]
)

ORDER = np.dtype(
    [
        ("handle", "<i8"),
        ("side", "u1"),
        ("owner", "<i4"),
        ("client_id", "<i8"),
        ("price", "<i8"),
        ("leaves", "<i8"),
        ("shown", "<i8"),
        ("display", "<i8"),
        ("filled", "<i8"),
        ("tif", "u1"),
        ("flags", "u1"),
        ("expire", "<i8"),
        ("group", "<i4"),
    ]
)

ALL_FLAGS = int(Flag.MARKET | Flag.POST_ONLY | Flag.ICEBERG | Flag.REDUCE_ONLY | Flag.NO_PROTECTION)
NEW_ALLOWED = {Mode.ONLINE, Mode.LIMIT_ONLY, Mode.POST_ONLY, Mode.REDUCE_ONLY}
CANCEL_ALLOWED = NEW_ALLOWED | {Mode.CANCEL_ONLY}
FUND_ALLOWED = CANCEL_ALLOWED | {Mode.CLOSED}


def fee(notional: int, rate_ppm: int) -> int:
    """Return the fee in cash units, halves rounded up; a negative rate is a rebate of the same size."""
    size = abs(rate_ppm)
    units = (notional // ONE) * size + ((notional % ONE) * size + ONE // 2) // ONE
    return units if rate_ppm >= 0 else -units


def cash_hold(notional: int, lots: int, rate_ppm: int) -> int:
    """Return what a buy of `lots` worth `notional` at its limit holds."""
    if rate_ppm == 0:
        return notional
    return notional + -(-notional * rate_ppm // ONE) + lots


@dataclass(slots=True)
class Input:
    """One input, as Python integers."""

    ts: int
    kind: int
    side: int
    tif: int
    flags: int
    stp: int
    owner: int
    group: int
    handle: int
    client_id: int
    price: int
    lots: int
    display: int
    expire: int
    aux: int


@dataclass(slots=True, eq=False)
class Order:
    """A live order."""

    handle: int
    side: int
    owner: int
    group: int
    client_id: int
    price: int
    leaves: int
    display: int  # 0: no iceberg
    tif: int
    flags: int
    stp: int
    expire: int
    accepted: int  # seq of the input that brought it
    hold_ppm: int  # the most its owner pays per fill
    filled: int = 0
    shown: int = 0
    hold: int = 0  # cash units (buy) or lots (sell)
    resting: bool = False

    @property
    def is_buy(self) -> bool:
        return self.side == Side.BUY

    @property
    def total(self) -> int:
        return self.filled + self.leaves

    @property
    def tip(self) -> int:
        """What it shows when it joins a queue."""
        return min(self.display, self.leaves) if self.display else self.leaves


@dataclass(slots=True)
class Account:
    """Free and held money, the present fee rates, and 30 days of volume."""

    may_borrow: bool
    cash_free: int = 0
    cash_held: int = 0
    asset_free: int = 0
    asset_held: int = 0
    maker_ppm: int = 0
    taker_ppm: int = 0
    volume_by_day: dict[int, int] = field(default_factory=dict)

    @property
    def position(self) -> int:
        return self.asset_free + self.asset_held

    @property
    def worst_ppm(self) -> int:
        """The rate at which a new order holds."""
        return max(self.maker_ppm, self.taker_ppm, 0)

    @property
    def volume_30d(self) -> int:
        return sum(self.volume_by_day.values())


class Refusal(Exception):
    """A check failed; the reason is its argument."""

    def __init__(self, reason: Reject) -> None:
        super().__init__(reason.name)
        self.reason = reason


def need(ok: bool, reason: Reject) -> None:
    if not ok:
        raise Refusal(reason)


class OracleBook:
    """One market, its accounts and its clock; see the module docstring."""

    def __init__(
        self,
        instrument: Instrument,
        accounts: int,
        *,
        fee_tiers: Sequence[tuple[int, int, int]] = ((0, 0, 0),),
        may_borrow: bool | NDArray[np.bool_] = False,
    ) -> None:
        self.instrument = instrument
        self.fee_tiers = list(fee_tiers)
        self.mode = Mode.ONLINE
        self.now = 0
        borrowers = np.broadcast_to(np.asarray(may_borrow, dtype=bool), accounts)
        self._owners = [Account(bool(b)) for b in borrowers]
        self._exchange, self._world = Account(True), Account(True)
        for account in [*self._owners, self._exchange, self._world]:
            self._look_up_rates(account)

        self._levels: dict[int, dict[int, deque[Order]]] = {Side.BUY: {}, Side.SELL: {}}
        self._live: dict[int, Order] = {}  # by handle
        self._by_client: dict[tuple[int, int], Order] = {}
        self._expiring: list[tuple[int, int, int]] = []  # heap of (expire, accepted, handle); the done are skipped
        self._free_slots = list(range(instrument.max_orders, 0, -1))  # taken from the end
        self._generation = dict.fromkeys(self._free_slots, 0)

        self._seq = 0
        self._event_seq = 0
        self._events: list[tuple[Any, ...]] = []
        self._handlers = {
            Kind.NEW: self._new,
            Kind.CANCEL: self._cancel,
            Kind.CANCEL_ALL: self._cancel_all,
            Kind.AMEND: self._amend,
            Kind.CONTROL: self._control,
            Kind.FUND: self._fund,
            Kind.CLOCK: lambda record: None,
        }

    # ---- what it shows ---------------------------------------------------------------------------------------------

    @property
    def best_bid(self) -> int:
        return max(self._levels[Side.BUY], default=0)

    @property
    def best_ask(self) -> int:
        return min(self._levels[Side.SELL], default=0)

    def accounts(self) -> NDArray[Any]:
        """Return a row per owner, then the exchange's fees, then the world that funds come from."""
        rows = [
            (a.cash_free, a.cash_held, a.asset_free, a.asset_held, a.maker_ppm, a.taker_ppm, a.volume_30d)
            for a in [*self._owners, self._exchange, self._world]
        ]
        return np.array(rows, dtype=ACCOUNT)

    def orders(self) -> NDArray[Any]:
        """Return the resting orders: bids from best to worst in queue order, then asks likewise."""
        rows = [
            tuple(getattr(order, name) for name in ORDER.names or ())
            for side in (Side.BUY, Side.SELL)
            for order in self._queue(side)
        ]
        return np.array(rows, dtype=ORDER)

    def levels(self, side: int, depth: int) -> NDArray[np.int64]:
        """Return (price, shown lots) of the best `depth` levels of a side."""
        rows = [(price, sum(o.shown for o in self._levels[side][price])) for price in self._prices(side)[:depth]]
        return np.array(rows, dtype=np.int64).reshape(-1, 2)

    # ---- inputs ----------------------------------------------------------------------------------------------------

    def apply(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """Apply inputs in order; return what they caused."""
        self._events = []
        for ts, kind, side, tif, flags, stp, _, *rest in np.asarray(inputs, dtype=INPUT).tolist():
            self._apply(Input(ts, kind, side, tif, flags, stp, *rest))
        return np.array(self._events, dtype=EVENT)

    def apply_one(self, record: Any) -> NDArray[Any]:
        """Apply one input; return what it caused."""
        return self.apply(np.array([record], dtype=INPUT))

    def _apply(self, record: Input) -> None:
        try:
            need(record.ts >= self.now, Reject.BAD_CLOCK)
            self.now = record.ts
            self._expire()
            need(record.kind in self._handlers, Reject.BAD_RECORD)
            self._handlers[Kind(record.kind)](record)
        except Refusal as refusal:
            self._emit(
                EventKind.REJECTED,
                reason=refusal.reason,
                side=record.side,
                owner=record.owner,
                handle=record.handle,
                client_id=record.client_id,
                price=record.price,
                lots=record.lots,
            )
        self._seq += 1

    def _expire(self) -> None:
        while self._expiring and self._expiring[0][0] <= self.now:
            _, _, handle = heapq.heappop(self._expiring)
            if handle in self._live:
                self._finish(self._live[handle], Done.EXPIRED)

    # ---- NEW -------------------------------------------------------------------------------------------------------

    def _new(self, record: Input) -> None:
        self._check_owner(record.owner)
        order = self._check_new(record)
        slot = self._free_slots.pop()
        order.handle = self._generation[slot] << 32 | slot
        self._live[order.handle] = order
        if order.client_id:
            self._by_client[order.owner, order.client_id] = order
        self._set_hold(order)
        self._emit_order(EventKind.ACCEPTED, order, price=order.price, lots=order.leaves, leaves=order.leaves)

        if order.flags & Flag.POST_ONLY and self._crosses(order.side, order.price):
            self._finish(order, Done.POST_ONLY)
        elif order.tif == Tif.FOK and self._fillable(order) < order.leaves:
            self._finish(order, Done.FOK_KILL)
        else:
            self._take(order)

    def _check_new(self, record: Input) -> Order:
        """Run the checks of NEW in their order; return the order it would become, without a handle."""
        rules = self.instrument
        flags, tif = record.flags, record.tif
        market, post_only, iceberg = (bool(flags & f) for f in (Flag.MARKET, Flag.POST_ONLY, Flag.ICEBERG))
        at_once = market or tif in (Tif.IOC, Tif.FOK)

        known = record.side <= Side.SELL and tif <= Tif.FOK and record.stp <= Stp.NONE and flags & ~ALL_FLAGS == 0
        need(known, Reject.BAD_RECORD)

        need(self.mode in NEW_ALLOWED, Reject.MODE)
        need(not (self.mode == Mode.LIMIT_ONLY and market), Reject.MODE)
        need(not (self.mode == Mode.POST_ONLY and not post_only), Reject.MODE)

        need(not ((post_only or iceberg) and at_once), Reject.BAD_TIF)
        need(not (market and tif == Tif.GTD), Reject.BAD_TIF)
        need(not (tif == Tif.GTD and record.expire <= record.ts), Reject.BAD_TIF)

        need(record.lots > 0, Reject.BAD_LOTS)
        need(record.lots >= rules.min_lots, Reject.MIN_LOTS)
        need(record.lots <= rules.max_lots, Reject.MAX_LOTS)
        if iceberg:
            need(self._may_show(record.display, record.lots), Reject.BAD_DISPLAY)
        else:
            need(record.display == 0, Reject.BAD_DISPLAY)

        if not market:
            need(record.price > 0, Reject.BAD_TICK)
            need(record.price < rules.ladder_ticks, Reject.OUT_OF_LADDER)

        touch = self._best(1 - record.side)
        need(not market or touch > 0, Reject.NO_LIQUIDITY)
        valued_at = touch if market else record.price
        need(valued_at * record.lots * rules.cash_per_tick_lot >= rules.min_notional, Reject.MIN_NOTIONAL)
        need(
            record.client_id == 0 or (record.owner, record.client_id) not in self._by_client,
            Reject.DUP_CLIENT_ID,
        )

        account = self._owners[record.owner]
        if flags & Flag.REDUCE_ONLY or self.mode == Mode.REDUCE_ONLY:
            shrinkable = -account.position if record.side == Side.BUY else account.position
            need(record.lots <= shrinkable, Reject.REDUCE_ONLY)

        self._refresh(account)
        order = Order(
            handle=0,
            side=record.side,
            owner=record.owner,
            group=max(record.group, -1),
            client_id=record.client_id,
            price=record.price,
            leaves=record.lots,
            display=record.display,
            tif=tif,
            flags=flags,
            stp=record.stp,
            expire=record.expire if tif == Tif.GTD else 0,
            accepted=self._seq,
            hold_ppm=account.worst_ppm,
        )
        if market:
            order.price = self._market_limit(order)
        self._need_funds(account, order, already_held=0)
        need(bool(self._free_slots), Reject.POOL_FULL)
        return order

    def _may_show(self, display: int, total: int) -> bool:
        return 1 <= display <= total <= display * self.instrument.iceberg_parts

    def _market_limit(self, order: Order) -> int:
        """Return the worst price a market order may trade at."""
        touch = self._best(1 - order.side)
        if order.flags & Flag.NO_PROTECTION:
            return self._worst_needed(order)
        allowed = touch * self.instrument.protection_ppm // ONE  # towards the touch
        return min(touch + allowed, self.instrument.ladder_ticks - 1) if order.is_buy else max(touch - allowed, 1)

    def _worst_needed(self, order: Order) -> int:
        """Return the price of the level where the opposite side covers the order, or of the last one."""
        covered, price = 0, 0
        for price in self._prices(1 - order.side):
            covered += sum(
                maker.leaves
                for maker in self._levels[1 - order.side][price]
                if not (order.stp == Stp.CANCEL_OLDEST and self._same_trader(order, maker))
            )
            if covered >= order.leaves:
                break
        return price

    def _fillable(self, order: Order) -> int:
        """Return how many lots a fill-or-kill order would trade, without touching the book."""
        lots = 0
        for price in self._prices(1 - order.side):
            if not self._within(order.side, order.price, price):
                break
            level = self._levels[1 - order.side][price]
            own = [self._same_trader(order, maker) for maker in level]
            if order.stp == Stp.NONE or not any(own):
                lots += sum(maker.leaves for maker in level)
            elif order.stp == Stp.CANCEL_OLDEST:
                lots += sum(maker.leaves for maker, is_own in zip(level, own, strict=True) if not is_own)
            else:  # it stops at the first own order; refilled tips would queue behind that one
                return lots + sum(maker.shown for maker in list(level)[: own.index(True)])
        return lots

    # ---- matching --------------------------------------------------------------------------------------------------

    def _take(self, taker: Order) -> None:
        """Match, then let the remainder rest or go."""
        while taker.leaves and self._crosses(taker.side, taker.price):
            maker = self._levels[1 - taker.side][self._best(1 - taker.side)][0]
            if taker.stp != Stp.NONE and self._same_trader(taker, maker):
                if taker.stp != Stp.CANCEL_NEWEST:
                    self._finish(maker, Done.STP)
                if taker.stp != Stp.CANCEL_OLDEST:
                    self._finish(taker, Done.STP)
                    return
            else:
                self._trade(taker, maker)

        if taker.leaves == 0:
            self._finish(taker, Done.FILLED)
        elif taker.flags & Flag.MARKET:
            self._finish(taker, Done.PROTECTION)
        elif taker.tif == Tif.IOC:
            self._finish(taker, Done.IOC_REST)
        else:
            self._join(taker)
            self._emit_order(EventKind.RESTED, taker, price=taker.price, lots=taker.shown, leaves=taker.leaves)
            if taker.tif == Tif.GTD:
                heapq.heappush(self._expiring, (taker.expire, taker.accepted, taker.handle))

    def _trade(self, taker: Order, maker: Order) -> None:
        lots = min(taker.leaves, maker.shown)
        taker_fee, maker_fee = self._settle(taker, maker, lots)
        maker.shown -= lots
        self._emit_order(
            EventKind.TRADE,
            taker,
            price=maker.price,
            lots=lots,
            leaves=taker.leaves,
            maker_handle=maker.handle,
            maker_owner=maker.owner,
            taker_fee=taker_fee,
            maker_fee=maker_fee,
        )
        if maker.leaves == 0:
            self._finish(maker, Done.FILLED)
        elif maker.shown == 0:
            self._leave_queue(maker)
            self._join(maker)
            self._emit_order(EventKind.REPLENISHED, maker, price=maker.price, lots=maker.shown, leaves=maker.leaves)

    def _settle(self, taker: Order, maker: Order, lots: int) -> tuple[int, int]:
        """Move asset and cash between two accounts and fees to the exchange; return the two fees."""
        notional = maker.price * lots * self.instrument.cash_per_tick_lot
        fees = []
        for order in (taker, maker):
            self._refresh(self._owners[order.owner])
        for order, is_maker in ((taker, False), (maker, True)):
            account = self._owners[order.owner]
            rate = min(account.maker_ppm if is_maker else account.taker_ppm, order.hold_ppm)
            fees.append(fee(notional, rate))
        for order, paid in zip((taker, maker), fees, strict=True):
            account = self._owners[order.owner]
            order.leaves -= lots
            order.filled += lots
            self._set_hold(order)  # what is held for the rest; all that was held above it is free now ...
            if order.is_buy:  # ... and pays for the fill
                account.cash_free -= notional + paid
                account.asset_free += lots
            else:
                account.asset_free -= lots
                account.cash_free += notional - paid
            self._exchange.cash_free += paid
        if len(self.fee_tiers) > 1:  # with one tier nobody asks for the volume
            today = self.now // DAY_NS
            for order in (taker, maker):
                account = self._owners[order.owner]
                account.volume_by_day[today] = account.volume_by_day.get(today, 0) + notional
                self._look_up_rates(account)
        return fees[0], fees[1]

    # ---- leaving ---------------------------------------------------------------------------------------------------

    def _finish(self, order: Order, reason: Done) -> None:
        """Take an order out of everything, free what it held, and say why."""
        self._emit_order(
            EventKind.DONE,
            order,
            reason=reason,
            flags=EventFlag.RESTING if order.resting else 0,
            price=order.price,
            lots=order.filled,
            leaves=order.leaves,
        )
        if order.resting:
            self._leave_queue(order)
        order.leaves = 0
        self._set_hold(order)
        del self._live[order.handle]
        if order.client_id:
            del self._by_client[order.owner, order.client_id]
        slot = order.handle & 0xFFFFFFFF
        self._generation[slot] = (self._generation[slot] + 1) % GENERATIONS
        self._free_slots.append(slot)

    def _cancel(self, record: Input) -> None:
        self._check_owner(record.owner)
        need(self.mode in CANCEL_ALLOWED, Reject.MODE)
        self._finish(self._find(record), Done.USER)

    def _cancel_all(self, record: Input) -> None:
        self._check_owner(record.owner)
        need(record.side <= Side.BOTH, Reject.BAD_RECORD)
        need(self.mode in CANCEL_ALLOWED, Reject.MODE)
        for side in (Side.BUY, Side.SELL):
            if record.side in (side, Side.BOTH):
                for order in list(self._queue(side)):
                    if order.owner == record.owner:
                        self._finish(order, Done.MASS)

    # ---- AMEND -----------------------------------------------------------------------------------------------------

    def _amend(self, record: Input) -> None:
        rules = self.instrument
        self._check_owner(record.owner)
        need(self.mode in NEW_ALLOWED, Reject.MODE)
        order = self._find(record)
        need(self.mode != Mode.POST_ONLY or bool(order.flags & Flag.POST_ONLY), Reject.MODE)

        total = order.total if record.lots == -1 else record.lots
        price = order.price if record.price == -1 else record.price
        display = min(order.display, total) if record.display == -1 else record.display
        need(total > 0, Reject.BAD_LOTS)
        need(total <= rules.max_lots, Reject.MAX_LOTS)
        if total <= order.filled:
            self._finish(order, Done.USER)
            return

        need(price > 0, Reject.BAD_TICK)
        need(price < rules.ladder_ticks, Reject.OUT_OF_LADDER)
        if order.display:
            need(self._may_show(display, total), Reject.BAD_DISPLAY)
        else:
            need(display == 0, Reject.BAD_DISPLAY)
        need(total >= rules.min_lots, Reject.MIN_LOTS)
        need(price * total * rules.cash_per_tick_lot >= rules.min_notional, Reject.MIN_NOTIONAL)
        need((total, price, display) != (order.total, order.price, order.display), Reject.NO_CHANGE)
        need(not (self.mode == Mode.REDUCE_ONLY and total > order.total), Reject.REDUCE_ONLY)
        need(not (order.flags & Flag.POST_ONLY and self._crosses(order.side, price)), Reject.POST_ONLY_AMEND)

        account = self._owners[order.owner]
        self._refresh(account)
        changed = Order(**{name: getattr(order, name) for name in Order.__slots__})
        changed.price, changed.leaves, changed.display = price, total - order.filled, display
        changed.hold_ppm = account.worst_ppm
        self._need_funds(account, changed, already_held=order.hold)

        keeps_place = price == order.price and total <= order.total and display <= order.display
        former_price = order.price
        if not keeps_place:
            self._leave_queue(order)
        order.price, order.leaves, order.display = changed.price, changed.leaves, changed.display
        order.hold_ppm = changed.hold_ppm
        order.shown = min(order.shown, order.tip) if keeps_place else order.tip
        self._set_hold(order)
        self._emit_order(
            EventKind.AMENDED,
            order,
            flags=EventFlag.KEPT if keeps_place else 0,
            price=order.price,
            lots=order.shown,
            leaves=order.leaves,
            maker_handle=former_price,
        )
        if not keeps_place:
            self._take(order)

    # ---- CONTROL and FUND ------------------------------------------------------------------------------------------

    def _control(self, record: Input) -> None:
        need(record.aux in list(Mode), Reject.BAD_RECORD)
        former, self.mode = self.mode, Mode(record.aux)
        self._emit(EventKind.MODE, owner=-1, handle=-1, lots=self.mode, leaves=former)
        if self.mode == Mode.CLOSED:
            for side in (Side.BUY, Side.SELL):
                for order in list(self._queue(side)):
                    self._finish(order, Done.CLOSED)

    def _fund(self, record: Input) -> None:
        self._check_owner(record.owner)
        need(record.side <= Side.SELL and record.aux != 0, Reject.BAD_RECORD)
        need(self.mode in FUND_ALLOWED, Reject.MODE)
        account, amount = self._owners[record.owner], record.aux
        free, held = (
            (account.cash_free, account.cash_held) if record.side == 0 else (account.asset_free, account.asset_held)
        )
        need(account.may_borrow or free + amount >= 0, Reject.NO_FUNDS)
        world = self._world.cash_free if record.side == 0 else self._world.asset_free
        bounded = (amount, free + amount, free + amount + held, world - amount)
        need(all(abs(value) < BALANCE_BOUND for value in bounded), Reject.BAD_LOTS)
        if record.side == 0:
            account.cash_free += amount
            self._world.cash_free -= amount
        else:
            account.asset_free += amount
            self._world.asset_free -= amount
        self._emit(EventKind.POSTED, side=record.side, owner=record.owner, handle=-1, lots=amount)

    # ---- money -----------------------------------------------------------------------------------------------------

    def _needed_hold(self, order: Order) -> int:
        if not order.is_buy:
            return order.leaves
        notional = order.price * order.leaves * self.instrument.cash_per_tick_lot
        return cash_hold(notional, order.leaves, order.hold_ppm)

    def _set_hold(self, order: Order) -> None:
        """Move between free and held what makes the order hold what it needs."""
        account, more = self._owners[order.owner], self._needed_hold(order) - order.hold
        if order.is_buy:
            account.cash_free -= more
            account.cash_held += more
        else:
            account.asset_free -= more
            account.asset_held += more
        order.hold += more

    def _need_funds(self, account: Account, order: Order, already_held: int) -> None:
        free = account.cash_free if order.is_buy else account.asset_free
        more = self._needed_hold(order) - already_held
        may_owe = account.may_borrow and free - more > -BALANCE_BOUND
        need(more <= max(free, 0) or may_owe, Reject.NO_FUNDS)

    def _refresh(self, account: Account) -> None:
        """Drop the days that fell out of the window and look the rates up."""
        first_day = self.now // DAY_NS - (WINDOW_DAYS - 1)
        account.volume_by_day = {day: volume for day, volume in account.volume_by_day.items() if day >= first_day}
        self._look_up_rates(account)

    def _look_up_rates(self, account: Account) -> None:
        reached = [rates for threshold, *rates in self.fee_tiers if account.volume_30d >= threshold]
        account.maker_ppm, account.taker_ppm = reached[-1]

    # ---- the book --------------------------------------------------------------------------------------------------

    def _best(self, side: int) -> int:
        return self.best_bid if side == Side.BUY else self.best_ask

    def _prices(self, side: int) -> list[int]:
        """Return the prices of a side from best to worst."""
        return sorted(self._levels[side], reverse=side == Side.BUY)

    def _queue(self, side: int) -> Iterator[Order]:
        for price in self._prices(side):
            yield from self._levels[side][price]

    def _join(self, order: Order) -> None:
        """Put an order at the back of the queue of its price."""
        order.shown = order.tip
        order.resting = True
        self._levels[order.side].setdefault(order.price, deque()).append(order)

    def _leave_queue(self, order: Order) -> None:
        level = self._levels[order.side][order.price]
        level.remove(order)
        order.resting = False
        if not level:
            del self._levels[order.side][order.price]

    @staticmethod
    def _within(side: int, limit: int, price: int) -> bool:
        return price <= limit if side == Side.BUY else price >= limit

    def _crosses(self, side: int, limit: int) -> bool:
        touch = self._best(1 - side)
        return touch > 0 and self._within(side, limit, touch)

    @staticmethod
    def _same_trader(one: Order, other: Order) -> bool:
        return one.owner == other.owner or (one.group == other.group and one.group >= 0)

    # ---- checks shared by several kinds, and events ----------------------------------------------------------------

    def _check_owner(self, owner: int) -> None:
        need(0 <= owner < len(self._owners), Reject.BAD_OWNER)

    def _find(self, record: Input) -> Order:
        """Return the live order that a CANCEL or AMEND speaks of, and make sure it is the sender's."""
        if record.handle == -1:
            order = self._by_client.get((record.owner, record.client_id))
        else:
            order = self._live.get(record.handle)
        if order is None:
            raise Refusal(Reject.UNKNOWN_ORDER)
        need(order.owner == record.owner, Reject.NOT_OWNER)
        return order

    def _emit_order(self, kind: EventKind, order: Order, **fields: int) -> None:
        self._emit(
            kind,
            side=order.side,
            owner=order.owner,
            handle=order.handle,
            client_id=order.client_id,
            **fields,
        )

    def _emit(
        self,
        kind: EventKind,
        *,
        reason: int = 0,
        side: int = 0,
        flags: int = 0,
        owner: int = 0,
        handle: int = 0,
        client_id: int = 0,
        price: int = 0,
        lots: int = 0,
        leaves: int = 0,
        maker_handle: int = 0,
        maker_owner: int = 0,
        taker_fee: int = 0,
        maker_fee: int = 0,
    ) -> None:
        row = (self._event_seq, self.now, self._seq, kind, reason, side, flags, owner, handle, client_id, price, lots)
        self._events.append((*row, leaves, maker_handle, maker_owner, 0, taker_fee, maker_fee))
        self._event_seq += 1
