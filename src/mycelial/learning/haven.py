"""A light upper level: members pick macro-actions that hold for some steps, and tell their lower levels how it went.

After HAVEN (Xu et al., AAAI 2023, arXiv:2110.07246) without its leader: each member has an upper network of its own,
team values are sums. Over a window of K steps with reward R the upper level learns ``Q_tot`` of macro-actions and
``V_tot`` of states; the advantage of the window, ``A = R + gamma^K V' - V``, standardised, clipped at three deviations
and in the unit of window rewards, is spread over the window's steps as an intrinsic reward of the lower level. Its
weight rises from 0 over the first fifth of training, before which V says little.

Windows begin at every K-th step and where an episode does. The macro-action is told to the lower level one-hot.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError
from mycelial.domain.seeds import generator
from mycelial.learning.batch import Segment, Weights
from mycelial.learning.hyper import Hyper
from mycelial.learning.networks import Architecture, first_weights
from mycelial.learning.numpy_learner import NumpyLearner
from mycelial.learning.policy import Team
from mycelial.learning.task import Actions, Arrays, Bools, Floats

MOST_DEVIATIONS = 3.0
WARM_UP = 0.2  # share of training over which the intrinsic reward is faded in
_PASSES = 2


class Upper:
    """The upper levels of a team: choose, judge windows, learn.

    Parameters
    ----------
    seen : int
        Figures of an observation without the macro-action.
    agents : int
    hyper : Hyper
        `horizon`, `macros`, `intrinsic` and what the lower level learns with.
    seed, family_seed : int
    """

    def __init__(self, seen: int, agents: int, hyper: Hyper, seed: int, family_seed: int) -> None:
        if hyper.segment % hyper.horizon:
            raise ConfigError(f"learning: a segment of {hyper.segment} steps holds no whole windows of {hyper.horizon}")
        self.hyper, self.agents, self.seen, self.seed = hyper, agents, seen, seed
        self.choosing = Architecture(seen, hyper.macros, hyper.hidden, "none", False)
        self.judging = Architecture(seen, 1, hyper.hidden, "none", False)
        upper = Hyper(gamma=hyper.gamma**hyper.horizon, trace=0.0, clip=hyper.clip, backend="numpy")
        self._q, self._v = (NumpyLearner(one, upper, agents) for one in (self.choosing, self.judging))
        self.q, self.v = (
            Weights.start(np.repeat(first_weights(one, family_seed)[None], agents, 0))
            for one in (self.choosing, self.judging)
        )
        self.macro: NDArray[np.int32] = np.zeros((0, agents), np.int32)  # [B, N] in force

    def begin(self, obs: Floats, epsilon: float, turn: int) -> None:
        """Choose for all books; `obs` without macro-actions."""
        self.macro = np.zeros(obs.shape[:2], np.int32)
        self.choose(obs, np.ones(len(obs), np.bool_), epsilon, turn)

    def choose(self, obs: Floats, which: Bools, epsilon: float, turn: int) -> None:
        """Choose new macro-actions where a window begins; at random with probability `epsilon`."""
        if not which.any():
            return
        rng = generator(self.seed, "learning", "macro", turn)
        shape = (len(obs), self.agents)
        best = Team(self.choosing, self.q.online, self.agents).act(obs, np.ones((*shape, self.hyper.macros), np.bool_))
        drawn = rng.integers(0, self.hyper.macros, shape)
        chosen = np.where(rng.random(shape) < epsilon, drawn, best)
        self.macro[which] = chosen[which]

    def told(self, obs: Floats, macro: Actions | None = None) -> Floats:
        """Return observations with the macro-action appended one-hot."""
        hot = np.eye(self.hyper.macros, dtype=np.float32)[self.macro if macro is None else macro]
        return np.concatenate([obs, hot], axis=2)

    def learn(self, segment: Segment, share: float, rate: float) -> tuple[Segment, dict[str, float]]:
        """Judge the windows of a segment and learn from them; return the segment with intrinsic rewards added.

        Parameters
        ----------
        segment : Segment
            Observations with macro-actions appended.
        share : float
            Of training that is done.
        """
        windows, number, length = self._windows(segment)
        value, after = (self._values(x) for x in (windows.obs[0], windows.next_obs[0]))
        gamma = self._q.hyper.gamma
        bootstrap = np.where(windows.terminated[0], 0.0, gamma * after)
        advantage = windows.reward[0] + bootstrap - value
        deviation = float(advantage.std()) + 1e-8
        standard = np.clip((advantage - advantage.mean()) / deviation, -MOST_DEVIATIONS, MOST_DEVIATIONS)
        weight = self.hyper.intrinsic * min(1.0, share / WARM_UP)
        intrinsic = weight * standard * float(windows.reward.std())
        reward = segment.reward + (intrinsic / length)[number].astype(np.float32)
        order = np.tile(np.arange(len(length), dtype=np.int32), (_PASSES, 1))
        goal = windows.reward + gamma * np.where(windows.terminated, 0.0, self._best(windows.next_obs[0]))
        self.q, told = self._q.learn(self.q, windows, order, rate)
        closed = windows._replace(
            reward=goal.astype(np.float32),
            terminated=np.ones_like(windows.terminated),
            action=np.zeros_like(windows.action),
            next_mask=np.ones((*windows.action.shape, 1), np.bool_),
        )
        self.v, judged = self._v.learn(self.v, closed, order, rate)
        metrics = {
            "upper_error": told["td_error"],
            "upper_value_error": judged["td_error"],
            "intrinsic": float(np.abs(intrinsic).mean()),
        }
        return segment._replace(reward=reward), metrics

    def snapshot(self) -> Arrays:
        """Return everything the future depends on."""
        found: Arrays = {"macro": self.macro}
        for name, weights in (("q", self.q), ("v", self.v)):
            found |= {f"{name}.{part}": np.asarray(value) for part, value in weights._asdict().items()}
        return found

    def restore(self, state: Arrays) -> None:
        """Take up what `snapshot` gave."""
        self.macro = state["macro"]
        self.q, self.v = _weights(state, "q"), _weights(state, "v")

    def _windows(self, segment: Segment) -> tuple[Segment, NDArray[np.int64], NDArray[np.int64]]:
        """Return windows as one step each, [1, W]; each step's window, int64[T, B]; and lengths, int64[W]."""
        steps, books = segment.reward.shape
        begins = np.zeros((steps, books), np.bool_)
        begins[:: self.hyper.horizon] = True
        begins[1:] |= segment.ended[:-1]
        number = np.cumsum(begins.T.ravel()).reshape(books, steps).T - 1  # book by book
        length = np.bincount(number.ravel())
        start_t, start_b = (x.reshape(-1) for x in np.nonzero(begins.T)[::-1])
        last_t = start_t + length - 1
        macro = segment.obs[start_t, start_b, :, self.seen :].argmax(-1).astype(np.int32)
        total = np.bincount(number.ravel(), weights=segment.reward.ravel())
        rows = len(length)
        return (
            Segment(
                segment.obs[start_t, start_b, :, : self.seen][None],
                macro[None],
                total.astype(np.float32)[None],
                segment.next_obs[last_t, start_b, :, : self.seen][None],
                np.ones((1, rows, self.agents, self.hyper.macros), np.bool_),
                segment.terminated[last_t, start_b][None],
                np.ones((1, rows), np.bool_),
                np.zeros((rows, self.agents, 0), np.float32),
            ),
            number,
            length,
        )

    def _values(self, obs: Floats) -> Floats:
        """Return V_tot of states ``[W, N, O]``: float32[W]."""
        return Team(self.judging, self.v.online, self.agents).utilities(obs)[..., 0].sum(1)

    def _best(self, obs: Floats) -> Floats:
        """Return the team's best value over macro-actions, float32[W]."""
        return Team(self.choosing, self.q.online, self.agents).utilities(obs).max(-1).sum(1)


def _weights(state: Arrays, name: str) -> Weights:
    online, target, first, second, updates = (state[f"{name}.{part}"] for part in Weights._fields)
    return Weights(online, target, first, second, int(updates))


class HavenTeam:
    """Two levels ready to decide: the upper one picks a macro-action every `horizon` steps, the lower one acts."""

    def __init__(self, upper: Team, lower: Team, horizon: int) -> None:
        self.upper, self.lower, self.horizon = upper, lower, horizon
        self.agents, self.macros = lower.agents, upper.architecture.actions

    def memory(self, books: int) -> Floats:
        """Return what members remember at the start: the macro-action one-hot, and how long it still holds (0)."""
        return np.zeros((books, self.agents, self.macros + 1), np.float32)

    def act(self, obs: Floats, mask: Bools, memory: Floats | None = None) -> Actions:
        """Return the greedy actions int32[B, N]; `memory` is moved on in place."""
        memory = self.memory(len(obs)) if memory is None else memory
        begins = memory[:, 0, -1] <= 0.0
        if begins.any():
            every = np.ones((*obs.shape[:2], self.macros), np.bool_)
            chosen = np.eye(self.macros, dtype=np.float32)[self.upper.act(obs, every)]
            memory[begins, :, :-1] = chosen[begins]
            memory[begins, :, -1] = self.horizon
        memory[:, :, -1] -= 1.0
        return self.lower.act(np.concatenate([obs, memory[:, :, :-1]], axis=2), mask)


def team_of(upper: Upper, architecture: Architecture, vectors: Floats, provenance: dict[str, Any]) -> HavenTeam:
    """Return both levels as they are now."""
    choosing = Team(upper.choosing, upper.q.online.copy(), upper.agents, provenance)
    return HavenTeam(choosing, Team(architecture, vectors, upper.agents, provenance), upper.hyper.horizon)
