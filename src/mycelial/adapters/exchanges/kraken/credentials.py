"""API keys: from the environment or the system's keyring, never from a file of ours, never shown.

Neither configuration nor command line takes a secret, so none ends up in a shell history, a run record or a log.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from mycelial.domain.errors import ConfigError
from mycelial.kraken.signing import Secret

KEY, SECRET = "MYCELIAL_EXCHANGE_KEY", "MYCELIAL_EXCHANGE_SECRET"
KEYRING_SERVICE = "mycelial-exchange"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key and its secret half; text of it shows neither."""

    key: str = field(repr=False)
    secret: Secret = field(repr=False)

    def __str__(self) -> str:
        return f"key {self.fingerprint}"

    @property
    def fingerprint(self) -> str:
        """Eight characters that name the key without giving it away."""
        return sha256(self.key.encode()).hexdigest()[:8]


def find_credentials(environment: Mapping[str, str]) -> Credentials:
    """Return the key of this process.

    Raises
    ------
    ConfigError
        If there is none, or only half of one.
    """
    key, secret = environment.get(KEY, ""), environment.get(SECRET, "")
    if key and secret:
        return Credentials(key, Secret(secret))
    if key or secret:
        raise ConfigError(f"only one of {KEY} and {SECRET} is set; set both")
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        raise ConfigError(f"no API key: set {KEY} and {SECRET} in the environment (or install keyring)") from None
    stored = [keyring.get_password(KEYRING_SERVICE, name) for name in ("key", "secret")]
    if not all(stored):
        raise ConfigError(
            f"no API key: set {KEY} and {SECRET} in the environment, or store 'key' and 'secret' of service "
            f"{KEYRING_SERVICE} in the keyring"
        )
    return Credentials(stored[0], Secret(stored[1]))
