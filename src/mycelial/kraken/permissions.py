"""What an API key may do, and what each request needs."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """One right of a key, in the words of Kraken's key management."""

    QUERY_FUNDS = "query-funds"
    WITHDRAW_FUNDS = "withdraw-funds"
    QUERY_OPEN_ORDERS = "query-open-orders-trades"
    QUERY_CLOSED_ORDERS = "query-closed-orders-trades"
    MODIFY_ORDERS = "modify-orders"
    CANCEL_ORDERS = "cancel-close-orders"
    QUERY_LEDGER = "query-ledger-entries"
    ACCESS_WEBSOCKETS = "access-websockets-api"
