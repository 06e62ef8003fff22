"""Best responses in JAX: the team value with its dyadic corrections, and leaders' models of their followers.

``Q_tot = sum_i Q_i + sum over pairs P_ij(h_i, a_i, a_j)`` (specification 5.1), P of low rank and trained on the same
error as the utilities. The value of what follows is the best joint choice of every pair. Models of followers (5.2)
learn from answers that were meant and are pulled to the best answer to be expected, faster than values; they take
features as given. Without pairs this is `jax_learner`.
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

from mycelial.learning import jax_learner
from mycelial.learning.batch import Segment, Weights, adam
from mycelial.learning.dyads import Dyads
from mycelial.learning.hyper import Hyper
from mycelial.learning.jax_learner import LOWEST, lambda_returns
from mycelial.learning.networks import RANK, Architecture

FOLLOWER_RATE = 3.0  # of peer models, in rates of values (after Gerstgrasser and Parkes 2023, theorem 2)
PATIENCE = 3  # rounds in which held-out surprise may rise before leaders stand still


class DyadLearner:
    """Compiled updates of a team whose members lead and follow."""

    def __init__(self, architecture: Architecture, hyper: Hyper, agents: int) -> None:
        self.architecture, self.hyper = architecture, hyper
        self._learn = _compiled(architecture, hyper)
        peer, dyadic = (architecture.manifest.mask([block]) for block in ("peer_model", "dyadic"))
        self._faster = np.where(peer, FOLLOWER_RATE, 1.0).astype(np.float32)
        self._dyadic = dyadic
        self.surprise, self.risen = float("nan"), 0

    def learn_dyads(
        self, weights: Weights, segment: Segment, dyads: Dyads, order: NDArray[np.int32], rate: float
    ) -> tuple[Weights, dict[str, Any]]:
        """Take one step of Adam for each row of `order` (places ``t B + b``)."""
        rates = np.float32(rate) * np.where(self._dyadic & (self.risen >= PATIENCE), 0.0, self._faster)
        moved, metrics = self._learn(
            tuple(weights[:4]), segment, dyads, order, rates.astype(np.float32), np.int32(weights.updates)
        )
        told = {name: float(value) for name, value in metrics.items()}
        self.risen = self.risen + 1 if told["surprise"] > self.surprise + 1e-3 else 0
        self.surprise = told["surprise"]
        online, first, second = (np.asarray(x) for x in moved)
        return Weights(online, weights.target, first, second, weights.updates + len(order)), told


@cache
def _compiled(architecture: Architecture, hyper: Hyper) -> Any:
    return jax.jit(partial(_learn, architecture, hyper))


def features(architecture: Architecture, vectors: Any, x: Any) -> tuple[Any, Any]:
    """Return the last hidden layer ``[N, R, H]`` and the utilities ``[N, R, U]``."""
    agents, rows, size = x.shape
    views = architecture.manifest.views(vectors)
    z = jax_learner.hidden(architecture, views, x.reshape(1, agents * rows, size) if vectors.shape[0] == 1 else x)
    q = jax_learner.linear(z, views["head.weight"], views["head.bias"])
    return z.reshape(agents, rows, -1), q.reshape(agents, rows, -1)


def dyadic_values(architecture: Architecture, vectors: Any, z: Any, pairs: Any) -> Any:
    """Return P of every pair: ``[D, R, U, U]``, from the features ``[N, R, H]`` of the leaders."""
    views = architecture.manifest.views(vectors)
    own, peer = (_of_leaders(views, f"dyadic.{side}", vectors.shape[0], z, pairs) for side in ("own", "peer"))
    shape = (*own.shape[:2], RANK, architecture.actions)
    return jnp.einsum("drca,drcj->draj", own.reshape(shape), peer.reshape(shape))


def _of_leaders(views: dict[str, Any], name: str, rows: int, z: Any, pairs: Any) -> Any:
    """Return a head of every leader for its follower: ``[D, R, F]``."""
    whose = pairs[:, 0] if rows > 1 else jnp.zeros_like(pairs[:, 0])
    weight, bias = views[name][whose, pairs[:, 2]], views[f"{name}_bias"][whose, pairs[:, 2]]
    return jax_learner.linear(z[pairs[:, 0]], weight, bias)


def _joint_best(architecture: Architecture, vectors: Any, segment: Segment, pairs: Any) -> Any:
    """Return what the team's best joint choice at the true next observation is worth, ``[1, T, B]``."""
    steps, books, agents, size = segment.next_obs.shape
    rows = jnp.moveaxis(segment.next_obs, 2, 0).reshape(agents, steps * books, size)
    allowed = jnp.moveaxis(segment.next_mask, 2, 0).reshape(agents, steps * books, -1)
    z, q = features(architecture, vectors, rows)
    q = jnp.where(allowed, q, LOWEST)
    alone = jnp.ones(agents).at[pairs[:, :2].reshape(-1)].set(0.0)
    joint = q[pairs[:, 0]][..., None] + q[pairs[:, 1]][:, :, None] + dyadic_values(architecture, vectors, z, pairs)
    value = (jnp.where(alone[:, None] > 0, q.max(-1), 0.0)).sum(0) + joint.max((-1, -2)).sum(0)
    return value.reshape(1, steps, books)


def _learn(
    architecture: Architecture,
    hyper: Hyper,
    weights: tuple[Any, Any, Any, Any],
    segment: Segment,
    dyads: Dyads,
    order: Any,
    rates: Any,
    updates: Any,
) -> tuple[tuple[Any, Any, Any], dict[str, Any]]:
    online, _, first, second = weights
    pairs, actions = dyads.pairs, architecture.actions
    ends = (jnp.asarray(segment.reward), jnp.asarray(segment.terminated), jnp.asarray(segment.ended))
    goal = lambda_returns(hyper, _joint_best(architecture, online, segment, pairs), *ends).reshape(-1)
    steps, books, agents, size = segment.obs.shape
    obs = jnp.moveaxis(segment.obs, 2, 0).reshape(agents, steps * books, size)
    action = jnp.moveaxis(segment.action, 2, 0).reshape(agents, -1)
    weight = jnp.moveaxis(dyads.weight, 2, 0).reshape(pairs.shape[0], -1)

    def loss(vectors: Any, places: Any) -> tuple[Any, dict[str, Any]]:
        views = architecture.manifest.views(vectors)
        z, q = features(architecture, vectors, obs[:, places])
        picked = jax.nn.one_hot(action[:, places], actions)
        chosen = (q * picked).sum(-1)  # [N, R]
        led, answered = picked[pairs[:, 0]], picked[pairs[:, 1]]  # [D, R, U]
        row = jnp.einsum("draj,dra->drj", dyadic_values(architecture, vectors, z, pairs), led)
        error = goal[places] - chosen.sum(0) - (row * answered).sum(-1).sum(0)

        given = jax.lax.stop_gradient(z)
        shape = (*row.shape[:2], actions, actions)
        logits = _of_leaders(views, "peer_model.answer", vectors.shape[0], given, pairs).reshape(shape)
        expected = jax.nn.log_softmax(jnp.einsum("draj,dra->drj", logits, led))
        values = _of_leaders(views, "peer_model.value", vectors.shape[0], given, pairs)
        best = jax.nn.softmax(jax.lax.stop_gradient(row + values) / hyper.temperature)
        surprise = -(expected * answered).sum(-1) * weight[:, places]
        fits = jax.lax.stop_gradient((error**2).mean() < 0.5 * goal.var())
        pull = (best * (jnp.log(best + 1e-8) - expected)).sum(-1)
        published = jax.lax.stop_gradient(chosen[pairs[:, 1]])
        of_values = ((values * answered).sum(-1) - published) ** 2
        of_peers = (surprise + jnp.where(fits, 1.0, 0.1) * pull + 0.5 * of_values).sum(0).mean()
        told = {"td_error": jnp.abs(error).mean(), "surprise": surprise.mean(), "value": chosen.sum(0).mean()}
        return 0.5 * (error**2).mean() + 0.5 * of_peers, told

    fresh = loss(online, jnp.arange(steps * books))[1]["surprise"]  # nothing of this round was learnt from yet

    def one(carried: tuple[Any, ...], places: Any) -> tuple[tuple[Any, ...], Any]:
        (found, told), slope = jax.value_and_grad(loss, has_aux=True)(carried[0], places)
        moved, norm = adam(jnp, carried, slope, rates, hyper.clip, hyper.adam_epsilon)
        return moved, {**told, "loss": found, "gradient": norm.max()}

    start = (online, first, second, updates.astype(jnp.float32))
    (online, first, second, _), said = jax.lax.scan(one, start, order)
    return (online, first, second), {**{name: x.mean() for name, x in said.items()}, "surprise": fresh}
