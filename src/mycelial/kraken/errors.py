"""What Kraken's error strings mean and what a client should do on each; the errors of this codec itself.

A string is severity letter (``E``, rarely ``W``), category, colon, text and sometimes a colon and a detail. New details
appear without notice, so a string is looked up by its longest known beginning, and an unknown one by its category.

Source: docs.kraken.com (general error messages, read 2026-11), Kraken's own clients and recordings.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mycelial.domain.errors import DataError, ExchangeError


class ProtocolError(DataError):
    """A body or frame is not what Kraken's protocol allows; the message says what and where."""


class Refused(ExchangeError):
    """A request that is well understood and must be answered with an error string.

    Parameters
    ----------
    text : the complete error string, ``EOrder:Insufficient funds``.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Reaction(Enum):
    """What a client does next."""

    CORRECT = "the request is wrong: correct it, never repeat it as it is"
    STOP = "fatal for this key or account: stop and tell a person"
    FRESH_NONCE = "repeat once with a fresh nonce"
    WAIT_DECAY = "wait until the counter has decayed"
    BACK_OFF = "wait, longer each time"
    RECONCILE = "the fate of the request is unknown: look it up before anything else, then back off"
    WAIT_STATUS = "wait until the market's status allows it"
    RESEND = "the request was not carried out: it may be sent again"
    NOT_AFFORDABLE = "free some funds first; do not repeat"
    REFRESH_RULES = "read the pair's rules again, then correct the order"
    REQUOTE = "the price would have traded: quote again"
    TREAT_AS_GONE = "the order is not open any more: treat it as gone, then query it"
    CANCEL_SOME = "cancel some open orders first"
    NEW_TOKEN = "fetch a fresh WebSocket token"


@dataclass(frozen=True, slots=True)
class Meaning:
    """One error string taken apart.

    Attributes
    ----------
    severity : ``E`` or ``W``.
    category : ``Order``, ``API``, ``Service``, ...
    text : what stands between the first colon and the detail.
    detail : what follows; empty if nothing does.
    known : whether the string is in the table.
    """

    severity: str
    category: str
    text: str
    detail: str
    reaction: Reaction
    known: bool

    @property
    def fate_unknown(self) -> bool:
        """Whether an order sent with this request may or may not exist."""
        return self.reaction is Reaction.RECONCILE


INVALID_ARGUMENTS = "EGeneral:Invalid arguments"
PERMISSION_DENIED = "EGeneral:Permission denied"
UNKNOWN_METHOD = "EGeneral:Unknown method"
INTERNAL_ERROR = "EGeneral:Internal error"
TEMPORARY_LOCKOUT = "EGeneral:Temporary lockout"
TOO_MANY_REQUESTS = "EGeneral:Too many requests"
INVALID_KEY = "EAPI:Invalid key"
INVALID_SIGNATURE = "EAPI:Invalid signature"
INVALID_NONCE = "EAPI:Invalid nonce"
INVALID_TOKEN = "EAPI:Invalid token"
CALL_RATE_LIMIT = "EAPI:Rate limit exceeded"
FEATURE_DISABLED = "EAPI:Feature disabled"
BAD_REQUEST = "EAPI:Bad request"
UNAVAILABLE = "EService:Unavailable"
BUSY = "EService:Busy"
THROTTLED = "EService:Throttled"
CANCEL_ONLY = "EService:Market in cancel_only mode"
POST_ONLY_MODE = "EService:Market in post_only mode"
LIMIT_ONLY = "EService:Market in limit_only mode"
REDUCE_ONLY = "EService:Market in reduce_only mode"
DEADLINE_ELAPSED = "EService:Deadline elapsed"
DATABASE_ERROR = "EDatabase:Internal error"
UNKNOWN_PAIR = "EQuery:Unknown asset pair"
UNKNOWN_ASSET = "EQuery:Unknown asset"
INVALID_PAIR = "EQuery:Invalid asset pair"
INSUFFICIENT_FUNDS = "EOrder:Insufficient funds"
INSUFFICIENT_MARGIN = "EOrder:Insufficient margin"
ORDER_MINIMUM = "EOrder:Order minimum not met"
COST_MINIMUM = "EOrder:Cost minimum not met"
TICK_SIZE = "EOrder:Tick size check failed"
INVALID_PRICE = "EOrder:Invalid price"
VOLUME_MINIMUM = "EGeneral:Invalid arguments:volume minimum not met"
POST_ONLY = "EOrder:Post only order"
MARGIN_ALLOWANCE = "EOrder:Margin allowance exceeded"
NO_POSITION = "EOrder:Reduce only:No position exists"
DUPLICATE_CLIENT_ID = "EGeneral:Invalid arguments:cl_ord_id already in use"
NO_CHANGE = "EGeneral:Invalid arguments:no changes requested"
UNKNOWN_ORDER = "EOrder:Unknown order"
INVALID_ORDER = "EOrder:Invalid order"
ORDER_RATE_LIMIT = "EOrder:Rate limit exceeded"
DOMAIN_RATE_LIMIT = "EOrder:Domain rate limit exceeded"
ORDERS_LIMIT = "EOrder:Orders limit exceeded"
SCHEDULED_LIMIT = "EOrder:Scheduled orders limit exceeded"
INVALID_SESSION = "ESession:Invalid session"

_R = Reaction
_KNOWN: dict[str, Reaction] = {
    INVALID_ARGUMENTS: _R.CORRECT,
    VOLUME_MINIMUM: _R.REFRESH_RULES,
    PERMISSION_DENIED: _R.STOP,
    UNKNOWN_METHOD: _R.STOP,
    INTERNAL_ERROR: _R.RECONCILE,
    TEMPORARY_LOCKOUT: _R.STOP,
    TOO_MANY_REQUESTS: _R.BACK_OFF,
    INVALID_KEY: _R.STOP,
    INVALID_SIGNATURE: _R.STOP,
    INVALID_NONCE: _R.FRESH_NONCE,
    INVALID_TOKEN: _R.NEW_TOKEN,
    CALL_RATE_LIMIT: _R.WAIT_DECAY,
    FEATURE_DISABLED: _R.STOP,
    BAD_REQUEST: _R.STOP,
    UNAVAILABLE: _R.RECONCILE,
    BUSY: _R.RECONCILE,
    DATABASE_ERROR: _R.RECONCILE,
    THROTTLED: _R.BACK_OFF,
    CANCEL_ONLY: _R.WAIT_STATUS,
    POST_ONLY_MODE: _R.WAIT_STATUS,
    LIMIT_ONLY: _R.WAIT_STATUS,
    REDUCE_ONLY: _R.WAIT_STATUS,
    DEADLINE_ELAPSED: _R.RESEND,
    UNKNOWN_PAIR: _R.STOP,
    UNKNOWN_ASSET: _R.STOP,
    INVALID_PAIR: _R.STOP,
    INSUFFICIENT_FUNDS: _R.NOT_AFFORDABLE,
    INSUFFICIENT_MARGIN: _R.NOT_AFFORDABLE,
    MARGIN_ALLOWANCE: _R.NOT_AFFORDABLE,
    NO_POSITION: _R.CORRECT,
    DUPLICATE_CLIENT_ID: _R.CORRECT,
    NO_CHANGE: _R.CORRECT,
    "EOrder:Margin level too low": _R.NOT_AFFORDABLE,
    "EOrder:Margin position size exceeded": _R.NOT_AFFORDABLE,
    "EOrder:Cannot open position": _R.NOT_AFFORDABLE,
    "EOrder:Cannot open opposing position": _R.NOT_AFFORDABLE,
    "EOrder:Positions limit exceeded": _R.NOT_AFFORDABLE,
    ORDER_MINIMUM: _R.REFRESH_RULES,
    COST_MINIMUM: _R.REFRESH_RULES,
    TICK_SIZE: _R.REFRESH_RULES,
    INVALID_PRICE: _R.REFRESH_RULES,
    POST_ONLY: _R.REQUOTE,
    UNKNOWN_ORDER: _R.TREAT_AS_GONE,
    INVALID_ORDER: _R.TREAT_AS_GONE,
    ORDER_RATE_LIMIT: _R.WAIT_DECAY,
    DOMAIN_RATE_LIMIT: _R.WAIT_DECAY,
    ORDERS_LIMIT: _R.CANCEL_SOME,
    SCHEDULED_LIMIT: _R.CANCEL_SOME,
    "EOrder:Trading agreement required": _R.STOP,
    "EAuth:Failed": _R.NEW_TOKEN,
    "EAuth:Account temporary disabled": _R.STOP,
    "EAuth:Rate limit exceeded": _R.BACK_OFF,
    "EAuth:Too many requests": _R.BACK_OFF,
    INVALID_SESSION: _R.NEW_TOKEN,
    "ETrade:User Locked": _R.STOP,
    "EAccount:Invalid permissions": _R.STOP,
}
KNOWN_ERRORS = tuple(_KNOWN)

# What a string of a known category but unknown text calls for.
_BY_CATEGORY: dict[str, Reaction] = {
    "General": _R.CORRECT,
    "API": _R.STOP,
    "Service": _R.RECONCILE,
    "Database": _R.RECONCILE,
    "Query": _R.CORRECT,
    "Order": _R.CORRECT,
    "Auth": _R.NEW_TOKEN,
    "Session": _R.NEW_TOKEN,
    "Trade": _R.STOP,
    "Account": _R.STOP,
    "Funding": _R.STOP,
}


def meaning(error: str) -> Meaning:
    """Take an error string apart and say what it calls for.

    A string of an unknown category leaves the fate of a request unknown, which is the safe reading.
    """
    head, _, rest = error.partition(":")
    severity, category = (head[:1], head[1:]) if head[:1] in ("E", "W") and rest else ("E", "")
    for known in sorted(_KNOWN, key=len, reverse=True):
        if error == known or error.startswith((known + ":", known + " (")):
            text = known.partition(":")[2]
            detail = error[len(known) :].lstrip(": ")
            return Meaning(severity, category, text, detail, _KNOWN[known], True)
    text, _, detail = rest.partition(":")
    reaction = _BY_CATEGORY.get(category, Reaction.RECONCILE)
    return Meaning(severity, category, text.strip() or error, detail.strip(), reaction, False)


def invalid_argument(field: str) -> Refused:
    """Return the refusal of one field of a request."""
    return Refused(f"{INVALID_ARGUMENTS}:{field}")


def price_too_fine(altname: str, decimals: int) -> Refused:
    """Return the refusal of a price with more decimals than the pair has."""
    return Refused(f"{INVALID_PRICE}:{altname} price can only be specified up to {decimals} decimals.")


def throttled_until(unix_s: int) -> Refused:
    """Return the refusal of too many requests at once; `unix_s` is when to come back."""
    return Refused(f"{THROTTLED}: {unix_s}")
