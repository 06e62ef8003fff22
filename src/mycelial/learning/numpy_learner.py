"""Value decomposition by hand: forward, backward and Adam in NumPy, for agents without memory.

An independent reference for the gradients of `jax_learner`, and what small installations without JAX learn with.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError
from mycelial.learning.batch import Segment, Weights, adam
from mycelial.learning.hyper import Hyper
from mycelial.learning.networks import CLIP, EPSILON, Architecture
from mycelial.learning.task import Floats

LOWEST = np.float32(-1e9)
Views = dict[str, Any]


class NumpyLearner:
    """Updates of a team of `agents`; see `batch.Learner`."""

    def __init__(self, architecture: Architecture, hyper: Hyper, agents: int) -> None:
        if architecture.memory != "none":
            raise ConfigError("learning: the NumPy learner knows networks without memory only; use backend jax")
        self.architecture, self.hyper, self.agents = architecture, hyper, agents

    def targets(self, weights: Weights, segment: Segment) -> Floats:
        """Return the lambda-returns float32[C, T, B]."""
        hyper = self.hyper
        steps, books, agents, size = segment.next_obs.shape
        rows = np.moveaxis(segment.next_obs, 2, 0).reshape(agents, steps * books, size)
        allowed = np.moveaxis(segment.next_mask, 2, 0).reshape(agents, steps * books, -1)
        q = np.where(allowed, forward(self.architecture, weights.online, rows)[0], LOWEST)
        best = q.max(-1)
        if hyper.target_every:
            of_target = forward(self.architecture, weights.target, rows)[0]
            best = np.take_along_axis(of_target, q.argmax(-1)[..., None], -1)[..., 0]
        best = best.reshape(agents, steps, books)
        if hyper.credit == "vdn":
            best = best.sum(0, keepdims=True)
        found = np.empty_like(best)
        later = best[:, -1]
        for t in reversed(range(steps)):
            cut = segment.ended[t] | (t == steps - 1)
            ahead = np.where(cut, best[:, t], (1.0 - hyper.trace) * best[:, t] + hyper.trace * later)
            later = segment.reward[t] + hyper.gamma * np.where(segment.terminated[t], 0.0, ahead)
            found[:, t] = later
        return found.astype(np.float32)

    def learn(
        self, weights: Weights, segment: Segment, order: NDArray[np.int32], rate: float
    ) -> tuple[Weights, dict[str, Any]]:
        """Take one step of Adam for each row of `order`."""
        hyper = self.hyper
        steps, books, agents, size = segment.obs.shape
        obs = np.moveaxis(segment.obs, 2, 0).reshape(agents, steps * books, size)
        action = np.moveaxis(segment.action, 2, 0).reshape(agents, -1)
        goal = self.targets(weights, segment)
        goal = goal.reshape(len(goal), -1)
        state: Any = (weights.online, weights.first, weights.second, float(weights.updates))
        said = []
        for places in order:
            slope, error = self.gradient(state[0], obs[:, places], action[:, places], goal[:, places])
            state, norm = adam(np, state, slope, np.float32(rate), hyper.clip, hyper.adam_epsilon)
            said.append((0.5 * float((error**2).sum(0).mean()), float(np.abs(error).mean()), float(norm.max())))
        online, first, second = (np.asarray(x, np.float32) for x in state[:3])
        updates, every = weights.updates + len(order), hyper.target_every
        target = online if every and updates // every > weights.updates // every else weights.target
        loss, td_error, gradient = np.array(said).T
        metrics = {"loss": float(loss.mean()), "td_error": float(td_error.mean()), "gradient": float(gradient.max())}
        return Weights(online, target, first, second, updates), metrics

    def gradient(self, vectors: Floats, obs: Floats, action: NDArray[np.int32], goal: Floats) -> tuple[Floats, Floats]:
        """Return the gradient float32[K, P] of the loss of one update, and the errors float32[C, R].

        Agent i's part is ``-error dQ_i / d theta_i``: of its team it needs the error alone.
        """
        q, cache = forward(self.architecture, vectors, obs)
        picked = action[..., None]
        chosen = np.take_along_axis(q, picked, -1)[..., 0]  # [N, R]
        error = goal - (chosen.sum(0, keepdims=True) if self.hyper.credit == "vdn" else chosen)
        pull = error if not self.hyper.huber else np.clip(error, -self.hyper.huber, self.hyper.huber)
        wanted = np.zeros_like(q)
        np.put_along_axis(wanted, picked, np.broadcast_to(-pull / pull.shape[1], chosen.shape)[..., None], -1)
        return backward(self.architecture, vectors, cache, wanted), error


def forward(architecture: Architecture, vectors: Floats, x: Floats) -> tuple[Floats, tuple[Any, ...]]:
    """Return Q ``[N, R, U]`` and what `backward` needs; ``x [N, R, O]``, ``vectors [K, P]``."""
    agents, rows, size = x.shape
    views = architecture.manifest.views(vectors)
    if len(vectors) == 1:
        x = x.reshape(1, agents * rows, size)
    if architecture.normalise:
        scale = np.sqrt(views["normaliser.variance"][:, None] + np.float32(EPSILON))
        x = np.clip((x - views["normaliser.mean"][:, None]) / scale, -CLIP, CLIP)
    first, cache_first = _layer(views, "encoder", x)
    second, cache_second = _layer(views, "memory", first)
    q = second @ views["head.weight"] + views["head.bias"][:, None]
    return q.reshape(agents, rows, -1), (views, x, first, second, cache_first, cache_second)


def backward(architecture: Architecture, vectors: Floats, cache: tuple[Any, ...], slope: Floats) -> Floats:
    """Return ``d loss / d vectors`` from ``d loss / d Q``."""
    views, x, first, second, cache_first, cache_second = cache
    found = np.zeros_like(vectors)
    into = architecture.manifest.views(found)
    slope = slope.reshape(len(vectors), -1, architecture.actions)
    into["head.weight"][...] = second.swapaxes(1, 2) @ slope
    into["head.bias"][...] = slope.sum(1)
    slope = slope @ views["head.weight"].swapaxes(1, 2)
    slope = _layer_back(views, into, "memory", first, second, cache_second, slope)
    _layer_back(views, into, "encoder", x, first, cache_first, slope @ views["memory.weight"].swapaxes(1, 2))
    return found


def _layer(views: Views, block: str, x: Floats) -> tuple[Floats, tuple[Floats, Floats]]:
    """Return ReLU(LayerNorm(x W + b)) and (standardised, reciprocal deviation)."""
    h = x @ views[f"{block}.weight"] + views[f"{block}.bias"][:, None]
    h -= h.mean(-1, keepdims=True)
    scale = 1.0 / np.sqrt(np.mean(h * h, -1, keepdims=True) + np.float32(EPSILON))
    h *= scale
    return np.maximum(h * views[f"{block}.gain"][:, None] + views[f"{block}.shift"][:, None], 0.0), (h, scale)


def _layer_back(
    views: Views, into: Views, block: str, x: Floats, out: Floats, cache: tuple[Floats, Floats], slope: Floats
) -> Floats:
    """Write the gradients of a layer; return that of its linear part."""
    standard, scale = cache
    slope = slope * (out > 0.0)
    into[f"{block}.gain"][...] = (slope * standard).sum(1)
    into[f"{block}.shift"][...] = slope.sum(1)
    slope = slope * views[f"{block}.gain"][:, None]
    slope = scale * (slope - slope.mean(-1, keepdims=True) - standard * (slope * standard).mean(-1, keepdims=True))
    into[f"{block}.weight"][...] = x.swapaxes(1, 2) @ slope
    into[f"{block}.bias"][...] = slope.sum(1)
    return slope
