"""The intraday report: a simulated market by the microsecond beside recorded ones, misses shown plainly."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from mycelial.domain.errors import MissingExtra
from mycelial.facts.intraday import IntradaySummary
from mycelial.facts.intraday_reference import IntradayReference, RangeCheck, compare_intraday
from mycelial.facts.minutes import MinuteSummary
from mycelial.lab.report import Report, Section


def intraday_report(
    simulated: IntradaySummary,
    real: IntradayReference,
    *,
    minutes: MinuteSummary | None = None,
    title: str = "A simulated market by the microsecond, measured",
) -> Report:
    """Compare a simulated market with recorded order books, figure by figure.

    Parameters
    ----------
    simulated : IntradaySummary
        With intervals when the table shall show them.
    minutes : MinuteSummary, optional
        One-minute bars of the same simulation, when it is long enough.
    """
    return Report(
        title=title,
        subtitle=f"{simulated.label} ({simulated.seconds:,.0f} s, {simulated.n_trades:,} trades) "
        f"beside {', '.join(one.label for one in real.markets)}",
        sections=intraday_sections(simulated, real, minutes=minutes),
        footnotes=(
            f"Real markets: {real.provenance}",
            "A target is the range over the real markets, each with its 95 % bootstrap interval. Recordings of a few "
            "minutes say little about slow figures: where the target is wide, the data are silent.",
        ),
    )


def intraday_sections(
    simulated: IntradaySummary, real: IntradayReference, *, minutes: MinuteSummary | None = None
) -> tuple[Section, ...]:
    """Return the sections of `intraday_report`, to stand in a report of something larger."""
    figures = _figures()
    checks = compare_intraday(simulated, real.markets)
    first, others = [c for c in checks if c.required], [c for c in checks if not c.required]
    met = sum(one.passed for one in checks)
    sections = [
        Section(
            "Does its order book live like a real one?",
            f"{met} of {len(checks)} figures lie in the range of the real markets, "
            f"{sum(one.passed for one in first)} of {len(first)} among those asked for first: spread, depth, what "
            "imbalance tells of the next move, and clustering of volatility.",
            html=range_table(first) + _folded("All other figures", others),
        )
    ]
    if minutes is not None and real.minutes:
        found = compare_intraday(minutes, real.minutes)
        sections.append(
            Section(
                "Minutes",
                f"{sum(one.passed for one in found)} of {len(found)} figures of one-minute bars lie in the range.",
                (figures.minute_memory(minutes, real.minutes),),
                html=range_table(found),
            )
        )
    sections += [
        Section(heading, text, (draw(simulated, real.markets),)) for heading, text, draw in _comparisons(figures)
    ]
    return tuple(sections)


def range_table(checks: Sequence[RangeCheck]) -> str:
    """Return the checks as an HTML table with a word for each verdict."""
    rows = "".join(
        f'<tr class="{"met" if one.passed else "missed"}"><td>{_verdict(one)}</td>'
        f"<td><code>{escape(one.name)}</code></td><td>{escape(one.meaning)}</td>"
        f'<td class="number">{_number(one.value)}{_interval(one.interval)}</td>'
        f'<td class="number">{_number(one.low)} to {_number(one.high)}</td></tr>'
        for one in checks
    )
    head = "<tr><th>verdict</th><th>figure</th><th>in words</th><th>simulated</th><th>real markets</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _verdict(check: RangeCheck) -> str:
    if check.passed:
        return "✔ inside"
    side = "undefined" if check.value != check.value else "below" if check.value < check.low else "above"
    return f"✘ {side}" + (", interval reaches in" if check.overlaps else "")


def _folded(headline: str, checks: Sequence[RangeCheck]) -> str:
    if not checks:
        return ""
    met = sum(one.passed for one in checks)
    return f"<details><summary>{headline}: {met} of {len(checks)} inside</summary>{range_table(checks)}</details>"


def _number(value: float) -> str:
    return "undefined" if value != value else f"{value:.3g}".replace("-", "\u2212")


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f" ({_number(interval[0])} to {_number(interval[1])})"


def _comparisons(figures: Any) -> list[tuple[str, str, Any]]:
    return [
        ("Spread", "How wide the market is, over time.", figures.spread),
        ("Depth", "How much one can trade without moving far.", figures.depth),
        ("Trade sizes", "Most trades are small; a few are enormous.", figures.sizes),
        (
            "Waiting for the next order",
            "Real orders come in bursts: most follow at once, some wait long.",
            figures.gaps,
        ),
        ("Memory of trade signs", "Buyers follow buyers: large orders are split.", figures.sign_memory),
        (
            "Clustering of volatility",
            "A moment that moved is followed by moments that move.",
            figures.volatility_memory,
        ),
        (
            "Signature plot",
            "Level when the mid wanders freely; above 1 at short intervals when it bounces.",
            figures.signature,
        ),
        ("Impact", "How far the mid moves with the volume of takers; concave in real markets.", figures.impact),
    ]


def _figures() -> Any:
    """Return the figures module, or say how to install what it needs."""
    try:
        from mycelial.lab import intraday_figures
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("plotly"):
            raise
        raise MissingExtra("plotly", "report", "a report") from error
    return intraday_figures
