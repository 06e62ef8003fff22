"""What a calibrated market must satisfy, as data: every check has a value, a target and a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mycelial.facts.distance import Distance
from mycelial.facts.statistics import STATISTICS, Family, Statistic
from mycelial.facts.summary import Summary

KS_LIMITS = {"returns": 0.034, "vol_10": 0.10, "vol_63": 0.12, "vol_252": 0.16}
ACF_R_TOLERANCE = 0.05
ACF_ABS_R_TOLERANCE = 0.04
ACF_VOLUME_LEAST = 0.5
UNCHANGED_MOST = 0.03
HILL_RANGE = (2.4, 3.3)
SKEW_SHARE_LEAST = 0.5
COIN_CORRELATION_TOLERANCE = 0.10
CORRELATION_KS_FLOOR = 0.03
CORRELATION_KS_TIMES_BASELINE = 3.0


@dataclass(frozen=True)
class Check:
    """One requirement: its key, the value measured, the target in words, and whether it is met (NaN never is)."""

    name: str
    value: float
    target: str
    passed: bool
    meaning: str

    def to_dict(self) -> dict[str, Any]:
        """Return the check as a JSON object."""
        return asdict(self)


def check(
    sim: Summary, real: Summary, distances: Mapping[str, Distance], baseline: Mapping[str, Distance]
) -> list[Check]:
    """Judge a simulated market against the real one.

    Parameters
    ----------
    sim, real : summaries of the two panels.
    distances : between them, by key; checks are made for the keys present.
    baseline : the same distances between two halves of the real panel.
    """
    return [
        *(
            _below(key, distances[key].ks, limit, _KS_MEANING[key])
            for key, limit in KS_LIMITS.items()
            if key in distances
        ),
        *_shape_checks(sim, real),
        *_correlation_checks(distances, baseline),
    ]


_CORRELATED: Mapping[Family, str] = {
    "corr_r": "returns",
    "corr_volume": "volumes",
    "corr_vol": "volatilities",
    "corr_abs_r": "sizes of returns",
    "blend": "returns",
}

_KS_MEANING = {
    "returns": "daily returns are distributed like the real ones",
    "vol_10": "two-week volatility is distributed like the real one",
    "vol_63": "three-month volatility is distributed like the real one",
    "vol_252": "one-year volatility is distributed like the real one",
}


def _below(name: str, value: float, limit: float, meaning: str) -> Check:
    return Check(f"ks_{name}", value, f"<= {limit:.3g}", value <= limit, meaning)


def _near(name: str, value: float, real: float, tolerance: float, meaning: str) -> Check:
    passed = abs(value - real) <= tolerance
    return Check(name, value, f"{real:.3f} +- {tolerance:g}", passed, meaning)


def _shape_checks(sim: Summary, real: Summary) -> list[Check]:
    unchanged, hill = sim.returns.unchanged, sim.returns.hill
    skew, real_skew = sim.returns.skew_median, real.returns.skew_median
    return [
        _near("acf1_r", sim.acf_r[0], real.acf_r[0], ACF_R_TOLERANCE, "tomorrow's return hardly depends on today's"),
        _near(
            "mean_acf_abs_r",
            sim.mean_acf_abs_r,
            real.mean_acf_abs_r,
            ACF_ABS_R_TOLERANCE,
            "wild days follow wild days as much as in reality (lags 1-20)",
        ),
        Check(
            "acf1_volume",
            sim.acf_volume[0],
            f">= {ACF_VOLUME_LEAST:g}",
            sim.acf_volume[0] >= ACF_VOLUME_LEAST,
            "busy days follow busy days",
        ),
        Check(
            "unchanged",
            unchanged,
            f"in (0, {UNCHANGED_MOST:g}]",
            0 < unchanged <= UNCHANGED_MOST,
            "few closes equal the close before, but some do",
        ),
        Check(
            "hill",
            hill,
            f"{HILL_RANGE[0]:g} to {HILL_RANGE[1]:g}",
            HILL_RANGE[0] <= hill <= HILL_RANGE[1],
            "the largest moves follow a power law with about the real exponent",
        ),
        Check(
            "skew_median",
            skew,
            f">= {SKEW_SHARE_LEAST * real_skew:.3f}" if real_skew >= 0 else f"<= {SKEW_SHARE_LEAST * real_skew:.3f}",
            _same_side(skew, real_skew),
            "the typical coin leans to the same side as in reality, at least half as much",
        ),
        _near(
            "coin_correlation",
            sim.coin_correlation,
            real.coin_correlation,
            COIN_CORRELATION_TOLERANCE,
            "coins move together as much as in reality",
        ),
    ]


def _same_side(value: float, real: float) -> bool:
    return value * math.copysign(1.0, real) >= SKEW_SHARE_LEAST * abs(real)


def _correlation_checks(distances: Mapping[str, Distance], baseline: Mapping[str, Distance]) -> list[Check]:
    checks = []
    for key, found in distances.items():
        if not key.startswith(("corr_", "blend_")):
            continue
        unit = baseline[key].ks if key in baseline else 0.0
        limit = max(CORRELATION_KS_FLOOR, CORRELATION_KS_TIMES_BASELINE * (unit if math.isfinite(unit) else 0.0))
        checks.append(_below(key, found.ks, limit, _correlation_meaning(STATISTICS[key])))
    return checks


def _correlation_meaning(statistic: Statistic) -> str:
    of, p, d = _CORRELATED[statistic.family], statistic.window, statistic.delay
    earlier = "the window before" if p == d else f"the same window {d} day{'s' if d > 1 else ''} earlier"
    return f"{of} of {p} days resemble those of {earlier} as in reality"
