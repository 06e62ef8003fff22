"""Learning curves: what agents make of a year, year after year (figure 6).

The reference paper leaves figure 6 undefined; here a curve is the mean, over runs and agents, of the year-to-date net
asset value in percent of the year's opening, for each accounting year. An agent that went bankrupt counts with its last
value in that year and is absent from later ones until it returns. The year in which the learning phase ends has no
value: portfolios are put back to their start in the middle of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ACCOUNTING_START = 10  # day that opens the first accounting year
DECILES = 10


@dataclass(frozen=True, eq=False)
class LearningCurves:
    """Year-to-date NAV in percent; 100 is unchanged."""

    end_day: NDArray[np.int64]  # [years] last day of each accounting year, the last one perhaps cut short
    mean: NDArray[np.float64]  # [years]
    half_width: NDArray[np.float64]  # [years] of the 95 % interval of the mean, over agents of all runs
    deciles: NDArray[np.float64]  # [10, years] mean by decile of final performance, best first
    judged: NDArray[np.bool_]  # [years] the year opened after the learning phase
    learning_days: int

    @property
    def mean_judged(self) -> tuple[float, float]:
        """Mean of the judged years and the half-width of its 95 % interval; NaN when there is none."""
        count = int(self.judged.sum())
        if count == 0:
            return float("nan"), float("nan")
        half_width = float(np.sqrt((self.half_width[self.judged] ** 2).sum())) / count
        return float(self.mean[self.judged].mean()), half_width


def learning_curves(
    year_nav_pct: NDArray[np.float64], days: int, learning_days: int, days_accounting: int
) -> LearningCurves:
    """Average year-end NAVs into curves.

    Parameters
    ----------
    year_nav_pct : float64[runs, years, agents]
        100 NAV / NAV0 at the end of each accounting year; NaN for agents that were bankrupt all year.
    days, learning_days, days_accounting : int
        Of the run, in days.

    Notes
    -----
    Final performance is the product of an agent's yearly ratios over the years that opened after the learning phase; a
    year spent bankrupt counts as zero. Ties are ranked in the order of agents.
    """
    runs, years, agents = year_nav_pct.shape
    end_day = np.minimum(ACCOUNTING_START + (np.arange(years) + 1) * days_accounting - 1, days - 1)
    opens = ACCOUNTING_START + np.arange(years) * days_accounting
    judged = opens >= learning_days
    straddles = ~judged & (end_day > learning_days)
    year_nav_pct = np.where(straddles[:, None], np.nan, year_nav_pct)
    ratios = np.nan_to_num(year_nav_pct[:, judged] / 100.0, nan=0.0)
    performance = ratios.prod(axis=1) if judged.any() else np.nan_to_num(year_nav_pct[:, -1])  # [runs, agents]
    rank = np.argsort(np.argsort(-performance, axis=1, kind="stable"), axis=1, kind="stable")
    decile = rank * DECILES // agents  # [runs, agents], 0 = best
    by_agent = year_nav_pct.transpose(0, 2, 1).reshape(runs * agents, years)
    present = np.isfinite(by_agent).sum(axis=0)
    mean = _mean(by_agent)
    deviation = np.sqrt(_mean((by_agent - mean) ** 2))
    return LearningCurves(
        end_day=end_day.astype(np.int64),
        mean=mean,
        half_width=1.96 * deviation / np.sqrt(np.maximum(present, 1)),
        deciles=np.stack([_mean(by_agent[decile.ravel() == d]) for d in range(DECILES)]),
        judged=judged,
        learning_days=learning_days,
    )


def _mean(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the finite values of each column; NaN where there is none."""
    count = np.isfinite(rows).sum(axis=0)
    total = np.nansum(rows, axis=0)
    mean: NDArray[np.float64] = np.divide(total, count, out=np.full(rows.shape[1], np.nan), where=count > 0)
    return mean
