"""`IntradayMarket`: a living market by the nanosecond, for in-process use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.intraday.config import JITTERS, PopulationConfig
from mycelial.agents.intraday.population import Population, draw_population, funding, opening_orders
from mycelial.domain.copying import copied, joined
from mycelial.domain.errors import ConfigError, DataError, MycelialError
from mycelial.domain.instrument import Instrument
from mycelial.domain.memory import address, blank
from mycelial.domain.seeds import stream_key
from mycelial.market.book import EVENT, INPUT, EventKind, OrderBook
from mycelial.market.book.book import FREE
from mycelial.market.book.state import NEVER
from mycelial.simulation.intraday import kernel
from mycelial.simulation.intraday.driver import compiled_loop, run
from mycelial.simulation.intraday.engine import compiled_engine
from mycelial.simulation.intraday.snapshot import Parts, pack, unpack
from mycelial.simulation.intraday.state import ARRAYS, LOOP
from mycelial.simulation.intraday.turns import compiled_turn

SECOND = 10**9
_CHUNK = 4_096  # opening records applied at a time
_LOG_ROOM = 1 << 16


class Observation(NamedTuple):
    """What the engine's book looks like now."""

    time: int  # ns
    bids: NDArray[np.int64]  # [depth, 2] price in ticks and shown lots, best first; zeros where no level is
    asks: NDArray[np.int64]  # [depth, 2]
    trades: NDArray[np.void]  # TRADE[n], oldest first


class Recording(NamedTuple):
    """Everything the engine took and gave since the recording was last taken."""

    inputs: NDArray[np.void]  # INPUT[n], in the order of the engine
    events: NDArray[np.void]  # EVENT[m]


class IntradayMarket:
    """A population trading one instrument, with time, latency and matching in one compiled loop.

    Owners are numbered kind by kind (`PopulationConfig`), then come `externals` participants from outside, who act
    through `submit` and hear of their own orders through `inbox`. The same arguments give the same bytes.

    Parameters
    ----------
    instrument : Instrument
    population : PopulationConfig
    seed : int
        Root of every random stream.
    externals : int
        Participants from outside; they begin without funds (submit a FUND record, or use `fund`).
    external_latency_ns : int or (up, down)
        Their way to the engine and back.
    path : float64[days], optional
        The fundamental by day, in ticks, such as a SYMBA run gives.
    fee_tiers : sequence of (threshold, maker_ppm, taker_ppm)
    record : bool
        Keep all inputs and events for `take_recording`.
    events_kept : int
        How many of the latest events `events_since` reaches back to: a power of two.

    Raises
    ------
    ConfigError
        If a parameter is impossible.
    """

    def __init__(
        self,
        instrument: Instrument,
        population: PopulationConfig,
        seed: int = 1,
        *,
        externals: int = 0,
        external_latency_ns: int | tuple[int, int] = 0,
        path: NDArray[np.float64] | None = None,
        fee_tiers: Sequence[tuple[int, int, int]] = FREE,
        record: bool = False,
        events_kept: int = 1 << 13,
    ) -> None:
        self.instrument, self.config, self.seed = instrument, population, seed
        self.externals = externals
        self.population: Population = draw_population(population, seed, externals, path)
        up, down = external_latency_ns if isinstance(external_latency_ns, tuple) else (external_latency_ns,) * 2
        if externals < 0 or up < 0 or down < 0:
            raise ConfigError("externals and their latency must not be negative")
        outside = self.population.arrays["agents"][population.agents :]
        outside["up"], outside["down"] = up, down
        self.book = OrderBook(instrument, population.agents + externals, fee_tiers=fee_tiers)
        if events_kept < 2 or events_kept & (events_kept - 1):
            raise ConfigError(f"events_kept {events_kept} must be a power of two")
        self._build(record, events_kept)
        self._open()
        kernel.start(self._header)

    def _build(self, record: bool, events_kept: int) -> None:
        """Allocate the loop around book and population."""
        latency = self.config.latency
        header = np.zeros(1, LOOP)
        rows = {
            "queue": 4_096,
            "messages": 2_048,
            "free": 2_048,
            "events": events_kept,
            "tape": 1 << 12,
            "inbox": 1 << 12,
            "input_log": _LOG_ROOM if record else 1,
            "event_log": 2 * _LOG_ROOM if record else 1,
            "quantiles": max(1, len(latency.quantiles)),
        }
        self._arrays = {name: blank(rows[name], dtype) for name, dtype in ARRAYS.items()}
        self._header = header
        self._arrays["free"]["slot"] = np.arange(rows["free"])
        self._arrays["quantiles"]["value"][: len(latency.quantiles)] = latency.quantiles
        header["queue_room"], header["messages_room"] = rows["queue"], rows["messages"]
        header["free_count"], header["log_room"], header["logging"] = rows["free"], _LOG_ROOM, record
        for ring in ("events", "tape", "inbox"):
            header[f"{ring}_mask"] = rows[ring] - 1
        header["first_external"] = self.config.agents
        for name in ("view_at", "stop_event", "stop_report"):
            header[name] = NEVER
        header["jitter"], header["quantiles_count"] = JITTERS.index(latency.jitter), len(latency.quantiles)
        for name in ("service_ns", "cancel_ns", "jitter_scale", "jitter_shape", "throttle_limit", "throttle_decay_hz"):
            header[name] = getattr(latency, name)
        header["latency_key"] = stream_key(self.seed, "intraday", "latency")
        header["pool_key"] = stream_key(self.seed, "intraday", "pools")
        self._connect()

    def _connect(self) -> None:
        """Write into the header where everything lies."""
        header = self._header
        for name, array in self._arrays.items():
            header[f"{name}_at"] = address(array)
        header["book_at"] = address(self.book.state.header)
        header["crowd_at"] = address(self.population.header)
        header["self_at"] = address(header)
        self._units = compiled_engine(), compiled_turn(), compiled_loop()
        header["engine_at"], header["turn_at"], header["run_at"] = (unit.address for unit in self._units)

    def _open(self) -> None:
        """Fund the agents and place the opening orders, part by part to stay small."""
        self._opening: list[NDArray[np.void]] = []
        events: list[NDArray[np.void]] = []
        money = funding(self.population, self.config, self.instrument.cash_per_tick_lot)
        orders = opening_orders(self.population, self.config, self.seed)
        agents, record = self.population.arrays["agents"], bool(self._header["logging"][0])
        self.book.state.make_room(4 * _CHUNK + 3 * len(orders) + 64)
        for records in (money, orders):
            for first in range(0, len(records), _CHUNK):
                part = records[first : first + _CHUNK]
                written = kernel.feed(self._header, part.view(np.uint64).reshape(len(part), -1))
                answers = self.book.state.arrays["events"][:written].copy()
                resting = answers[answers["kind"] == int(EventKind.RESTED)]
                for side, slot in enumerate(("bid", "ask")):
                    mine = resting[resting["side"] == side]
                    agents[slot][mine["owner"]] = mine["handle"]
                if record:
                    events.append(answers)
            if record:
                self._opening.append(records)
        self._opening_events = events
        self.book.state.make_room(4_096)

    def run_until(self, time_ns: int, *, stop_on_delivery: bool = False) -> int:
        """Let everything happen up to and including `time_ns`; return the time reached.

        Parameters
        ----------
        stop_on_delivery : bool
            Stop as soon as an event reaches a participant from outside.

        Raises
        ------
        DataError
            If `time_ns` has passed already.
        """
        if time_ns < self.now:
            raise DataError(f"the market is at {self.now} ns and cannot go back to {time_ns}")
        self._header["stop_on_delivery"] = stop_on_delivery
        while True:
            why = run(self._header, time_ns)
            if why in (kernel.REACHED, kernel.DELIVERED):
                return self.now
            self.make_way(why)

    def make_way(self, why: int) -> None:
        """Make room for what the loop stopped for: a code of `kernel.run`."""
        if why == kernel.LOG_FULL:
            self._drain()
        elif why == kernel.EVENTS_FULL:
            self.book.state.make_room(2 * self.book.state.room_needed())
        else:
            self._grow()

    @property
    def header(self) -> NDArray[np.void]:
        """The loop's header, ``LOOP[1]``, for kernels that drive this market."""
        return self._header

    @property
    def arrays(self) -> dict[str, NDArray[np.void]]:
        """The arrays behind the header, by name (`state.ARRAYS`), for code that interferes with this market."""
        return self._arrays

    def submit(self, records: NDArray[np.void], owner: int, at: int | None = None) -> int:
        """Send records of an outside participant; return how many its throttle refused.

        Orders travel with the participant's latency from `at` (by default now). CONTROL and FUND records come from
        the operator and take effect at `at` itself. `ts` and `owner` of the records are overwritten.

        Raises
        ------
        DataError
            If the records are no INPUT records, `owner` is not from outside, or `at` has passed.
        """
        if not self.config.agents <= owner < self.config.agents + self.externals:
            raise DataError(f"owner {owner} is no participant from outside; they begin at {self.config.agents}")
        return self._enqueue(records, owner, at)

    def order_for(self, records: NDArray[np.void], resident: int, at: int | None = None) -> int:
        """Send records in the name of an agent who lives here, as if it had decided so; see `submit`.

        Stress scenarios use it; what agents decide themselves never passes here.
        """
        if not 0 <= resident < self.config.agents:
            raise DataError(f"owner {resident} is no resident; they are 0 to {self.config.agents - 1}")
        return self._enqueue(records, resident, at)

    def _enqueue(self, records: NDArray[np.void], owner: int, at: int | None) -> int:
        records = np.ascontiguousarray(np.atleast_1d(records))
        if records.dtype != INPUT:
            raise DataError(f"an intraday market takes records of dtype INPUT, not {records.dtype}")
        at = self.now if at is None else at
        if at < self.now:
            raise DataError(f"the market is at {self.now} ns; records cannot be sent at {at}")
        words = records.view(np.uint64).reshape(len(records), INPUT.itemsize // 8)
        while (refused := kernel.enqueue(self._header, words, owner, at)) < 0:
            self._grow()
        return int(refused)

    def fund(self, owner: int, cash: int = 0, lots: int = 0) -> None:
        """Give an outside participant cash units and lots, from now on."""
        records = np.zeros(2, INPUT)
        records["kind"], records["group"], records["side"], records["aux"] = 5, -1, [0, 1], [cash, lots]
        self.submit(records[records["aux"] != 0], owner)

    def observe(self, depth: int = 10, trades: int = 0) -> Observation:
        """Return the book of the engine now, and the latest trades."""
        sides = []
        for side in range(2):
            whole = np.zeros((depth, 2), np.int64)
            there = self.book.levels(side, depth)
            whole[: len(there)] = there
            sides.append(whole)
        return Observation(self.now, sides[0], sides[1], self.tape(trades))

    def tape(self, most: int) -> NDArray[np.void]:
        """Return the latest trades, at most `most` and what the ring holds, oldest first: ``TRADE[n]``."""
        return self._latest("tape", self._scalar("tape_count"), most)

    def inbox(self, since: int = 0) -> tuple[NDArray[np.void], int]:
        """Return what reached participants from outside since delivery number `since`, and the number to go on from.

        Rows are ``ARRIVED``: the time of arrival and the event. What left the ring is lost; ask often enough.
        """
        count = self._scalar("inbox_count")
        return self._latest("inbox", count, count - since), count

    def events_since(self, event_seq: int) -> NDArray[np.void]:
        """Return the events from `event_seq` on as the engine wrote them, ``EVENT[n]``.

        Raises
        ------
        DataError
            If they have left the ring of the latest events.
        """
        count = self.book.state.scalar("event_seq")
        wanted = max(0, count - event_seq)
        found = self._latest("events", count, wanted)
        if len(found) < wanted or (wanted and found["event_seq"][0] != event_seq):
            raise DataError(f"events from {event_seq} on have left the ring; ask for newer ones, or record the run")
        return found

    def _latest(self, name: str, count: int, most: int) -> NDArray[np.void]:
        ring = self._arrays[name]
        rows = min(max(most, 0), count, len(ring))
        first = (count - rows) & (len(ring) - 1)
        if first + rows <= len(ring):
            return copied(ring[first : first + rows])
        return joined([ring[first:], ring[: first + rows - len(ring)]])

    def take_recording(self) -> Recording:
        """Return what was recorded since the last call, from the opening on.

        Raises
        ------
        MycelialError
            If the market was built without `record`.
        """
        if not self._scalar("logging"):
            raise MycelialError("this market keeps no record; build it with record=True")
        self._drain()
        whole = Recording(
            np.concatenate(self._opening or [np.zeros(0, INPUT)]),
            np.concatenate(self._opening_events or [np.zeros(0, EVENT)]),
        )
        self._opening, self._opening_events = [], []
        return whole

    def _drain(self) -> None:
        for kept, name, count in (
            (self._opening, "input_log", "inputs_logged"),
            (self._opening_events, "event_log", "events_logged"),
        ):
            kept.append(self._arrays[name][: self._scalar(count)].copy())
            self._header[count] = 0
        room = 2 * self.book.state.room_needed()
        if self._scalar("log_room") < room:
            self._arrays["input_log"], self._arrays["event_log"] = np.zeros(room, INPUT), np.zeros(2 * room, EVENT)
            self._header["log_room"] = room
            self._connect()

    def _grow(self) -> None:
        """Double the queue and the slots for messages."""
        for name, room in (("queue", "queue_room"), ("messages", "messages_room"), ("free", "messages_room")):
            former = self._arrays[name]
            self._arrays[name] = np.concatenate([former, np.zeros(len(former), former.dtype)])
            self._header[room] = len(self._arrays[name])
        half, count = len(self._arrays["free"]) // 2, self._scalar("free_count")
        self._arrays["free"]["slot"][count : count + half] = np.arange(half, 2 * half)
        self._header["free_count"] = count + half
        self._connect()

    def snapshot(self) -> bytes:
        """Return everything needed to go on from here, in another process too; what was recorded is left out."""
        facts = {"config": self.config.to_dict(), "seed": self.seed, "externals": self.externals}
        book, people = self.book.snapshot(), self.population
        return pack(Parts(facts, book, people.header, people.arrays, self._header, self._arrays))

    @classmethod
    def restore(cls, data: bytes) -> IntradayMarket:
        """Return the market that `snapshot` described.

        Raises
        ------
        DataError
            If `data` is no snapshot of this version, or damaged.
        """
        parts = unpack(data)
        market = cls.__new__(cls)
        market.config = PopulationConfig.from_dict(parts.facts["config"])
        market.seed, market.externals = parts.facts["seed"], parts.facts["externals"]
        market.book = OrderBook.restore(parts.book)
        market.book.state.make_room(4_096)
        market.instrument = market.book.instrument
        market.population = Population(parts.crowd_header, parts.crowd)
        market._header, market._arrays = parts.loop_header, parts.loop
        room = int(market._header["log_room"][0]) if market._scalar("logging") else 1
        market._arrays["input_log"], market._arrays["event_log"] = np.zeros(room, INPUT), np.zeros(2 * room, EVENT)
        market._header["inputs_logged"], market._header["events_logged"] = 0, 0
        market._opening, market._opening_events = [], []
        market._connect()
        return market

    def _scalar(self, name: str) -> int:
        return int(self._header[name][0])

    @property
    def now(self) -> int:
        """Time of the market, ns."""
        return self._scalar("now")

    @property
    def messages(self) -> int:
        """Order messages the engine has processed since the opening."""
        return self._scalar("messages")

    @property
    def wakes(self) -> int:
        """Decisions taken by agents."""
        return self._scalar("wakes")

    @property
    def lost(self) -> int:
        """News that never arrived because a ring or the queue was too small; 0 in a sound run."""
        return self._scalar("lost")

    @property
    def digest(self) -> int:
        """64-bit fingerprint of every event of the engine so far."""
        return self.book.digest

    @property
    def worth(self) -> float:
        """The intraday fundamental now, in ticks (never shown to agents as such)."""
        return kernel.worth_now(self._header)
