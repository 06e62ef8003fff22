"""`StressedMarket`: a living market to which a scenario happens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError, DataError
from mycelial.simulation.intraday.market import SECOND, IntradayMarket
from mycelial.simulation.scenarios import (
    Conditions,
    Depeg,
    Drought,
    FatFinger,
    FeedFault,
    ForcedLiquidation,
    Injection,
    LatencyStorm,
    LimitExhaustion,
    Outage,
    RegimeSwitch,
    Scenario,
    Sweep,
    VolumeShareSeller,
    boundaries,
    concerns,
    conditions,
)
from mycelial.simulation.scenarios.injections import ONE
from mycelial.simulation.stress.dials import Dials
from mycelial.simulation.stress.orders import (
    HAND_CASH,
    HAND_LOTS,
    Liquidation,
    VolumeSeller,
    fat_finger,
    market_orders,
    mean_order_lots,
    withdrawn,
)
from mycelial.simulation.stress.outage import OutageCourse

_NEEDS_HAND = (Sweep, VolumeShareSeller, FatFinger, Outage)


@dataclass(frozen=True)
class Happened:
    """One thing a scenario did: when, which injection, and in words."""

    time_ns: int
    kind: str
    what: str


class StressedMarket:
    """A market with a scenario; run it by this, and otherwise use `market` as ever.

    The same market, scenario and seed give the same bytes, however the run is cut into calls.

    Parameters
    ----------
    market : IntradayMarket
        At its present the scenario starts.
    scenario : Scenario
        Injections that do not concern this pair are left out; `left_out` lists them.
    pair : str, optional
        Name under which the scenario knows this market; by default the instrument's.
    hand : int, optional
        Participant from outside that trades and operates for the scenario; by default the last one.
    own : int, optional
        Participant from outside whose finger is fat when ``who = "own"``; by default the first one.
    seed : int, optional
        For what scenarios leave to chance; by default the market's. Markets that share it are drawn together.
    beat_ns : int
        How often flows trade and ramps climb.

    Raises
    ------
    ConfigError
        If the scenario needs an account of its own and the market has no participant from outside.
    """

    def __init__(
        self,
        market: IntradayMarket,
        scenario: Scenario,
        *,
        pair: str | None = None,
        hand: int | None = None,
        own: int | None = None,
        seed: int | None = None,
        beat_ns: int = SECOND,
    ) -> None:
        self.market, self.scenario = market, scenario
        self.pair = pair or market.instrument.symbol
        self.happened: list[Happened] = []
        mine = tuple(one for one in scenario.injections if concerns(one, self.pair))
        self.left_out = tuple(one for one in scenario.injections if one not in mine)
        if not market.externals and any(isinstance(one, _NEEDS_HAND) for one in mine):
            raise ConfigError(
                f"scenario {scenario.name} trades or operates on its own account; build the market with externals=1 or "
                "more"
            )
        residents = market.config.agents
        self._hand = residents + market.externals - 1 if hand is None else hand
        self._own = residents if own is None else own
        self._seed = market.seed if seed is None else seed
        self._start, self._beat = market.now, beat_ns
        self._dials = Dials(market, self._seed)
        self._todo = [*mine]  # not yet begun, in order of time
        self._sellers: list[VolumeSeller] = []
        self._liquidations: list[Liquidation] = []
        self._outage: OutageCourse | None = None
        self._funded = False
        self._beats = -1  # the last one that was used
        self._turns = [self._start + at for at in boundaries(scenario, self.pair)]
        self._do_what_is_due()

    @property
    def now(self) -> int:
        """Time of the market, ns."""
        return self.market.now

    @property
    def conditions(self) -> Conditions:
        """What is going on now; the gateway of an exchange and its feeds go by this."""
        return conditions(self.scenario, self.market.now - self._start, self.pair)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return not self._turns

    def run_until(self, time_ns: int, *, stop_on_delivery: bool = False) -> int:
        """Let everything happen up to and including `time_ns`; return the time reached. See `IntradayMarket`.

        A market that reopens after an outage lives through its reopening at once, so it may reach a later time.
        """
        if time_ns < self.market.now:
            raise DataError(f"the market is at {self.market.now} ns and cannot go back to {time_ns}")
        while True:
            until = max(self.market.now, min(time_ns, self._next_turn()))
            heard = self.market.inbox()[1]
            if until > self.market.now:
                self.market.run_until(until, stop_on_delivery=stop_on_delivery)
                if stop_on_delivery and self.market.inbox()[1] > heard:
                    return self.market.now
            if self._next_turn() <= self.market.now:
                self._do_what_is_due()
            elif self.market.now >= time_ns:
                return self.market.now

    def _next_turn(self) -> int:
        """Return when there is something to do next: a boundary, a slice, or the next beat of what is going on."""
        turns = self._turns[:1]
        if self._outage is None:
            turns += [self._slice_due(one) for one in self._liquidations]
            turns += [self._start + (self._beats + 1) * self._beat] if self._is_moving() else []
        return min(turns, default=2**63 - 1)

    def _is_moving(self) -> bool:
        """Tell whether something is going on that changes with every beat."""
        passed, now = self.market.now - self._start, self.conditions
        ramps = any(
            isinstance(one, Depeg) and passed <= one.start_ns + one.ramp_ns + self._beat
            for one in self.scenario.active(passed)
        )
        regime = now.regime
        return bool(
            self._sellers
            or ramps
            or (regime is not None and (regime.drift_flip or regime.towards_one_ppm))
            or (now.drought is not None and now.drought.spread_ppm > ONE)
        )

    def _do_what_is_due(self) -> None:
        market = self.market
        while self._turns and self._turns[0] <= market.now:
            self._turns.pop(0)
        beats = (market.now - self._start) // self._beat
        on_the_beat, self._beats = beats > self._beats, beats
        passed = market.now - self._start
        self._sellers = [one for one in self._sellers if passed < one.plan.end_ns]
        self._liquidations = [one for one in self._liquidations if one.done < one.plan.slices]
        former = self._outage
        if former is not None and self.conditions.outage is None:
            self._outage = None
            former.reopen(self._dials)
            self._note("outage", "trading resumes")
        self._dials.turn_to(self.conditions)
        while self._todo and self._start + self._todo[0].start_ns <= market.now:
            self._begin(self._todo.pop(0))
        if self._outage is not None:
            return
        if on_the_beat:
            drought = self.conditions.drought
            if drought is not None and drought.spread_ppm > ONE:
                self._retreat(ONE)
            for seller in self._sellers:
                self._trade(seller.act(market, self._beat))
        for one in self._liquidations:
            if one.done < one.plan.slices and self._slice_due(one) <= market.now:
                one.done += 1
                for owner, records in one.slice(market, one.done):
                    market.order_for(records, owner)

    def _begin(self, injection: Injection) -> None:
        market, what = self.market, ""
        if isinstance(injection, Sweep):
            lots = round(mean_order_lots(market.config) * injection.size_ppm / ONE)
            self._trade(market_orders(market, injection.side, lots))
            what = f"{injection.side} {lots} lots at any price"
        elif isinstance(injection, FatFinger):
            order = fat_finger(market, injection)
            owner = self._own if injection.who == "own" else self._hand
            self._trade(order, owner)
            what = f"{injection.side} {int(order['lots'][0])} lots at tick {int(order['price'][0])}"
        elif isinstance(injection, VolumeShareSeller):
            self._sellers.append(VolumeSeller(injection))
            what = f"{injection.side} {injection.share_ppm / 1e4:g} % of volume"
        elif isinstance(injection, ForcedLiquidation):
            one = Liquidation(injection)
            one.begin(market)
            self._liquidations.append(one)
            what = f"{len(one.goal)} holders lose positions"
        elif isinstance(injection, Outage):
            self._outage = OutageCourse(market, injection, self._hand, self._seed, self._start + injection.end_ns)
            self._outage.begin()
            what = f"the gateway gives {injection.answers}"
        elif isinstance(injection, Drought):
            self._retreat(injection.depth_ppm)
            what = f"depth x {injection.depth_ppm / ONE:g}, spread x {injection.spread_ppm / ONE:g}"
        elif isinstance(injection, RegimeSwitch):
            what = f"volatility x {injection.volatility_ppm / ONE:g}"
        elif isinstance(injection, FeedFault):
            what = f"{injection.fault}, {injection.share_ppm / 1e4:g} % of messages"
        elif isinstance(injection, Depeg):
            what = f"{injection.target} to {injection.price_ppm / ONE:g} ({injection.scope})"
        elif isinstance(injection, LatencyStorm):
            what = f"latency x {injection.latency_ppm / ONE:g}, {injection.loss_ppm / 1e4:g} % lost"
        elif isinstance(injection, LimitExhaustion):
            what = f"limits x {injection.limits_ppm / ONE:g}, counters from {injection.used_ppm / 1e4:g} %"
        self._note(injection.kind, what)

    def _retreat(self, keep_ppm: int) -> None:
        near = float(self.market.population.header["shy_ticks"][0])
        for owner, records in withdrawn(self.market, keep_ppm=keep_ppm, nearer_than=near):
            self.market.order_for(records, owner)

    def _trade(self, records: NDArray[np.void], owner: int | None = None) -> None:
        if not len(records):
            return
        if owner is None or owner == self._hand:
            owner = self._hand
            if not self._funded:
                self._funded = True
                self.market.fund(owner, HAND_CASH, HAND_LOTS)
        self.market.submit(records, owner)

    def _slice_due(self, one: Liquidation) -> int:
        plan = one.plan
        return self._start + plan.start_ns + plan.duration_ns * one.done // plan.slices

    def _note(self, kind: str, what: str) -> None:
        self.happened.append(Happened(self.market.now, kind, what))
