"""`Desk`: one living market with the seats of its learning agents, and `Desks`, many of them stepped together."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.memory import address
from mycelial.environment import kernel
from mycelial.environment.config import AfterEvents, EnvConfig, Every, QuotePair, RawRecords, Templates
from mycelial.environment.schema import Schema, cash_scale, inventory_lots, reward_scale, schema_of
from mycelial.environment.state import (
    AFTER_EVENTS,
    ARRAYS,
    BY_QUOTES,
    BY_RECORDS,
    BY_TEMPLATE,
    DESK,
    EVERY,
    FIRST_TEMPLATE,
    ORDER_WORDS,
    OWN_EVENT,
    PRIVATE_HEAD,
    PUBLIC_HEAD,
    TRADE_WORDS,
)
from mycelial.market.book.records import EVENT, INPUT, Flag, Tif
from mycelial.simulation.intraday.market import IntradayMarket

_TIFS = {"GTC": (Tif.GTC, 0), "POST": (Tif.GTC, Flag.POST_ONLY), "IOC": (Tif.IOC, 0), "FOK": (Tif.FOK, 0)}
Arrays = dict[str, NDArray[np.void]]
Told = dict[str, NDArray[np.integer[Any]]]  # what an agent heard: the fields of EVENT, each [n]
_EVENT_FIELDS = tuple(name for name in EVENT.names or () if not name.startswith("_"))
_NO_EVENTS = {name: np.zeros(0, EVENT[name]) for name in _EVENT_FIELDS}
ENDS = ("", "ruin", "goal", "time")  # by `end` of a seat


class Desk:
    """One market and the buffers through which its learning agents see and act.

    `reset` builds the market anew; `Desks.step` moves it on. Buffers are written in place by the kernels.

    Parameters
    ----------
    config : EnvConfig
    agents : int
        Learning agents.
    shared : dict of arrays, optional
        Rows of arrays that belong to many desks, by the names in `state.ARRAYS` (see `Desks.alike`).
    """

    market: IntradayMarket

    def __init__(self, config: EnvConfig, agents: int = 1, *, shared: Arrays | None = None) -> None:
        self.config, self.agents = config, agents
        self.schema: Schema = schema_of(config)
        self.latencies = config.latencies(agents)
        downs = sorted({down for _, down in self.latencies})
        acting, observed = config.acting, config.observed
        templates = _templates(config) if isinstance(acting, Templates) else []
        late = downs[-1] // config.step_ns if isinstance(config.pace, Every) else 0
        ring = late + 2 if isinstance(config.pace, Every | AfterEvents) else 16
        public = PUBLIC_HEAD + 4 * observed.depth + TRADE_WORDS * observed.trades
        private = PRIVATE_HEAD + ORDER_WORDS * observed.orders
        rows = {
            "links": len(downs),
            "publics": len(downs) * ring * public,
            "privates": agents * ring * private,
            "templates": max(1, len(templates)),
        }
        self.arrays: Arrays = {name: np.zeros(count, ARRAYS[name]) for name, count in rows.items()}
        self.arrays |= seat_arrays(config, agents) if shared is None else shared
        self.header = np.zeros(1, DESK)
        header = self.header
        for name, array in self.arrays.items():
            header[f"{name}_at"] = address(array)
        header["seats_count"], header["links_count"], header["ring"] = agents, len(downs), ring
        header["public_words"], header["private_words"] = public, private
        header["depth"], header["orders"], header["trades"] = observed.depth, observed.orders, observed.trades
        header["observed"], header["templates_count"] = self.schema.size, len(templates)
        header["most_records"] = len(self.arrays["records"]) // agents
        for n, row in enumerate(templates):
            self.arrays["templates"][n] = row
        self._write_rules(header)
        self.seats = self.arrays["seats"]
        self.seen = self.arrays["seen"].view(np.float32).reshape(agents, -1)
        self.quotes = self.arrays["quotes"].view(np.float32).reshape(agents, 4)
        self.seats["link"] = [downs.index(down) for _, down in self.latencies]
        self.seats["down"] = [down for _, down in self.latencies]
        self.arrays["links"]["down"] = downs

    def _write_rules(self, header: NDArray[np.void]) -> None:
        config = self.config
        acting, pace, reward = config.acting, config.pace, config.reward
        header["acting"] = (
            BY_TEMPLATE if isinstance(acting, Templates) else BY_QUOTES if isinstance(acting, QuotePair) else BY_RECORDS
        )
        header["pace"] = (
            EVERY if isinstance(pace, Every) else AFTER_EVENTS if isinstance(pace, AfterEvents) else OWN_EVENT
        )
        header["pace_ns"] = config.step_ns
        header["pace_events"] = pace.events if isinstance(pace, AfterEvents) else 0
        header["goal_lots"] = config.goal_lots
        header["price_ticks"], header["clip"] = config.observed.price_ticks, config.observed.clip
        header["age_ns"] = config.observed.age_s * 1e9
        header["typical_lots"] = config.population.typical_lots
        header["inventory_lots"], header["cash_scale"] = inventory_lots(config), cash_scale(config)
        header["profit_weight"], header["shortfall_weight"] = reward.profit, reward.shortfall
        header["inventory_bps"], header["scale"] = reward.inventory_bps, reward_scale(config)
        header["ruin_share"] = config.episode.ruin_share

    def reset(self, seed: int) -> None:
        """Build the market of an episode; `Desks.open` then brings it to the first decision."""
        config, header = self.config, self.header
        self.market = market = IntradayMarket(
            config.instrument, config.population, seed, externals=self.agents, fee_tiers=config.fee_tiers
        )
        first = config.population.agents
        outside = market.population.arrays["agents"][first:]
        outside["up"], outside["down"] = zip(*self.latencies, strict=True)
        lots = round(config.asset_orders * config.population.typical_lots)
        worth = config.population.typical_lots * config.population.price_ticks * config.instrument.cash_per_tick_lot
        for n in range(self.agents):
            market.fund(first + n, round(config.cash_orders * worth), lots)
        seats = self.seats
        link, down = seats["link"].copy(), seats["down"].copy()
        seats[:] = 0
        seats["link"], seats["down"], seats["live"] = link, down, kernel.LIVE
        seats["owner"] = first + np.arange(self.agents)
        self.arrays["links"]["taken"] = 0
        start = round(config.episode.warm_up_s * 1e9)
        length = round(config.episode.seconds * 1e9)
        if isinstance(config.pace, Every):
            length = max(1, round(length / config.step_ns)) * config.step_ns
        header["start"], header["end"] = start, start + length
        header["phase"] = header["seat_at"] = header["step"] = 0
        header["mark"] = round(config.population.price_ticks)
        header["loop_at"] = address(market.header)
        self._heard = 0

    def heard(self) -> tuple[list[Told], int]:
        """Return what reached each agent since the last call, the fields of EVENT, each ``[n]``, and how many are lost.

        The market keeps the latest few thousand deliveries to all learning agents together; older ones are lost.
        """
        count = int(self.market.header["inbox_count"][0])
        if count == self._heard:
            return [dict(_NO_EVENTS) for _ in range(self.agents)], 0
        arrived, _ = self.market.inbox(self._heard)
        lost = count - self._heard - len(arrived)
        self._heard = count
        order = np.argsort(arrived["to"], kind="stable")
        edges = np.searchsorted(arrived["to"][order], int(self.seats["owner"][0]) + np.arange(self.agents + 1)).tolist()
        events = arrived["event"][order]
        columns = {name: np.ascontiguousarray(events[name]) for name in _EVENT_FIELDS}
        return [{name: column[first:last] for name, column in columns.items()} for first, last in pairwise(edges)], lost

    def forget_heard(self) -> None:
        """Count everything that reached agents as told."""
        self._heard = int(self.market.header["inbox_count"][0])

    def masks(self) -> NDArray[np.int8]:
        """Return which choices are legal now: int8[agents, choices], 1 where one is."""
        return self.arrays["legal"].view(np.int8).reshape(self.agents, -1)

    def give(self, agent: int, records: NDArray[np.void]) -> None:
        """Set the raw records that an agent sends in the next step; those beyond the most are left out."""
        most = int(self.header["most_records"][0])
        count = min(len(records), most)
        self.arrays["records"][agent * most : agent * most + count] = np.asarray(records, INPUT)[:count]
        self.seats["records"][agent] = count


class Desks:
    """Desks that are stepped together, on as many threads as wanted.

    Parameters
    ----------
    desks : sequence of Desk
    threads : int
        Each takes a share of the desks; results do not depend on it.
    """

    def __init__(self, desks: Sequence[Desk], threads: int = 1) -> None:
        self.desks = list(desks)
        self.addresses = np.array([address(desk.header) for desk in self.desks], np.int64)
        self.whys = np.zeros(len(self.desks), np.int64)
        self.threads = max(1, min(threads, len(self.desks)))
        self._pool = ThreadPoolExecutor(self.threads - 1) if self.threads > 1 else None

    @classmethod
    def alike(cls, config: EnvConfig, books: int, agents: int = 1, threads: int = 1) -> tuple[Desks, Arrays]:
        """Return desks of one configuration, and the arrays in which their seats lie one behind the other."""
        whole = seat_arrays(config, books * agents)
        parts = {name: np.split(array, books) for name, array in whole.items()}
        desks = [Desk(config, agents, shared={name: part[b] for name, part in parts.items()}) for b in range(books)]
        return cls(desks, threads), whole

    def open(self, which: NDArray[np.bool_] | None = None) -> None:
        """Bring desks that were just reset to their first decision."""
        self._run(which, opening=True)

    def step(self, which: NDArray[np.bool_] | None = None) -> None:
        """Bring desks to their next decision."""
        self._run(which, opening=False)

    def close(self) -> None:
        """Let the threads go."""
        if self._pool is not None:
            self._pool.shutdown()

    def _run(self, which: NDArray[np.bool_] | None, *, opening: bool) -> None:
        self.whys[:] = 0 if which is None else np.where(which, 0, kernel.DONE)
        while self._run_once(opening):
            for b in np.flatnonzero(self.whys != kernel.DONE):
                self.desks[b].market.make_way(int(self.whys[b]))

    def _run_once(self, opening: bool) -> int:
        count = len(self.desks)
        if self._pool is None:
            return int(kernel.run_desks(self.addresses, self.whys, 0, count, opening))
        # more shares than threads, so that whoever has quiet markets goes on to another share
        edges = np.linspace(0, count, min(count, 4 * self.threads) + 1).astype(int).tolist()
        shares = iter(list(pairwise(edges)))

        def work() -> int:
            return sum(int(kernel.run_desks(self.addresses, self.whys, *share, opening)) for share in shares)

        others = [self._pool.submit(work) for _ in range(self.threads - 1)]
        return work() + sum(other.result() for other in others)


def seat_arrays(config: EnvConfig, seats: int) -> Arrays:
    """Return the arrays of which every seat has a row, or several."""
    acting = config.acting
    choices = FIRST_TEMPLATE + (len(_templates(config)) if isinstance(acting, Templates) else 0)
    per_seat = {
        "seats": 1,
        "quotes": 4,
        "records": acting.most if isinstance(acting, RawRecords) else 1,
        "seen": schema_of(config).size,
        "legal": choices,
    }
    return {name: np.zeros(seats * count, ARRAYS[name]) for name, count in per_seat.items()}


def _templates(config: EnvConfig) -> list[tuple[int, int, int, int, int]]:
    acting = config.acting
    assert isinstance(acting, Templates)
    typical = config.population.typical_lots
    return [
        (side, offset, max(1, round(size * typical)), int(_TIFS[tif][0]), int(_TIFS[tif][1]))
        for side in range(2)
        for offset in acting.offsets
        for size in acting.sizes
        for tif in acting.tifs
    ]
