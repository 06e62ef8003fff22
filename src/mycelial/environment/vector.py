"""`MarketVectorEnv`: many markets at once, as a Gymnasium vector environment on as many threads as there are cores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError, DataError
from mycelial.environment.spaces import action_space, form_of, give_action, observation_space

from gymnasium.utils.seeding import np_random  # isort: skip
from gymnasium.vector import AutoresetMode, VectorEnv  # isort: skip
from gymnasium.vector.utils import batch_space, iterate  # isort: skip

from mycelial.environment.config import EnvConfig, Form, QuotePair, RawRecords, Templates
from mycelial.environment.desk import Desks
from mycelial.environment.schema import Schema
from mycelial.environment.single import FACTS, market_seed
from mycelial.environment.state import FIRST_TEMPLATE, TIME_UP

AUTORESETS = {"next_step": AutoresetMode.NEXT_STEP, "same_step": AutoresetMode.SAME_STEP}


class MarketVectorEnv(VectorEnv[Any, Any, Any]):
    """B markets with the same rules and different luck, stepped together.

    Row ``b * agents + n`` is agent n of book b. Book b seeded with s + b lives as the single environment of seed s + b
    does. Where several agents share a book, the book ends with the first of them to end; the others are truncated.
    `infos` hold a row of exact integers for each fact of `MarketEnv`, but no events.

    Parameters
    ----------
    config : EnvConfig
    books, agents : int
        Markets, and learning agents in each.
    threads : int
        Results do not depend on it.
    autoreset : ``next_step`` or ``same_step``
        When a finished book begins anew, as `gymnasium.vector.AutoresetMode` has it.
    observation : ``flat`` or ``dict``
    """

    def __init__(
        self,
        config: EnvConfig,
        books: int,
        *,
        agents: int = 1,
        threads: int = 1,
        autoreset: str = "next_step",
        observation: Form = "flat",
    ) -> None:
        if books < 1 or agents < 1:
            raise ConfigError(f"environment: {books} books with {agents} agents; there must be at least one of each")
        if autoreset not in AUTORESETS:
            raise ConfigError(f"environment: autoreset {autoreset!r} must be one of {', '.join(AUTORESETS)}")
        self.config, self.form, self.books, self.agents_per_book = config, observation, books, agents
        self.metadata = {"render_modes": [], "autoreset_mode": AUTORESETS[autoreset]}
        self.num_envs = books * agents
        self.single_observation_space = observation_space(config, observation)
        self.single_action_space = action_space(config)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._desks, arrays = Desks.alike(config, books, agents, threads)
        self._seats = arrays["seats"]
        self._seen = arrays["seen"].view(np.float32).reshape(self.num_envs, -1)
        self._quotes = arrays["quotes"].view(np.float32).reshape(self.num_envs, 4)
        self._legal = arrays["legal"].view(np.int8).reshape(self.num_envs, -1)
        self._rngs: list[np.random.Generator] = []
        self._over: NDArray[np.bool_] = np.zeros(books, np.bool_)  # books that begin anew with the next step

    @property
    def schema(self) -> Schema:
        """What the figures of an observation mean."""
        return self._desks.desks[0].schema

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode in every book; a seed s means s + b for book b."""
        seeds = [seed + b for b in range(self.books)] if isinstance(seed, int) else seed
        if seeds is not None and len(seeds) != self.books:
            raise DataError(f"{len(seeds)} seeds are given for {self.books} books")
        for b in range(self.books):
            given = None if seeds is None else seeds[b]
            if len(self._rngs) == b:
                self._rngs.append(np_random(given)[0])
            elif given is not None:
                self._rngs[b] = np_random(given)[0]
        self._begin(np.ones(self.books, np.bool_))
        return self._observations(), self._facts()

    def step(
        self, actions: Any
    ) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Send everybody's actions and live until the next decision of each book."""
        self._give(actions)
        began = self._over
        if began.any():
            self._desks.step(~began)
            self._begin(began)
        else:
            self._desks.step()
        ends = self._seats["end"].reshape(self.books, -1)
        over: NDArray[np.bool_] = np.asarray(ends.any(axis=1))
        rewards = self._seats["reward"].copy()
        terminated = ((ends != 0) & (ends != TIME_UP)).reshape(-1)
        truncated = np.repeat(over, self.agents_per_book) & ~terminated
        if self.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP:
            self._over = over
            return self._observations(), rewards, terminated, truncated, self._facts()
        last: dict[str, Any] = {}
        if over.any():
            last = self._last_facts(np.repeat(over, self.agents_per_book))
            self._begin(over)
        return self._observations(), rewards, terminated, truncated, self._facts() | last

    def action_masks(self) -> NDArray[np.int8]:
        """Return which templates the exchanges would accept now: int8[rows, choices]."""
        return self._legal.copy()

    def close_extras(self, **kwargs: Any) -> None:
        """Let the threads go."""
        self._desks.close()

    def _begin(self, which: NDArray[np.bool_]) -> None:
        for b in np.flatnonzero(which):
            self._desks.desks[b].reset(market_seed(self._rngs[b]))
        self._desks.open(which)
        self._over = np.zeros(self.books, np.bool_)

    def _give(self, actions: Any) -> None:
        acting = self.config.acting
        if isinstance(acting, Templates):
            self._seats["choice"] = np.asarray(actions, np.int64)
        elif isinstance(acting, QuotePair):
            high = np.array([acting.most_offset] * 2 + [acting.most_size] * 2, np.float32)
            self._quotes[:] = np.clip(np.asarray(actions, np.float32), 0.0, high)
        else:
            assert isinstance(acting, RawRecords)
            for row, action in enumerate(iterate(self.action_space, actions)):
                give_action(self._desks.desks[row // self.agents_per_book], row % self.agents_per_book, action)

    def _observations(self) -> Any:
        return form_of(self._desks.desks[0], self._seen, self.form)

    def _facts(self) -> dict[str, Any]:
        every = np.ones(self.num_envs, np.bool_)
        facts: dict[str, Any] = {}
        for name in FACTS:
            facts[name], facts[f"_{name}"] = self._seats[name].copy(), every
        if self._legal.shape[1] > FIRST_TEMPLATE:
            facts["action_mask"], facts["_action_mask"] = self._legal.copy(), every
        return facts

    def _last_facts(self, which: NDArray[np.bool_]) -> dict[str, Any]:
        seen = np.empty(self.num_envs, object)
        for row in np.flatnonzero(which):
            seen[row] = form_of(self._desks.desks[0], self._seen[row], self.form)
        final = self._facts() | {"end": self._seats["end"].copy(), "_end": which}
        return {"final_obs": seen, "_final_obs": which, "final_info": final, "_final_info": which}
