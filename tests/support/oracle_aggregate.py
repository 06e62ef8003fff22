"""The aggregation rules once more, as their papers write them: plain Python on lists, on the vectors themselves.

`own` is a list of floats, `received` a list of such lists. Every function returns the merged vector before the gossip
step, that is x_i plus the rule's full change.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

Point = list[float]


def minus(a: Point, b: Point) -> Point:
    return [x - y for x, y in zip(a, b, strict=True)]


def norm(a: Point) -> float:
    return math.sqrt(sum(x * x for x in a))


def average(points: Sequence[Point]) -> Point:
    return [sum(column) / len(points) for column in zip(*points, strict=True)]


def pulled(own: Point, received: Sequence[Point], shares: Sequence[float]) -> Point:
    """Return x_i + sum_j share_j (x_j - x_i)."""
    result = list(own)
    for point, share in zip(received, shares, strict=True):
        for c, gap in enumerate(minus(point, own)):
            result[c] += share * gap
    return result


def mean(own: Point, received: Sequence[Point], weights: Sequence[float]) -> Point:
    return pulled(own, received, weights)


def trimmed_mean(own: Point, received: Sequence[Point], b: int) -> Point:
    b = min(b, len(received) // 2)
    result = []
    for column in zip(own, *received, strict=True):
        kept = sorted(column)[b : len(column) - b]
        result.append(sum(kept) / len(kept))
    return result


def coordinate_median(own: Point, received: Sequence[Point]) -> Point:
    return [statistics.median(column) for column in zip(own, *received, strict=True)]


def geometric_median(own: Point, received: Sequence[Point], iterations: int, smoothing: float) -> Point:
    points = [own, *received]
    floor = smoothing * math.sqrt(sum(norm(minus(p, own)) ** 2 for p in points) / len(points)) + 1e-30
    z = average(points)
    for _ in range(iterations):
        weights = [1.0 / max(norm(minus(z, p)), floor) for p in points]
        z = [
            sum(w * x for w, x in zip(weights, column, strict=True)) / sum(weights)
            for column in zip(*points, strict=True)
        ]
    return z


def krum_scores(points: Sequence[Point], b: int) -> list[float]:
    scores = []
    for k, p in enumerate(points):
        gaps = sorted(norm(minus(p, q)) ** 2 for m, q in enumerate(points) if m != k)
        scores.append(sum(gaps[: max(1, len(points) - b - 2)]))
    return scores


def krum(own: Point, received: Sequence[Point], b: int) -> Point:
    points = [own, *received]
    scores = krum_scores(points, b)
    return points[scores.index(min(scores))]


def multi_krum(own: Point, received: Sequence[Point], b: int) -> Point:
    points = [own, *received]
    scores = krum_scores(points, b)
    order = sorted(range(len(points)), key=lambda k: scores[k])
    return average([points[k] for k in order[: max(1, len(points) - b)]])


def bulyan(own: Point, received: Sequence[Point], b: int) -> Point:
    left = [own, *received]
    b = max(0, min(b, (len(left) - 3) // 4))
    chosen = []
    for _ in range(len(left) - 2 * b):
        scores = krum_scores(left, b)
        chosen.append(left.pop(scores.index(min(scores))))
    keep = max(1, len(chosen) - 2 * b)
    result = []
    for column in zip(*chosen, strict=True):
        middle = sorted(column)[(len(column) - 1) // 2]
        near = sorted(column, key=lambda x: abs(x - middle))[:keep]
        result.append(sum(near) / keep)
    return result


def nearest_neighbour_mixing(own: Point, received: Sequence[Point], b: int) -> list[Point]:
    points = [own, *received]
    keep = max(1, len(points) - b)
    return [average(sorted(points, key=lambda q: norm(minus(p, q)))[:keep]) for p in received]


def centred_clipping(own: Point, received: Sequence[Point], start: Point, radius: float, iterations: int) -> Point:
    points = [own, *received]
    v = list(start)
    for _ in range(iterations):
        moves = []
        for p in points:
            gap = minus(p, v)
            factor = min(1.0, radius / max(norm(gap), 1e-30))
            moves.append([factor * x for x in gap])
        v = [x + step for x, step in zip(v, average(moves), strict=True)]
    return v


def clipped(own: Point, received: Sequence[Point], weights: Sequence[float], radius: float) -> Point:
    factors = [min(1.0, radius / max(norm(minus(p, own)), 1e-30)) for p in received]
    return pulled(own, received, [w * f for w, f in zip(weights, factors, strict=True)])


def robust_gossip(own: Point, received: Sequence[Point], weights: Sequence[float], b: int) -> Point:
    if len(received) <= 2 * b:
        return list(own)
    radius = sorted((norm(minus(p, own)) for p in received), reverse=True)[2 * b]
    return clipped(own, received, weights, radius)


def balance(own: Point, received: Sequence[Point], gate: float, decay: float, progress: float, keep: float) -> Point:
    ball = gate * math.exp(-decay * progress) * norm(own)
    accepted = [p for p in received if norm(minus(p, own)) <= ball]
    if not accepted:
        return list(own)
    return [keep * x + (1 - keep) * y for x, y in zip(own, average(accepted), strict=True)]


def ubar(
    own: Point, received: Sequence[Point], losses: Sequence[float], own_loss: float, honest: float, keep: float
) -> Point:
    order = sorted(range(len(received)), key=lambda k: norm(minus(received[k], own)))
    near = order[: max(1, round(honest * len(received)))]
    passed = [k for k in near if losses[k] <= own_loss] or [min(near, key=lambda k: losses[k])]
    accepted = [received[k] for k in passed]
    return [keep * x + (1 - keep) * y for x, y in zip(own, average(accepted), strict=True)]


def fltrust(own: Point, received: Sequence[Point], step: Point) -> Point:
    trust, moves = [], []
    for p in received:
        gap = minus(p, own)
        cosine = sum(x * y for x, y in zip(gap, step, strict=True)) / max(norm(gap) * norm(step), 1e-30)
        trust.append(max(0.0, cosine))
        moves.append([x * min(1.0, norm(step) / max(norm(gap), 1e-30)) for x in gap])
    if sum(trust) == 0.0:
        return list(own)
    return [
        x + sum(t * m for t, m in zip(trust, column, strict=True)) / sum(trust)
        for x, column in zip(own, zip(*moves, strict=True), strict=True)
    ]


def default_pipeline(
    own: Point,
    received: Sequence[Point],
    weights: Sequence[float],
    radius: float,
    b: int,
    clip_share: float,
    gate_spread: float,
    gate_share: float,
    gate_decay: float,
    progress: float,
) -> Point:
    ball = min(gate_spread * radius, gate_share * math.exp(-gate_decay * progress) * norm(own))
    passed = [k for k, p in enumerate(received) if norm(minus(p, own)) <= ball]
    if not passed:
        return list(own)
    near = nearest_neighbour_mixing(own, [received[k] for k in passed], min(b, len(passed) // 2))
    return clipped(own, near, [weights[k] for k in passed], min(radius, clip_share * norm(own)))
