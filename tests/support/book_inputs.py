"""Streams of inputs for an order book: plausible ones, hostile ones, and hypothesis strategies for short ones.

Streams are `INPUT` arrays made from a seed. They speak of orders by client id, because handles depend on what a book
did before; `aim` runs the oracle along a stream and turns part of these addresses into the handles that any correct
book gives, and aims some at the recently dead and at orders of strangers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.support.oracle_book import OracleBook

from mycelial.domain.instrument import Instrument
from mycelial.market.book.records import EVENT, INPUT, EventKind, Flag, Kind, Mode, Side, Stp, Tif

Inputs = NDArray[Any]
FeeTiers = tuple[tuple[int, int, int], ...]

NO_FEES: FeeTiers = ((0, 0, 0),)
FLAT_FEES: FeeTiers = ((0, 1_600, 2_600),)
REBATE: FeeTiers = ((0, -300, 1_000),)
# Thresholds so low that a few trades cross them; the last tier is dearer, so that holds matter.
STEEP_FEES: FeeTiers = ((0, 2_500, 4_000), (1_000, 1_400, 2_400), (8_000, -200, 800), (60_000, 5_000, 9_000))

LEAST, MOST = -(2**63), 2**63 - 1
GARBAGE = np.array([LEAST, -(2**62), -(2**31), -2, -1, 0, 1, 2, 7, 255, 2**31, 2**32 + 1, 2**62, MOST])
DAY_NS = 86_400 * 10**9


@dataclass(frozen=True)
class Setup:
    """A market before its first input."""

    instrument: Instrument
    accounts: int
    fee_tiers: FeeTiers = NO_FEES
    may_borrow: bool | tuple[bool, ...] = False

    def open(self, make: Any = OracleBook) -> Any:
        """Return an empty book of class `make`."""
        may_borrow = np.array(self.may_borrow) if isinstance(self.may_borrow, tuple) else self.may_borrow
        return make(self.instrument, self.accounts, fee_tiers=self.fee_tiers, may_borrow=may_borrow)


def instrument(**changes: Any) -> Instrument:
    """Return a small market, where every rule is within reach."""
    small: dict[str, Any] = {
        "symbol": "TEST/USD",
        "tick_size": Decimal("0.1"),
        "lot_size": Decimal("0.01"),
        "ladder_ticks": 64,
        "max_orders": 16,
        "max_lots": 1_000,
        "protection_ppm": 100_000,
        "iceberg_parts": 5,
    }
    return Instrument(**(small | changes))


def record(kind: Kind, **fields: int) -> NDArray[Any]:
    """Return one input as an array of one; what is not named is 0, but -1 where 0 would mean something."""
    made = np.zeros(1, INPUT)
    made["kind"], made["group"] = kind, -1
    if kind in (Kind.CANCEL, Kind.AMEND):
        made["handle"] = -1
    if kind == Kind.AMEND:
        made["price"] = made["lots"] = made["display"] = -1
    for name, value in fields.items():
        made[name] = value
    return made


def deposits(accounts: int, cash: int, asset: int) -> Inputs:
    """Return inputs that give every owner the same."""
    return np.concatenate(
        [
            record(Kind.FUND, owner=owner, side=side, aux=amount)
            for owner in range(accounts)
            for side, amount in ((0, cash), (1, asset))
            if amount
        ]
        or [np.zeros(0, INPUT)]
    )


# ---- long streams --------------------------------------------------------------------------------------------------


def realistic_setup(accounts: int = 64) -> Setup:
    """Return the market that `realistic_stream` trades in."""
    rules = instrument(ladder_ticks=2**14, max_orders=2**14, max_lots=10_000, protection_ppm=5_000, iceberg_parts=15)
    return Setup(rules, accounts, STEEP_FEES[:3])


def realistic_stream(seed: int, messages: int, accounts: int = 64) -> Inputs:
    """Return a plausible market: quotes around a walking mid, most of them cancelled, some amended, few trades at once.

    Client ids are unique. Roughly 53 % limit orders, 35 % cancels, 5 % amends, 6 % market orders, and the clock.
    """
    rng = np.random.default_rng(seed)
    stream = np.zeros(messages, INPUT)
    stream["kind"] = rng.choice(
        [Kind.NEW, Kind.CANCEL, Kind.AMEND, Kind.CANCEL_ALL, Kind.CLOCK], messages, p=[0.594, 0.35, 0.05, 0.001, 0.005]
    )
    stream["ts"] = np.cumsum(rng.integers(0, 2_000_000_000, messages))
    stream["owner"] = rng.integers(0, accounts, messages)
    stream["group"] = -1
    stream["stp"] = rng.integers(0, 4, messages)
    index = np.arange(messages)

    new = stream["kind"] == Kind.NEW
    side = rng.integers(0, 2, messages)
    stream["side"] = side
    mid = np.clip(8_192 + np.cumsum(rng.normal(0.0, 0.6, messages)), 2_000, 14_000)
    distance = rng.exponential(12.0, messages) - 2.0
    price = np.where(side == Side.BUY, mid - distance, mid + distance).astype(np.int64)
    stream["price"] = np.where(new, price, 0)
    stream["lots"] = np.where(new, 1 + rng.geometric(0.05, messages), 0)
    stream["client_id"] = np.where(new, index + 1, 0)

    shape = rng.choice(7, messages, p=[0.50, 0.10, 0.03, 0.01, 0.10, 0.16, 0.10])
    market, ioc, fok, gtd, post, ice = (shape == i for i in range(1, 7))
    stream["tif"] = np.where(new, Tif.IOC * ioc + Tif.FOK * fok + Tif.GTD * gtd, 0)
    stream["flags"] = np.where(new, Flag.MARKET * market + Flag.POST_ONLY * post + Flag.ICEBERG * ice, 0)
    stream["display"] = np.where(new & ice, -(-stream["lots"] // 5), 0)
    stream["expire"] = np.where(new & gtd, stream["ts"] + rng.integers(1, 600 * 10**9, messages), 0)

    # A cancel or amend speaks of one of the last few hundred orders.
    of_orders = np.flatnonzero((stream["kind"] == Kind.CANCEL) | (stream["kind"] == Kind.AMEND))
    orders = np.flatnonzero(new)
    if orders.size and of_orders.size:
        latest = np.searchsorted(orders, of_orders) - 1
        target = orders[np.clip(latest - rng.geometric(0.01, of_orders.size), 0, orders.size - 1)]
        stream["owner"][of_orders] = stream["owner"][target]
        stream["client_id"][of_orders] = stream["client_id"][target]
        stream["handle"][of_orders] = -1
        _draw_amendments(stream, rng, lots_to=40, price=price)
    funds = deposits(accounts, cash=20_000_000, asset=2_500)
    return np.concatenate([funds, stream])


def _draw_amendments(stream: Inputs, rng: np.random.Generator, lots_to: int, price: NDArray[np.int64]) -> None:
    """Give every AMEND of a stream new values, or -1 to leave them."""
    amend, messages = stream["kind"] == Kind.AMEND, len(stream)
    for name, share, values in (
        ("lots", 0.7, rng.integers(1, lots_to, messages)),
        ("price", 0.5, price),
        ("display", 0.1, rng.integers(1, 12, messages)),
    ):
        given = rng.random(messages) < share
        stream[name] = np.where(amend, np.where(given, values, -1), stream[name])


def hostile_setup(seed: int = 0, max_orders: int = 16, may_borrow: bool | tuple[bool, ...] = False) -> Setup:
    """Return a cramped market for `hostile_stream`: full pools, poor accounts, fees that change."""
    tiers = (STEEP_FEES, FLAT_FEES, REBATE, NO_FEES)[seed % 4]
    rules = instrument(
        max_orders=max_orders, cash_per_tick_lot=1 + seed % 3, min_lots=1 + seed % 2, min_notional=90, max_lots=200
    )
    return Setup(rules, 5, tiers, may_borrow)


def hostile_stream(seed: int, messages: int, setup: Setup | None = None) -> Inputs:
    """Return everything at once: every kind, flag and mode, expiry and icebergs everywhere, and much that is wrong."""
    rules, accounts = (setup or hostile_setup()).instrument, (setup or hostile_setup()).accounts
    rng = np.random.default_rng(seed)

    def some(values: Sequence[int], weights: Sequence[float] | None = None) -> NDArray[np.int64]:
        p = None if weights is None else np.array(weights) / np.sum(weights)
        return rng.choice(np.array(values, dtype=np.int64), messages, p=p)

    stream = np.zeros(messages, INPUT)
    stream["kind"] = some([0, 1, 2, 3, 4, 5, 6], [60, 12, 1, 20, 0, 3, 4])
    kind = stream["kind"]
    stream["ts"] = np.cumsum(some([0, 1, 2, DAY_NS // 2, 11 * DAY_NS], [6, 4, 1, 0.01, 0.01]))
    stream["side"] = rng.integers(0, 2, messages)
    stream["tif"] = some([0, 1, 2, 3], [6, 3, 2, 1])
    shapes = [0, Flag.MARKET, Flag.POST_ONLY, Flag.ICEBERG, Flag.REDUCE_ONLY, Flag.MARKET | Flag.NO_PROTECTION]
    stream["flags"] = some([*map(int, shapes), int(Flag.ICEBERG | Flag.POST_ONLY), 31], [10, 2, 3, 6, 1, 1, 1, 0.2])
    # Most shapes that cannot live long are made valid, so that they reach the matching.
    tame = rng.random(messages) < 0.9
    patient = (stream["flags"] & (Flag.POST_ONLY | Flag.ICEBERG)) > 0
    stream["tif"] = np.where(tame & patient, stream["tif"] % 2, stream["tif"])
    market = (stream["flags"] & Flag.MARKET) > 0
    stream["tif"] = np.where(tame & market & (stream["tif"] == Tif.GTD), Tif.GTC, stream["tif"])
    stream["stp"] = rng.integers(0, 4, messages)
    stream["owner"] = rng.integers(0, accounts, messages)
    stream["group"] = some([-1, 0, 1], [6, 1, 1])
    stream["client_id"] = some(range(13), [4, *[1] * 12])
    centre, reach = rules.ladder_ticks // 2, max(3, rules.ladder_ticks // 8)
    price = np.clip(centre + rng.normal(0, reach / 2, messages).astype(np.int64), 1, rules.ladder_ticks - 1)
    stream["price"] = np.where(kind == Kind.NEW, price, 0)
    stream["lots"] = np.where(kind == Kind.NEW, rng.integers(1, 40, messages), 0)
    iceberg = (stream["flags"] & Flag.ICEBERG) > 0
    tips = -(-stream["lots"] // rng.integers(1, rules.iceberg_parts + 1, messages))
    stream["display"] = np.where((kind == Kind.NEW) & iceberg, tips, 0)
    stream["expire"] = stream["ts"] + rng.integers(1, 30, messages)
    of_orders = (kind == Kind.CANCEL) | (kind == Kind.AMEND)
    stream["handle"] = np.where(of_orders, -1, 0)
    stream["client_id"] = np.where(of_orders & (rng.random(messages) < 0.6), 0, stream["client_id"])
    _draw_amendments(stream, rng, lots_to=45, price=price)

    fund = kind == Kind.FUND
    stream["aux"] = np.where(fund, rng.integers(-400, 900, messages), 0)
    stream["aux"] = np.where(fund & (stream["side"] == 1), stream["aux"] // 8, stream["aux"])
    _draw_modes(stream, rng)
    _spoil(stream, rng, share=0.08)
    funds = deposits(accounts, cash=40 * centre * rules.cash_per_tick_lot, asset=60)
    return np.concatenate([funds, stream])


def _draw_modes(stream: Inputs, rng: np.random.Generator) -> None:
    """Every few hundred inputs a strange mode for a few, then back online."""
    starts = np.flatnonzero(rng.random(len(stream)) < 0.006)
    ends = np.minimum(starts + rng.integers(2, 25, starts.size), len(stream) - 1)
    for places, modes in ((starts, rng.integers(0, 7, starts.size)), (ends, np.zeros(starts.size, int))):
        stream["kind"][places] = Kind.CONTROL
        stream["aux"][places] = modes


def _spoil(stream: Inputs, rng: np.random.Generator, share: float) -> None:
    """Replace one field of some records by something absurd."""
    fields = [name for name in INPUT.names or () if name not in ("_pad", "ts")]
    spoilt = np.flatnonzero(rng.random(len(stream)) < share)
    chosen = rng.integers(0, len(fields), spoilt.size)
    for i, name in enumerate(fields):
        places = spoilt[chosen == i]
        stream[name][places] = rng.choice(GARBAGE, places.size).astype(INPUT[name], casting="unsafe")
    backwards = rng.random(len(stream)) < 0.02
    stream["ts"] = np.where(backwards, stream["ts"] - rng.integers(1, 50, len(stream)), stream["ts"])


def aim(inputs: Inputs, setup: Setup, seed: int, by_handle: float = 0.6) -> Inputs:
    """Turn addresses by client id into handles, by running the oracle along the stream.

    A CANCEL or AMEND that names no order at all (handle -1, client id 0) is aimed at a resting order or at one of the
    recent past, dead or alive, mostly in the name of its owner.
    """
    rng = np.random.default_rng(seed)
    book = setup.open(OracleBook)
    aimed = inputs.copy()
    recent: deque[tuple[int, int]] = deque(maxlen=2 * setup.instrument.max_orders)  # (handle, owner)
    latest: dict[tuple[int, int], int] = {}
    of_orders = (inputs["kind"] == Kind.CANCEL) | (inputs["kind"] == Kind.AMEND)
    dice = rng.random((len(inputs), 2))
    for i in range(len(inputs)):
        if of_orders[i] and aimed["handle"][i] == -1 and dice[i, 0] < by_handle:
            address = int(aimed["owner"][i]), int(aimed["client_id"][i])
            if address[1] == 0 and recent:
                resting = book.orders()[["handle", "owner"]].tolist()
                targets = resting if resting and dice[i, 0] < 0.7 * by_handle else recent
                handle, owner = targets[int(dice[i, 1] * len(targets))]
                aimed["handle"][i] = handle
                aimed["owner"][i] = owner if dice[i, 0] < 0.95 * by_handle else (owner + 1) % setup.accounts
            elif address in latest:
                aimed["handle"][i] = latest[address]
        events = book.apply(aimed[i : i + 1])
        for event in events[events["kind"] == EventKind.ACCEPTED]:
            recent.append((int(event["handle"]), int(event["owner"])))
            latest[int(event["owner"]), int(event["client_id"])] = int(event["handle"])
    return aimed


# ---- short streams, drawn by hypothesis ----------------------------------------------------------------------------


@st.composite
def setups(draw: st.DrawFn, *, fees: bool = True, borrow: bool | None = None) -> Setup:
    """Draw a small market: 3 to 6 owners, a pool of 8 to 16 orders."""
    accounts = draw(st.integers(3, 6))
    rules = instrument(
        max_orders=draw(st.integers(8, 16)),
        cash_per_tick_lot=draw(st.sampled_from([1, 1, 7])),
        min_lots=draw(st.sampled_from([1, 1, 3])),
        min_notional=draw(st.sampled_from([0, 0, 40])),
        max_lots=draw(st.sampled_from([30, 1_000])),
        protection_ppm=draw(st.sampled_from([0, 50_000, 1_000_000])),
        iceberg_parts=draw(st.sampled_from([1, 3, 15])),
    )
    tiers = draw(st.sampled_from([NO_FEES, FLAT_FEES, REBATE, STEEP_FEES])) if fees else NO_FEES
    may_borrow = (
        borrow if borrow is not None else draw(st.sampled_from([False, (True,) + (False,) * (accounts - 1), True]))
    )
    return Setup(rules, accounts, tiers, may_borrow)


SHAPES: tuple[tuple[Tif, Flag], ...] = (
    *[(Tif.GTC, Flag(0))] * 6,
    *[(Tif.GTD, Flag(0))] * 3,
    (Tif.IOC, Flag(0)),
    *[(Tif.FOK, Flag(0))] * 2,
    (Tif.GTC, Flag.MARKET),
    (Tif.FOK, Flag.MARKET),
    (Tif.IOC, Flag.MARKET | Flag.NO_PROTECTION),
    *[(Tif.GTC, Flag.ICEBERG)] * 4,
    (Tif.GTD, Flag.ICEBERG | Flag.POST_ONLY),
    *[(Tif.GTC, Flag.POST_ONLY)] * 2,
    (Tif.GTC, Flag.REDUCE_ONLY),
    (Tif.IOC, Flag.POST_ONLY),  # invalid
)


@st.composite
def _messages(draw: st.DrawFn, accounts: int, low: int, high: int) -> NDArray[Any]:
    kind = draw(st.sampled_from([Kind.NEW] * 12 + [Kind.CANCEL] * 3 + [Kind.AMEND] * 5 + [*Kind]))
    owner = draw(st.integers(0, accounts - 1))
    client_id = draw(st.integers(0, 6))
    price = st.integers(low, high)
    lots = st.integers(1, 30)
    if kind == Kind.NEW:
        tif, flags = draw(st.sampled_from(SHAPES))
        size = draw(lots)
        return record(
            kind,
            owner=owner,
            client_id=client_id,
            side=draw(st.integers(0, 1)),
            tif=tif,
            flags=flags,
            stp=draw(st.sampled_from(list(Stp))),
            group=draw(st.sampled_from([-1, -1, 0, 1])),
            price=0 if flags & Flag.MARKET else draw(price),
            lots=size,
            display=draw(st.integers(1, size)) if flags & Flag.ICEBERG else 0,
            expire=draw(st.integers(1, 60)) if tif == Tif.GTD else 0,
        )
    if kind == Kind.AMEND:
        size, at, tip = (draw(st.none() | values) for values in (lots, price, st.integers(1, 10)))
        return record(
            kind, owner=owner, client_id=client_id, lots=size or -1, price=at or -1, display=-1 if tip is None else tip
        )
    if kind == Kind.CONTROL:
        return record(kind, aux=draw(st.sampled_from([Mode.ONLINE] * 6 + [*Mode])))
    if kind == Kind.FUND:
        return record(kind, owner=owner, side=draw(st.integers(0, 1)), aux=draw(st.integers(-100, 100)))
    return record(kind, owner=owner, client_id=client_id, side=draw(st.integers(0, 2)))


@st.composite
def streams(
    draw: st.DrawFn, *, fees: bool = True, borrow: bool | None = None, most: int = 50, garbage: bool = True
) -> tuple[Setup, Inputs]:
    """Draw a small market and a stream of inputs that speak of orders by client id."""
    setup = draw(setups(fees=fees, borrow=borrow))
    low = draw(st.integers(1, 40))
    high = low + draw(st.integers(7, 23))
    drawn = draw(st.lists(_messages(setup.accounts, low, high), min_size=1, max_size=most))
    stream = np.concatenate(drawn)
    stream["ts"] = np.cumsum(draw(st.lists(st.integers(0, 4), min_size=len(stream), max_size=len(stream))))
    stream["expire"] += np.where(stream["expire"] > 0, stream["ts"], 0)
    if garbage:
        for _ in range(draw(st.integers(0, 2))):
            place = draw(st.integers(0, len(stream) - 1))
            name = draw(st.sampled_from([name for name in INPUT.names or () if name != "_pad"]))
            stream[name][place] = np.int64(draw(st.sampled_from(GARBAGE.tolist()))).astype(INPUT[name])
    wealth = draw(st.sampled_from([200, 2_000, 20_000])) * setup.instrument.cash_per_tick_lot
    return setup, np.concatenate([deposits(setup.accounts, cash=wealth, asset=wealth // 20), stream])


@st.composite
def aimed_streams(draw: st.DrawFn, most: int = 50) -> tuple[Setup, Inputs]:
    """Draw a small market and a stream that speaks of orders by handle and by client id."""
    setup, inputs = draw(streams(most=most))
    return setup, aim(inputs, setup, seed=draw(st.integers(0, 3)))


def no_events() -> NDArray[Any]:
    """Return an empty log."""
    return np.zeros(0, EVENT)
