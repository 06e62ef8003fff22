"""Who is there: API keys, their signatures and nonces, lockouts, and the tokens of the private WebSocket."""

from __future__ import annotations

import base64
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mycelial.kraken import errors
from mycelial.kraken.errors import Refused
from mycelial.kraken.limits import Attempts
from mycelial.kraken.nonces import NonceGuard, read_nonce
from mycelial.kraken.signing import Secret
from mycelial.simulation.exchange.accounts import ApiKey

BAD_KEYS = 10  # wrong keys or signatures of one key from one address ...
BAD_KEYS_WITHIN_NS = 60 * 10**9  # ... within this ...
LOCKOUT_NS = 15 * 60 * 10**9  # ... lock it out for so long; each further try begins that anew
_MOST_REMEMBERED = 10_000  # (address, key) pairs and tokens


@dataclass(slots=True)
class _Known:
    key: ApiKey
    secret: Secret
    nonces: NonceGuard


class Keyring:
    """The keys of the exchange.

    Parameters
    ----------
    nonce_window : how far a late nonce may lie below the highest one of its key.
    """

    def __init__(self, keys: Sequence[ApiKey], *, nonce_window: int = 0) -> None:
        self._keys = {one.key: _Known(one, Secret(one.secret), NonceGuard(nonce_window)) for one in keys}
        self._failures: OrderedDict[tuple[str, str], Attempts] = OrderedDict()

    def admit(
        self, api_key: str, signature: str, path: str, nonce: str | int | None, body: bytes, address: str, now_ns: int
    ) -> ApiKey:
        """Return the key that signed a request: known, rightly signed, fresh, in this order.

        Raises
        ------
        Refused
            ``EAPI:Invalid key``, ``EAPI:Invalid signature``, ``EAPI:Invalid nonce`` or
            ``EGeneral:Temporary lockout``.
        """
        failures = self._failures.get((address, api_key))
        if failures is not None and failures.banned(now_ns):
            failures.attempt(now_ns)
            raise Refused(errors.TEMPORARY_LOCKOUT)
        known = self._keys.get(api_key)
        if known is None:
            raise self._failed(address, api_key, now_ns, errors.INVALID_KEY)
        if nonce is None or isinstance(nonce, bool) or not isinstance(nonce, str | int):
            raise Refused(errors.INVALID_NONCE)
        if not known.secret.verifies(signature, path, str(nonce), body):
            raise self._failed(address, api_key, now_ns, errors.INVALID_SIGNATURE)
        known.nonces.accept(read_nonce(nonce))
        return known.key

    def _failed(self, address: str, api_key: str, now_ns: int, error: str) -> Refused:
        who = address, api_key[:200]
        attempts = self._failures.setdefault(who, Attempts(BAD_KEYS, BAD_KEYS_WITHIN_NS, LOCKOUT_NS, extends=True))
        self._failures.move_to_end(who)
        while len(self._failures) > _MOST_REMEMBERED:
            self._failures.popitem(last=False)
        return Refused(error if attempts.attempt(now_ns) else errors.TEMPORARY_LOCKOUT)


@dataclass(frozen=True, slots=True)
class _Token:
    key: ApiKey
    issued_ns: int


class Tokens:
    """WebSocket tokens: each opens the door for `valid_ns`; what it opened stays open while the connection lives."""

    def __init__(self, valid_ns: int, wall_ns: Callable[[], int]) -> None:
        self.valid_ns, self._wall_ns = valid_ns, wall_ns
        self._issued: OrderedDict[str, _Token] = OrderedDict()

    def issue(self, key: ApiKey) -> str:
        """Return a fresh token."""
        token = base64.b64encode(secrets.token_bytes(32), altchars=b"-_").decode().rstrip("=")
        self._issued[token] = _Token(key, self._wall_ns())
        while len(self._issued) > _MOST_REMEMBERED:
            self._issued.popitem(last=False)
        return token

    def key_of(self, token: str | None, held: dict[str, ApiKey]) -> ApiKey:
        """Return the key behind a token.

        Parameters
        ----------
        held : tokens that already opened a subscription on this connection; they do not expire.

        Raises
        ------
        Refused
            ``ESession:Invalid session`` without a token, ``EAPI:Invalid token`` for one that is unknown or stale.
        """
        if not token:
            raise Refused(errors.INVALID_SESSION)
        if (key := held.get(token)) is not None:
            return key
        issued = self._issued.get(token)
        if issued is None or self._wall_ns() > issued.issued_ns + self.valid_ns:
            raise Refused(errors.INVALID_TOKEN)
        return issued.key

    def expire_all(self) -> None:
        """Let every token that opened nothing yet go stale."""
        self._issued.clear()
