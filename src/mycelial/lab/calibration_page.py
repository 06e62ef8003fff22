"""The findings of a calibration as a page: what held up, how the search went, which parameters are known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from mycelial.domain.errors import MissingExtra
from mycelial.lab.report import Report, Section
from mycelial.simulation.calibrate.analysis import Profile
from mycelial.simulation.calibrate.trial import Trial

if TYPE_CHECKING:
    from mycelial.lab.calibration_report import Findings


def page(findings: Findings) -> Report:
    """Return the report as a page."""
    study, best, held = findings.study, findings.best[0], findings.held_out[0]
    return Report(
        title="A calibration, examined",
        subtitle=f"Space {study.space.name}, preset {study.preset}, {len(findings.trials)} trials; fitted to "
        f"{len(study.split.fit)} coins, judged on {len(study.split.validation)} it never saw",
        sections=(
            Section(
                "Does it hold where the search never looked?",
                f"The best point is worth {best.value:.3g} in the search and {held.value:.3g} on coins and worlds kept "
                f"from it. The real fit coins themselves are worth {findings.yardstick['value']:.3g} there; 1 means as "
                "far apart as two random halves of the coins. Lower is better.",
                html=_best_table(findings),
            ),
            Section(
                "How the search went",
                "The objective of each trial that ran to the end, and the best so far.",
                (_course(findings.trials),),
            ),
            Section(
                "Which parameters the data identify",
                f"Two points differ clearly when {2 * findings.noise:.3g} apart (twice the noise of the seeds)."
                if math.isfinite(findings.noise)
                else "With one world per point the noise of the seeds is unknown, so nothing can be called identified.",
                html=_profile_table(findings),
            ),
            Section(
                "Profiles",
                "The best that any point achieved with the parameter in each bin, and the mean of the bin with the "
                "effect of the other parameters taken out. Flat profiles are not identified.",
                tuple(_profile_figure(one) for one in findings.profiles),
            ),
        ),
        footnotes=(
            f"Objective: normalised {study.measure.upper()} distance over figures 7 to 12, plus "
            f"{study.penalty_weight:g} times the squared excess of each shape check over its tolerance.",
            f"Statistics left out because series are too short: {', '.join(findings.left_out) or 'none'}.",
            "Importance: the share of the variance of the log objective that only this parameter explains, in an "
            "additive fit of a parabola per parameter.",
            "The split of coins, the seeds of the worlds and the order of the search all follow from seed "
            f"{study.plan.seed}; seeds of search, report and validation share no world.",
        ),
    )


def _best_table(findings: Findings) -> str:
    rows = "".join(
        f'<tr><td class="number">{one.number}</td><td class="number">{one.value:.3g}</td>'
        f'<td class="number">{new.value:.3g}</td><td class="number">{held.value:.3g}</td>'
        f'<td class="number">{held.terms.get("checks_met", 0):g} of {held.terms.get("checks", 0):g}</td>'
        f"<td>{escape(_words(one))}</td></tr>"
        for one, new, held in zip(findings.best, findings.fit_new_worlds, findings.held_out, strict=True)
    )
    head = (
        "<tr><th>trial</th><th>search</th><th>same coins, new worlds</th><th>held-out coins</th>"
        "<th>checks met there</th><th>point</th></tr>"
    )
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _profile_table(findings: Findings) -> str:
    rows = "".join(
        f'<tr class="{"met" if one.verdict == "identified" else "missed"}"><td>{escape(one.verdict)}</td>'
        f'<td><code>{escape(one.name)}</code></td><td class="number">{_shown(one.best)}</td>'
        f'<td class="number">{_span(one)}</td><td class="number">{_shown(one.curvature)}</td>'
        f'<td class="number">{_shown(findings.importance.get(one.name, math.nan))}</td>'
        f'<td class="number">{_shown(one.rank_correlation)}</td></tr>'
        for one in findings.profiles
    )
    head = (
        "<tr><th>verdict</th><th>parameter</th><th>best</th><th>plausible</th><th>curvature</th><th>importance</th>"
        "<th>rank correlation</th></tr>"
    )
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _course(trials: Sequence[Trial]) -> Any:
    figures = _figures()
    figure = figures.go.Figure()
    complete = [one for one in trials if one.state == "complete"]
    lowest = [min(one.value for one in complete[: n + 1]) for n in range(len(complete))]
    number = [one.number for one in complete]
    figure.add_scatter(
        x=number, y=[one.value for one in complete], mode="markers", name="trial", marker={"color": figures.REAL}
    )
    figure.add_scatter(
        x=number, y=lowest, name="best so far", line={"color": figures.SIMULATED, "shape": "hv"}, mode="lines"
    )
    figure.update_yaxes(type="log")
    return figures.styled(figure, "trial", "objective")


def _profile_figure(one: Profile) -> Any:
    figures = _figures()
    figure = figures.go.Figure()
    tried = [found for found in one.bins if found.points]
    figure.add_scatter(
        x=[found.middle for found in tried],
        y=[found.lowest for found in tried],
        text=[f"{found.points} points" for found in tried],
        mode="lines+markers",
        name="lowest",
        line={"color": figures.SIMULATED},
    )
    fitted = [found for found in tried if math.isfinite(found.adjusted)]
    if fitted:
        lowest = min(found.lowest for found in tried)
        figure.add_scatter(
            x=[found.middle for found in fitted],
            y=[lowest * math.exp(found.adjusted) for found in fitted],
            mode="lines+markers",
            name="others taken out",
            line={"color": figures.REAL, "dash": "dot"},
        )
    return figures.styled(figure, f"{one.name} ({one.verdict})", "objective")


def _words(trial: Trial) -> str:
    return ", ".join(f"{name} {_shown(value)}" for name, value in trial.point.items())


def _span(one: Profile) -> str:
    return "any" if one.plausible is None else f"{_shown(one.plausible[0])} to {_shown(one.plausible[1])}"


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.3g}".replace("-", "\u2212")
    return str(value)


def _figures() -> Any:
    try:
        from mycelial.lab import figures
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("plotly"):
            raise
        raise MissingExtra("plotly", "report", "a report") from error
    return figures
