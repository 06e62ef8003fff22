"""Who may trade: accounts with a tier and funds, and the API keys that open them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# Kraken's key permissions, under the names of its settings page.
QUERY_FUNDS = "query-funds"
WITHDRAW = "withdraw-funds"
QUERY_OPEN = "query-open-orders-trades"
QUERY_CLOSED = "query-closed-orders-trades"
MODIFY = "modify-orders"
CANCEL = "cancel-close-orders"
QUERY_LEDGER = "query-ledger-entries"
WEBSOCKETS = "access-websockets-api"
READ_ONLY = frozenset({QUERY_FUNDS, QUERY_OPEN, QUERY_CLOSED, QUERY_LEDGER, WEBSOCKETS})
NO_WITHDRAW = READ_ONLY | {MODIFY, CANCEL}
CANCEL_ONLY = frozenset({QUERY_OPEN, CANCEL, WEBSOCKETS})
EVERYTHING = NO_WITHDRAW | {WITHDRAW}

TIERS = ("starter", "intermediate", "pro")


@dataclass(frozen=True, slots=True)
class Account:
    """One customer.

    Parameters
    ----------
    name : a word for people.
    tier : starter, intermediate or pro.
    balances : opening funds, whole units of each asset by its modern name; assets of no listed pair are left out.
    limited : whether the exchange counts its messages and orders; Kraken knows no account without, load tests do.
    """

    name: str
    tier: str = "pro"
    balances: Mapping[str, int] = field(default_factory=dict)
    limited: bool = True


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key and what it may do; `account` is the number of the account it opens."""

    name: str
    key: str
    secret: str
    account: int
    permissions: frozenset[str]


FUNDS = {"USD": 1_000_000, "BTC": 10, "ETH": 200, "SOL": 4_000, "USDT": 500_000, "EUR": 500_000}
POOR_FUNDS = {"USD": 20_000, "BTC": 1, "ETH": 10, "SOL": 100}
STANDARD_ACCOUNTS = (
    Account("pro-1", "pro", FUNDS),
    Account("pro-2", "pro", FUNDS),
    Account("pro-3", "pro", FUNDS),
    Account("intermediate", "intermediate", FUNDS),
    Account("starter", "starter", POOR_FUNDS),
)
# The limited keys open the first account: what one key placed, the cancel-only key of the same account can cancel.
STANDARD_KEYS = (
    ("pro-1", 0, EVERYTHING),
    ("pro-2", 1, EVERYTHING),
    ("pro-3", 2, EVERYTHING),
    ("intermediate", 3, EVERYTHING),
    ("starter", 4, EVERYTHING),
    ("read-only", 0, READ_ONLY),
    ("no-withdraw", 0, NO_WITHDRAW),
    ("cancel-only", 0, CANCEL_ONLY),
)


def make_keys(seed: int, wanted: Sequence[tuple[str, int, frozenset[str]]] = STANDARD_KEYS) -> tuple[ApiKey, ...]:
    """Return API keys in Kraken's form: a key of 56 characters, a secret of 64 bytes in base64.

    They are a function of the seed and guard play money only.
    """
    keys = []
    for name, account, permissions in wanted:
        root = f"{seed}\x1fexchange\x1fkey\x1f{name}".encode()
        public = hashlib.blake2b(root, digest_size=42, person=b"key").digest()
        secret = hashlib.blake2b(root, digest_size=64, person=b"secret").digest()
        keys.append(
            ApiKey(name, base64.b64encode(public).decode(), base64.b64encode(secret).decode(), account, permissions)
        )
    return tuple(keys)
