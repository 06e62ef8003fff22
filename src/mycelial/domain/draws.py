"""Counter-based random draws for kernels: SplitMix64 over (key, counter) and a ziggurat on top.

SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014) is a Weyl sequence passed
through a mixing function, so the n-th number of a stream is computed directly. Normals follow Marsaglia and Tsang, The
ziggurat method for generating random variables (J. Stat. Softw. 5(8), 2000), with 256 layers and 53-bit positions.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_RETRY = np.uint64(0xD1B54A32D192ED03)  # moves a rejected draw to a stream of its own
_S30, _S27, _S31, _S11, _S9, _ONE = (np.uint64(n) for n in (30, 27, 31, 11, 9, 1))
_LAYER_MASK, _SIGN_MASK = np.uint64(0xFF), np.uint64(0x100)
_TO_UNIT = 2.0**-53

_TAIL = 3.6541528853610088  # right edge of the base layer for 256 layers
_LAYER_AREA = 0.00492867323399


def _ziggurat_tables() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the right edges x[257] and heights f[257] of the layers."""
    edge = np.zeros(257)
    density = math.exp(-0.5 * _TAIL**2)
    edge[0], edge[1] = _LAYER_AREA / density, _TAIL
    for layer in range(2, 256):
        density += _LAYER_AREA / edge[layer - 1]
        edge[layer] = math.sqrt(-2.0 * math.log(density))
    return edge, np.exp(-0.5 * edge**2)


_EDGE, _HEIGHT = _ziggurat_tables()


@njit
def bits(key: np.uint64, counter: np.uint64) -> np.uint64:
    """Return 64 random bits: draw number `counter` of stream `key`."""
    z = key + (counter + _ONE) * _GAMMA
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return np.uint64(z ^ (z >> _S31))


@njit
def uniform(key: np.uint64, counter: np.uint64) -> float:
    """Return a float64 uniform on [0, 1)."""
    return (bits(key, counter) >> _S11) * _TO_UNIT


@njit
def _normal_outside(word: np.uint64, x: float, layer: int) -> float:
    """Settle the 1.2 % of normals that fall outside the inner rectangle of their layer."""
    key, step = word ^ _RETRY, np.uint64(0)
    sign = -1.0 if word & _SIGN_MASK else 1.0
    while True:
        if layer == 0:  # the tail beyond _TAIL, Marsaglia 1964
            while True:
                a = -math.log(1.0 - uniform(key, step)) / _TAIL
                b = -math.log(1.0 - uniform(key, step + _ONE))
                step += np.uint64(2)
                if 2.0 * b > a * a:
                    return sign * (_TAIL + a)
        height = _HEIGHT[layer] + uniform(key, step) * (_HEIGHT[layer + 1] - _HEIGHT[layer])
        if height < math.exp(-0.5 * x * x):
            return sign * x
        fresh = bits(key, step + _ONE)
        step += np.uint64(2)
        layer = int(fresh & _LAYER_MASK)
        sign = -1.0 if fresh & _SIGN_MASK else 1.0
        x = (fresh >> _S11) * _TO_UNIT * _EDGE[layer]
        if x < _EDGE[layer + 1]:
            return sign * x


@njit
def normal(key: np.uint64, counter: np.uint64) -> float:
    """Return a float64 standard normal."""
    word = bits(key, counter)
    layer = int(word & _LAYER_MASK)
    x = (word >> _S11) * _TO_UNIT * _EDGE[layer]
    if x < _EDGE[layer + 1]:
        return -x if word & _SIGN_MASK else x
    return float(_normal_outside(word, x, layer))


@njit
def poisson(key: np.uint64, counter: np.uint64, mean: float) -> int:
    """Return a Poisson draw by inversion of one uniform; meant for means below about 30."""
    u = uniform(key, counter)
    term = math.exp(-mean)
    total, k = term, 0
    while u >= total and k < 1000:
        k += 1
        term *= mean / k
        total += term
    return k
