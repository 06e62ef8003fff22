"""Histograms as densities, on bins that two samples can share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mycelial.facts.panel import Floats

BINS = 100  # of the sample that sets the bins
_MOST_BINS = 400  # of a sample that reaches beyond them


@dataclass(frozen=True)
class Histogram:
    """Densities on equal bins: bin i is [low + i * width, low + (i + 1) * width)."""

    low: float
    width: float
    density: tuple[float, ...]

    def edges(self) -> Floats:
        """Return the edges, float64[n_bins + 1]."""
        return np.asarray(self.low + self.width * np.arange(len(self.density) + 1), dtype=np.float64)


def histogram(sample: Floats, like: Histogram | None = None) -> Histogram | None:
    """Return the density of `sample`, or None when it is empty.

    Parameters
    ----------
    sample : float64[n].
    like : take bin width and alignment from this histogram and add bins at the ends as the sample needs them (400 bins
        at most; what lies beyond still counts in the normalisation). Without it: 100 equal bins from smallest to
        largest value.
    """
    if not sample.size:
        return None
    least, most = float(sample.min()), float(sample.max())
    if like is None:
        width = (most - least) / BINS or max(abs(least), 1.0) / BINS  # a constant sample still gets a bin of some width
        low, n_bins = least, BINS
    else:
        width = like.width
        spare = (_MOST_BINS - len(like.density)) // 2
        before = min(max(int(np.ceil((like.low - least) / width)), 0), spare)
        after = min(max(int(np.ceil((most - like.low) / width)) - len(like.density), 0), spare)
        low, n_bins = like.low - before * width, before + len(like.density) + after
    counts, _ = np.histogram(sample, bins=n_bins, range=(low, low + n_bins * width))
    return Histogram(low, width, tuple(float(count) for count in counts / (sample.size * width)))
