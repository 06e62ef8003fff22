"""How a peer gossips: the numbers in one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mycelial.domain.errors import ConfigError
from mycelial.swarm.aggregate.inputs import Settings as RuleSettings
from mycelial.swarm.aggregate.rules import RULES

DEFAULT_RULE = "default"
Compression = Literal["none", "delta", "int8", "top-k"]


@dataclass(frozen=True)
class GossipSettings:
    """Settings of one peer.

    Parameters
    ----------
    rule : str
        "default" for the whole pipeline, or the name of a rule in `mycelial.swarm.aggregate.RULES`.
    rule_settings : RuleSettings
    step : float
        eta_g, how far a round moves towards the neighbours, in (0, 1].
    compression : {"none", "delta", "int8", "top-k"}
    top_share : float
        Share of values that top-k sends.
    full_every : int
        Rounds between whole vectors.
    local_steps : int
        E, optimiser steps of a round; the unit of age.
    age_power : float
        alpha of the staleness factor (1 + age)^-alpha.
    max_age : float
        Rounds behind after which an update is dropped.
    ttl_ms : int
        Time to live of a message.
    clock_skew_ms : int
        How far a sender's clock may be ahead.
    messages_per_round : int
        More from one sender are dropped.
    momentum : float
        beta: publish a smoothed vector, so that a small lie does not add up unseen; 0 publishes the vector itself.
    use_trust, use_caps : bool
        For ablations.
    total_rounds : int
        Rounds planned, for rules that tighten over the training; 0 if unknown.
    """

    rule: str = DEFAULT_RULE
    rule_settings: RuleSettings = field(default_factory=RuleSettings)
    step: float = 0.5
    compression: Compression = "int8"
    top_share: float = 0.01
    full_every: int = 50
    local_steps: int = 32
    age_power: float = 0.5
    max_age: float = 20.0
    ttl_ms: int = 60_000
    clock_skew_ms: int = 5_000
    messages_per_round: int = 16
    momentum: float = 0.0
    use_trust: bool = True
    use_caps: bool = True
    total_rounds: int = 0

    def __post_init__(self) -> None:
        if self.rule != DEFAULT_RULE and self.rule not in RULES:
            raise ConfigError(f"no aggregation rule {self.rule!r}; there are {DEFAULT_RULE}, {', '.join(RULES)}")
        if self.compression not in ("none", "delta", "int8", "top-k"):
            raise ConfigError(f"no compression {self.compression!r}; there are none, delta, int8, top-k")
        for name, low, high in (("step", 0.0, 1.0), ("top_share", 0.0, 1.0), ("momentum", -1e-9, 0.999)):
            value = getattr(self, name)
            if not low < value <= high:
                raise ConfigError(f"gossip {name} must be in ({max(low, 0):g}, {high:g}], got {value}")
        for name in ("full_every", "local_steps", "ttl_ms", "messages_per_round"):
            if getattr(self, name) < 1:
                raise ConfigError(f"gossip {name} must be at least 1, got {getattr(self, name)}")
