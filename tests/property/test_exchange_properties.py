"""Whatever customers do: money is conserved, counters follow the published schedule, and the book can be rebuilt."""

from __future__ import annotations

import zlib
from fractions import Fraction
from hashlib import blake2b

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.exchanges import CROSS, ETH, SECOND_NS, reports, small_exchange

from mycelial.simulation.exchange.commands import (
    UNITS,
    AddBatch,
    Added,
    AddedBatch,
    AddOrder,
    Amend,
    Amended,
    Cancel,
    CancelAll,
    CancelAllAfter,
    CancelBatch,
    Canceled,
    Close,
    Command,
    Edit,
    Edited,
    OrderType,
    Price,
    PriceKind,
    Refused,
    Reject,
    Side,
    Stp,
    TimeInForce,
)
from mycelial.simulation.exchange.exchange import SimulatedExchange
from mycelial.simulation.exchange.reports import BookUpdate, OrderStatus, OrdersUpdate

ASSETS = ("USD", "BTC", "ETH")
ACCOUNTS = 5
# (what, pair, account, side, quantity in thousandths, distance in ticks, a number for everything else, milliseconds)
acts = st.lists(
    st.tuples(
        st.sampled_from(("limit", "limit", "market", "stop", "trail", "iceberg", "cash", "amend", "edit", "cancel"))
        | st.sampled_from(("batch", "all", "after", "cancels", "close", "wait")),
        st.sampled_from((ETH, CROSS)),
        st.integers(0, 2),
        st.sampled_from((Side.BUY, Side.SELL)),
        st.integers(1, 90_000),
        st.integers(-60, 60),
        st.integers(0, 2**16),
        st.integers(0, 20_000),
    ),
    min_size=1,
    max_size=40,
)


def command_of(exchange: SimulatedExchange, act: tuple, known: list[list[str]]) -> Command | None:
    """Turn a drawn act into a command that makes some sense."""
    what, symbol, account, side, size, away, any_, _ = act
    ticker = exchange.ticker(symbol)
    touch = (ticker.bid if side is Side.BUY else ticker.ask) or ticker.last
    price, qty = max(1, touch + (-away if side is Side.BUY else away)), size * 10**5
    ids = known[account]
    named = ids[any_ % len(ids)] if ids else "O-NOBODY"
    common = {
        "symbol": symbol,
        "side": side,
        "qty": qty,
        "stp": Stp(any_ % 3),
        "fee_in_base": bool(any_ & 8),
        "userref": any_ & 3 if any_ & 64 else None,
    }
    if what == "limit":
        tif = (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTD)[(any_ >> 4) & 3]
        expires = exchange.now + 7 * SECOND_NS if tif is TimeInForce.GTD else 0
        post = tif is TimeInForce.GTC and bool(any_ & 128)
        return AddOrder(
            type=OrderType.LIMIT, limit=Price(price), time_in_force=tif, expires_ns=expires, post_only=post, **common
        )
    if what == "market":
        return AddOrder(type=OrderType.MARKET, **common)
    if what == "cash":
        return AddOrder(type=OrderType.MARKET, **{**common, "side": Side.BUY, "qty": 0, "cash_qty": size * UNITS // 50})
    if what == "stop":
        type_ = (OrderType.STOP_LOSS, OrderType.TAKE_PROFIT, OrderType.STOP_LOSS_LIMIT)[any_ % 3]
        level = Price(price) if type_.has_limit else None
        return AddOrder(type=type_, trigger=Price(max(1, price + away)), limit=level, **common)
    if what == "trail":
        return AddOrder(type=OrderType.TRAILING_STOP, trigger=Price(1 + any_ % 30, PriceKind.QUOTE), **common)
    if what == "iceberg":
        return AddOrder(type=OrderType.ICEBERG, limit=Price(price), display=max(1, qty // (1 + any_ % 15)), **common)
    if what == "close":
        close = Close(OrderType.LIMIT, limit=Price(max(1, price + any_ % 50)))
        return AddOrder(type=OrderType.LIMIT, limit=Price(price), close=close, **common)
    if what == "amend":
        return Amend(order_id=named, qty=qty if any_ & 1 else None, limit=Price(price) if any_ & 2 else None)
    if what == "edit":
        return Edit(order_id=named, symbol=symbol, qty=qty if any_ & 1 else None, limit=Price(price))
    if what == "cancel":
        return Cancel(userref=any_ & 3) if any_ & 4 else Cancel(order_id=named)
    if what == "cancels":
        return CancelBatch(orders=tuple(Cancel(order_id=one) for one in ids[-3:]) or (Cancel(order_id=named),))
    if what == "batch":
        row = AddOrder(type=OrderType.LIMIT, limit=Price(price), **common)
        return AddBatch(orders=(row,) * (2 + any_ % 3))
    if what == "all":
        return CancelAll()
    if what == "after":
        return CancelAllAfter(any_ % 4)
    return None


def play(exchange: SimulatedExchange, drawn: list[tuple], each=lambda account, command, outcome: None) -> list[object]:
    """Carry out drawn acts at their times; return everything that was told."""
    known: list[list[str]] = [[] for _ in range(ACCOUNTS)]
    told: list[object] = []
    for act in drawn:
        exchange.advance(exchange.now + act[-1] * 10**6)
        command, account = command_of(exchange, act, known), act[2]
        if command is None:
            continue
        outcome = exchange.submit(account, command)
        each(account, command, outcome)
        if isinstance(outcome, Added | Edited):
            known[account].append(outcome.order_id)
        elif isinstance(outcome, AddedBatch):
            known[account] += [row.order_id for row in outcome.rows if isinstance(row, Added)]
        told += exchange.drain()
    exchange.advance(exchange.now + SECOND_NS)
    return told + exchange.drain()


@given(acts)
@settings(max_examples=40)
def test_money_is_conserved_to_the_last_unit_and_holds_fit_the_open_orders(drawn):
    exchange = small_exchange()
    before = {asset: exchange.total(asset) for asset in ASSETS}

    told = play(exchange, drawn)

    assert {asset: exchange.total(asset) for asset in ASSETS} == before
    for account in range(ACCOUNTS):
        balances = exchange.balances(account)
        assert all(0 <= one.held <= one.total for one in balances)
        if not exchange.open_orders(account):
            assert all(one.held == 0 for one in balances)
    # the books' own ledgers count what customers bought and sold there, and agree with their trades
    fills = [one.trade for one in reports(told) if one.trade is not None]
    for symbol, floor in exchange._house.floors.items():
        accounts = floor.market.book.state.arrays["accounts"]
        for account in range(ACCOUNTS):
            row = accounts[floor.first_customer + account]
            mine = [one for one in fills if one.symbol == symbol and one.account == account]
            cost = sum(one.cost if one.side is Side.SELL else -one.cost for one in mine)
            lots = sum(one.qty if one.side is Side.BUY else -one.qty for one in mine) // floor.listed.lot_step
            assert int(row["cash_free"] + row["cash_held"]) * floor.listed.cash_units == cost
            assert int(row["asset_free"] + row["asset_held"]) == lots


@given(acts)
@settings(max_examples=25)
def test_reports_of_an_order_tell_a_story_that_adds_up(drawn):
    told = reports(play(small_exchange(), drawn))

    by_order: dict[str, list] = {}
    for one in told:
        by_order.setdefault(one.order_id, []).append(one)
    for story in by_order.values():
        names = [one.kind.value for one in story]
        assert names[0] == "pending_new"
        assert names.count("new") <= 1
        ends = [n for n, one in enumerate(story) if one.kind.value in ("filled", "canceled", "expired")]
        assert not ends or ends == [len(story) - 1]
        filled = 0
        for one in story:
            if one.trade is not None:
                filled += one.trade.qty
            assert one.cum_qty == filled
            assert one.cum_qty <= one.terms.qty
        if story[-1].status is OrderStatus.FILLED:
            assert filled == story[-1].terms.qty


# The schedule of docs.kraken.com, "Spot Trading Limits", typed in anew: threshold, decay, and points by age.
TIERS = [(180, Fraction("3.75"))] * 3 + [(125, Fraction("2.34")), (60, Fraction(1))]
EDGES = (5, 10, 15, 45, 90, 300)
AGED = {"amend": (3, 2, 1, 0, 0, 0), "edit": (6, 5, 4, 2, 1, 0), "cancel": (8, 6, 5, 4, 2, 1)}


class Schedule:
    """The trading counter in plain Python."""

    def __init__(self) -> None:
        self.levels: dict[tuple[int, str], Fraction] = {}
        self.times: dict[tuple[int, str], int] = {}

    def level(self, account: int, symbol: str, now: int) -> Fraction:
        key = account, symbol
        gone = Fraction(now - self.times.get(key, now), SECOND_NS) * TIERS[account][1]
        return max(Fraction(0), self.levels.get(key, Fraction(0)) - gone)

    def charge(self, account: int, symbol: str, now: int, fixed: Fraction, aged: int) -> bool:
        level, limit = self.level(account, symbol, now), TIERS[account][0]
        passes = level + fixed + aged <= limit
        self.levels[account, symbol] = level + fixed + (aged if passes else 0)
        self.times[account, symbol] = now
        return passes


def aged_points(what: str, age_ns: int) -> int:
    """Return the points that an order of this age costs."""
    for edge, points in zip(EDGES, AGED[what], strict=True):
        if age_ns < edge * SECOND_NS:
            return points
    return 0


flood = st.lists(
    st.tuples(
        st.sampled_from(("add", "add", "add", "amend", "edit", "cancel", "batch", "cancels")),
        st.sampled_from((2, 3, 4)),
        st.integers(0, 30),
        st.sampled_from((0, 0, 0, 1, 200, 700, 4_900, 5_000, 12_345, 44_999)),
    ),
    min_size=20,
    max_size=100,
)


@given(flood)
@settings(max_examples=25)
def test_counters_are_those_of_the_published_schedule_and_refuse_exactly_when_it_does(drawn):
    exchange, schedule = small_exchange(), Schedule()
    price = exchange.ticker(ETH).bid // 2
    ages: dict[int, dict[str, int]] = {account: {} for account in range(ACCOUNTS)}

    for what, account, pick, wait_ms in drawn:
        exchange.advance(exchange.now + wait_ms * 10**6)
        now, mine = exchange.now, ages[account]
        named = list(mine)[pick % len(mine)] if mine else ""
        fixed, aged = Fraction(1), 0
        if what == "add":
            command: Command = AddOrder(
                symbol=ETH, side=Side.BUY, type=OrderType.LIMIT, qty=10**6, limit=Price(price + pick)
            )
        elif what == "batch":
            row = AddOrder(symbol=ETH, side=Side.BUY, type=OrderType.LIMIT, qty=10**6, limit=Price(price + pick))
            command, fixed = AddBatch(orders=(row, row, row)), Fraction(3, 2)
        elif not mine:
            continue
        elif what == "amend":
            command, aged = (
                Amend(order_id=named, limit=Price(price + 100 + now % 997)),
                aged_points(what, now - mine[named]),
            )
        elif what == "edit":
            command = Edit(order_id=named, symbol=ETH, limit=Price(price + pick))
            aged = aged_points(what, now - mine[named])
        elif what == "cancel":
            command, fixed, aged = Cancel(order_id=named), Fraction(0), aged_points(what, now - mine[named])
        else:
            gone = list(mine)[:3]
            command, fixed = CancelBatch(orders=tuple(Cancel(order_id=one) for one in gone)), Fraction(0)
            aged = sum(aged_points("cancel", now - mine[one]) for one in gone)
        passes = schedule.charge(account, ETH, now, fixed, aged)
        outcome = exchange.submit(account, command)

        if passes:
            assert not isinstance(outcome, Refused) or outcome.reason is not Reject.RATE_LIMIT
        else:
            assert outcome == Refused(Reject.RATE_LIMIT)
        for one in range(ACCOUNTS):
            assert abs(Fraction(exchange.counter(one, ETH), 10**15) - schedule.level(one, ETH, now)) <= Fraction(
                1, 10**9
            )
        if isinstance(outcome, Added):
            mine[outcome.order_id] = now
        elif isinstance(outcome, AddedBatch):
            mine |= {row.order_id: now for row in outcome.rows if isinstance(row, Added)}
        elif isinstance(outcome, Amended):
            mine[outcome.order_id] = now
        elif isinstance(outcome, Edited):
            del mine[outcome.original_id]
            mine[outcome.order_id] = now
        elif isinstance(outcome, Canceled):
            for one in outcome.order_ids:
                del mine[one]
        ages[account] = mine


@given(acts)
@settings(max_examples=15)
def test_a_subscriber_rebuilds_levels_and_orders_and_their_checksums(drawn):
    exchange = small_exchange()
    snapshots = [exchange.watch_levels(ETH, 10), exchange.watch_levels(ETH, 25)]
    orders = exchange.watch_orders(ETH, 10)
    books = {one.depth: ({}, {}) for one in snapshots}
    for one in snapshots:
        apply_levels(books[one.depth], one)
    queues: list[dict[str, tuple[int, int]]] = [{}, {}]
    apply_orders(queues, orders)

    for event in play(exchange, drawn):
        if isinstance(event, BookUpdate):
            apply_levels(books[event.depth], event)
            assert text_checksum(books[event.depth]) == event.checksum
        elif isinstance(event, OrdersUpdate):
            apply_orders(queues, event)
            assert orders_checksum(queues) == event.checksum
    direct = exchange.depth(ETH, 25)
    assert sorted(books[25][0].items(), reverse=True) == [tuple(row) for row in direct.bids.tolist()]
    assert sorted(books[25][1].items()) == [tuple(row) for row in direct.asks.tolist()]


def apply_levels(book: tuple[dict[int, int], dict[int, int]], update: BookUpdate) -> None:
    """Do what Kraken's guide tells a client to do."""
    for side, rows in zip(book, (update.bids.tolist(), update.asks.tolist()), strict=True):
        for price, qty in rows:
            if qty:
                side[price] = qty
            else:
                del side[price]  # nothing outside the depth is ever removed
    for price in sorted(book[0], reverse=True)[update.depth :]:
        del book[0][price]
    for price in sorted(book[1])[update.depth :]:
        del book[1][price]


def text_checksum(book: tuple[dict[int, int], dict[int, int]]) -> int:
    """Return the checksum of the text that the guide describes."""
    bids, asks = sorted(book[0].items(), reverse=True)[:10], sorted(book[1].items())[:10]
    return zlib.crc32("".join(f"{price}{qty}" for price, qty in asks + bids).encode())


def apply_orders(queues: list[dict[str, tuple[int, int]]], update: OrdersUpdate) -> None:
    """Follow the level 3 channel: additions queue at the back of their price."""
    for side, rows in zip(queues, (update.bids, update.asks), strict=True):
        for row in rows:
            if row.event == "delete":
                del side[row.order_id]
            elif row.event == "modify":
                assert row.order_id in side
                side[row.order_id] = (row.price, row.qty)
            else:
                assert row.order_id not in side
                side[row.order_id] = (row.price, row.qty)
    for n, side in enumerate(queues):
        prices = sorted({price for price, _ in side.values()}, reverse=n == 0)
        for order_id in [one for one, (price, _) in side.items() if price in prices[update.depth :]]:
            del side[order_id]


def orders_checksum(queues: list[dict[str, tuple[int, int]]]) -> int:
    """Return the checksum over every order of the ten best levels, in queue order."""
    text = ""
    for side, worst_first in ((queues[1], False), (queues[0], True)):
        prices = sorted({price for price, _ in side.values()}, reverse=worst_first)[:10]
        for level in prices:
            text += "".join(f"{price}{qty}" for price, qty in side.values() if price == level)
    return zlib.crc32(text.encode())


@given(acts)
@settings(max_examples=6)
def test_same_seed_and_commands_at_the_same_times_give_the_same_bytes(drawn):
    def run(seed: int) -> tuple[str, str]:
        exchange = small_exchange(seed)
        exchange.watch_levels(ETH, 10)
        told = blake2b()
        for event in play(exchange, drawn):
            told.update(repr(event).encode())
        return exchange.digest, told.hexdigest()

    assert run(3) == run(3)
    assert run(3)[0] != run(4)[0]
