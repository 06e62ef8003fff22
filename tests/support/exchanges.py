"""A small exchange for tests, and short words for orders."""

from __future__ import annotations

from typing import Any

from mycelial.simulation.exchange.commands import (
    UNITS,
    AddOrder,
    OrderType,
    Price,
    Side,
)
from mycelial.simulation.exchange.exchange import SECOND_NS, SimulatedExchange
from mycelial.simulation.exchange.reports import Event, LedgerEntry, OrderReport

ETH, CROSS = "ETH/USD", "ETH/BTC"
QTY = 10**8  # of one whole ETH


def small_exchange(seed: int = 1, **changes: Any) -> SimulatedExchange:
    """Return an exchange of two pairs that share an asset."""
    return SimulatedExchange((ETH, CROSS), seed, **{"warm_up_ns": 5 * SECOND_NS, "history": False, **changes})


def limit(side: Side, qty: int, price: int, symbol: str = ETH, **more: Any) -> AddOrder:
    """Return a limit order."""
    return AddOrder(symbol=symbol, side=side, type=OrderType.LIMIT, qty=qty, limit=Price(price), **more)


def market(side: Side, qty: int, symbol: str = ETH, **more: Any) -> AddOrder:
    """Return a market order."""
    return AddOrder(symbol=symbol, side=side, type=OrderType.MARKET, qty=qty, **more)


def reports(events: list[Event]) -> list[OrderReport]:
    """Return the order reports among events."""
    return [event for event in events if isinstance(event, OrderReport)]


def kinds(events: list[Event], order_id: str = "") -> list[str]:
    """Return what happened, to one order if it is named."""
    return [one.kind.value for one in reports(events) if order_id in ("", one.order_id)]


def entries(events: list[Event]) -> list[LedgerEntry]:
    """Return the ledger entries among events."""
    return [event for event in events if isinstance(event, LedgerEntry)]


def owned(exchange: SimulatedExchange, account: int, asset: str) -> int:
    """Return what an account has of an asset, in whole units if it divides."""
    return next(one.total for one in exchange.balances(account) if one.asset == asset)


def held(exchange: SimulatedExchange, account: int, asset: str) -> int:
    """Return what an account has set aside."""
    return next(one.held for one in exchange.balances(account) if one.asset == asset)


__all__ = ["CROSS", "ETH", "QTY", "SECOND_NS", "UNITS"]
