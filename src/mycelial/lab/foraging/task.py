"""Level-based foraging as a `TeamTask`: B books side by side, layouts from named streams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError
from mycelial.domain.seeds import stream_key
from mycelial.lab.foraging.kernels import ACTIONS, Books, lay_out, observe, step_books
from mycelial.learning.task import Observation, TeamStep

Keys = NDArray[np.uint64]


@dataclass(frozen=True)
class World:
    """One kind of foraging world; foods always need all players (`-coop`).

    Parameters
    ----------
    size : int
        Cells of a side.
    players, foods : int
    lowest, highest : int
        Range of player levels. A food needs the levels of all (three at most) together, so this also sets the
        distribution of food levels.
    sight : int
        Cells seen to each side; 0 sees all.
    limit : int
        Steps of an episode.
    penalty : float
        Cost of loading in vain.
    """

    size: int = 8
    players: int = 2
    foods: int = 2
    lowest: int = 1
    highest: int = 2
    sight: int = 0
    limit: int = 50
    penalty: float = 0.0

    def __post_init__(self) -> None:
        if self.size < 5 or not 1 <= self.lowest <= self.highest or self.players < 1 or self.foods < 1:
            raise ConfigError(f"no foraging world has {self}; sizes from 5, levels from 1, lowest <= highest")


def layout_keys(seed: int, name: str, count: int) -> Keys:
    """Return the keys of `count` layouts of the set called `name`, uint64[count]."""
    return np.array([stream_key(seed, "foraging", name, k) for k in range(count)], np.uint64)


class ForagingTask:
    """B books of one world.

    Parameters
    ----------
    world : World
    books : int
    keys : uint64[K], optional
        The only layouts there are; book b begins with the b-th and each episode takes the next unused. By default
        every episode has a new one.
    forced : int64[K, 2], optional
        For each of `keys` the cell of the first food; -1 leaves it to chance.
    name : str
        Names the stream of layouts.
    """

    def __init__(
        self,
        world: World,
        books: int,
        *,
        keys: Keys | None = None,
        forced: NDArray[np.int64] | None = None,
        name: str = "train",
    ) -> None:
        self.world, self.books, self.agents, self.actions = world, books, world.players, ACTIONS
        self.observation_size = 3 * (world.foods + world.players)
        self._keys, self._forced, self._name = keys, forced, name
        self._sight = world.sight or world.size
        size, players = world.size, world.players
        self.state = Books(
            np.zeros((books, size, size), np.int64),
            np.zeros((books, players, 2), np.int64),
            np.zeros((books, players), np.int64),
            np.zeros(books, np.int64),
            np.zeros(books, np.int64),
        )
        self._obs = np.zeros((books, players, self.observation_size), np.float32)
        self._final = np.zeros_like(self._obs)
        self._mask = np.zeros((books, players, ACTIONS), np.bool_)
        self._reward = np.zeros((books, players))
        self._scratch = np.zeros((players, 3), np.int64)
        self._stream = np.uint64(0)
        self._begun = 0

    def reset(self, seed: int) -> Observation:
        """Begin an episode in every book."""
        self._stream, self._begun = stream_key(seed, "foraging", self._name), 0
        self._begin(np.ones(self.books, np.bool_))
        return Observation(self._obs.copy(), self._mask.copy())

    def step(self, actions: NDArray[np.int32]) -> TeamStep:
        """Let every player of every book act; a book that ends begins anew."""
        step_books(self.state, actions, self.world.penalty, self._scratch, self._reward)
        reward = self._reward.sum(axis=1).astype(np.float32)
        terminated = np.asarray(~self.state.field.any(axis=(1, 2)), np.bool_)
        truncated = (self.state.clock >= self.world.limit) & ~terminated
        self._look()
        self._final[:] = self._obs
        if (terminated | truncated).any():
            self._begin(terminated | truncated)
        cost = np.zeros((self.books, self.agents), np.float32)
        return TeamStep(self._obs.copy(), self._mask.copy(), reward, terminated, truncated, self._final.copy(), cost)

    def snapshot(self) -> dict[str, NDArray[np.generic]]:
        """Return copies of everything the future depends on."""
        state = {name: array.copy() for name, array in self.state._asdict().items()}
        return {**state, "stream": np.array(self._stream), "begun": np.array(self._begun)}

    def restore(self, state: dict[str, NDArray[np.generic]]) -> Observation:
        """Take up a snapshot."""
        for name, array in self.state._asdict().items():
            array[...] = state[name]
        self._stream, self._begun = np.uint64(state["stream"]), int(state["begun"])
        self._look()
        return Observation(self._obs.copy(), self._mask.copy())

    def _begin(self, which: NDArray[np.bool_]) -> None:
        numbers = np.zeros(self.books, np.int64)
        numbers[which] = self._begun + np.arange(which.sum())
        self._begun += int(which.sum())
        forced = np.full((self.books, 2), -1)
        if self._keys is None:
            keys = self._stream + numbers.astype(np.uint64) * _ODD
        else:
            keys = self._keys[numbers % len(self._keys)]
            if self._forced is not None:
                forced = self._forced[numbers % len(self._keys)]
        world = self.world
        lay_out(self.state, which, keys, world.foods, world.lowest, world.highest, forced)
        self._look()

    def _look(self) -> None:
        observe(self.state, self.world.foods, self._sight, self._obs, self._mask)


_ODD = np.uint64(0xD1342543DE82EF95)  # keys of successive episodes lie far apart
