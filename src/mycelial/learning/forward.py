"""The network as kernels: utilities of one agent, of every member of every book, and the choice among them.

One row at a time, in float32, on the agent's vector (`networks.Architecture.manifest` says where things lie). Rows of a
layer are added up for inputs that are not zero, so one-hot inputs and rectified activations cost little.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.draws import bits, uniform
from mycelial.domain.kernels import entry, helper

O_SIZE, H_SIZE, U_SIZE, IS_GRU, IS_NORMALISED, N_FIGURES = range(6)  # of `figures`, int64[N_FIGURES]
_ZERO, _ONE, _CLIP, _EPSILON = np.float32(0), np.float32(1), np.float32(5), np.float32(1e-5)
_LOWEST = np.float32(-3e38)


@helper
def linear(vector: Any, at: int, n_in: int, n_out: int, x: Any, out: Any) -> None:
    """Add ``x W`` to `out`, with W at `at`."""
    for i in range(n_in):
        figure = x[i]
        if figure != _ZERO:
            row = vector[at + i * n_out : at + (i + 1) * n_out]  # a view, so that the loop needs no bounds and is wide
            for j in range(n_out):
                out[j] += figure * row[j]


@helper
def _linear(vector: Any, at: int, n_in: int, n_out: int, x: Any, out: Any) -> None:
    """Set ``out = x W + b`` with W at `at` and b right behind it."""
    bias = vector[at + n_in * n_out : at + n_in * n_out + n_out]
    for j in range(n_out):
        out[j] = bias[j]
    linear(vector, at, n_in, n_out, x, out)


@helper
def _normalise_and_rectify(vector: Any, at: int, n: int, x: Any) -> None:
    """Apply layer normalisation (gain at `at`, shift behind it) and ReLU in place."""
    gain, shift = vector[at : at + n], vector[at + n : at + 2 * n]
    mean = _ZERO
    for j in range(n):
        mean += x[j]
    mean /= np.float32(n)
    variance = _ZERO
    for j in range(n):
        variance += (x[j] - mean) * (x[j] - mean)
    scale = _ONE / np.sqrt(variance / np.float32(n) + _EPSILON)
    for j in range(n):
        x[j] = max((x[j] - mean) * scale * gain[j] + shift[j], _ZERO)


@helper
def _gru(vector: Any, at: int, n: int, x: Any, memory: Any, gates: Any, recurrent: Any) -> None:
    """Move `memory` one step on; gates in the order reset, update, new."""
    three = 3 * n
    bias = at + 2 * n * three
    of_input, of_memory = vector[bias : bias + three], vector[bias + three : bias + 2 * three]
    for j in range(three):
        gates[j] = of_input[j]
        recurrent[j] = of_memory[j]
    linear(vector, at, n, three, x, gates)
    linear(vector, at + n * three, n, three, memory, recurrent)
    for j in range(n):
        reset = _ONE / (_ONE + np.exp(-(gates[j] + recurrent[j])))
        update = _ONE / (_ONE + np.exp(-(gates[n + j] + recurrent[n + j])))
        new = np.tanh(gates[2 * n + j] + reset * recurrent[2 * n + j])
        memory[j] = (_ONE - update) * new + update * memory[j]


@helper
def utilities(vector: Any, figures: Any, obs: Any, memory: Any, scratch: Any, q: Any) -> None:
    """Write Q(o, .) of one agent into `q`.

    Parameters
    ----------
    vector : float32[P]
        Prepared by `policy.prepared`: reciprocal deviations stand where variances did.
    figures : int64[N_FIGURES]
    obs : float32[O]
    memory : float32[H] (gru) or float32[0]
        **Moved on in place.**
    scratch : float32[scratch_size(...)]
    q : float32[U]
    """
    o, h, u = figures[O_SIZE], figures[H_SIZE], figures[U_SIZE]
    x, first, second = scratch[:o], scratch[o : o + h], scratch[o + h : o + 2 * h]
    if figures[IS_NORMALISED] != 0:
        for i in range(o):
            x[i] = min(max((obs[i] - vector[i]) * vector[o + i], -_CLIP), _CLIP)
    else:
        for i in range(o):
            x[i] = obs[i]
    at = 2 * o + 1
    _linear(vector, at, o, h, x, first)
    at += o * h + h
    _normalise_and_rectify(vector, at, h, first)
    at += 2 * h
    if figures[IS_GRU] != 0:
        room = o + 2 * h
        _gru(vector, at, h, first, memory, scratch[room : room + 3 * h], scratch[room + 3 * h : room + 6 * h])
        at += 6 * h * h + 6 * h
        _linear(vector, at, h, u, memory, q)
    else:
        _linear(vector, at, h, h, first, second)
        at += h * h + h
        _normalise_and_rectify(vector, at, h, second)
        at += 2 * h
        _linear(vector, at, h, u, second, q)


@helper
def best(q: Any, mask: Any) -> int:
    """Return the first action of highest utility among those allowed."""
    found, highest = 0, _LOWEST
    for a in range(q.shape[0]):
        if mask[a] and q[a] > highest:
            found, highest = a, q[a]
    return found


@entry
def act(vector: Any, figures: Any, obs: Any, mask: Any, memory: Any, scratch: Any, q: Any) -> int:
    """Return the greedy action of one agent; `memory` is moved on, `q` holds the utilities afterwards."""
    utilities(vector, figures, obs, memory, scratch, q)
    return int(best(q, mask))


@entry
def act_many(
    vectors: Any,
    figures: Any,
    obs: Any,
    mask: Any,
    memory: Any,
    epsilon: Any,
    key: np.uint64,
    counter: int,
    scratch: Any,
    q: Any,
    actions: Any,
) -> None:
    """Let every member of every book choose: at random with probability ``epsilon[b, n]``, else the best.

    Parameters
    ----------
    vectors : float32[K, P]
        One row for each agent, or one for all.
    obs, mask, memory : float32[B, N, O], bool[B, N, U], float32[B, N, H]
        `memory` is **moved on in place**.
    epsilon : float32[B, N]
    key, counter
        Stream and number of the first draw; agent n of book b uses draws ``counter + 2 (b N + n)`` and the next.
    q, actions : float32[B, N, U], int32[B, N]
        **Written.**
    """
    books, agents = obs.shape[0], obs.shape[1]
    for n in range(agents):
        vector = vectors[n if vectors.shape[0] > 1 else 0]
        for b in range(books):
            utilities(vector, figures, obs[b, n], memory[b, n], scratch, q[b, n])
            draw = np.uint64(counter + 2 * (b * agents + n))
            if uniform(key, draw) < epsilon[b, n]:
                actions[b, n] = any_of(mask[b, n], bits(key, draw + np.uint64(1)))
            else:
                actions[b, n] = best(q[b, n], mask[b, n])


@helper
def any_of(mask: Any, word: np.uint64) -> int:
    """Return an allowed action, each equally likely."""
    allowed = 0
    for a in range(mask.shape[0]):
        allowed += mask[a]
    left = int(word % np.uint64(max(allowed, 1)))
    for a in range(mask.shape[0]):
        if mask[a]:
            if left == 0:
                return a
            left -= 1
    return 0


def scratch_size(figures: NDArray[np.int64]) -> int:
    """Return the float32 figures of scratch that `utilities` needs."""
    o, h = int(figures[O_SIZE]), int(figures[H_SIZE])
    return o + 2 * h + (6 * h if figures[IS_GRU] else 0)
