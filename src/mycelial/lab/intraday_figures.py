"""Intraday facts as Plotly figures: the simulated market over every recorded one. Colours as in `figures`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from mycelial.facts.intraday import QUANTILES, Curve, IntradaySummary
from mycelial.facts.minutes import MinuteSummary
from mycelial.lab.figures import REAL, SIMULATED, THIRD, styled

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_LOG = {"type": "log"}
Summaries = Sequence[IntradaySummary | MinuteSummary]


def spread(simulated: IntradaySummary, real: Sequence[IntradaySummary]) -> Any:
    """Quantiles of the spread in basis points."""
    return _quantile_lines("spread_bp", simulated, real, "spread, basis points")


def depth(simulated: IntradaySummary, real: Sequence[IntradaySummary]) -> Any:
    """Lots within a distance of the mid."""
    figure = _lines("depth", simulated, real, "distance from the mid, basis points", "lots within, in mean trades")
    return figure.update_xaxes(_LOG).update_yaxes(_LOG)


def sizes(simulated: IntradaySummary, real: Sequence[IntradaySummary]) -> Any:
    """Quantiles of trade sizes in mean trades."""
    return _quantile_lines("trade_size", simulated, real, "trade size, in mean trades")


def gaps(simulated: IntradaySummary, real: Sequence[IntradaySummary]) -> Any:
    """Quantiles of the time between taker orders."""
    return _quantile_lines("gap_ms", simulated, real, "time between taker orders, ms")


def sign_memory(simulated: IntradaySummary, real: Sequence[IntradaySummary]) -> Any:
    """Autocorrelation of trade signs by lag."""
    return _lines("sign_acf", simulated, real, "lag, trades", "autocorrelation of trade signs")


def volatility_memory(simulated: IntradaySummary, real: Sequence[IntradaySummary]) -> Any:
    """Autocorrelation of |mid returns| over 100 ms by lag."""
    return _lines("memory_100ms", simulated, real, "lag, 100 ms", "autocorrelation of |mid returns|")


def signature(simulated: IntradaySummary, real: Sequence[IntradaySummary]) -> Any:
    """Signature plot: realised variance against the sampling interval."""
    figure = _lines("signature", simulated, real, "sampling interval, s", "realised variance over that at 10 s")
    return figure.update_xaxes(_LOG)


def impact(simulated: IntradaySummary, real: Sequence[IntradaySummary]) -> Any:
    """Mean move of the mid within a second by the volume traded in it."""
    figure = _lines("impact", simulated, real, "|signed volume| of a second, in mean trades", "mean move, basis points")
    return figure.update_xaxes(_LOG)


def minute_memory(simulated: MinuteSummary, real: Sequence[MinuteSummary]) -> Any:
    """Autocorrelation of |one-minute returns| by lag."""
    return _lines("acf_abs", simulated, real, "lag, minutes", "autocorrelation of |returns|")


def _quantile_lines(key: str, simulated: IntradaySummary, real: Sequence[IntradaySummary], title: str) -> Any:
    figure = _lines(key, simulated, real, "share of observations below", title)
    figure.update_xaxes({"tickmode": "array", "tickvals": list(QUANTILES), "tickformat": ".0%"})
    return figure.update_yaxes(_LOG)


def _lines(key: str, simulated: IntradaySummary | MinuteSummary, real: Summaries, x_title: str, y_title: str) -> Any:
    figure = go.Figure()
    for number, one in enumerate(real):
        colour = REAL if number % 2 == 0 else THIRD
        figure.add_trace(_line(one.label, one.curves.get(key), colour, _DASHES[number % len(_DASHES)], 1.5))
    figure.add_trace(_line(simulated.label, simulated.curves.get(key), SIMULATED, "solid", 3))
    return styled(figure, x_title, y_title)


def _line(name: str, curve: Curve | None, colour: str, dash: str, width: float) -> Any:
    x, y = (curve.x, curve.y) if curve is not None else ((), ())
    return go.Scatter(
        x=[float(f"{value:.5g}") for value in x],
        y=[float(f"{value:.5g}") if np.isfinite(value) else None for value in y],
        name=name,
        mode="lines+markers",
        marker={"size": 5},
        line={"color": colour, "dash": dash, "width": width},
    )
