"""Peers that lie about parameters: the attacks of the literature on averaging, behind one interface. Laboratory only.

An attacker knows as much as the literature grants it: what all honest peers send this round and sent before, the
mixing weights, its victim. `craft` returns the vector it will send to that victim, signed and well-formed like any
other. Attacks on data (a poisoned reward, a backdoor) train in a poisoned world and craft little: see
`mycelial.lab.federated`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class HonestView:
    """What an attacker knows when it lies to one victim.

    Parameters
    ----------
    vectors : float32[h, F]
        What the honest peers send this round.
    before : float32[F]
        Mean of what they sent the round before.
    victim : int
        Row of the victim in `vectors`.
    weights : float64[h]
        Mixing weight of each honest peer at the victim; 0 for those out of its reach.
    lie_weight : float
        Mixing weight of all attackers at the victim together, > 0.
    peers, liars : int
        Size of the swarm and attackers in it.
    head : int64[k]
        Positions of the last layer, which turns features into utilities.
    """

    vectors: NDArray[np.float32]
    before: Vector
    victim: int
    weights: NDArray[np.float64]
    lie_weight: float
    peers: int
    liars: int
    head: NDArray[np.int64]

    @property
    def mean(self) -> Vector:
        """Mean of the honest vectors."""
        return np.asarray(self.vectors.mean(axis=0))

    @property
    def progress(self) -> Vector:
        """Where the honest peers are going: mean now less mean before."""
        return self.mean - self.before


@dataclass
class AttackState:
    """What an attacker carries from round to round.

    Parameters
    ----------
    round : int
    draws : numpy.random.Generator
    past : list of float32[F]
        Own earlier vectors.
    """

    round: int
    draws: np.random.Generator
    past: list[Vector] = field(default_factory=list)


class Attack(Protocol):
    """A way to lie."""

    def craft(self, own: Vector, view: HonestView, state: AttackState) -> Vector:
        """Return what to send: float32[F]. `own` is what an honest peer in its place would send."""
        ...


@dataclass(frozen=True)
class Honest:
    """Sends what it has; for attacks on data, whose lie is in the training."""

    def craft(self, own: Vector, view: HonestView, state: AttackState) -> Vector:
        """Return the own vector."""
        return own


@dataclass(frozen=True)
class SignFlip:
    """Goes `scale` times the own progress backwards."""

    scale: float = 10.0

    def craft(self, own: Vector, view: HonestView, state: AttackState) -> Vector:
        """Return before - c (own - before)."""
        return _float32(view.before - self.scale * (own - view.before))


@dataclass(frozen=True)
class ModelReplacement:
    """Overshoots so that the average lands on a target (Bagdasaryan et al. 2020, section 4).

    The target takes the worst action wherever the honest policy takes the best: its last layer is negated.
    """

    def craft(self, own: Vector, view: HonestView, state: AttackState) -> Vector:
        """Return x + (target - x) / W_ib for the victim's x."""
        target = worst_policy(own, view.head)
        return _float32(view.vectors[view.victim] + (target - view.vectors[view.victim]) / view.lie_weight)


@dataclass(frozen=True)
class Noise:
    """Adds noise as large as the parameters, times `scale`."""

    scale: float = 1.0

    def craft(self, own: Vector, view: HonestView, state: AttackState) -> Vector:
        """Return x + N(0, sigma^2)."""
        return _float32(own + self.scale * np.std(own) * state.draws.normal(size=len(own)))


@dataclass(frozen=True)
class LittleIsEnough:
    """Stays z standard deviations beside the mean in every coordinate: ALIE (Baruch et al. 2019, section 3).

    In small swarms the formula gives z = 0, no attack at all; then `least` is used.
    """

    least: float = 1.5

    def craft(self, own: Vector, view: HonestView, state: AttackState) -> Vector:
        """Return mu - z sigma, away from where the honest peers are going."""
        supporters = view.peers // 2 + 1 - view.liars
        honest = view.peers - view.liars
        share = min(max((honest - supporters) / honest, 1e-3), 1 - 1e-3)
        z = max(NormalDist().inv_cdf(share), self.least)
        side = np.where(view.progress >= 0, 1.0, -1.0)
        return _float32(view.mean - z * side * view.vectors.std(axis=0))


@dataclass(frozen=True)
class InnerProduct:
    """Sends the honest mean change backwards, `strength` times (Xie et al. 2019c, section 3).

    0.1 hides; more than m / b - 1 reverses the mean, which strength 0 chooses.
    """

    strength: float = 0.1

    def craft(self, own: Vector, view: HonestView, state: AttackState) -> Vector:
        """Return before - epsilon * mean change."""
        strength = self.strength or 2.0 * view.peers / view.liars
        return _float32(view.before - strength * view.progress)


@dataclass(frozen=True)
class MinMax:
    """Goes as far as no honest peer is from another (Shejwalkar and Houmansadr 2021)."""

    def craft(self, own: Vector, view: HonestView, state: AttackState) -> Vector:
        """Return mu + gamma p, p against the honest change, gamma as large as distances allow."""
        vectors = view.vectors.astype(np.float64)
        gaps = vectors[:, None] - vectors[None]
        allowed = float(np.sqrt((gaps**2).sum(axis=2)).max())
        mean = vectors.mean(axis=0)
        direction = -view.progress.astype(np.float64)
        length = float(np.linalg.norm(direction))
        direction = direction / length if length > 0 else -np.sign(mean) / np.sqrt(len(mean))
        low, high = 0.0, 10.0 * allowed + 1e-12
        for _ in range(50):
            middle = (low + high) / 2
            fits = np.sqrt(((mean + middle * direction - vectors) ** 2).sum(axis=1)).max() <= allowed
            low, high = (middle, high) if fits else (low, middle)
        return _float32(mean + low * direction)


@dataclass(frozen=True)
class Dissensus:
    """Pushes the victim away from its honest neighbours (He, Karimireddy and Jaggi 2022, section 5)."""

    strength: float = 3.0

    def craft(self, own: Vector, view: HonestView, state: AttackState) -> Vector:
        """Return x_i - epsilon sum_j W_ij (x_j - x_i) / sum_b W_ib."""
        victim = view.vectors[view.victim]
        pull = view.weights.astype(np.float32) @ (view.vectors - victim)
        return _float32(victim - self.strength * pull / view.lie_weight)


@dataclass(frozen=True)
class Angle:
    """Turns against the honest direction at an honest length (the normalised attack; Fang, Wang and Gong 2025)."""

    def craft(self, own: Vector, view: HonestView, state: AttackState) -> Vector:
        """Return a vector as far from the former mean as the farthest honest one, in the opposite direction."""
        lengths = np.linalg.norm((view.vectors - view.before).astype(np.float64), axis=1)
        progress = view.progress.astype(np.float64)
        unit = progress / max(float(np.linalg.norm(progress)), 1e-30)
        return _float32(view.before - lengths.max() * unit)


@dataclass(frozen=True)
class FreeRider:
    """Learns nothing and sends back the average with fading noise (Fraboni et al. 2021)."""

    noise: float = 0.01
    fading: float = 0.5

    def craft(self, own: Vector, view: HonestView, state: AttackState) -> Vector:
        """Return aggregate + N(0, sigma t^-nu)."""
        spread = self.noise * max(1, state.round) ** -self.fading
        return _float32(view.before + spread * state.draws.normal(size=len(own)))


@dataclass(frozen=True)
class WorstPolicy:
    """Sends a policy that takes the worst action wherever the honest one takes the best."""

    def craft(self, own: Vector, view: HonestView, state: AttackState) -> Vector:
        """Return the own vector with its last layer negated."""
        return worst_policy(own, view.head)


@dataclass(frozen=True)
class Broadcast:
    """Sends one toxic policy for ever: the worst of the first policy it saw."""

    def craft(self, own: Vector, view: HonestView, state: AttackState) -> Vector:
        """Return the same vector every round."""
        return worst_policy(state.past[0] if state.past else own, view.head)


@dataclass(frozen=True)
class OldNews:
    """Sends what it sent `rounds` rounds ago as if it were new."""

    rounds: int = 30

    def craft(self, own: Vector, view: HonestView, state: AttackState) -> Vector:
        """Return an own former vector."""
        return state.past[max(0, len(state.past) - 1 - self.rounds)] if state.past else own


VECTOR_ATTACKS: dict[str, Attack] = {
    "sign-flip": SignFlip(),
    "model-replacement": ModelReplacement(),
    "noise": Noise(),
    "alie": LittleIsEnough(),
    "ipm": InnerProduct(),
    "ipm-reversal": InnerProduct(0.0),
    "min-max": MinMax(),
    "dissensus": Dissensus(),
    "angle": Angle(),
    "free-rider": FreeRider(),
}
"""Attacks by what is sent."""

DATA_ATTACKS: dict[str, Attack] = {
    "reward-poisoning": Honest(),
    "backdoor": Honest(),
    "toxic-success": Honest(),
}
"""Attacks by what is learnt; the poisoned worlds are in `mycelial.lab.federated`."""

PROTOCOL_ATTACKS: dict[str, Attack] = {
    "stale-replay": OldNews(),
    "equivocation": WorstPolicy(),
    "sybil": WorstPolicy(),
    "claim-inflation": WorstPolicy(),
}
"""Attacks by how it is sent, see `mycelial.agents.toxic.protocol`."""

BROADCAST = "toxic-broadcast"
"""One toxic policy with enormous claims, sent for ever; for showing contagion among trained agents."""

ATTACKS: dict[str, Attack] = {**VECTOR_ATTACKS, **DATA_ATTACKS, **PROTOCOL_ATTACKS}


def attack_called(name: str) -> Attack:
    """Return an attack by name.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if name == BROADCAST:
        return Broadcast()
    if name not in ATTACKS:
        raise ConfigError(f"no attack {name!r}; there are {', '.join(ATTACKS)}")
    return ATTACKS[name]


def worst_policy(vector: Vector, head: NDArray[np.int64]) -> Vector:
    """Return a vector whose utilities are the negative of what they were."""
    toxic = np.array(vector, np.float32)
    toxic[head] = -toxic[head]
    return toxic


def _float32(vector: NDArray[np.floating]) -> Vector:
    """Return a vector that the protocol lets through: float32 and within its range."""
    return np.clip(vector, -9e5, 9e5).astype(np.float32)
