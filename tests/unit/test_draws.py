"""Random draws: what they are distributed as, and that they depend on nothing but (key, counter)."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from numpy.typing import NDArray
from scipy import stats

from mycelial.domain import draws
from mycelial.domain.seeds import stream_key


@njit
def _normals(key: np.uint64, count: int) -> NDArray[np.float64]:
    out = np.empty(count)
    for n in range(count):
        out[n] = draws.normal(key, np.uint64(n))
    return out


@njit
def _poissons(key: np.uint64, count: int, mean: float) -> NDArray[np.int64]:
    out = np.empty(count, np.int64)
    for n in range(count):
        out[n] = draws.poisson(key, np.uint64(n), mean)
    return out


def test_normals_are_standard_normal_into_the_tails():
    sample = _normals(stream_key(1, "normals"), 400_000)

    assert stats.kstest(sample, "norm").pvalue > 1e-3
    beyond = int((np.abs(sample) > 3.7).sum())  # outside the base layer of the ziggurat
    expected = 2 * stats.norm.sf(3.7) * sample.size
    assert abs(beyond - expected) < 4 * np.sqrt(expected)


def test_poisson_counts_have_the_poisson_mean_and_variance():
    sample = _poissons(stream_key(1, "poissons"), 200_000, 5.0)

    assert abs(sample.mean() - 5.0) < 4 * np.sqrt(5.0 / sample.size)
    assert abs(sample.var() - 5.0) < 0.1


@given(seed=st.integers(0, 2**31), a=st.text(max_size=8), b=st.text(max_size=8))
def test_streams_differ_by_every_part_of_their_name(seed: int, a: str, b: str):
    assert stream_key(seed, a, b) == stream_key(seed, a, b)
    assert stream_key(seed, a, b) != stream_key(seed + 1, a, b)
    assert stream_key(seed, a, b) != stream_key(seed, a + b)
