"""The network of one agent: input normaliser, encoder, memory, utility head; its layout and its first weights.

Two families. ``memory="none"``: two linear layers, each with layer normalisation and ReLU. ``memory="gru"``: the second
layer is a gated recurrent unit (Cho et al. 2014) whose state the agent carries. Layer normalisation lets values be
learnt without target networks (Gallici et al. 2024, arXiv:2407.04811) and bounds what a bad merge can do.

What is told to an agent besides its observation (its number in a team that shares weights, a macro-action, a leader's
intention) is appended to the observation one-hot: the rows of the encoder they select are their embeddings.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError
from mycelial.domain.seeds import generator
from mycelial.learning.vectors import Manifest

Memory = Literal["none", "gru"]
CLIP = 5.0  # normalised inputs stay within this
EPSILON = 1e-5  # of layer normalisation and of the input normaliser
RANK = 4  # of a dyadic value: sum over c of f_c(own action) g_c(peer's action)


@dataclass(frozen=True)
class Architecture:
    """What makes two agents of one family.

    Parameters
    ----------
    observation_size, actions : int
        O, figures seen (with everything appended), and U, choices.
    hidden : int
        Width of both layers.
    memory : ``none`` or ``gru``
    normalise : bool
        Whether inputs are normalised by their running mean and variance.
    peers : int
        Dyadic values and peer models kept, one pair for each agent led; 0 leaves them out.
    frames : int
        Observations stacked into one, the newest first; `observation_size` counts all of them.
    cost_weight : float
        Above 0, a second head learns what an action will cost the agent alone, and actions are scored by their utility
        less this weight times that cost.
    """

    observation_size: int
    actions: int
    hidden: int = 64
    memory: Memory = "none"
    normalise: bool = True
    peers: int = 0
    frames: int = 1
    cost_weight: float = 0.0

    def __post_init__(self) -> None:
        if min(self.observation_size, self.actions, self.hidden) < 1 or self.peers < 0:
            raise ConfigError(f"network: sizes must be positive, they are {self}")
        if self.memory not in ("none", "gru"):
            raise ConfigError(f"network: memory {self.memory!r} must be none or gru")

    @property
    def memory_size(self) -> int:
        """Figures of the recurrent state an agent carries from one decision to the next."""
        return self.hidden if self.memory == "gru" else 0

    @cached_property
    def manifest(self) -> Manifest:
        """Where each tensor lies. The order of the first blocks is what the kernels of `policy` count on."""
        o, h, u = self.observation_size, self.hidden, self.actions
        layout: list[tuple[str, str, tuple[int, ...]]] = [
            ("normaliser", "mean", (o,)),
            ("normaliser", "variance", (o,)),
            ("normaliser", "count", (1,)),
            ("encoder", "weight", (o, h)),
            ("encoder", "bias", (h,)),
            ("encoder", "gain", (h,)),
            ("encoder", "shift", (h,)),
        ]
        if self.memory == "gru":  # gates in the order reset, update, new
            layout += [
                ("memory", "input", (h, 3 * h)),
                ("memory", "recurrent", (h, 3 * h)),
                ("memory", "input_bias", (3 * h,)),
                ("memory", "recurrent_bias", (3 * h,)),
            ]
        else:
            layout += [
                ("memory", "weight", (h, h)),
                ("memory", "bias", (h,)),
                ("memory", "gain", (h,)),
                ("memory", "shift", (h,)),
            ]
        layout += [("head", "weight", (h, u)), ("head", "bias", (u,))]
        if self.cost_weight:
            layout += [("cost", "weight", (h, u)), ("cost", "bias", (u,))]
        if self.peers:
            layout += [
                ("dyadic", "own", (self.peers, h, RANK * u)),
                ("dyadic", "own_bias", (self.peers, RANK * u)),
                ("dyadic", "peer", (self.peers, h, RANK * u)),
                ("dyadic", "peer_bias", (self.peers, RANK * u)),
                ("peer_model", "answer", (self.peers, h, u * u)),
                ("peer_model", "answer_bias", (self.peers, u * u)),
                ("peer_model", "value", (self.peers, h, u)),
                ("peer_model", "value_bias", (self.peers, u)),
            ]
        return Manifest.of(layout)

    def to_dict(self) -> dict[str, Any]:
        """Return the architecture as it is written to JSON."""
        return asdict(self)


def first_weights(architecture: Architecture, seed: int) -> NDArray[np.float32]:
    """Return float32[P]: orthogonal weights, zero biases, the same for every agent of a family.

    Averaging networks that started apart is harmful (McMahan et al. 2017, arXiv:1602.05629, section 3), so all agents
    of one family and root seed start here.
    """
    vector = np.zeros(architecture.manifest.size, np.float32)
    views = architecture.manifest.views(vector)
    rng = generator(seed, "learning", "weights", architecture.manifest.family.hex())
    for key, view in views.items():
        name = key.partition(".")[2]
        if name in ("gain", "variance"):
            view[...] = 1.0
        elif view.ndim >= 2 and not name.endswith("bias"):
            gain = 0.1 if key == "head.weight" else np.sqrt(2.0) if name == "weight" else 1.0
            if key.startswith(("dyadic", "peer_model")):
                gain = 0.1
            view[...] = gain * _orthogonal(rng, view.shape)
    return vector


def _orthogonal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return matrices ``[..., rows, columns]`` with orthonormal rows or columns, whichever are fewer."""
    *lead, rows, columns = shape
    found = np.empty(shape)
    for place in np.ndindex(*lead):
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        q *= np.sign(np.diagonal(r))
        found[place] = q if rows >= columns else q.T
    return found
