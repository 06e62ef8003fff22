"""The original packages as `TeamTask`: slow, and the judges of what was learnt on their compiled twins.

Needs the extra ``ladder`` (lbforaging, mpe2). One Python world for each book.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import MissingExtra
from mycelial.domain.seeds import stream_key
from mycelial.environment.tasks import foraging, spread
from mycelial.learning.task import Actions, Observation, TeamStep


class PackagedForaging:
    """B worlds of lbforaging.

    Parameters
    ----------
    field : Field
    books : int
    encoded : bool
        Tell members `foraging.encode` of what the package shows.
    """

    actions = foraging.ACTIONS

    def __init__(self, field: foraging.Field, books: int, *, encoded: bool = True) -> None:
        try:
            from lbforaging.foraging.environment import ForagingEnv
        except ModuleNotFoundError as error:
            raise MissingExtra("lbforaging", "ladder", "judging on the package's own environment") from error
        self.field, self.books, self.agents, self.encoded = field, books, field.players, encoded
        self.observation_size = field.encoded_size if encoded else field.raw_size
        self.worlds = [
            ForagingEnv(
                players=field.players,
                min_player_level=1,
                max_player_level=foraging.MOST_LEVEL,
                min_food_level=1,
                max_food_level=None,
                field_size=(field.size, field.size),
                max_num_food=field.foods,
                sight=field.seen,
                max_episode_steps=foraging.STEPS,
                force_coop=field.coop,
            )
            for _ in range(books)
        ]
        self._mask = np.ones((books, self.agents, self.actions), np.bool_)

    def reset(self, seed: int) -> Observation:
        """Begin an episode in every book."""
        seen = [world.reset(seed=_seed(seed, b))[0] for b, world in enumerate(self.worlds)]
        return Observation(self._told(seen), self._mask)

    def step(self, actions: Actions) -> TeamStep:
        """Let every player of every book act."""
        seen, final = [], []
        reward, ends = np.zeros(self.books, np.float32), np.zeros((self.books, 2), np.bool_)
        for b, (world, chosen) in enumerate(zip(self.worlds, actions.tolist(), strict=True)):
            shown, paid, over, _, _ = world.step(chosen)
            reward[b] = sum(paid)
            final.append(shown)
            ends[b, 0] = world.field.sum() == 0
            ends[b, 1] = over and not ends[b, 0]
            seen.append(world.reset()[0] if over else shown)
        cost = np.zeros((self.books, self.agents), np.float32)
        return TeamStep(self._told(seen), self._mask, reward, ends[:, 0], ends[:, 1], self._told(final), cost)

    def _told(self, seen: list[Any]) -> NDArray[np.float32]:
        raw = np.array(seen, np.float32)
        return foraging.encode(self.field, raw) if self.encoded else raw


class PackagedSpread:
    """B worlds of mpe2 `simple_spread`; ``encoded`` tells members `spread.encode` of what the package shows."""

    actions = spread.ACTIONS

    def __init__(self, team: int, books: int, *, encoded: bool = True) -> None:
        try:
            from mpe2 import simple_spread_v3
        except ModuleNotFoundError as error:
            raise MissingExtra("mpe2", "ladder", "judging on the package's own environment") from error
        self.agents, self.books, self.encoded = team, books, encoded
        self.observation_size = spread.encoded_size(team) if encoded else spread.raw_size(team)
        self.worlds = [simple_spread_v3.parallel_env(N=team) for _ in range(books)]
        self._mask = np.ones((books, team, self.actions), np.bool_)

    def reset(self, seed: int) -> Observation:
        """Begin an episode in every book."""
        seen = [_rows(world.reset(seed=_seed(seed, b))[0]) for b, world in enumerate(self.worlds)]
        return Observation(self._told(seen), self._mask)

    def step(self, actions: Actions) -> TeamStep:
        """Let every member of every book act."""
        seen, final = [], []
        reward, cut = np.zeros(self.books, np.float32), np.zeros(self.books, np.bool_)
        for b, (world, chosen) in enumerate(zip(self.worlds, actions.tolist(), strict=True)):
            shown, paid, _, truncated, _ = world.step(dict(zip(world.possible_agents, chosen, strict=True)))
            reward[b], cut[b] = sum(paid.values()), all(truncated.values())
            final.append(_rows(shown))
            seen.append(_rows(world.reset()[0]) if cut[b] else final[-1])
        return TeamStep(
            self._told(seen),
            self._mask,
            reward,
            np.zeros(self.books, np.bool_),
            cut,
            self._told(final),
            np.zeros((self.books, self.agents), np.float32),
        )

    def _told(self, seen: list[Any]) -> NDArray[np.float32]:
        raw = np.array(seen, np.float32)
        return spread.encode(self.agents, raw) if self.encoded else raw


def _seed(seed: int, book: int) -> int:
    return int(stream_key(seed, "packaged", book) >> np.uint64(33))


def _rows(shown: dict[str, Any]) -> list[Any]:
    return list(shown.values())
