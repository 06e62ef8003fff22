"""`TradingTask`: B markets with a team of N makers each, as learners see them (`mycelial.learning.task.TeamTask`).

Reward of a step, in half spreads on a typical order::

    sum over seats of (gain in value, all fees paid)  -  seat * sum (q_n / limit)^2  -  team * N * (mean q / limit)^2

The value of a seat counts what it has gained since the start: cash, and inventory beyond the opening holding at the mid
of others' best prices (own quotes cannot move it). At the end of an episode inventory counts at what closing it would
bring, by the levels shown, taker fee included. Fees are those the exchange booked, by the 30-day volume of each seat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import DataError
from mycelial.domain.seeds import generator, stream_key
from mycelial.environment.config import EnvConfig, Episode, Every, Observed, RawRecords
from mycelial.environment.desk import Desks
from mycelial.environment.presets import venue_of
from mycelial.environment.trading import acting, schema, watching
from mycelial.environment.trading.config import WISH_COLUMNS, TradingConfig
from mycelial.environment.trading.state import COUNTS, Rules, new_floor
from mycelial.learning.task import Observation, TeamStep
from mycelial.market.rate_kernels import counters, tariff_table

DEPTH = 5  # price levels a seat sees
FUNDS_ORDERS = 50.0  # opening funds of a seat beyond its limit, in typical orders, of cash and of the asset
HEADROOM_PPM = 800_000  # of the message counter for all but cancels; the rest is for getting out
_SEEDS = np.uint64(2**62)


class TradingTask:
    """Teams of makers in markets of one regime.

    Parameters
    ----------
    config : TradingConfig
    books : int
        Markets stepped together.
    threads : int
        Results do not depend on it.
    stagger : bool
        Let the first episodes of the books end one after the other, so that a batch holds all parts of an episode.
        Evaluation wants whole episodes and says False.
    """

    def __init__(self, config: TradingConfig, books: int, *, threads: int = 1, stagger: bool = True) -> None:
        if books < 1:
            raise DataError(f"trading: {books} books; there must be at least one")
        self.config, self.books, self.stagger = config, books, stagger
        self.agents, self.observation_size = config.seats, schema.SIZE
        self.table = config.choices.table()
        self.actions = len(self.table)
        self.market: EnvConfig = _market(config)
        self._desks, arrays = Desks.alike(self.market, books, config.seats, threads)
        self._seats = arrays["seats"]
        venue, symbol = venue_of(config.regime.pair)
        ladder = venue.fee_schedules[venue.pair(symbol).fees].tiers
        self._cash_per_usd = self.market.fee_tiers[1][0] / ladder[1].volume if len(ladder) > 1 else 1.0
        self.limits = limits = venue.limits(config.counter)
        self.rules = _rules(config, self.market, limits.threshold, limits.share(HEADROOM_PPM).threshold)
        self.floor = new_floor(config, books)
        self._tariff = tariff_table(venue.tariff)
        self._counters = counters([limits] * (books * config.seats))
        self._obs = np.zeros((books, config.seats, schema.SIZE), np.float32)
        self._mask = np.zeros((books, config.seats, self.actions), np.bool_)
        self._reward = np.zeros(books, np.float32)
        self._cost = np.zeros((books, config.seats), np.float32)
        self._every: NDArray[np.bool_] = np.ones(books, np.bool_)
        self._seed, self._episodes, self._turn = 0, np.zeros(books, np.int64), 0
        self.finished: NDArray[np.bool_] = np.zeros(books, np.bool_)
        self.volumes = np.zeros(books, np.int64)  # 30-day volume each book's seats began with

    def reset(self, seed: int) -> Observation:
        """Begin an episode in every book; book b lives through worlds (seed, b, 0), (seed, b, 1), ..."""
        self._seed, self._turn = seed, 0
        self._episodes[:] = 0
        self.floor.books["length"] = self.config.steps
        if self.stagger:
            shares = np.arange(1, self.books + 1) * self.config.steps // self.books
            self.floor.books["length"] = np.maximum(2, shares)
        self._begin(self._every)
        return Observation(self._obs, self._mask)

    def step(self, actions: NDArray[np.int32]) -> TeamStep:
        """Let every seat act: int32[B, N]."""
        flat = np.ascontiguousarray(actions, np.int32).reshape(-1)
        if flat.size != self.books * self.agents or flat.min() < 0 or flat.max() >= self.actions:
            raise DataError(
                f"trading: actions must be {self.books} x {self.agents} numbers from 0 to {self.actions - 1}"
            )
        acting.wish(self.rules, self.floor, self.table, flat)
        return self._step()

    def step_wishes(self, wishes: NDArray[np.float64]) -> TeamStep:
        """Let every seat quote as it likes: float64[B, N, 6], offsets in ticks (see `trading.config`)."""
        self.floor.seats["wish"] = np.asarray(wishes, np.float64).reshape(-1, WISH_COLUMNS)
        return self._step()

    def _step(self) -> TeamStep:
        desks, floor = self._desks, self.floor
        acting.send(desks.addresses, self.rules, floor, self._counters, self._tariff, self._turn)
        self._turn = (self._turn + 1) % self.agents
        desks.step()
        self._look(self._every, opening=False)
        over = floor.books["step"] >= floor.books["length"]
        reward, cost, last = self._reward.copy(), self._cost.copy(), self._obs
        if over.any():
            last = self._obs.copy()
            self.finished = over.copy()
            self.last_books, self.last_seats = floor.books.copy(), floor.seats.copy()
            floor.books["length"][over] = self.config.steps
            self._episodes[over] += 1
            self._begin(over)
        return TeamStep(self._obs, self._mask, reward, np.zeros(self.books, np.bool_), over, last, cost)

    def results(self) -> dict[str, NDArray[Any]]:
        """Return what the books that ended in the last step came to; sums over seats, one entry for each book.

        ``book``; ``profit`` and ``fees`` in cash units; ``profit_units`` in half spreads on typical orders; ``markout``
        in basis points of the notional of maker fills; the counts of `state.COUNTS`; ``volume_usd`` the seats began at.
        """
        which = np.flatnonzero(self.finished)
        seats = self.last_seats.reshape(self.books, self.agents)[which]
        found: dict[str, NDArray[Any]] = {"book": which, "profit": 0.5 * seats["value"].sum(1)}
        found["profit_units"] = found["profit"] * self.rules.scale
        marked = np.maximum(1, seats["marked"].sum(1))
        found["markout_bps"] = 1e4 * 0.5 * seats["markout"].sum(1) / marked
        for k, name in enumerate(COUNTS):
            found[name] = seats["counts"][:, :, k].sum(1)
        found["volume_usd"] = self._former_volumes[which]
        return found

    def inventories(self) -> NDArray[np.float64]:
        """Return what every seat holds beyond its opening holding, in typical orders: float64[B, N]."""
        seats = self.floor.seats
        return ((seats["lots"] - seats["start_lots"]) / self.rules.typical_lots).reshape(self.books, self.agents)

    def values(self) -> NDArray[np.float64]:
        """Return what every team has gained since its episode began, in half spreads on a typical order: float64[B]."""
        return 0.5 * self.rules.scale * self.floor.seats["value"].reshape(self.books, self.agents).sum(1)

    def maker_fee_ticks(self) -> NDArray[np.float64]:
        """Return what a maker fill costs a seat now, in ticks at the mid, by book (its dearest seat): float64[B]."""
        rates = np.array(
            [desk.market.book.accounts()["maker_ppm"][desk.seats["owner"]].max() for desk in self._desks.desks]
        )
        return rates * 1e-6 * 0.5 * self.floor.books["best"].sum(axis=1)

    def close(self) -> None:
        """Let the threads go."""
        self._desks.close()

    def _begin(self, which: NDArray[np.bool_]) -> None:
        config = self.config
        self._former_volumes = self.volumes.copy()
        for b in np.flatnonzero(which):
            episode = int(self._episodes[b])
            rng = generator(self._seed, "trading", "world", int(b), episode)
            desk = self._desks.desks[b]
            volume = int(rng.choice(config.volumes_usd))
            people = config.regime.world(rng, wide=config.wide) if config.vary else config.regime.population
            fixed = self.market.population
            people = replace(people, price_ticks=fixed.price_ticks, typical_lots=fixed.typical_lots)
            tiers = started(self.market.fee_tiers, round(volume * self._cash_per_usd))
            desk.config = replace(self.market, population=people, fee_tiers=tiers)
            self.volumes[b] = volume
            desk.reset(int(stream_key(self._seed, "trading", "market", int(b), episode) % _SEEDS))
            rows = slice(b * self.agents, (b + 1) * self.agents)
            self._counters.level[rows] = 0
            self._counters.at_ns[rows] = 0
        self._desks.open(which)
        self._look(which, opening=True)

    def _look(self, which: NDArray[np.bool_], *, opening: bool) -> None:
        watching.look(
            self._desks.addresses,
            which,
            opening,
            self.rules,
            self.floor,
            self._counters,
            self.table,
            self._obs,
            self._mask,
            self._reward,
            self._cost,
        )


def started(tiers: Sequence[tuple[int, int, int]], volume: int) -> tuple[tuple[int, int, int], ...]:
    """Return the fee ladder as somebody meets it who has traded `volume` cash units in the last 30 days.

    An account of a fresh market begins at volume 0, so the thresholds come down by what it has behind it. In an episode
    much shorter than 30 days nothing of that drops out, and the two are the same.
    """
    reached = [tier for tier in tiers if tier[0] <= volume][-1]
    return ((0, *reached[1:]), *((tier[0] - volume, *tier[1:]) for tier in tiers if tier[0] > volume))


def _market(config: TradingConfig) -> EnvConfig:
    """Return the environment that the seats' desks run: raw records, a fixed pace, a short view."""
    regime = config.regime
    seconds = regime.step_s * (config.steps + 1)
    funds = config.most_orders + FUNDS_ORDERS
    return replace(
        regime.market(),
        acting=RawRecords(acting.RECORDS),
        pace=Every(regime.step_s),
        episode=Episode(seconds=seconds, warm_up_s=config.warm_up_s, ruin_share=0.0),
        observed=Observed(depth=DEPTH, orders=2, trades=0),
        latency_ns=config.latency_ns,
        cash_orders=funds,
        asset_orders=funds,
    )


def _rules(config: TradingConfig, market: EnvConfig, threshold: int, room: int) -> Rules:
    unit, typical = config.regime.half_spread_ticks, market.population.typical_lots
    return Rules(
        seats=config.seats,
        unit_ticks=unit,
        typical_lots=typical,
        most_lots=config.most_orders * typical,
        tolerance_ticks=config.tolerance * unit,
        skew_ticks=config.choices.inventory_skew * unit,
        slack_ticks=max(1, round(unit)),
        scale=1.0 / (unit * typical * market.instrument.cash_per_tick_lot),
        seat_charge=config.charges.seat,
        team_charge=config.charges.team,
        room=room,
        threshold=threshold,
        markout_steps=config.markout_steps,
        foresight_ns=round(config.foresight_s * 1e9),
    )
