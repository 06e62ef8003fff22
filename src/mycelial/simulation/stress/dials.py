"""The dials of a living market: what a scenario's conditions turn, and how they are turned back.

Every dial is a field of the headers of population or loop, neutral by default, so that a market without a scenario is
the same to the last bit. Whatever a dial was set to before is what it goes back to.
"""

from __future__ import annotations

import math

import numpy as np

from mycelial.domain.seeds import generator
from mycelial.market.book.state import NEVER
from mycelial.simulation.intraday.market import SECOND, IntradayMarket
from mycelial.simulation.scenarios import Conditions, LatencyStorm, LimitExhaustion, RegimeSwitch
from mycelial.simulation.scenarios.injections import ONE

_BPS = 1e-4
_FALLBACK_LIMIT, _FALLBACK_DECAY_HZ = 125.0, 2.34  # of a market in which nobody has sent anything yet
_HEADROOM, _HEADROOM_S = 2.0, 10.0


class Dials:
    """Sets a market to conditions, and back.

    Parameters
    ----------
    market : IntradayMarket
    seed : int
        Markets that share it are drawn together when correlations go to one.
    """

    def __init__(self, market: IntradayMarket, seed: int) -> None:
        self._market = market
        self._rng = generator(seed, "stress", "common factor")
        self._set = Conditions()
        self._ways: tuple[np.ndarray, np.ndarray] | None = None
        self._former: dict[str, float] = {}
        self._gap = self._flipped = self._common = 0.0  # parts of the shift of the fundamental
        self._flip_from, self._flip_start = 0.0, 0.0
        self._last_turn = market.now

    def turn_to(self, now: Conditions) -> None:
        """Bring every dial to where the conditions want it, at the market's present."""
        market, former = self._market, self._set
        _ = market.worth  # the fundamental so far belongs to the former conditions
        if now.regime != former.regime:
            self._regime(now.regime)
        elif now.regime is not None:
            self._carry_on(now.regime)
        if now.latency != former.latency:
            self._latency(now.latency)
        if now.limits != former.limits:
            self._limits(now.limits)
        if now.drought != former.drought:
            self._drought(now)
        frozen = any(one.fault == "freeze" for one in now.faults)
        if frozen != any(one.fault == "freeze" for one in former.faults):
            self._people["frozen_at"] = market.now if frozen else NEVER
        self._people["reference_shift"] = math.log(now.base_value_here / now.quote_value_here)
        self._shift_worth(now)
        self._set, self._last_turn = now, market.now

    def move_worth_to(self, ticks: float) -> None:
        """Let the fundamental be `ticks` from now on: what happened while the market was out."""
        self._gap += math.log(ticks / self._market.worth)
        self._shift_worth(self._set)

    @property
    def _people(self) -> np.ndarray:
        return self._market.population.header

    def _shift_worth(self, now: Conditions) -> None:
        pegs = math.log(now.base_value / now.quote_value)
        self._people["worth_shift"] = self._gap + self._flipped + self._common + pegs

    def _scale(self, header: np.ndarray, name: str, factor: float) -> None:
        """Multiply a field, remembering what it was."""
        self._former.setdefault(name, float(header[name][0]))
        header[name] = self._former[name] * factor

    def _restore(self, header: np.ndarray, name: str) -> None:
        if name in self._former:
            header[name] = self._former.pop(name)

    def _drought(self, now: Conditions) -> None:
        people, drought = self._people, now.drought
        if drought is None:
            people["depth"], people["shy_ticks"] = 1.0, 0.0
            self._restore(people, "maker_close_ticks")
            return
        people["depth"] = drought.depth_ppm / ONE
        wide = drought.spread_ppm / ONE
        people["shy_ticks"] = 0.5 * wide * usual_spread(self._market) if wide > 1.0 else 0.0
        self._scale(people, "maker_close_ticks", wide)

    def _latency(self, storm: LatencyStorm | None) -> None:
        agents, loop = self._market.population.arrays["agents"], self._market.header
        if self._ways is not None:
            agents["up"], agents["down"] = self._ways
            self._ways = None
        loop["loss"] = loop["cancel_ack_ns"] = 0
        if storm is not None:
            self._ways = agents["up"].copy(), agents["down"].copy()
            for way in ("up", "down"):
                agents[way] = agents[way] * storm.latency_ppm // ONE
            loop["loss"], loop["cancel_ack_ns"] = storm.loss_ppm / ONE, storm.cancel_ack_delay_ns

    def _limits(self, limits: LimitExhaustion | None) -> None:
        loop, agents = self._market.header, self._market.population.arrays["agents"]
        for name in ("throttle_limit", "throttle_decay_hz"):
            self._restore(loop, name)
        if limits is None:
            return
        limit, decay = float(loop["throttle_limit"][0]), float(loop["throttle_decay_hz"][0])
        for name in ("throttle_limit", "throttle_decay_hz"):
            self._former[name] = float(loop[name][0])
        if limit <= 0.0:
            limit, decay = unfelt_limit(self._market)
        loop["throttle_limit"], loop["throttle_decay_hz"] = (x * limits.limits_ppm / ONE for x in (limit, decay))
        agents["tokens"] = np.maximum(agents["tokens"], float(loop["throttle_limit"][0]) * limits.used_ppm / ONE)
        agents["tokens_at"] = self._market.now

    def _regime(self, regime: RegimeSwitch | None) -> None:
        people = self._people
        for name in ("drift_bps", "fundamental_bps"):
            self._restore(people, name)
        if regime is None:
            return
        alone = regime.volatility_ppm / ONE * math.sqrt(1.0 - regime.towards_one_ppm / ONE)
        for name in ("drift_bps", "fundamental_bps"):
            self._scale(people, name, alone)
        self._flip_from, self._flip_start = self._day_path(), self._flipped

    def _carry_on(self, regime: RegimeSwitch) -> None:
        """Let time since the last turn pass in a changed world: the drift of the path backwards, the common factor."""
        market = self._market
        if regime.drift_flip:
            self._flipped = self._flip_start - 2.0 * (self._day_path() - self._flip_from)
        if regime.towards_one_ppm:
            hours = (market.now - self._last_turn) / (3_600 * SECOND)
            together = self._former["drift_bps"] * regime.volatility_ppm / ONE * _BPS
            share = regime.towards_one_ppm / ONE
            self._common += together * math.sqrt(share * hours) * float(self._rng.standard_normal())

    def _day_path(self) -> float:
        """Return the logarithm of the daily path at the present."""
        path = self._market.population.arrays["days"]["log_price"]
        day = self._market.now / SECOND / self._market.config.day_s
        return float(np.interp(day, np.arange(len(path)), path))


def usual_spread(market: IntradayMarket) -> float:
    """Return the mean spread lately, in ticks, weighted by time; of what is kept of it."""
    people = market.population
    ring, count = people.arrays["seen"], int(people.header["seen_count"][0])
    rows = min(count, len(ring))
    seen = ring[np.arange(count - rows, count) & (len(ring) - 1)]
    stood = np.diff(np.append(seen["time"], max(market.now, int(seen["time"][-1]) + 1)))
    whole = (seen["bid"] > 0) & (seen["ask"] > 0)
    weight = np.where(whole, stood, 0).astype(np.float64)
    return float(np.average(seen["ask"] - seen["bid"], weights=weight)) if weight.sum() > 0 else 1.0


def unfelt_limit(market: IntradayMarket) -> tuple[float, float]:
    """Return a limit and decay (1/s) that the busiest participant so far would have kept to with ease.

    A market that counts nobody's messages is taken to have this one when a scenario exhausts or lowers limits.
    """
    busiest = int(market.population.arrays["agents"]["sends"].max())
    if market.now <= 0 or busiest == 0:
        return _FALLBACK_LIMIT, _FALLBACK_DECAY_HZ
    decay = _HEADROOM * busiest / (market.now / SECOND)
    return max(_HEADROOM_S * decay, 2.0), decay
