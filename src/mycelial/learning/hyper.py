"""Every number a learner is tuned by, in one place; see `docs/reference/learning.md` for what they do."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from mycelial.domain.errors import ConfigError

Credit = Literal["vdn", "none"]
Sharing = Literal["none", "group"]
Backend = Literal["jax", "numpy"]
Exchange = Literal["central", "scalar", "consensus"]
Coordination = Literal["none", "haven"]


@dataclass(frozen=True)
class Hyper:
    """How a team learns.

    Parameters
    ----------
    steps : int
        Environment steps over which exploration and learning rate are scheduled; training may go on after them.
    gamma, trace : float
        Discount, and lambda of the returns (0 is one-step).
    rate, last_rate : float
        Learning rate of Adam at the start, and its share left at the end (linear).
    segment, epochs, minibatches : int
        Steps each book lives between two updates; passes over them, and updates in a pass.
    hidden, memory, normalise, frames
        The network, see `networks.Architecture`; `frames` observations are stacked.
    credit : ``vdn`` or ``none``
        Sum of utilities against one team target, or every member against its own (independent Q-learning).
    exchange : ``central``, ``scalar`` or ``consensus``
        Whether utilities are added up in one place, or members tell each other scalars (see `exchange`).
    cost_weight : float
        What an action is expected to cost its agent alone (`TeamStep.own_cost`) weighs so much in its choice; 0 does
        not learn it.
    coordination : ``none`` or ``haven``
        Whether an upper level picks one of `macros` macro-actions every `horizon` steps and adds `intrinsic` times its
        advantage to what the lower level is paid (see `haven`).
    depth, temperature : int, float
        Recursive reasoning between pairs of members (see `dyads`), 0 to 3; temperature of the answers worked out.
    sharing : ``none`` or ``group``
        Own weights for everybody, or one set for all who are told their number.
    first_epsilon, last_epsilon, explore, ladder
        Exploration falls linearly over the share `explore` of the steps; with a ladder, book b explores with
        ``epsilon ** (1 + 7 b / (B - 1))`` (Horgan et al. 2018, arXiv:1803.00933).
    target_every : int
        Updates after which the target network follows; 0 does without one.
    huber : float
        Error at which the loss becomes linear; 0 never.
    scale_rewards : bool
        Divide rewards by the running deviation of the discounted return, clipped at +-10.
    replay, replayed, lucky
        Book segments kept (0 keeps none), how many are learnt from beside the fresh ones, and which share of those is
        drawn from segments in which there was a reward.
    clip, adam_epsilon : float
        Largest norm of one agent's gradient; the constant of Adam.
    checkpoint : int
        Steps between checkpoints; a task that cannot be put away begins anew at each.
    """

    steps: int = 1_000_000
    gamma: float = 0.99
    trace: float = 0.65
    rate: float = 5e-4
    last_rate: float = 0.1
    segment: int = 32
    epochs: int = 2
    minibatches: int = 8
    hidden: int = 64
    memory: Literal["none", "gru"] = "none"
    normalise: bool = True
    frames: int = 1
    credit: Credit = "vdn"
    sharing: Sharing = "none"
    first_epsilon: float = 1.0
    last_epsilon: float = 0.05
    explore: float = 0.25
    ladder: bool = False
    target_every: int = 0
    huber: float = 0.0
    scale_rewards: bool = False
    replay: int = 0
    replayed: int = 0
    lucky: float = 0.0
    clip: float = 10.0
    adam_epsilon: float = 1e-5
    checkpoint: int = 500_000
    exchange: Exchange = "central"
    cost_weight: float = 0.0
    coordination: Coordination = "none"
    horizon: int = 4
    macros: int = 8
    intrinsic: float = 1.0
    depth: int = 0
    temperature: float = 0.5
    backend: Backend = "jax"

    def __post_init__(self) -> None:
        for name, low, high in (
            ("gamma", 0.0, 1.0),
            ("trace", 0.0, 1.0),
            ("last_rate", 0.0, 1.0),
            ("first_epsilon", 0.0, 1.0),
            ("last_epsilon", 0.0, 1.0),
            ("explore", 0.0, 1.0),
            ("lucky", 0.0, 1.0),
        ):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"learning: {name} = {getattr(self, name)} must be within {low} and {high}")
        for name in ("steps", "segment", "epochs", "minibatches", "hidden", "frames", "checkpoint"):
            if getattr(self, name) < 1:
                raise ConfigError(f"learning: {name} = {getattr(self, name)} must be at least 1")
        if self.coordination == "haven" and (self.sharing != "none" or self.replay or self.normalise or self.depth):
            raise ConfigError("learning: an upper level needs own weights, and no replay, normaliser or best responses")
        if self.cost_weight < 0.0 or (
            self.cost_weight and (self.backend != "jax" or self.memory != "none" or self.replay or self.depth)
        ):
            raise ConfigError("learning: own costs need JAX, and no GRU, replay or best responses")
        if min(self.horizon, self.macros) < 1:
            raise ConfigError("learning: horizon and macros must be at least 1")
        if not 0 <= self.depth <= 3:
            raise ConfigError(f"learning: depth = {self.depth} must be 0 to 3")
        if self.depth and (
            self.memory != "none" or self.replay or self.target_every or self.credit != "vdn"
            or self.exchange != "central" or self.backend != "jax"
        ):  # fmt: skip
            raise ConfigError(
                "learning: best responses need value decomposition in one place with JAX, without GRU, replay or target"
            )
        if self.replayed and self.replay < self.replayed:
            raise ConfigError(f"learning: {self.replayed} replayed segments need a larger replay than {self.replay}")

    def epsilon(self, steps: int) -> float:
        """Return the exploration after `steps` environment steps."""
        done = min(1.0, steps / max(1.0, self.explore * self.steps))
        return self.first_epsilon + (self.last_epsilon - self.first_epsilon) * done

    def rate_at(self, steps: int) -> float:
        """Return the learning rate after `steps` environment steps."""
        done = min(1.0, steps / self.steps)
        return self.rate * (1.0 + (self.last_rate - 1.0) * done)

    def to_dict(self) -> dict[str, Any]:
        """Return every number by name."""
        return asdict(self)

    @classmethod
    def names(cls) -> list[str]:
        """Return what can be set."""
        return [one.name for one in fields(cls)]
