"""Value decomposition without a trainer: members tell each other two scalars for each step and learn alone.

With the loss ``error^2 / 2`` and ``error = y - sum_j q_j``, member i's gradient is ``-error dq_i / d theta_i``. So of
the others a member needs only what they add to the sum: q_j, the utility of the action taken, and p_j, the greedy value
of what followed. No observation, action or weight leaves anybody (specification 2.2).

* ``scalar``: everybody hears everybody's scalars, which may be one round old. What is heard is winsorised, so that a
  liar cannot move the sum far.
* ``consensus``: everybody mixes running sums with its neighbours on a ring for J rounds of push-sum; the error falls
  like the second singular value of the mixing matrix to the J (after Varela, Sardinha and Melo 2025, arXiv:2501.08778).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError
from mycelial.learning.batch import Segment, Weights, adam
from mycelial.learning.hyper import Hyper
from mycelial.learning.networks import Architecture
from mycelial.learning.numpy_learner import LOWEST, backward, forward
from mycelial.learning.task import Floats

Mode = Literal["scalar", "consensus"]
WIDTHS = 5.0  # median absolute deviations that a scalar may be away from the group's median
LEAST_WIDTH = 1e-3
MOST_CLIPPED = 0.2  # share of rounds after which a member is quarantined


@dataclass
class ExchangeLearner:
    """Updates a team as its members would who only exchange scalars; see `batch.Learner`.

    Parameters
    ----------
    architecture, hyper, agents
        As for every learner; every member has weights of its own.
    mode : ``scalar`` or ``consensus``
    rounds : int
        J, of push-sum.
    stale : bool
        Whether the scalars of others are those of the previous update.
    most_reward : float
        Largest reward of a step; bounds what a member may claim. 0 leaves the bound out.
    lies : dict
        Member -> what it adds to the scalars it publishes, for experiments on liars.
    """

    architecture: Architecture
    hyper: Hyper
    agents: int
    mode: Mode = "scalar"
    rounds: int = 20
    stale: bool = False
    most_reward: float = 0.0
    lies: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.architecture.memory != "none" or self.hyper.credit != "vdn" or self.hyper.sharing != "none":
            raise ConfigError("scalar exchange needs value decomposition, own weights and networks without memory")
        self._before: Floats | None = None  # everybody's weights one update ago
        self.clipped: NDArray[np.float64] = np.zeros(self.agents)  # rounds in which a member's scalars were
        self.heard = 0  # rounds in all

    @property
    def quarantined(self) -> list[int]:
        """Members whose scalars were clipped in more than a fifth of the rounds."""
        return [] if self.heard < 10 else np.flatnonzero(self.clipped / self.heard > MOST_CLIPPED).tolist()

    def targets(self, weights: Weights, segment: Segment) -> Floats:
        """Return every member's own lambda-returns float32[N, T, B]; equal, where the sums are."""
        steps, books, agents, _ = segment.next_obs.shape
        rows = np.moveaxis(segment.next_obs, 2, 0).reshape(agents, steps * books, -1)
        allowed = np.moveaxis(segment.next_mask, 2, 0).reshape(agents, steps * books, -1)
        q = np.where(allowed, forward(self.architecture, weights.online, rows)[0], LOWEST)
        p = q.max(-1)
        if self.hyper.target_every:
            of_target = forward(self.architecture, weights.target, rows)[0]
            p = np.take_along_axis(of_target, q.argmax(-1)[..., None], -1)[..., 0]
        best = self._sums(p, p).reshape(agents, steps, books)
        found = np.empty_like(best)
        later = best[:, -1]
        for t in reversed(range(steps)):
            cut = segment.ended[t] | (t == steps - 1)
            ahead = np.where(cut, best[:, t], (1.0 - self.hyper.trace) * best[:, t] + self.hyper.trace * later)
            later = segment.reward[t] + self.hyper.gamma * np.where(segment.terminated[t], 0.0, ahead)
            found[:, t] = later
        return found.astype(np.float32)

    def learn(
        self, weights: Weights, segment: Segment, order: NDArray[np.int32], rate: float
    ) -> tuple[Weights, dict[str, Any]]:
        """Take one step of Adam for each row of `order`; rows are known to all beforehand (a shared seed)."""
        steps, books, agents, size = segment.obs.shape
        obs = np.moveaxis(segment.obs, 2, 0).reshape(agents, steps * books, size)
        action = np.moveaxis(segment.action, 2, 0).reshape(agents, -1)
        goal = self.targets(weights, segment).reshape(agents, -1)
        state: Any = (weights.online, weights.first, weights.second, float(weights.updates))
        errors = []
        for places in order:
            slope, error = self._slopes(state[0], obs[:, places], action[:, places], goal[:, places])
            self._before = state[0]
            state, _ = adam(np, state, slope, np.float32(rate), self.hyper.clip, self.hyper.adam_epsilon)
            errors.append(float(np.abs(error).mean()))
        online, first, second = (np.asarray(x, np.float32) for x in state[:3])
        updates, every = weights.updates + len(order), self.hyper.target_every
        target = online if every and updates // every > weights.updates // every else weights.target
        return Weights(online, target, first, second, updates), {"td_error": float(np.mean(errors))}

    def _slopes(self, vectors: Floats, obs: Floats, action: NDArray[np.int32], goal: Floats) -> tuple[Floats, Floats]:
        """Return the gradient each member works out from its own utilities and what it hears."""
        q, cache = forward(self.architecture, vectors, obs)
        picked = action[..., None]
        own = np.take_along_axis(q, picked, -1)[..., 0]  # [N, R]
        told = own
        if self.stale and self._before is not None:
            told = np.take_along_axis(forward(self.architecture, self._before, obs)[0], picked, -1)[..., 0]
        error = goal - self._sums(own, told)
        pull = error if not self.hyper.huber else np.clip(error, -self.hyper.huber, self.hyper.huber)
        wanted = np.zeros_like(q)
        np.put_along_axis(wanted, picked, (-pull / pull.shape[1])[..., None], -1)
        return backward(self.architecture, vectors, cache, wanted), error

    def _sums(self, own: Floats, told: Floats) -> Floats:
        """Return what each member takes the group's sum to be: float32[N, R]; its own part is what it knows it is."""
        claimed = told.copy()
        for member, lie in self.lies.items():
            claimed[member] += np.float32(lie)
        heard, clipped = winsorised(claimed, self.most_reward, self.hyper.gamma)
        self.clipped += clipped
        self.heard += 1
        if self.mode == "consensus":
            return (len(own) * push_sum(heard, self.rounds)).astype(np.float32)
        return (own + (heard.sum(0, keepdims=True) - heard)).astype(np.float32)


def winsorised(scalars: Floats, most_reward: float = 0.0, gamma: float = 0.0) -> tuple[Floats, NDArray[np.bool_]]:
    """Bound what members say: within five median absolute deviations of the group's median, and what can be earned.

    Takes float[N, R]; returns the bounded scalars and bool[N], whose were bounded in more than half of the rows. Two
    members cannot outvote each other, so with fewer than three only the second bound holds.
    """
    bounded = scalars
    if len(scalars) > 2:
        middle = np.median(scalars, axis=0)
        width = WIDTHS * np.maximum(np.median(np.abs(scalars - middle), axis=0), LEAST_WIDTH)
        bounded = np.clip(bounded, middle - width, middle + width)
    if most_reward:
        bounded = np.clip(bounded, -most_reward / (1.0 - gamma), most_reward / (1.0 - gamma))
    return bounded, np.asarray((bounded != scalars).mean(1) > 0.5)


def push_sum(values: Floats, rounds: int) -> NDArray[np.float64]:
    """Return every member's estimate of the mean after `rounds` of push-sum on a directed ring with a chord.

    Each member keeps a third, and sends a third to the next and to the one after it (Kempe et al. 2003). Takes
    float[N, R]; the mixing matrix is column-stochastic, so sums are kept exactly and weights correct the rest.
    """
    sums, weights = values.astype(np.float64), np.ones((len(values), 1))
    for _ in range(rounds):
        sums, weights = (
            (x + np.roll(x, 1, axis=0) + np.roll(x, 2 if len(values) > 2 else 0, axis=0)) / 3.0 for x in (sums, weights)
        )
    return np.asarray(sums / weights)


def contraction(members: int) -> float:
    """Return the second singular value of the ring's mixing matrix: what a round of push-sum leaves of the error."""
    matrix = sum(np.roll(np.eye(members), k, axis=0) for k in (0, 1, 2 if members > 2 else 0)) / 3.0
    return float(np.linalg.svd(matrix, compute_uv=False)[1])
