"""Orders that a scenario puts into a market: sweeps, misplaced digits, a seller by volume, forced liquidation, retreat.

Sizes are exact whole numbers from the scenario's parts per million. Who trades has an account like anybody else, so
money and assets are conserved whatever is done.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.intraday.config import PopulationConfig
from mycelial.agents.intraday.state import EXECUTOR
from mycelial.market.book import INPUT, Flag, Kind, Side, Tif
from mycelial.simulation.intraday.market import IntradayMarket
from mycelial.simulation.scenarios import FatFinger, ForcedLiquidation, VolumeShareSeller
from mycelial.simulation.scenarios.injections import ONE

_SIDES = {"buy": int(Side.BUY), "sell": int(Side.SELL)}
_AT_ANY_PRICE = int(Flag.MARKET) | int(Flag.NO_PROTECTION)
HAND_CASH, HAND_LOTS = 2**57, 2**42  # funds of the scenario's own account


def mean_order_lots(config: PopulationConfig) -> float:
    """Return the mean size of a background order (log-normal), in lots."""
    return config.typical_lots * math.exp(0.5 * config.size_sigma**2)


def record(kind: Kind, **values: int) -> NDArray[np.void]:
    """Return one INPUT record."""
    one = np.zeros(1, INPUT)
    one["kind"], one["group"], one["handle"] = int(kind), -1, -1
    for name, value in values.items():
        one[name] = value
    return one


def market_orders(market: IntradayMarket, side: str, lots: int) -> NDArray[np.void]:
    """Return market orders without price protection for `lots`, as many as the largest order allows; may be none."""
    most, least = market.instrument.max_lots, market.instrument.min_lots
    whole, rest = divmod(lots, most)
    sizes = [most] * whole + ([rest] if rest >= least else [])
    if not sizes:
        return np.zeros(0, INPUT)
    return np.concatenate(
        [record(Kind.NEW, side=_SIDES[side], lots=one, flags=_AT_ANY_PRICE, tif=int(Tif.IOC)) for one in sizes]
    )


def fat_finger(market: IntradayMarket, injection: FatFinger) -> NDArray[np.void]:
    """Return the order with the misplaced digit; within what the book can hold, as an exchange would demand.

    With a wrong price it is that part of the mid; with a right one it is the best price it can trade at.
    """
    instrument, selling = market.instrument, injection.side == "sell"
    wanted = mean_order_lots(market.config) * injection.size_ppm / ONE
    lots = max(instrument.min_lots, min(round(wanted), instrument.max_lots))
    price = float(market.population.header["mid"][0]) * injection.price_ppm / ONE
    touch = market.book.best_bid if selling else market.book.best_ask
    tick = math.floor(price) if selling else math.ceil(price)
    if injection.price_ppm == ONE and touch:
        tick = touch
    tick = max(1, min(tick, instrument.ladder_ticks - 1))
    return record(Kind.NEW, side=_SIDES[injection.side], price=tick, lots=lots, tif=int(Tif.GTC))


def traded_since(market: IntradayMarket, since_ns: int) -> int:
    """Return the lots traded after `since_ns`, of what the tape still holds."""
    tape = market.tape(len(market.arrays["tape"]))
    return int(tape["lots"][tape["time"] > since_ns].sum())


@dataclass
class VolumeSeller:
    """A trader who keeps to a share of recent volume, a part of it at every beat, whatever the price."""

    plan: VolumeShareSeller

    def act(self, market: IntradayMarket, beat_ns: int) -> NDArray[np.void]:
        """Return the orders of one beat."""
        window = min(self.plan.window_ns, max(market.now, 1))
        volume = traded_since(market, market.now - window)
        return market_orders(market, self.plan.side, volume * self.plan.share_ppm * beat_ns // (ONE * window))


@dataclass
class Liquidation:
    """Positions closed by force, slice by slice, the most leveraged first.

    A position is what an agent holds beyond what it was born with; leverage is the value of all it holds over its
    equity. Positions of participants from outside are their own affair.
    """

    plan: ForcedLiquidation
    goal: dict[int, int] = field(default_factory=dict)  # owner to the lots it is left with
    done: int = 0

    def begin(self, market: IntradayMarket) -> None:
        """Choose whose positions are closed, and how far."""
        residents = market.config.agents
        accounts = market.book.accounts()[:residents]
        agents = market.population.arrays["agents"][:residents]
        held = (accounts["asset_free"] + accounts["asset_held"]).astype(np.int64)
        cash = (accounts["cash_free"] + accounts["cash_held"]).astype(np.int64)
        long = np.maximum(held - agents["start_lots"], 0)
        value = held * float(market.population.header["mid"][0]) * market.instrument.cash_per_tick_lot
        leverage = value / np.maximum(value + cash, 1.0)
        left = int(long.sum()) * self.plan.share_ppm // ONE
        for owner in np.lexsort((np.arange(residents), -leverage)).tolist():
            cut = min(int(long[owner]), left)
            if cut > 0:
                self.goal[owner] = int(held[owner]) - cut
                left -= cut

    def slice(self, market: IntradayMarket, number: int) -> Iterator[tuple[int, NDArray[np.void]]]:
        """Give (owner, records) of slice `number`, from 1 on: an equal part of what is to go in all, in turn."""
        accounts = market.book.accounts()
        agents = market.population.arrays["agents"]
        remaining = {
            owner: max(0, int(accounts["asset_free"][owner] + accounts["asset_held"][owner]) - goal)
            for owner, goal in self.goal.items()
        }
        slices_left = max(1, self.plan.slices - number + 1)
        part = -(-sum(remaining.values()) // slices_left)
        for owner, lots in remaining.items():
            lots = min(lots, part)
            if lots == 0:
                continue
            part -= lots
            if agents["kind"][owner] == EXECUTOR:
                agents["armed"][owner] = 0  # the order it was working on is over
            orders = market_orders(market, "sell", lots)
            if int(accounts["asset_free"][owner]) < lots:
                orders = np.concatenate([record(Kind.CANCEL_ALL, side=_SIDES["sell"]), orders])
            yield owner, orders


def withdrawn(market: IntradayMarket, *, keep_ppm: int, nearer_than: float) -> Iterator[tuple[int, NDArray[np.void]]]:
    """Give (owner, records) by which residents withdraw: cancel what is too near, keep a part of the rest in its place.

    Parameters
    ----------
    keep_ppm : of every other resting order so much is left; `ONE` leaves them alone.
    nearer_than : orders less than so many ticks from the mid are cancelled.
    """
    middle = float(market.population.header["mid"][0])
    rows = market.book.orders()
    rows = rows[rows["owner"] < market.config.agents]
    near = np.abs(rows["price"] - middle) < nearer_than
    changed = near if keep_ppm >= ONE else np.ones(len(rows), np.bool_)
    for row, gone in zip(rows[changed], near[changed], strict=True):
        owner, left = int(row["owner"]), -(-int(row["leaves"]) * keep_ppm // ONE)
        if gone or left == 0:
            yield owner, record(Kind.CANCEL, handle=int(row["handle"]))
        elif left < int(row["leaves"]):
            total = int(row["filled"]) + left
            yield owner, record(Kind.AMEND, handle=int(row["handle"]), price=-1, lots=total, display=-1)
