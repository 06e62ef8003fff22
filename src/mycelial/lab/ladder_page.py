"""Learning curves of a bench as one self-contained page: every seed, and their interquartile mean with its interval."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mycelial.domain.errors import MissingExtra, NotFound, StorageError
from mycelial.lab.curve_svg import curves_svg
from mycelial.lab.ladder import RUNGS, Bench, curves_of
from mycelial.lab.statistics import interval, iqm

OURS, TARGET = "#D55E00", "#56B4E9"  # vermilion, sky blue: readable on light and dark


def curves_page(bench: Bench, folder: Path, path: Path) -> None:
    """Write the learning curves of the seeds that are done: a page, or a picture where the name ends in ``.svg``.

    Raises
    ------
    MissingExtra, NotFound, StorageError
        Without plotly; if no seed is done; if the page cannot be written.
    """
    if bench.task not in RUNGS:
        raise NotFound(f"{bench.task} keeps no learning curves; plot a task of many steps")
    curves = curves_of(bench, folder)
    if not curves:
        raise NotFound(f"no seed of {bench.task} is done in {folder}; run the bench first")
    if path.suffix == ".svg":
        title = f"{bench.task}: {len(curves)} seeds, greedy play on held-out episodes"
        text = curves_svg(title, curves, RUNGS[bench.task].target, "return of the team")
    else:
        text = curves_figure(bench, curves).to_html(include_plotlyjs=True, full_html=True)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}; choose another place") from error


def curves_figure(bench: Bench, curves: list[list[tuple[int, float]]]) -> Any:
    """Return the figure of the seeds' learning curves."""
    try:
        import plotly.graph_objects as go
    except ModuleNotFoundError as error:
        raise MissingExtra("plotly", "report", "learning curves") from error
    steps = np.array([n for n, _ in curves[0]])
    scores = np.array([[x for _, x in curve] for curve in curves])  # [seeds, evaluations]
    middle = [iqm(column) for column in scores.T]
    bounds = np.array([interval(column, resamples=500) for column in scores.T])
    figure = go.Figure()
    for seed, curve in enumerate(scores):
        line = {"width": 1, "color": OURS}
        figure.add_scatter(
            x=steps, y=curve, line=line, opacity=0.25, name=f"seed {seed}", showlegend=False, hoverinfo="name+x+y"
        )
    figure.add_scatter(
        x=np.concatenate([steps, steps[::-1]]),
        y=np.concatenate([bounds[:, 1], bounds[::-1, 0]]),
        fill="toself",
        fillcolor="rgba(213, 94, 0, 0.2)",
        line={"width": 0},
        name="95 % interval",
    )
    figure.add_scatter(x=steps, y=middle, line={"width": 3, "color": OURS}, name="interquartile mean")
    target = RUNGS[bench.task].target
    figure.add_hline(y=target, line={"color": TARGET, "dash": "dash"}, annotation_text=f"asked for: {target:g}")
    title = f"{bench.task}, {len(curves)} seeds, greedy play on held-out episodes (simulated)"
    return figure.update_layout(title=title, xaxis_title="environment steps", yaxis_title="return of the team")
