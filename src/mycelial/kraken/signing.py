"""Signatures of private REST requests: over the path and the exact bytes that travel.

``API-Sign = base64(HMAC-SHA512(base64decode(secret), path || SHA256(nonce || body)))`` (docs.kraken.com, Spot REST
authentication, read 2026-11). The body counts as sent, form or JSON: clients differ in order and escaping of fields, so
it is never parsed and written again for this.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from mycelial.domain.errors import ConfigError


class Secret:
    """The private half of an API key; never shows itself in text."""

    __slots__ = ("_key",)

    def __init__(self, text: str) -> None:
        try:
            self._key = base64.b64decode(text.strip(), validate=True)
        except (binascii.Error, ValueError):
            raise ConfigError("the API secret is not base64; copy it again from where the key was made") from None
        if not self._key:
            raise ConfigError("the API secret is empty; copy it from where the key was made")

    def __repr__(self) -> str:
        return "Secret(...)"

    def signature(self, path: str, nonce: str, body: bytes) -> str:
        """Sign a request.

        Parameters
        ----------
        path : ``/0/private/AddOrder``, without host and query.
        nonce : its decimal text, as it stands in the body.
        body : the bytes that are sent.
        """
        return base64.b64encode(self._digest(path, nonce, body)).decode()

    def verifies(self, signature: str, path: str, nonce: str, body: bytes) -> bool:
        """Whether a signature is right; takes the same time whatever is wrong with it."""
        try:
            claimed = base64.b64decode(signature, validate=True)
        except (binascii.Error, ValueError):
            claimed = b""
        return hmac.compare_digest(claimed, self._digest(path, nonce, body))

    def _digest(self, path: str, nonce: str, body: bytes) -> bytes:
        inner = hashlib.sha256(nonce.encode() + body).digest()
        return hmac.digest(self._key, path.encode() + inner, "sha512")
