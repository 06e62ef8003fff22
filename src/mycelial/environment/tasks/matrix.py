"""Cooperative games in one or two moves, on which value decomposition is known to fail.

Climbing and penalty: Claus and Boutilier 1998 (AAAI). Two-step: Rashid et al. 2018 (arXiv:1803.11485): agent 0 chooses
which of two matrices both play next; the safe one pays 7, the other 8 at best.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import NotFound
from mycelial.learning.task import Actions, Arrays, Observation, TeamStep


@dataclass(frozen=True)
class MatrixGame:
    """Two agents, a state per matrix.

    Parameters
    ----------
    name : str
    payoffs : float64[S, U, U]
        Of the joint action (agent 0, agent 1) in each state.
    following : int64[S, U, U]
        State that follows; -1 ends the episode.
    best : float
        Highest joint return.
    """

    name: str
    payoffs: NDArray[np.float64]
    following: NDArray[np.int64]
    best: float

    @property
    def states(self) -> int:
        """S."""
        return len(self.payoffs)

    @property
    def actions(self) -> int:
        """U."""
        return int(self.payoffs.shape[1])

    @cached_property
    def random_value(self) -> float:
        """Expected return of two agents that choose at random."""
        value = np.zeros(self.states + 1)  # the last one is the end
        for state in reversed(range(self.states)):
            value[state] = (self.payoffs[state] + value[self.following[state]]).mean()
        return float(value[0])


def _one_shot(name: str, payoffs: list[list[float]]) -> MatrixGame:
    table = np.array([payoffs], np.float64)
    return MatrixGame(name, table, np.full(table.shape, -1, np.int64), float(table.max()))


def _penalty(k: float) -> MatrixGame:
    return _one_shot(f"penalty-{abs(k):.0f}", [[10.0, 0.0, k], [0.0, 2.0, 0.0], [k, 0.0, 10.0]])


def _two_step() -> MatrixGame:
    payoffs = np.array([[[0.0, 0.0], [0.0, 0.0]], [[7.0, 7.0], [7.0, 7.0]], [[0.0, 1.0], [1.0, 8.0]]])
    following = np.full(payoffs.shape, -1, np.int64)
    following[0, 0], following[0, 1] = 1, 2
    return MatrixGame("two-step", payoffs, following, 8.0)


GAMES = {
    game.name: game
    for game in (
        _one_shot("climbing", [[11.0, -30.0, 0.0], [-30.0, 7.0, 6.0], [0.0, 0.0, 5.0]]),
        *(_penalty(k) for k in (0.0, -25.0, -50.0, -100.0)),
        _two_step(),
    )
}


def game_named(name: str) -> MatrixGame:
    """Return the game called `name`."""
    try:
        return GAMES[name]
    except KeyError:
        raise NotFound(f"there is no game {name!r}; there are {', '.join(GAMES)}") from None


class MatrixTask:
    """A matrix game as a `TeamTask`: both see the state one-hot."""

    agents = 2

    def __init__(self, game: MatrixGame, books: int) -> None:
        self.game, self.books = game, books
        self.observation_size, self.actions = game.states, game.actions
        self._state: NDArray[np.int64] = np.zeros(books, np.int64)
        self._mask = np.ones((books, 2, game.actions), np.bool_)

    def reset(self, seed: int) -> Observation:
        """Begin an episode in every book; there is nothing random about it."""
        self._state[:] = 0
        return Observation(self._seen(self._state), self._mask)

    def step(self, actions: Actions) -> TeamStep:
        """Let both act in every book."""
        joint = (self._state, actions[:, 0], actions[:, 1])
        reward, after = self.game.payoffs[joint], self.game.following[joint]
        over = after < 0
        final = self._seen(np.maximum(after, 0))
        self._state = np.where(over, 0, after)
        return TeamStep(
            self._seen(self._state),
            self._mask,
            reward.astype(np.float32),
            over,
            np.zeros(self.books, np.bool_),
            final,
            np.zeros((self.books, 2), np.float32),
        )

    def snapshot(self) -> Arrays:
        """Return copies of everything the future depends on."""
        return {"state": self._state.copy()}

    def restore(self, state: Arrays) -> Observation:
        """Take up a snapshot."""
        self._state = state["state"].copy()
        return Observation(self._seen(self._state), self._mask)

    def _seen(self, state: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.repeat(np.eye(self.game.states, dtype=np.float32)[state][:, None], 2, 1)
