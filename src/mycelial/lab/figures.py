"""Every figure of the reference paper, simulated over real, as Plotly figures.

The real side is always `ReferenceFigures`, so a figure can be drawn where the real data may not travel. Colours follow
Okabe and Ito (safe for the colour-blind); backgrounds are transparent and the page sets the theme.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mycelial.facts.compare import PreparedStatistics
from mycelial.facts.density import Histogram, histogram
from mycelial.facts.panel import Floats
from mycelial.facts.reference import ReferenceFigures
from mycelial.facts.statistics import BLEND_DELAYS, MONTH, TWO_WEEKS, WEEK, WINDOWS
from mycelial.facts.summary import Summary
from mycelial.simulation.curves import DECILES, LearningCurves

SIMULATED, REAL, THIRD = "#D55E00", "#56B4E9", "#009E73"  # vermilion, sky blue, green: readable on light and dark
NEUTRAL = "#8a939c"  # marks that belong to no side
MOST_POINTS = 2000  # of one trace
_LOG_AXIS = {"type": "log", "dtick": 1}
_WINDOW_NAMES = {10: "2 weeks", 63: "3 months", 252: "1 year"}


@dataclass(frozen=True, eq=False)
class Simulated:
    """The simulated side of every figure: one market, measured."""

    statistics: PreparedStatistics
    summary: Summary


@dataclass(frozen=True, eq=False)
class PriceSample:
    """One coin of one run for figure 3: days, its price and its fundamental value, each float64[n]."""

    name: str
    day: Floats
    price: Floats
    fundamental: Floats


def price_and_fundamental(sample: PriceSample) -> Any:
    """Figure 3: the price of one coin beside its fundamental value."""
    keep = np.unique(np.linspace(0, sample.day.size - 1, min(sample.day.size, MOST_POINTS)).astype(int))
    figure = go.Figure()
    for name, values, colour, dash in (
        ("price", sample.price, SIMULATED, "solid"),
        ("fundamental value", sample.fundamental, THIRD, "dot"),
    ):
        figure.add_scatter(
            x=_compact(sample.day[keep]), y=_compact(values[keep]), name=name, line={"color": colour, "dash": dash}
        )
    return styled(figure, "day", "price (quote units)")


def halves_of_the_market(real: ReferenceFigures) -> Any:
    """Figure 5: returns of two random halves of the real coins."""
    figure = go.Figure()
    for name, half, colour, dash in zip(
        ("half A", "half B"), real.halves, (REAL, THIRD), ("solid", "dash"), strict=False
    ):
        figure.add_trace(_density_line(name, half, colour, dash, log=True))
    figure.update_yaxes(_LOG_AXIS)
    return styled(figure, "daily log return", "density")


def learning(curves: Sequence[tuple[str, LearningCurves]]) -> Any:
    """Figure 6: what a year brings to the mean agent of each population, and to each tenth of the first one."""
    name, first = curves[0]
    titles = ("mean of all agents, with 95 % intervals", f"{name}, by tenth of final performance")
    figure = make_subplots(rows=1, cols=2, subplot_titles=titles)
    for (label, one), colour, symbol in zip(
        curves, (SIMULATED, REAL, THIRD), ("diamond", "circle", "square"), strict=False
    ):
        figure.add_scatter(
            x=one.end_day.tolist(),
            y=_compact(one.mean),
            error_y={"type": "data", "array": _compact(one.half_width), "thickness": 1.2, "width": 4},
            name=label,
            mode="lines+markers",
            line={"color": colour},
            marker={"symbol": symbol, "size": 8},
            row=1,
            col=1,
        )
    for decile in range(DECILES):
        share = decile / (DECILES - 1)
        figure.add_scatter(
            x=first.end_day.tolist(),
            y=_compact(first.deciles[decile]),
            name=f"tenth {decile + 1}",
            hovertemplate="%{y:.1f} %",
            showlegend=False,
            mode="lines",
            line={"color": _between(SIMULATED, REAL, share), "width": 2},
            row=1,
            col=2,
        )
    for column, sides in ((1, [one for _, one in curves]), (2, [first])):
        figure.add_hline(y=100, line={"color": NEUTRAL, "dash": "dot", "width": 1}, row=1, col=column)
        if sides[0].learning_days > 0:
            figure.add_vline(
                x=sides[0].learning_days, line={"color": NEUTRAL, "dash": "dash", "width": 1}, row=1, col=column
            )
    return styled(figure, "last day of the accounting year", "NAV, % of the year's opening")


def returns(simulated: Simulated, real: ReferenceFigures) -> Any:
    """Figure 7: daily log returns, density on a logarithmic axis."""
    figure = _densities(["returns"], [""], simulated, real, "daily log return", log=True)
    figure.update_yaxes(_LOG_AXIS)
    return figure


def volatilities(simulated: Simulated, real: ReferenceFigures) -> Any:
    """Figure 8: volatility in windows of two weeks, three months and a year."""
    return _densities(*_family("vol"), simulated, real, "std / mean of price")


def return_correlations(simulated: Simulated, real: ReferenceFigures) -> Any:
    """Figure 9: returns of a window against those of the window before."""
    return _densities(*_family("corr_r"), simulated, real, "correlation")


def volume_correlations(simulated: Simulated, real: ReferenceFigures) -> Any:
    """Figure 10: volumes of a window against those of the window before."""
    return _densities(*_family("corr_volume"), simulated, real, "correlation")


def volatility_correlations(simulated: Simulated, real: ReferenceFigures) -> Any:
    """Figure 11: volatility of a window against that of the window before."""
    return _densities(*_family("corr_vol"), simulated, real, "correlation")


def overlapping_correlations(simulated: Simulated, real: ReferenceFigures) -> Any:
    """Figure 12: returns of a week against the same week shifted by 1, 2 and 5 days."""
    keys = [f"blend_{WEEK}_{d}" for d in (1, 2, 5)]
    titles = ["shifted 1 day", "shifted 2 days", "shifted 5 days"]
    return _densities(keys, titles, simulated, real, "correlation")


def mean_correlation_by_delay(simulated: Simulated, real: ReferenceFigures) -> Any:
    """Figures 13 and 14: mean correlation of two-week and one-month windows by how far they are shifted."""
    figure = make_subplots(
        rows=1, cols=2, subplot_titles=("fig. 13: two-week windows", "fig. 14: one-month windows"), shared_yaxes=True
    )
    for column, window in enumerate((TWO_WEEKS, MONTH), start=1):
        delays = BLEND_DELAYS[window]
        keys = [f"blend_{window}_{d}" for d in delays]
        for name, mean, colour, symbol in _sides(simulated.statistics.mean, real.mean):
            figure.add_scatter(
                x=list(delays),
                y=[mean.get(key) for key in keys],
                name=name,
                legendgroup=name,
                showlegend=column == 1,
                mode="lines+markers",
                line={"color": colour},
                marker={"symbol": symbol, "size": 9},
                row=1,
                col=column,
            )
    return styled(figure, "shift (days)", "mean correlation")


def autocorrelations(simulated: Simulated, real: ReferenceFigures) -> Any:
    """Autocorrelations of returns, of their size, and of volume."""
    panels = (("returns r", "acf_r"), ("size |r|", "acf_abs_r"), ("volume", "acf_volume"))
    figure = make_subplots(rows=1, cols=3, subplot_titles=[title for title, _ in panels])
    for column, (_, field) in enumerate(panels, start=1):
        for name, summary, colour, symbol in _sides(simulated.summary, real.summary):
            values = getattr(summary, field)
            figure.add_scatter(
                x=list(range(1, len(values) + 1)),
                y=_compact(np.asarray(values)),
                name=name,
                legendgroup=name,
                showlegend=column == 1,
                mode="lines+markers",
                line={"color": colour},
                marker={"symbol": symbol, "size": 7},
                row=1,
                col=column,
            )
    figure.update_yaxes(rangemode="tozero")
    largest = float(np.nanmax(np.abs([*simulated.summary.acf_r, *real.summary.acf_r])))
    reach = max(0.2, 1.1 * largest)  # so that noise around zero looks like noise
    figure.update_yaxes(range=[-reach, reach], col=1)
    return styled(figure, "lag (days)", "autocorrelation")


def _family(family: str) -> tuple[list[str], list[str]]:
    return [f"{family}_{p}" for p in WINDOWS], [_WINDOW_NAMES[p] for p in WINDOWS]


def _sides(simulated: Any, real: Any) -> tuple[tuple[str, Any, str, str], ...]:
    return ("real", real, REAL, "circle"), ("simulated", simulated, SIMULATED, "diamond")


def _densities(
    keys: Sequence[str],
    titles: Sequence[str],
    simulated: Simulated,
    real: ReferenceFigures,
    axis_title: str,
    *,
    log: bool = False,
) -> Any:
    """Draw one panel per statistic: real density filled, simulated as a line, both on the same bins."""
    figure = make_subplots(rows=1, cols=len(keys), subplot_titles=titles if len(keys) > 1 else None)
    for column, key in enumerate(keys, start=1):
        real_density = real.histogram.get(key)
        sample = simulated.statistics.sample.get(key, np.empty(0))
        for name, density, colour, _ in _sides(histogram(sample, like=real_density), real_density):
            if density is None:
                continue
            trace = _density_line(name, density, colour, "solid", log=log, filled=name == "real" and not log)
            trace.update(legendgroup=name, showlegend=column == 1)
            figure.add_trace(trace, row=1, col=column)
    return styled(figure, axis_title, "density")


def _density_line(name: str, density: Histogram, colour: str, dash: str, *, log: bool, filled: bool = False) -> Any:
    centres = density.edges()[:-1] + density.width / 2
    heights = np.asarray(density.density)
    if log:  # an empty bin has no logarithm; leave a gap
        heights = np.where(heights > 0, heights, np.nan)
    return go.Scatter(
        x=_compact(centres),
        y=_compact(heights),
        name=name,
        mode="lines+markers" if log else "lines",
        marker={"size": 4},
        line={"color": colour, "dash": dash, "width": 2, "shape": "linear" if log else "hvh"},
        fill="tozeroy" if filled else None,
        fillcolor=f"rgba{(*(int(colour[i : i + 2], 16) for i in (1, 3, 5)), 0.25)}" if filled else None,
    )


def styled(figure: Any, x_title: str, y_title: str) -> Any:
    """Give a figure the axes, margins and legend that all figures share."""
    figure.update_xaxes(title_text=x_title, zeroline=False, automargin=True)
    figure.update_yaxes(zeroline=False, automargin=True)
    figure.layout.yaxis.title.text = y_title
    return figure.update_layout(
        template="none",
        height=340,
        margin={"l": 56, "r": 16, "t": 48, "b": 48},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.08, "yanchor": "bottom"},
    )


def _between(one: str, other: str, share: float) -> str:
    """Return the colour that lies `share` of the way from one to the other."""
    pairs = [(int(one[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return f"rgb{tuple(round(a + share * (b - a)) for a, b in pairs)}"


def _compact(values: Floats) -> list[float | None]:
    """Return five significant digits: finer than a pixel, a third of the bytes."""
    return [float(f"{value:.5g}") if np.isfinite(value) else None for value in values]
