"""The rules by name. Sources stand beside each; all see one receiver's `Inputs` and answer a `Merge`.

A rule's radius, number of liars and the rest are `Settings`. Rules that average without weights treat the own vector
as one more point, so a receiver without neighbours keeps what it has.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError
from mycelial.swarm.aggregate.inputs import (
    Inputs,
    Merge,
    Rule,
    Settings,
    combination,
    squared_distances,
    with_own,
)
from mycelial.swarm.aggregate.kernels import around_median, trimmed_columns


def mean(inputs: Inputs, settings: Settings) -> Merge:
    """Average by the mixing weights: D-PSGD (Lian et al. 2017, algorithm 1). Stands against nobody."""
    return combination(inputs, inputs.weights)


def trimmed_mean(inputs: Inputs, settings: Settings) -> Merge:
    """Drop the b smallest and largest of each coordinate and average (Yin et al. 2018, algorithm 1)."""
    return _trimmed(inputs, min(settings.byzantine, len(inputs.received) // 2))


def coordinate_median(inputs: Inputs, settings: Settings) -> Merge:
    """Take the median of each coordinate (Yin et al. 2018)."""
    return _trimmed(inputs, len(inputs.received) // 2)


def geometric_median(inputs: Inputs, settings: Settings) -> Merge:
    """Minimise the sum of distances by a few smoothed Weiszfeld steps (Pillutla et al. 2022, section 3)."""
    gram = with_own(inputs.gram)
    square = np.diagonal(gram)
    weights = np.full(len(gram), 1.0 / len(gram))
    floor = settings.smoothing * np.sqrt(np.mean(square)) + 1e-30
    for _ in range(settings.iterations):
        distance = np.sqrt(np.maximum(square - 2.0 * (gram @ weights) + weights @ gram @ weights, 0.0))
        weights = 1.0 / np.maximum(distance, floor)
        weights /= weights.sum()
    return combination(inputs, weights[1:])


def krum(inputs: Inputs, settings: Settings) -> Merge:
    """Take the point whose nearest others are nearest (Blanchard et al. 2017, section 4)."""
    best = int(np.argmin(krum_scores(with_own(inputs.gram), settings.byzantine)))
    return combination(inputs, _average_of(np.array([best]), len(inputs.received)))


def multi_krum(inputs: Inputs, settings: Settings) -> Merge:
    """Average the m + 1 - b points of best Krum score (Blanchard et al. 2017, section 4)."""
    scores = krum_scores(with_own(inputs.gram), settings.byzantine)
    keep = max(1, len(scores) - settings.byzantine)
    return combination(inputs, _average_of(np.argsort(scores, kind="stable")[:keep], len(inputs.received)))


def bulyan(inputs: Inputs, settings: Settings) -> Merge:
    """Pick points by repeated Krum, then average near the median of each coordinate (El Mhamdi et al. 2018).

    Needs m + 1 >= 4 b + 3; b is lowered until that holds.
    """
    points = len(inputs.received) + 1
    b = max(0, min(settings.byzantine, (points - 3) // 4))
    gram = with_own(inputs.gram)
    left, chosen = list(range(points)), []
    for _ in range(points - 2 * b):
        best = int(np.argmin(krum_scores(gram[np.ix_(left, left)], b)))
        chosen.append(left.pop(best) - 1)
    change = np.empty_like(inputs.own)
    counts = np.zeros(points - 1, np.int64)
    keep = max(1, len(chosen) - 2 * b)
    order = np.empty(len(chosen), np.int64)
    around_median(inputs.deltas, np.sort(np.array(chosen, np.int64)), keep, order, change, counts)
    return Merge(change, counts / (keep * max(1, len(inputs.own))))


def nearest_neighbour_mixing(inputs: Inputs, settings: Settings) -> Merge:
    """Replace each point by the mean of its m + 1 - b nearest, then average by weights (Allouah et al. 2023)."""
    return combination(inputs, inputs.weights @ mixing_of_nearest(inputs.gram, settings.byzantine))


def centred_clipping(inputs: Inputs, settings: Settings) -> Merge:
    """Move a centre by the mean of clipped differences to it (Karimireddy et al. 2021, sections 4 and 5)."""
    start = inputs.own if inputs.start is None else inputs.start
    ahead = (start - inputs.own).astype(np.float64)
    deltas = inputs.deltas.astype(np.float64)
    # the points are: own (0), the neighbours, the start; the centre is a sum of them
    points = np.vstack([np.zeros((1, len(ahead))), deltas, ahead[None]])
    gram = points @ points.T
    square = np.diagonal(gram)
    voters = len(points) - 1
    centre = np.zeros(len(points))
    centre[-1] = 1.0
    for _ in range(min(settings.iterations, 3)):
        distance = np.sqrt(np.maximum(square - 2.0 * (gram @ centre) + centre @ gram @ centre, 0.0))[:voters]
        pull = clip_factor(distance, inputs.radius) / voters
        centre = (1.0 - pull.sum()) * centre
        centre[:voters] += pull
    return Merge((centre @ points).astype(np.float32), centre[1:voters].copy())


def self_centred_clipping(inputs: Inputs, settings: Settings) -> Merge:
    """Mix by weights, no neighbour pulling farther than the radius (He, Karimireddy and Jaggi 2022, section 4)."""
    return combination(inputs, inputs.weights * clip_factor(inputs.norms, inputs.radius))


def robust_gossip(inputs: Inputs, settings: Settings) -> Merge:
    """Clip to the (2b + 1)-th largest difference, then mix by weights (Gaucher et al. 2025)."""
    if len(inputs.norms) <= 2 * settings.byzantine:  # all of the differences may be lies or answers to lies
        return combination(inputs, np.zeros(len(inputs.norms)))
    radius = np.sort(inputs.norms)[::-1][2 * settings.byzantine]
    return combination(inputs, inputs.weights * clip_factor(inputs.norms, float(radius)))


def balance(inputs: Inputs, settings: Settings) -> Merge:
    """Average the neighbours inside a shrinking ball around the own vector (Fang et al. 2024, section 4)."""
    ball = settings.gate_share * np.exp(-settings.gate_decay * inputs.progress) * inputs.own_norm
    return combination(inputs, (1.0 - settings.keep) * _evenly(inputs.norms <= ball))


def ubar(inputs: Inputs, settings: Settings) -> Merge:
    """Average the nearest neighbours that are no worse than we on our own sample (Guo et al. 2021).

    Raises
    ------
    ConfigError
        Without the losses of the received vectors.
    """
    if inputs.losses is None:
        raise ConfigError("ubar needs the loss of every received vector on the own sample")
    near = np.argsort(inputs.norms, kind="stable")[: max(1, round(settings.honest_share * len(inputs.norms)))]
    passed = np.zeros(len(inputs.norms), np.bool_)
    passed[near] = inputs.losses[near] <= inputs.own_loss
    if len(near) and not passed.any():
        passed[near[np.argmin(inputs.losses[near])]] = True
    return combination(inputs, (1.0 - settings.keep) * _evenly(passed))


def fltrust(inputs: Inputs, settings: Settings) -> Merge:
    """Trust directions that agree with the own last step, at its length (FLTrust, self-centred; Cao et al. 2021).

    Raises
    ------
    ConfigError
        Without the own last step.
    """
    if inputs.step is None:
        raise ConfigError("fltrust needs the own last local step")
    step = inputs.step.astype(np.float64)
    length = np.linalg.norm(step)
    norms = np.maximum(inputs.norms, 1e-30)
    trust = np.maximum(inputs.deltas.astype(np.float64) @ step / (norms * max(length, 1e-30)), 0.0)
    total = trust.sum()
    return combination(inputs, trust / total * np.minimum(length / norms, 1.0) if total > 0 else np.zeros(len(trust)))


def krum_scores(gram: NDArray[np.float64], byzantine: int) -> NDArray[np.float64]:
    """Return for each point the sum of squared distances to its M - b - 2 nearest others."""
    distances = squared_distances(gram)
    np.fill_diagonal(distances, np.inf)
    nearest = max(1, len(gram) - byzantine - 2)
    return np.sort(distances, axis=1)[:, :nearest].sum(axis=1)


def mixing_of_nearest(gram: NDArray[np.float64], byzantine: int) -> NDArray[np.float64]:
    """Return the matrix A[m, m]: received point j becomes sum_k A_jk Delta_k, the mean of its M - b nearest.

    The own vector counts among them (it is the origin, so it needs no column).
    """
    distances = squared_distances(with_own(gram))
    keep = max(1, len(distances) - byzantine)
    nearest = np.argsort(distances[1:], axis=1, kind="stable")[:, :keep]
    mixing = np.zeros((len(gram), len(gram) + 1))
    np.put_along_axis(mixing, nearest, 1.0 / keep, axis=1)
    return mixing[:, 1:]


def clip_factor(norms: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Return min(1, radius / norm)."""
    return np.minimum(1.0, radius / np.maximum(norms, 1e-30))


RULES: dict[str, Rule] = {
    "mean": mean,
    "median": coordinate_median,
    "trimmed-mean": trimmed_mean,
    "geometric-median": geometric_median,
    "krum": krum,
    "multi-krum": multi_krum,
    "bulyan": bulyan,
    "nnm": nearest_neighbour_mixing,
    "centred-clipping": centred_clipping,
    "clipped": self_centred_clipping,
    "robust-gossip": robust_gossip,
    "balance": balance,
    "ubar": ubar,
    "fltrust": fltrust,
}


def merge(name: str, inputs: Inputs, settings: Settings | None = None) -> Merge:
    """Apply the rule called `name`; without neighbours nothing changes.

    Raises
    ------
    ConfigError
        If there is no such rule.
    """
    rule = RULES.get(name)
    if rule is None:
        raise ConfigError(f"no aggregation rule {name!r}; there are {', '.join(RULES)}")
    if len(inputs.received) == 0:
        return Merge(np.zeros_like(inputs.own), np.zeros(0))
    return rule(inputs, settings or Settings())


def _trimmed(inputs: Inputs, drop: int) -> Merge:
    m, size = inputs.deltas.shape
    change = np.empty(size, np.float32)
    counts = np.zeros(m, np.int64)
    trimmed_columns(inputs.deltas, drop, np.empty(m + 1, np.int64), change, counts)
    return Merge(change, counts / (max(1, size) * (m + 1 - 2 * drop)))


def _average_of(points: NDArray[np.int64], neighbours: int) -> NDArray[np.float64]:
    """Return the shares of neighbours in the plain average of some points, of which 0 is the own."""
    shares = np.zeros(neighbours + 1)
    shares[points] = 1.0 / len(points)
    return shares[1:]


def _evenly(chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    return chosen / max(1, int(chosen.sum()))
