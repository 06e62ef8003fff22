"""Learning curves as a small picture for pages that show no scripts: SVG, readable on light and dark."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mycelial.lab.statistics import interval, iqm

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 40, 48
OURS, TARGET, INK = "#D55E00", "#0072B2", "#6e7781"  # readable on both backgrounds


def curves_svg(title: str, curves: Sequence[Sequence[tuple[int, float]]], target: float, unit: str) -> str:
    """Return a picture of every seed's curve (thin), their interquartile mean with its 95 % interval, and the target.

    Parameters
    ----------
    title : str
    curves : [seeds][evaluations] of (steps, score)
        Equally many evaluations in each.
    target : float
    unit : str
        What a score is.
    """
    steps = np.array([n for n, _ in curves[0]], np.float64)
    scores = np.array([[x for _, x in curve] for curve in curves])
    middle = np.array([iqm(column) for column in scores.T])
    bounds = np.array([interval(column, resamples=500) for column in scores.T])
    low, high = min(scores.min(), target), max(scores.max(), target)
    pad = 0.05 * (high - low or 1.0)
    low, high = low - pad, high + pad

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * at / steps[-1]

    def y(at: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - at) / (high - low)

    def points(values: np.ndarray) -> str:
        return " ".join(f"{x(n):.1f},{y(v):.1f}" for n, v in zip(steps, values, strict=True))

    band = points(bounds[:, 1]) + " " + " ".join(reversed(points(bounds[:, 0]).split()))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" fill="{INK}">',
        f'<text x="{LEFT}" y="20" font-size="14">{title}</text>',
    ]
    for value in np.linspace(low + pad, high - pad, 5):
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="{INK}" '
                     'stroke-opacity="0.25"/>')  # fmt: skip
        parts.append(f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>')
    for value in np.linspace(0.0, steps[-1], 5):
        parts.append(f'<text x="{x(value):.1f}" y="{HEIGHT - 26}" text-anchor="middle">{value / 1e6:.2g} M</text>')
    parts += [
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">environment steps; score: {unit}</text>',
        f'<polygon points="{band}" fill="{OURS}" fill-opacity="0.2"/>',
        *(f'<polyline points="{points(one)}" fill="none" stroke="{OURS}" stroke-opacity="0.35"/>' for one in scores),
        f'<polyline points="{points(middle)}" fill="none" stroke="{OURS}" stroke-width="3"/>',
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(target):.1f}" y2="{y(target):.1f}" stroke="{TARGET}" '
        'stroke-dasharray="6 4"/>',
        f'<text x="{WIDTH - RIGHT}" y="{y(target) - 6:.1f}" text-anchor="end" fill="{TARGET}">asked: {target:g}</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"
