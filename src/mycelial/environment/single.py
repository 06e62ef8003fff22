"""`MarketEnv`: one learning agent in a living market, as a Gymnasium environment."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.environment.spaces import action_space, form_of, give_action, observation_space  # first: names the extra

import gymnasium  # isort: skip

from mycelial.environment.config import EnvConfig, Form, Templates
from mycelial.environment.desk import ENDS, Desk, Desks
from mycelial.environment.schema import Schema
from mycelial.environment.state import SEAT, TIME_UP
from mycelial.simulation.intraday.market import IntradayMarket


class MarketEnv(gymnasium.Env[Any, Any]):
    """A market in which one agent learns and the others live.

    `info` holds exact integers: ``time_ns``, ``value``, ``start_value``, ``profit`` (of the step; profits add up to
    the change of value), ``shortfall``, ``cash``, ``lots``; ``events``, what the agent has been told of its own orders
    since the last step (the fields of EVENT, each ``[n]``), and ``events_lost``, how many were too many; ``end``, why
    the episode is over; and the ``action_mask`` of templates.

    Parameters
    ----------
    config : EnvConfig
    observation : ``flat`` or ``dict``
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  the API has it so

    def __init__(self, config: EnvConfig, *, observation: Form = "flat") -> None:
        self.config, self.form = config, observation
        self.desk = Desk(config)
        self._desks = Desks([self.desk])
        self.observation_space = observation_space(config, observation)
        self.action_space = action_space(config)

    @property
    def schema(self) -> Schema:
        """What the figures of an observation mean."""
        return self.desk.schema

    @property
    def market(self) -> IntradayMarket:
        """The market of the present episode."""
        return self.desk.market

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode in a fresh market; a seed fixes this episode and those that follow."""
        super().reset(seed=seed)
        self.desk.reset(market_seed(self.np_random))
        self._desks.open()
        self.desk.forget_heard()
        return form_of(self.desk, self.desk.seen[0], self.form), facts_of(self.desk)[0]

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Send an action and live until the next decision.

        Nothing raises for what an action asks of the exchange: it answers with REJECTED, told in ``info["events"]``.
        """
        give_action(self.desk, 0, action)
        self._desks.step()
        seat, info = self.desk.seats[0], facts_of(self.desk)[0]
        end = int(seat["end"])
        observation = form_of(self.desk, self.desk.seen[0], self.form)
        return observation, float(seat["reward"]), end not in (0, TIME_UP), end == TIME_UP, info

    def action_masks(self) -> NDArray[np.int8]:
        """Return which templates the exchange would accept now, 1 where it would, as far as the agent can know."""
        masks: NDArray[np.int8] = self.desk.masks()[0].copy()
        return masks


def market_seed(rng: np.random.Generator) -> int:
    """Draw the seed of an episode's market."""
    return int(rng.integers(2**63 - 1))


def facts_of(desk: Desk) -> list[dict[str, Any]]:
    """Return the `info` of every agent, and count what they heard as told."""
    heard, lost = desk.heard()
    masks = desk.masks().copy() if isinstance(desk.config.acting, Templates) else None
    now, infos = desk.market.now, []
    for agent, row in enumerate(desk.seats.tolist()):
        facts: dict[str, Any] = {name: row[column] for name, column in _COLUMNS}
        facts["time_ns"] = now
        facts["events"], facts["events_lost"] = heard[agent], lost
        if masks is not None:
            facts["action_mask"] = masks[agent]
        if row[_END]:
            facts["end"] = ENDS[row[_END]]
        infos.append(facts)
    return infos


FACTS = ("value", "start_value", "profit", "shortfall", "cash", "lots")
_NAMES = SEAT.names or ()
_COLUMNS = tuple((name, _NAMES.index(name)) for name in FACTS)
_END = _NAMES.index("end")
