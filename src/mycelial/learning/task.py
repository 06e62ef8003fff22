"""What a team learns from: many copies of one world, stepped together. Benchmarks and the market implement `TeamTask`.

A *book* is one copy of the world; B of them live side by side so that learners see batches. A book that ends begins
anew within the same step: `TeamStep.obs` is then what the new episode shows first, and `TeamStep.final_obs` what the
old one showed last, which is what a value is bootstrapped from when time was up (`truncated`) and the world went on.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Actions = NDArray[np.int32]
Arrays = dict[str, NDArray[Any]]


class Observation(NamedTuple):
    """What everybody sees at the start. B = books, N = agents, O = observation size, U = actions."""

    obs: Floats  # [B, N, O]
    mask: Bools  # [B, N, U]  actions that may be chosen; at least one


class TeamStep(NamedTuple):
    """What one step of every book led to."""

    obs: Floats  # [B, N, O]  of the next decision; of the new episode where a book ended
    mask: Bools  # [B, N, U]  belongs to `obs`
    reward: Floats  # [B]        of the team, summed over its members
    terminated: Bools  # [B]        ended by the world: nothing more to gain
    truncated: Bools  # [B]        cut by the clock: the world would have gone on, so the value is bootstrapped
    final_obs: Floats  # [B, N, O]  the true next observation, equal to `obs` where no book ended
    own_cost: Floats  # [B, N]     what each member alone pays (fees, inventory); zero where there is no such thing


@runtime_checkable
class TeamTask(Protocol):
    """B books of one world with a team of N agents in each. Arrays handed out may be overwritten by the next step."""

    @property
    def books(self) -> int:
        """B, worlds stepped together."""
        ...

    @property
    def agents(self) -> int:
        """N, members of the team."""
        ...

    @property
    def observation_size(self) -> int:
        """O, figures each member sees."""
        ...

    @property
    def actions(self) -> int:
        """U, choices each member has."""
        ...

    def reset(self, seed: int) -> Observation:
        """Begin an episode in every book; everything that follows is a function of `seed` and of the actions."""
        ...

    def step(self, actions: Actions) -> TeamStep:
        """Let every member of every book act: int32[B, N]."""
        ...


@runtime_checkable
class Resumable(Protocol):
    """A task that can be put away and taken up again, byte for byte. Others are reset at every checkpoint."""

    def snapshot(self) -> Arrays:
        """Return copies of everything the future depends on."""
        ...

    def restore(self, state: Arrays) -> Observation:
        """Take up a snapshot; return what its books show."""
        ...
