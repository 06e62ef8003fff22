"""Who sent it: Ed25519 keys (RFC 8032). A peer's public key is its name."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from mycelial.domain.errors import ConfigError, MissingExtra

KEY_BYTES = 32
SIGNATURE_BYTES = 64


def _ed25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise MissingExtra("cryptography", "swarm", "signing updates") from error
    return ed25519


class Identity:
    """A private key and the name it gives its owner.

    Parameters
    ----------
    secret : bytes
        32 bytes; keep them out of logs and of the repository.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ConfigError(f"an identity needs {KEY_BYTES} secret bytes, got {len(secret)}")
        self._key = _ed25519().Ed25519PrivateKey.from_private_bytes(secret)
        self.public: bytes = self._key.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """Return the 64-byte signature of `data`."""
        return bytes(self._key.sign(data))

    def __repr__(self) -> str:
        return f"Identity({self.public.hex()[:12]})"


@lru_cache(maxsize=4096)
def _public_key(public: bytes) -> Any:
    return _ed25519().Ed25519PublicKey.from_public_bytes(public)


def is_signed_by(public: bytes, data: bytes, signature: bytes) -> bool:
    """Return whether `signature` over `data` was made with the private key of `public`."""
    from cryptography.exceptions import InvalidSignature

    try:
        _public_key(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
