"""Rooms of the swarm: how its agents learn, how they share, what they may risk."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mycelial.config.rooms import AmountText, DurationText, Room, ShareText


class BestResponse(Room):
    """Learned Stackelberg best responses of peers."""

    depth: int = Field(default=1, ge=0, le=3, description="recursion depth k; 0 switches best responses off")
    announced: bool = Field(default=True, description="leaders tell followers what they will do; false: silent")


class Coordination(Room):
    """The light upper level that sets risk and capital."""

    kind: Literal["none", "haven"] = Field(default="none", description="coordination layer; none switches it off")
    horizon: int = Field(default=8, ge=1, le=1_000, description="low-level steps that one macro-action lasts")


class Learning(Room):
    """How an agent of the swarm learns."""

    credit: Literal["none", "vdn"] = Field(default="vdn", description="how team reward is split; none: each for itself")
    sharing: Literal["none", "group"] = Field(default="none", description="whose parameters are one and the same")
    memory: Literal["none", "gru"] = Field(default="none", description="recurrent memory of the network")
    best_response: BestResponse = Field(default_factory=BestResponse)
    coordination: Coordination = Field(default_factory=Coordination)


class Topology(Room):
    """Who is a neighbour of whom."""

    kind: Literal["random-regular", "ring", "small-world", "complete"] = Field(
        default="random-regular", description="family of gossip graphs"
    )
    degree: int = Field(default=4, ge=1, le=64, description="neighbours of a peer")


class Gossip(Room):
    """How peers share what they learnt."""

    topology: Topology = Field(default_factory=Topology)
    every: int = Field(default=32, ge=1, le=100_000, description="local optimiser steps between two rounds")
    aggregate: Literal["mean", "trimmed-mean", "median", "krum", "clipped", "balance"] = Field(
        default="clipped", description="how neighbours' updates become one"
    )
    gate: Literal["none", "sandbox"] = Field(
        default="sandbox", description="receiver-side test before an update is adopted"
    )
    compression: Literal["none", "int8", "top-k"] = Field(default="none", description="how updates are made smaller")


class Swarm(Room):
    """A swarm of learning agents without an orchestrator."""

    agents: int = Field(default=12, ge=1, le=10_000, description="learning agents")
    group_size: int = Field(default=4, ge=1, le=64, description="agents of a cooperating group")
    capital: AmountText = Field(default="10000 USD", description="what a group begins with")
    learning: Learning = Field(default_factory=Learning)
    gossip: Gossip = Field(default_factory=Gossip)


class Risk(Room):
    """Hard limits; what learns can only be stricter."""

    max_position: AmountText = Field(default="0.5 BTC", description="largest position of a node")
    max_daily_loss: ShareText = Field(default="2 %", description="loss of a day that stops trading, of capital")
    max_drawdown: ShareText = Field(default="5 %", description="fall from the highest equity that stops trading")
    cancel_on_disconnect: DurationText = Field(
        default="60 s", description="dead man's switch: orders are cancelled after so long without a sign of life"
    )
