"""`MarketParallelEnv`: several learning agents in one living market, as a PettingZoo Parallel environment."""

from __future__ import annotations

from typing import Any

import numpy as np

from mycelial.domain.errors import ConfigError, MissingExtra
from mycelial.environment.spaces import action_space, form_of, give_action, observation_space

try:
    from pettingzoo import ParallelEnv
except ModuleNotFoundError as error:
    raise MissingExtra("pettingzoo", "env", "a market of several learning agents") from error
from gymnasium.spaces import Space
from gymnasium.utils.seeding import np_random

from mycelial.environment.config import EnvConfig, Form
from mycelial.environment.desk import Desk, Desks
from mycelial.environment.schema import Schema
from mycelial.environment.single import facts_of, market_seed
from mycelial.environment.state import TIME_UP
from mycelial.simulation.intraday.market import IntradayMarket


class MarketParallelEnv(ParallelEnv[str, Any, Any]):
    """A market in which several agents learn. All decide at the same moments; each order takes its owner's own way.

    Who sends first at a moment rotates with the step: agent (k + step) mod n sends k nanoseconds after it. An agent
    whose episode ends leaves, and its orders are cancelled; `infos` are as in `MarketEnv`.

    Parameters
    ----------
    config : EnvConfig
    agents : int
    observation : ``flat`` or ``dict``
    """

    metadata: dict[str, Any] = {"render_modes": [], "name": "mycelial_market_v1"}  # noqa: RUF012  the API has it so

    def __init__(self, config: EnvConfig, agents: int = 2, *, observation: Form = "flat") -> None:
        if agents < 1:
            raise ConfigError(f"environment: {agents} agents; there must be at least one")
        self.config, self.form = config, observation
        self.possible_agents = [f"agent_{n}" for n in range(agents)]
        self.agents: list[str] = []
        self._number = {name: n for n, name in enumerate(self.possible_agents)}
        self.desk = Desk(config, agents)
        self._desks = Desks([self.desk])
        self._rng: np.random.Generator | None = None
        self.observation_spaces = {name: observation_space(config, observation) for name in self.possible_agents}
        self.action_spaces = {name: action_space(config) for name in self.possible_agents}

    @property
    def schema(self) -> Schema:
        """What the figures of an observation mean."""
        return self.desk.schema

    @property
    def market(self) -> IntradayMarket:
        """The market of the present episode."""
        return self.desk.market

    def observation_space(self, agent: str) -> Space[Any]:
        """Return the space of an agent's observations, always the same object."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space[Any]:
        """Return the space of an agent's actions, always the same object."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Begin an episode in a fresh market; a seed fixes this episode and those that follow."""
        if seed is not None or self._rng is None:
            self._rng, _ = np_random(seed)
        self.desk.reset(market_seed(self._rng))
        self._desks.open()
        self.desk.forget_heard()
        self.agents = self.possible_agents[:]
        return self._seen(), self._of_agents(facts_of(self.desk))

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Send everybody's actions and live until the next decision; who gives none does nothing."""
        self.desk.seats["choice"] = self.desk.seats["records"] = 0
        for name, action in actions.items():
            give_action(self.desk, self._number[name], action)
        self._desks.step()
        rewards = self._of_agents(self.desk.seats["reward"].tolist())
        ends = self._of_agents(self.desk.seats["end"].tolist())
        seen, facts = self._seen(), self._of_agents(facts_of(self.desk))
        terminated = {name: end not in (0, TIME_UP) for name, end in ends.items()}
        truncated = {name: end == TIME_UP for name, end in ends.items()}
        self.agents = [name for name in self.agents if ends[name] == 0]
        return seen, rewards, terminated, truncated, facts

    def _of_agents(self, rows: list[Any]) -> dict[str, Any]:
        return {name: rows[self._number[name]] for name in self.agents}

    def _seen(self) -> dict[str, Any]:
        return {name: form_of(self.desk, self.desk.seen[self._number[name]], self.form) for name in self.agents}
