"""Let a team trade against a recorded market: own orders queue behind what was shown, nobody reacts to them.

What a seat sees is built by the plain `Watcher`, whose figures equal the compiled task's; quotes follow the rules of
`environment.trading.acting` (one bid and one ask, amended in place, never across the market or the own team, nothing
beyond the limit, no message the counter has no room for).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.recording import MarketRecording
from mycelial.environment.presets import venue_of
from mycelial.environment.trading.config import (
    ASK_OFFSET,
    ASK_SIZE,
    BID_OFFSET,
    BID_SIZE,
    FLATTEN,
    KEEP,
    KIND,
    QUOTE,
    TAKE,
    TAKE_SIZE,
    Choices,
)
from mycelial.environment.trading.features import Market, Order, Scale, SeatView, Watcher
from mycelial.market.book.records import INPUT, EventKind, Flag, Kind, Tif
from mycelial.market.rate_counters import MICRO, Transaction
from mycelial.market.rate_kernels import ACCEPTED, charge, counters, level_at, tariff_table
from mycelial.market.replay import Replay, ReplayRules
from mycelial.market.replay.layout import N_OWN, O_AHEAD, O_LEFT, O_OWNER, O_PRICE, O_SIDE

DEPTH, CLIENT = 5, 1
HEADROOM = 0.8
Decide = Callable[[NDArray[np.float32], NDArray[np.bool_]], NDArray[np.int32]]  # obs [1, N, O], mask -> actions [1, N]


@dataclass(frozen=True)
class Terms:
    """What a team trades under; fees from Kraken's ladder at `volume_usd`.

    Parameters
    ----------
    half_spread_bps : the unit in which the team quotes: that of the regime it was trained in.
    order_quote : worth of a typical order in the quote asset.
    """

    half_spread_bps: float
    order_quote: float = 1_000.0
    seats: int = 4
    step_s: float = 1.0
    volume_usd: int = 10_000_000
    most_orders: float = 4.0
    tolerance: float = 0.1
    latency_ns: tuple[int, int] = (20_000_000, 20_000_000)
    counter: str = "intermediate"
    pair: str = "kraken-btcusd"
    choices: Choices = field(default_factory=Choices)


class _Table:
    """The seats at a recorded market: what they hold, what stands, what they may send."""

    def __init__(self, recording: MarketRecording, terms: Terms) -> None:
        venue, symbol = venue_of(terms.pair)
        tier = venue.fee_schedules[venue.pair(symbol).fees].at(terms.volume_usd)
        up, down = terms.latency_ns
        self.terms, self.tier = terms, tier
        self.session = Replay(
            recording, ReplayRules(up_ns=up, down_ns=down, maker_ppm=tier.maker_ppm, taker_ppm=tier.taker_ppm)
        )
        limits = venue.limits(terms.counter)
        self.threshold, self.room = limits.threshold, int(HEADROOM * limits.threshold)
        self._tariff, self._counters = tariff_table(venue.tariff), counters([limits] * terms.seats)
        self.cash = np.zeros(terms.seats, np.int64)
        self.lots = np.zeros(terms.seats, np.int64)
        self.filled = np.zeros(terms.seats, np.int64)
        self.fees = self.fills = self.messages = 0
        self.touched = np.zeros((terms.seats, 2), np.int64)
        self.start_ns = self.session.time_ns
        self._trade_times = self.session.feed.trades

    def look(self) -> None:
        """Take the news and read the book without the own orders."""
        self.filled[:] = 0
        for event in self.session.events():
            if event["kind"] != int(EventKind.TRADE):
                continue
            for owner, fee, buys in (
                (int(event["owner"]), int(event["taker_fee"]), int(event["side"]) == 0),
                (int(event["maker_owner"]), int(event["maker_fee"]), int(event["side"]) == 1),
            ):
                if 0 <= owner < self.terms.seats:
                    lots = int(event["lots"]) if buys else -int(event["lots"])
                    self.cash[owner] -= lots * int(event["price"]) + fee
                    self.lots[owner] += lots
                    self.filled[owner] += lots
                    self.fees += fee
                    self.fills += 1
        self.orders = [[Order(), Order()] for _ in range(self.terms.seats)]
        for row in self.session.state.own[: self.session.state.at[N_OWN]]:
            order = Order(int(row[O_PRICE]), int(row[O_LEFT]), int(row[O_AHEAD]))
            self.orders[int(row[O_OWNER])][int(row[O_SIDE])] = order
        self.others = [self._others(side) for side in range(2)]

    def _others(self, side: int) -> list[tuple[int, int]]:
        top = self.session.top(DEPTH + 2 * self.terms.seats)
        own: dict[int, int] = {}
        for pair in self.orders:
            own[pair[side].tick] = own.get(pair[side].tick, 0) + pair[side].lots
        prices, lots = (top.bid, top.bid_lots) if side == 0 else (top.ask, top.ask_lots)
        shown = [(int(p), int(q) - own.get(int(p), 0)) for p, q in zip(prices, lots, strict=True)]
        return [(p, q) for p, q in shown if q > 0][:DEPTH]

    def market(self, since_ns: int) -> Market:
        """Return what the market shows, with the trades since a time."""
        (bid, ask), best = (side[0][0] for side in self.others), tuple(side[0][1] for side in self.others)
        times = self._trade_times[:, 0]
        first, last = np.searchsorted(times, [since_ns, self.session.time_ns - self.terms.latency_ns[1]], side="right")
        trades = self._trade_times[first:last]
        signed = int(np.where(trades[:, 4] == 0, trades[:, 3], -trades[:, 3]).sum()) if len(trades) else 0
        total = tuple(sum(q for _, q in side) for side in self.others)
        return Market(bid, ask, (best[0], best[1]), (total[0], total[1]), signed, max(0, int(last - first)))

    def seats(self) -> list[SeatView]:
        """Return what every seat knows of itself."""
        now = self.session.time_ns - self.start_ns
        return [
            SeatView(
                int(self.lots[n]),
                self.orders[n][0],
                self.orders[n][1],
                int(self.filled[n]),
                level_at(self._counters, n, now) / (self.threshold * MICRO),
            )
            for n in range(self.terms.seats)
        ]

    def send(self, n: int, kind: Kind, side: int = 0, price: int = 0, lots: int = 0, *, takes: bool = False) -> bool:
        """Send one message if the counter has room for it."""
        transaction = {Kind.NEW: Transaction.ADD, Kind.AMEND: Transaction.AMEND, Kind.CANCEL: Transaction.CANCEL}[kind]
        now = self.session.time_ns - self.start_ns
        if kind != Kind.CANCEL and level_at(self._counters, n, now) + 4_000_000 * MICRO > self.room * MICRO:
            return False
        age = now - int(self.touched[n, side])
        if charge(self._counters, self._tariff, n, now, int(transaction), 1, age, 0, 0) != ACCEPTED:
            return False
        record = np.zeros(1, INPUT)
        record["ts"], record["kind"], record["side"], record["owner"] = self.session.time_ns, int(kind), side, n
        record["group"], record["handle"], record["price"], record["lots"] = -1, -1, price, lots
        record["display"] = -1 if kind == Kind.AMEND else 0
        record["client_id"] = 0 if takes else CLIENT + 2 * n + side
        record["tif"], record["flags"] = (int(Tif.IOC), 0) if takes else (int(Tif.GTC), int(Flag.POST_ONLY))
        self.session.submit(record)
        self.touched[n, side] = now
        self.messages += 1
        return True

    def closing_value(self, n: int) -> float:
        """Return the cash that a seat would have after closing what it holds, taker fee included."""
        left, value = abs(int(self.lots[n])), float(self.cash[n])
        sign = 1 if self.lots[n] > 0 else -1
        side = self.others[0] if sign > 0 else self.others[1]
        price = side[0][0]
        for tick, lots in side:
            taken, price = min(left, lots), tick
            value += sign * taken * tick - taken * tick * self.tier.taker_ppm * 1e-6
            left -= taken
        return value + sign * left * price - left * price * self.tier.taker_ppm * 1e-6


def play_recorded(
    recording: MarketRecording, decide: Decide, terms: Terms, *, warm_up_s: float = 5.0
) -> dict[str, Any]:
    """Trade a whole recording, step by step; return profit after fees and closing, and how it came about.

    Profit is in the quote asset, and in half spreads on a typical order.
    """
    table = _Table(recording, terms)
    session = table.session
    session.advance(session.time_ns + round(warm_up_s * 1e9))
    table.look()
    mid = 0.5 * (table.others[0][0][0] + table.others[1][0][0])
    unit = terms.half_spread_bps * 1e-4 * mid
    tick_lot = float(recording.tick_size * recording.lot_size)
    typical = max(1.0, round(terms.order_quote / (mid * tick_lot)))
    scale = Scale(unit, typical, terms.most_orders * typical, table.tier.maker_ppm, table.tier.taker_ppm)
    steps = int((session.end_ns - session.time_ns) // round(terms.step_s * 1e9))
    watcher = Watcher(scale, steps, table.market(session.time_ns))
    wishes = terms.choices.table()
    path = []
    for _ in range(steps):
        seats = table.seats()
        obs, mask = watcher.observe(seats)[None], _mask(table, scale, wishes)
        actions = decide(obs, mask)[0]
        for n, action in enumerate(actions):
            _act(table, scale, terms, n, wishes[action])
        before = session.time_ns - terms.latency_ns[1]
        session.advance(session.time_ns + round(terms.step_s * 1e9))
        table.look()
        watcher.see(table.market(before))
        path.append(sum(table.closing_value(n) for n in range(terms.seats)))
    profit = path[-1] if path else 0.0
    return {
        "steps": steps,
        "profit_quote": profit * tick_lot,
        "profit_units": profit / (unit * typical),
        "fees_quote": table.fees * tick_lot,
        "fills": table.fills,
        "messages": table.messages,
        "inventory_orders": float(np.abs(table.lots).mean() / typical),
    }


def _mask(table: _Table, scale: Scale, wishes: NDArray[np.float64]) -> NDArray[np.bool_]:
    now = table.session.time_ns - table.start_ns
    mask = np.ones((1, table.terms.seats, len(wishes)), np.bool_)
    for n in range(table.terms.seats):
        quiet = level_at(table._counters, n, now) + 4_000_000 * MICRO > table.room * MICRO
        for action, wish in enumerate(wishes):
            if wish[KIND] == TAKE:
                within = abs(table.lots[n] + wish[TAKE_SIZE] * scale.typical_lots) <= scale.most_lots
                mask[0, n, action] = within and not quiet
            elif wish[KIND] == FLATTEN:
                mask[0, n, action] = table.lots[n] != 0 and not quiet
            elif wish[KIND] == QUOTE:
                mask[0, n, action] = not quiet
    return mask


def _act(table: _Table, scale: Scale, terms: Terms, n: int, wish: NDArray[np.float64]) -> None:
    (bid, _), (ask, _) = table.others[0][0], table.others[1][0]
    inventory, unit = int(table.lots[n]), scale.unit_ticks
    if wish[KIND] == KEEP:
        return
    if wish[KIND] in (TAKE, FLATTEN):
        wanted = -inventory if wish[KIND] == FLATTEN else round(wish[TAKE_SIZE] * scale.typical_lots)
        most = scale.most_lots - inventory if wanted > 0 else scale.most_lots + inventory
        lots = int(min(abs(wanted), most))
        if lots > 0:
            slack = max(1, round(unit))
            price = ask + slack if wanted > 0 else max(1, bid - slack)
            table.send(n, Kind.NEW, 0 if wanted > 0 else 1, price, lots, takes=True)
        return
    mid, shift = 0.5 * (bid + ask), terms.choices.inventory_skew * unit * inventory / scale.most_lots
    bid_lots, ask_lots = (round(wish[column] * scale.typical_lots) for column in (BID_SIZE, ASK_SIZE))
    bid_lots = 0 if inventory + bid_lots > scale.most_lots else bid_lots
    ask_lots = 0 if ask_lots - inventory > scale.most_lots else ask_lots
    mates = [[pair[side].tick for pair in table.orders if pair[side].lots > 0] for side in range(2)]
    bid_tick = min(math.floor(mid - wish[BID_OFFSET] * unit - shift), ask - 1, *(tick - 1 for tick in mates[1]))
    ask_tick = max(math.ceil(mid + wish[ASK_OFFSET] * unit - shift), bid + 1, *(tick + 1 for tick in mates[0]))
    for side, tick, lots in ((0, bid_tick, bid_lots), (1, max(ask_tick, bid_tick + 1), ask_lots)):
        _stand(table, n, side, tick, lots, terms.tolerance * unit)


def _stand(table: _Table, n: int, side: int, tick: int, lots: int, tolerance: float) -> None:
    standing = table.orders[n][side]
    if standing.lots == 0:
        if lots > 0:
            table.send(n, Kind.NEW, side, tick, lots)
    elif lots == 0:
        table.send(n, Kind.CANCEL, side)
    elif abs(tick - standing.tick) <= tolerance and standing.lots <= 2 * lots <= 4 * standing.lots:
        return
    elif table.send(n, Kind.CANCEL, side):  # a new order in its place: what was filled of it is not known for sure here
        table.send(n, Kind.NEW, side, tick, lots)
