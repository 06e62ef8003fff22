"""The report: one self-contained HTML page with every figure, the facts, and the verdict of each check.

Opens without a network; follows the reader's light or dark theme. It promises nothing and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mycelial.domain.errors import MissingExtra, StorageError
from mycelial.facts.checklist import Check, check
from mycelial.facts.compare import distances, prepare
from mycelial.facts.panel import Panel
from mycelial.facts.reference import ReferenceFigures
from mycelial.facts.summary import Summary, summarise
from mycelial.lab.page import PAGE

if TYPE_CHECKING:
    from mycelial.simulation.curves import LearningCurves

NOTICE = "Simulated market. No promise of returns."


@dataclass(frozen=True)
class Section:
    """One part of a report: a heading, what it shows in plain words, and figures or ready HTML."""

    title: str
    text: str
    figures: tuple[Any, ...] = ()
    html: str = ""


@dataclass(frozen=True)
class Report:
    """Everything on the page, in order."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    footnotes: tuple[str, ...] = field(default=())


def market_report(
    panel: Panel,
    real: ReferenceFigures,
    *,
    sample: Any | None = None,
    curves: Sequence[tuple[str, LearningCurves]] = (),
    title: str = "A simulated market, measured",
) -> Report:
    """Compare a simulated panel with a real market, figure by figure.

    Parameters
    ----------
    sample : figures.PriceSample, optional
        One coin's price and fundamental value, for figure 3.
    curves : sequence of (name, LearningCurves)
        Populations to compare in figure 6, the one of the panel first.
    """
    figures = _figures()
    statistics, summary = prepare(panel), summarise(panel)
    found = distances(statistics, real.prepared())
    simulated = figures.Simulated(statistics, summary)
    checks = check(summary, real.summary, found, real.baseline)
    passed = sum(one.passed for one in checks)
    correlation = [one for one in checks if one.name.startswith(("ks_corr_", "ks_blend_"))]
    main = [one for one in checks if one not in correlation]
    sections = [
        Section(
            "Does it look like the real market?",
            f"{passed} of {len(checks)} checks are met. Each row asks one question of the simulated market; "
            "the targets come from the real one.",
            html=checks_table(main) + _folded(correlation),
        ),
        Section(
            "Facts side by side",
            "Figures that every crypto market shows. Returns are daily logarithmic returns.",
            html=facts_table(summary, real.summary),
        ),
    ]
    if sample is not None:
        sections.append(
            Section(
                f"Figure 3. Price and fundamental value of {sample.name}",
                "Agents estimate the fundamental value, each with errors of its own; the price is what they agree on.",
                (figures.price_and_fundamental(sample),),
            )
        )
    if real.halves:
        sections.append(
            Section(
                "Figure 5. How alike two halves of the real market are",
                "Real coins split in two at random. No simulation can be asked to come nearer than this.",
                (figures.halves_of_the_market(real),),
            )
        )
    if curves:
        sections.append(
            Section(
                "Figure 6. What agents make of a year",
                "Net asset value at the end of each accounting year, in percent of the year's opening; the dashed line "
                "ends the learning phase, and the year it falls in is left out. What one agent gains another loses, so "
                "the mean follows prices; how far the tenths lie apart is what agents make of it.",
                (figures.learning(curves),),
            )
        )
    sections += [Section(heading, text, (draw(simulated, real),)) for heading, text, draw in _comparisons(figures)]
    return Report(
        title=title,
        subtitle=f"{panel.label.partition(' (')[0]} ({panel.n_series} series of {panel.n_days} days) "
        f"beside {real.label} ({real.summary.n_series} coins, {real.summary.n_days} days)",
        sections=tuple(sections),
        footnotes=(
            f"Real market: {real.provenance}",
            "KS is the Kolmogorov-Smirnov distance: the largest gap between two cumulative distributions, from 0 (the "
            "same) to 1. Windows that reach beyond the series, or hold no change at all, are left out.",
        ),
    )


def write_report(path: Path, report: Report) -> None:
    """Write the page as one file.

    Raises
    ------
    StorageError
        If the disk refuses.
    MissingExtra
        If plotly is not installed.
    """
    text = render(report)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}; choose another place with --out") from error


def render(report: Report) -> str:
    """Return the page as HTML with plotly.js inlined once."""
    _figures()
    from plotly.offline import get_plotlyjs

    plots: list[str] = []
    body = "\n".join(_section(section, plots) for section in report.sections)
    notes = "\n".join(f"<p>{escape(note)}</p>" for note in report.footnotes)
    filled = {
        "title": escape(report.title),
        "subtitle": escape(report.subtitle),
        "notice": NOTICE,
        "body": body,
        "notes": notes,
        "plots": "[" + ",\n".join(plots) + "]",
        "plotly": get_plotlyjs(),
    }
    page = PAGE
    for name, text in filled.items():
        page = page.replace(f"@@{name}@@", text)
    return page


def checks_table(checks: Sequence[Check]) -> str:
    """Return the checks as an HTML table with a word for each verdict."""
    rows = "".join(
        f'<tr class="{"met" if one.passed else "missed"}"><td>{"✔ met" if one.passed else "✘ missed"}</td>'
        f"<td><code>{escape(one.name)}</code></td><td>{escape(one.meaning)}</td>"
        f'<td class="number">{_number(one.value)}</td><td class="number">{_signs(one.target)}</td></tr>'
        for one in checks
    )
    head = "<tr><th>verdict</th><th>check</th><th>in words</th><th>simulated</th><th>target</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def facts_table(simulated: Summary, real: Summary) -> str:
    """Return the stylised facts of both markets as an HTML table."""
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="number">{_number(one)}</td><td class="number">{_number(other)}</td>'
        f"<td>{escape(meaning)}</td></tr>"
        for name, one, other, meaning in _facts(simulated, real)
    )
    head = "<tr><th>fact</th><th>simulated</th><th>real</th><th>in words</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _facts(a: Summary, b: Summary) -> list[tuple[str, float, float, str]]:
    return [
        ("standard deviation of returns", a.returns.std, b.returns.std, "size of a typical day"),
        ("skew, median coin", a.returns.skew_median, b.returns.skew_median, "above 0: jumps up outweigh jumps down"),
        (
            "excess kurtosis, median coin",
            a.returns.excess_kurtosis_median,
            b.returns.excess_kurtosis_median,
            "0 for a bell curve; the higher, the more surprises",
        ),
        ("Hill index of |r|, top 5 %", a.returns.hill, b.returns.hill, "near 3 in most markets; lower is wilder"),
        ("unchanged closes", a.returns.unchanged, b.returns.unchanged, "share of days without any change"),
        ("autocorrelation of returns, lag 1", a.acf_r[0], b.acf_r[0], "near 0: yesterday tells little of today"),
        ("autocorrelation of |r|, lags 1-20", a.mean_acf_abs_r, b.mean_acf_abs_r, "wild days cluster"),
        ("autocorrelation of volume, lag 1", a.acf_volume[0], b.acf_volume[0], "busy days cluster"),
        ("leverage, lag 1", a.leverage[0], b.leverage[0], "below 0: falls are followed by wilder days"),
        ("correlation between coins", a.coin_correlation, b.coin_correlation, "how much coins move together"),
        ("crash days", a.crash_share, b.crash_share, "share of days ending a week 20 % below the week before"),
    ]


def _comparisons(figures: Any) -> list[tuple[str, str, Any]]:
    return [
        (
            "Figure 7. Daily returns",
            "On this logarithmic scale a bell curve would be a parabola; real returns have straighter, longer tails.",
            figures.returns,
        ),
        (
            "Figure 8. Volatility",
            "Standard deviation of the price over its mean, in moving windows of three lengths.",
            figures.volatilities,
        ),
        (
            "Figure 9. Returns against the window before",
            "Near zero on average in the real market: past returns say little about future ones.",
            figures.return_correlations,
        ),
        (
            "Figure 10. Volumes against the window before",
            "How far the volumes of one window repeat the course of the window before.",
            figures.volume_correlations,
        ),
        (
            "Figure 11. Volatility against the window before",
            "In the real market negative correlations prevail: volatility that rose in one window tends to fall in the "
            "next.",
            figures.volatility_correlations,
        ),
        (
            "Figure 12. Returns of overlapping weeks",
            "The same week of returns, shifted by a few days.",
            figures.overlapping_correlations,
        ),
        (
            "Figures 13 and 14. Mean correlation by shift",
            "Averages over days and coins, by how far the window is shifted.",
            figures.mean_correlation_by_delay,
        ),
        (
            "Autocorrelations",
            "Real returns forget at once; the size of returns and volume forget slowly.",
            figures.autocorrelations,
        ),
    ]


def _folded(checks: Sequence[Check]) -> str:
    """Return the many checks on correlations behind one line that counts them."""
    if not checks:
        return ""
    passed = sum(one.passed for one in checks)
    headline = f"Memory of returns, volume and volatility (figures 9 to 14): {passed} of {len(checks)} met"
    return f"<details><summary>{headline}</summary>{checks_table(checks)}</details>"


def _section(section: Section, plots: list[str]) -> str:
    title = escape(section.title)
    parts = [f"<section><h2>{title}</h2><p>{escape(section.text)}</p>", section.html]
    for figure in section.figures:
        parts.append(f'<div class="plot" id="plot-{len(plots)}" role="img" aria-label="{title}"></div>')
        plots.append(figure.to_json())
    return "".join([*parts, "</section>"])


def _number(value: float) -> str:
    return "undefined" if value != value else f"{value:.3g}".replace("-", "\u2212")


def _signs(target: str) -> str:
    return escape(target.replace("<=", "≤").replace(">=", "≥").replace("+-", "±").replace("-", "\u2212"))


def _figures() -> Any:
    """Return the figures module, or say how to install what it needs."""
    try:
        from mycelial.lab import figures
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("plotly"):
            raise
        raise MissingExtra("plotly", "report", "a report") from error
    return figures
