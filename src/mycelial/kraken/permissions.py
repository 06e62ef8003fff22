"""What an API key may do, and what each request needs."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """One right of a key, in the words of Kraken's key management."""

    QUERY_FUNDS = "query-funds"
    WITHDRAW_FUNDS = "withdraw-funds"
    QUERY_OPEN_ORDERS = "query-open-orders"
    QUERY_CLOSED_ORDERS = "query-closed-orders"
    MODIFY_ORDERS = "modify-orders"
    CANCEL_ORDERS = "cancel-orders"
    QUERY_LEDGER = "query-ledger"
    ACCESS_WEBSOCKETS = "access-websockets"


EVERYTHING = frozenset(Permission)
NO_WITHDRAWAL = EVERYTHING - {Permission.WITHDRAW_FUNDS}
CANCEL_ONLY = frozenset(
    {
        Permission.QUERY_FUNDS,
        Permission.QUERY_OPEN_ORDERS,
        Permission.QUERY_CLOSED_ORDERS,
        Permission.CANCEL_ORDERS,
        Permission.ACCESS_WEBSOCKETS,
    }
)
READ_ONLY = NO_WITHDRAWAL - {Permission.MODIFY_ORDERS, Permission.CANCEL_ORDERS}
