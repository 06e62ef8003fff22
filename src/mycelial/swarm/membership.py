"""Who belongs to a deployment, who is in reach now, and who is in quarantine.

Identity is a public key on an admission list; inventing many identities gains nothing, because none of them is on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mycelial.domain.errors import ConfigError
from mycelial.swarm.identity import KEY_BYTES


class Membership:
    """The peers one peer knows of.

    Parameters
    ----------
    admitted : iterable of bytes
        Public keys of the deployment, own key included or not.
    """

    def __init__(self, admitted: Iterable[bytes]) -> None:
        self.admitted = frozenset(admitted)
        for key in self.admitted:
            if len(key) != KEY_BYTES:
                raise ConfigError(f"a public key has {KEY_BYTES} bytes, the admission list holds one of {len(key)}")
        self.neighbours: dict[bytes, int] = {}
        self.quarantined: dict[bytes, str] = {}
        self.heard_ns: dict[bytes, int] = {}

    def meet(self, neighbours: Mapping[bytes, int]) -> None:
        """Take the neighbours of this epoch: public key to that peer's own number of neighbours.

        Raises
        ------
        ConfigError
            If one of them is not admitted.
        """
        for key, degree in neighbours.items():
            if key not in self.admitted:
                raise ConfigError(f"neighbour {key.hex()[:12]} is not on the admission list")
            if degree < 1:
                raise ConfigError(f"neighbour {key.hex()[:12]} has degree {degree}, it has us at least")
        self.neighbours = dict(neighbours)

    def weight(self, peer: bytes) -> float:
        """Return the Metropolis-Hastings weight W_ij of a neighbour; 0 for anybody else and in quarantine."""
        degree = self.neighbours.get(peer)
        if degree is None or peer in self.quarantined:
            return 0.0
        return 1.0 / (1.0 + max(len(self.neighbours), degree))

    def hear(self, peer: bytes, now_ns: int) -> None:
        """Note a sign of life."""
        self.heard_ns[peer] = now_ns

    def silent(self, now_ns: int, patience_ns: int) -> list[bytes]:
        """Return the neighbours not heard of for longer than `patience_ns`, so that others can be sampled."""
        return [key for key in self.neighbours if now_ns - self.heard_ns.get(key, -patience_ns) > patience_ns]

    def quarantine(self, peer: bytes, why: str) -> None:
        """Listen to a peer no more; the first reason is kept."""
        self.quarantined.setdefault(peer, why)

    def release(self, peer: bytes) -> None:
        """Listen again; somebody has looked into it."""
        self.quarantined.pop(peer, None)
