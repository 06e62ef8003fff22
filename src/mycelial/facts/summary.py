"""The stylised facts of one panel, as numbers ready to print or store."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mycelial.facts.autocorrelation import autocorrelation, coin_correlation, leverage
from mycelial.facts.panel import Floats, Panel
from mycelial.facts.returns import ReturnFacts, crash_days, log_returns, return_facts
from mycelial.facts.statistics import WINDOWS
from mycelial.facts.volatility import volatility

QUANTILE_LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
LAGS_R, LAGS_ABS_R, LAGS_VOLUME, LAGS_LEVERAGE = 5, 20, 20, 10


@dataclass(frozen=True)
class Summary:
    """Stylised facts of one panel; undefined figures are NaN.

    `acf_*` start at lag 1; `volatility[p]` are quantiles of vol_p at `QUANTILE_LEVELS`; `coin_correlation` is the mean
    pairwise correlation of returns within a world; `crash_share` the share of days that end a five-day crash.
    """

    label: str
    n_series: int
    n_days: int
    returns: ReturnFacts
    acf_r: tuple[float, ...]
    acf_abs_r: tuple[float, ...]
    acf_volume: tuple[float, ...]
    volatility: dict[int, tuple[float, ...]]
    coin_correlation: float
    leverage: tuple[float, ...]
    crash_share: float

    @property
    def mean_acf_abs_r(self) -> float:
        """Mean autocorrelation of |r| over lags 1-20: how strongly volatility clusters."""
        return float(np.mean(self.acf_abs_r))

    def to_dict(self) -> dict[str, Any]:
        """Return the document that `mycelial facts compute` prints."""
        return {
            "label": self.label,
            "n_series": self.n_series,
            "n_days": self.n_days,
            "returns": asdict(self.returns),
            "acf_r": list(self.acf_r),
            "acf_abs_r": list(self.acf_abs_r),
            "acf_volume": list(self.acf_volume),
            "volatility": {
                str(p): {str(level): value for level, value in zip(QUANTILE_LEVELS, values, strict=True)}
                for p, values in self.volatility.items()
            },
            "coin_correlation": self.coin_correlation,
            "leverage": list(self.leverage),
            "crash_share": self.crash_share,
        }


def summarise(panel: Panel) -> Summary:
    """Measure the stylised facts of a panel."""
    r = log_returns(panel.price)
    return Summary(
        label=panel.label,
        n_series=panel.n_series,
        n_days=panel.n_days,
        returns=return_facts(panel),
        acf_r=_numbers(autocorrelation(r, LAGS_R)),
        acf_abs_r=_numbers(autocorrelation(np.abs(r), LAGS_ABS_R)),
        acf_volume=_numbers(autocorrelation(panel.volume, LAGS_VOLUME)),
        volatility={p: _quantiles(volatility(panel.price, p)) for p in WINDOWS},
        coin_correlation=coin_correlation(r, panel.groups()),
        leverage=_numbers(leverage(r, LAGS_LEVERAGE)),
        crash_share=float(crash_days(panel.price).mean()),
    )


def _quantiles(rows: Floats) -> tuple[float, ...]:
    if not rows.size:
        return (float("nan"),) * len(QUANTILE_LEVELS)
    return _numbers(np.quantile(rows, QUANTILE_LEVELS))


def _numbers(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
