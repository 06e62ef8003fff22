"""Value decomposition in JAX: one compiled call turns a segment into new weights of every agent.

The team value is the sum of the members' utilities (VDN, Sunehag et al. 2017, arXiv:1706.05296). Targets are
lambda-returns with the greedy value of the true next observation (Daley and Amato 2019, arXiv:1810.09967; Gallici et
al. 2024, arXiv:2407.04811), computed once for all epochs. With a target network the greedy action is chosen by the
online one (double Q, van Hasselt et al. 2016, arXiv:1509.06461).

Only jit, vmap, grad, scan and plain arithmetic are used. Chosen actions are picked by a one-hot product: the gradient
of a gather is a scatter, which is slow.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import MissingExtra

try:
    import jax
    import jax.numpy as jnp
except ModuleNotFoundError as error:
    raise MissingExtra("jax", "train", "training") from error

from mycelial.learning.batch import Segment, Weights, adam
from mycelial.learning.hyper import Hyper
from mycelial.learning.networks import CLIP, EPSILON, Architecture
from mycelial.learning.task import Floats

LOWEST = -1e9  # utility of what is not allowed
COST_SHARE = 0.5  # of the loss of own costs


class JaxLearner:
    """Compiled updates of a team of `agents`; see `batch.Learner`."""

    def __init__(self, architecture: Architecture, hyper: Hyper, agents: int) -> None:
        self.architecture, self.hyper, self.agents = architecture, hyper, agents
        self._targets, self._learn = _compiled(architecture, hyper)

    def targets(self, weights: Weights, segment: Segment) -> Floats:
        """Return the lambda-returns float32[C, T, B]."""
        return np.asarray(self._targets(weights.online, weights.target, segment))

    def learn(
        self, weights: Weights, segment: Segment, order: NDArray[np.int32], rate: float
    ) -> tuple[Weights, dict[str, Any]]:
        """Take one step of Adam for each row of `order`."""
        moved, metrics = self._learn(tuple(weights[:4]), segment, order, np.float32(rate), np.int32(weights.updates))
        updates = weights.updates + len(order)
        target = weights.target
        every = self.hyper.target_every
        if every and updates // every > weights.updates // every:
            target = np.asarray(moved[0])
        new = Weights(np.asarray(moved[0]), target, np.asarray(moved[1]), np.asarray(moved[2]), updates)
        return new, {name: float(value) for name, value in metrics.items()}


def utilities(architecture: Architecture, vectors: jax.Array, x: jax.Array) -> jax.Array:
    """Return Q of agents without memory: ``[K, P], [N, R, O] -> [N, R, U]``; K is N or 1."""
    agents, rows, size = x.shape
    views = architecture.manifest.views(vectors)
    shared = vectors.shape[0] == 1
    h = hidden(architecture, views, x.reshape(1, agents * rows, size) if shared else x)
    q = linear(h, views["head.weight"], views["head.bias"])
    return q.reshape(agents, rows, architecture.actions)


def hidden(architecture: Architecture, views: dict[str, Any], x: jax.Array) -> jax.Array:
    """Return the last hidden layer of agents without memory, ``[K, R, H]``."""
    h = _encoded(architecture, views, x)
    h = linear(h, views["memory.weight"], views["memory.bias"])
    return _rectified(h, views["memory.gain"], views["memory.shift"])


def utilities_in_time(
    architecture: Architecture,
    vectors: jax.Array,
    obs: jax.Array,
    next_obs: jax.Array,
    ended: Any,
    memory: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Return Q of agents with a GRU at each step and at its true next observation, both ``[T, N, B, U]``.

    Takes ``obs, next_obs [T, N, B, O]``, ``ended [T, B]`` and ``memory [N, B, H]`` before the first step; memory is
    forgotten where an episode ended.
    """
    steps, agents, books, _ = obs.shape
    views = architecture.manifest.views(vectors)

    def as_rows(x: jax.Array) -> jax.Array:  # [..., N, B, F] -> [..., K, rows, F]
        return x.reshape(*x.shape[:-3], 1, agents * books, x.shape[-1]) if vectors.shape[0] == 1 else x

    encode: Any = jax.vmap(lambda x: _encoded(architecture, views, as_rows(x)))
    now, then = encode(obs), encode(next_obs)
    gate = partial(linear, weight=views["memory.input"], bias=views["memory.input_bias"])
    gates, gates_then = jax.vmap(gate)(now), jax.vmap(gate)(then)

    def one(carried: jax.Array, given: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, Any]:
        here, there, over = given
        state = _gru(views, here, carried)
        after = _gru(views, there, state)
        kept = state.reshape(agents, books, -1) * (1.0 - over[None, :, None])
        return as_rows(kept), (state, after)

    _, (states, afters) = jax.lax.scan(one, as_rows(memory), (gates, gates_then, ended.astype(jnp.float32)))
    head: Any = jax.vmap(lambda h: linear(h, views["head.weight"], views["head.bias"]))
    shape = (steps, agents, books, architecture.actions)
    return head(states).reshape(shape), head(afters).reshape(shape)


def lambda_returns(hyper: Hyper, value: jax.Array, reward: jax.Array, terminated: Any, ended: Any) -> jax.Array:
    """Return G[t] = r + gamma (1 - d) [(1 - lambda) V[t] + lambda G[t + 1]] where the episode goes on, else on V alone.

    Takes ``value [C, T, B]`` of the true next observations and ``reward, terminated, ended [T, B]``.
    """

    def back(later: jax.Array, given: Any) -> tuple[jax.Array, jax.Array]:
        best, gained, over, cut = given
        ahead = jnp.where(cut, best, (1.0 - hyper.trace) * best + hyper.trace * later)
        found = gained + hyper.gamma * jnp.where(over, 0.0, ahead)
        return found, found

    by_time = jnp.moveaxis(value, 1, 0)  # [T, C, B]
    cut = ended.at[-1].set(True)
    _, found = jax.lax.scan(
        back, by_time[-1], (by_time, reward[:, None], terminated[:, None], cut[:, None]), reverse=True
    )
    return jnp.moveaxis(found, 0, 1)


@cache
def _compiled(architecture: Architecture, hyper: Hyper) -> tuple[Any, Any]:
    """Return the two jitted functions; learners alike share them, so that a team of many compiles once."""
    return jax.jit(partial(_targets, architecture, hyper)), jax.jit(partial(_learn, architecture, hyper))


def _targets(
    architecture: Architecture, hyper: Hyper, online: jax.Array, target: jax.Array, segment: Segment
) -> jax.Array:
    best = _next_values(architecture, hyper, online, target, segment)  # [N, T, B]
    if hyper.credit == "vdn":
        best = best.sum(0, keepdims=True)
    reward, terminated, ended = (jnp.asarray(x) for x in (segment.reward, segment.terminated, segment.ended))
    return jax.lax.stop_gradient(lambda_returns(hyper, best, reward, terminated, ended))


def _next_values(
    architecture: Architecture, hyper: Hyper, online: jax.Array, target: jax.Array, segment: Segment
) -> jax.Array:
    """Return each member's greedy value of the true next observation, [N, T, B]."""

    def q_next(vectors: jax.Array) -> jax.Array:  # [N, T, B, U]
        if architecture.memory == "gru":
            obs, then, memory = (jnp.swapaxes(x, -3, -2) for x in (segment.obs, segment.next_obs, segment.memory))
            ahead = utilities_in_time(architecture, vectors, obs, then, segment.ended, memory)[1]
            return jnp.moveaxis(ahead, 0, 1)
        steps, books, agents, size = segment.next_obs.shape
        rows = jnp.moveaxis(segment.next_obs, 2, 0).reshape(agents, steps * books, size)
        return utilities(architecture, vectors, rows).reshape(agents, steps, books, -1)

    allowed = jnp.moveaxis(segment.next_mask, 2, 0)
    if architecture.cost_weight:
        q, cost = _both_heads(architecture, online, segment.next_obs)
        best = jnp.where(allowed, q - architecture.cost_weight * cost, LOWEST).argmax(-1)
        return (q * jax.nn.one_hot(best, q.shape[-1])).sum(-1)
    q = jnp.where(allowed, q_next(online), LOWEST)
    if not hyper.target_every:
        return q.max(-1)
    chosen = jax.nn.one_hot(q.argmax(-1), q.shape[-1])
    return (q_next(target) * chosen).sum(-1)


def _both_heads(architecture: Architecture, vectors: jax.Array, seen: Any) -> tuple[jax.Array, jax.Array]:
    """Return utilities and own costs of observations ``[T, B, N, O]``, each ``[N, T, B, U]``."""
    steps, books, agents, size = seen.shape
    views = architecture.manifest.views(vectors)
    rows = jnp.moveaxis(seen, 2, 0).reshape(agents, steps * books, size)
    h = hidden(architecture, views, rows.reshape(1, -1, size) if vectors.shape[0] == 1 else rows)
    shape = (agents, steps, books, architecture.actions)
    heads = (linear(h, views[f"{name}.weight"], views[f"{name}.bias"]).reshape(shape) for name in ("head", "cost"))
    return next(heads), next(heads)


def _cost_targets(architecture: Architecture, hyper: Hyper, online: jax.Array, segment: Segment) -> jax.Array:
    """Return what each action taken cost its agent alone and will, one step ahead: ``[N, T B]``."""
    q, cost = _both_heads(architecture, online, segment.next_obs)
    score = jnp.where(jnp.moveaxis(segment.next_mask, 2, 0), q - architecture.cost_weight * cost, LOWEST)
    ahead = (cost * jax.nn.one_hot(score.argmax(-1), score.shape[-1])).sum(-1)  # [N, T, B]
    paid = jnp.moveaxis(jnp.asarray(segment.own_cost), 2, 0)
    goal = paid + hyper.gamma * jnp.where(jnp.asarray(segment.terminated), 0.0, ahead)
    return jax.lax.stop_gradient(goal).reshape(goal.shape[0], -1)


def _learn(
    architecture: Architecture,
    hyper: Hyper,
    weights: tuple[Any, Any, Any, Any],
    segment: Segment,
    order: jax.Array,
    rate: jax.Array,
    updates: jax.Array,
) -> tuple[tuple[Any, Any, Any], dict[str, jax.Array]]:
    online, target, first, second = weights
    goal = _targets(architecture, hyper, online, target, segment)  # [C, T, B]
    by_agent = partial(jnp.moveaxis, source=2, destination=0)
    obs, action = by_agent(segment.obs), by_agent(segment.action)  # [N, T, B, ...]
    rows = architecture.memory == "none"
    cost_goal = _cost_targets(architecture, hyper, online, segment) if architecture.cost_weight else None
    if rows:
        agents, steps, books, size = obs.shape
        obs, action = obs.reshape(agents, steps * books, size), action.reshape(agents, -1)
        goal = goal.reshape(goal.shape[0], -1)

    def one(carried: tuple[Any, ...], places: jax.Array) -> tuple[tuple[Any, ...], Any]:
        def loss(vectors: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
            if rows:
                q = utilities(architecture, vectors, obs[:, places])
                picked, wanted = action[:, places], goal[:, places]
            else:
                some = segment.obs[:, places], segment.next_obs[:, places], segment.memory[places]
                now, then, memory = (jnp.swapaxes(x, -3, -2) for x in some)
                q = utilities_in_time(architecture, vectors, now, then, segment.ended[:, places], memory)[0]
                q = jnp.moveaxis(q, 0, 1)  # [N, T, b, U]
                picked, wanted = action[:, :, places], goal[:, :, places]
            chosen = (q * jax.nn.one_hot(picked, architecture.actions)).sum(-1)
            if hyper.credit == "vdn":
                chosen = chosen.sum(0, keepdims=True)
            error = wanted - chosen
            found = _loss(error, hyper.huber).sum(0).mean()
            if cost_goal is not None:
                _, cost = _both_heads(architecture, vectors, jnp.moveaxis(obs[:, places], 0, 1)[None])
                expected = (cost[:, 0] * jax.nn.one_hot(picked, architecture.actions)).sum(-1)
                found += COST_SHARE * _loss(cost_goal[:, places] - expected, hyper.huber).sum(0).mean()
            return found, (jnp.abs(error).mean(), chosen.mean())

        (found, (error, value)), slope = jax.value_and_grad(loss, has_aux=True)(carried[0])
        moved, norm = adam(jnp, carried, slope, rate, hyper.clip, hyper.adam_epsilon)
        return moved, (found, error, value, norm.max())

    start = (online, first, second, updates.astype(jnp.float32))
    (online, first, second, _), (found, error, value, norm) = jax.lax.scan(one, start, order)
    metrics = {"loss": found.mean(), "td_error": error.mean(), "value": value.mean(), "gradient": norm.max()}
    return (online, first, second), metrics


def _loss(error: jax.Array, huber: float) -> jax.Array:
    square = 0.5 * error * error
    if not huber:
        return square
    size = jnp.abs(error)
    return jnp.where(size <= huber, square, huber * (size - 0.5 * huber))


def _encoded(architecture: Architecture, views: dict[str, Any], x: jax.Array) -> jax.Array:
    if architecture.normalise:
        mean, variance = (jax.lax.stop_gradient(views[f"normaliser.{name}"]) for name in ("mean", "variance"))
        x = jnp.clip((x - mean[:, None]) / jnp.sqrt(variance[:, None] + EPSILON), -CLIP, CLIP)
    h = linear(x, views["encoder.weight"], views["encoder.bias"])
    return _rectified(h, views["encoder.gain"], views["encoder.shift"])


def linear(x: jax.Array, weight: jax.Array, bias: jax.Array) -> jax.Array:
    """Return ``x W + b`` of every agent: ``[K, R, I], [K, I, O], [K, O] -> [K, R, O]``."""
    return jnp.einsum("kri,kio->kro", x, weight) + bias[:, None]


def _rectified(h: jax.Array, gain: jax.Array, shift: jax.Array) -> jax.Array:
    centred = h - h.mean(-1, keepdims=True)
    scale = jax.lax.rsqrt((centred * centred).mean(-1, keepdims=True) + EPSILON)
    return jax.nn.relu(centred * scale * gain[:, None] + shift[:, None])


def _gru(views: dict[str, Any], gates: jax.Array, state: jax.Array) -> jax.Array:
    """Return the next state; gates of the input ``[K, R, 3H]`` in the order reset, update, new."""
    n = state.shape[-1]
    recurrent = linear(state, views["memory.recurrent"], views["memory.recurrent_bias"])
    reset = jax.nn.sigmoid(gates[..., :n] + recurrent[..., :n])
    update = jax.nn.sigmoid(gates[..., n : 2 * n] + recurrent[..., n : 2 * n])
    new = jnp.tanh(gates[..., 2 * n :] + reset * recurrent[..., 2 * n :])
    return (1.0 - update) * new + update * state
