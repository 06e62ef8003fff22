"""Questions about orders, trades, balances and ledgers; nothing changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from mycelial.simulation.exchange.house import House, Order
from mycelial.simulation.exchange.reports import AmendRecord, LedgerEntry, OrderState, OwnTrade

PAGE = 50
Row = TypeVar("Row")


class Balance(NamedTuple):
    """What an account has of one asset, `commands.UNITS`."""

    asset: str
    total: int
    held: int


class Page(NamedTuple):
    """Part of a history, newest first, and how many rows there are in all."""

    rows: tuple[OrderState, ...]
    whole: int


class TradePage(NamedTuple):
    """Part of the trades, newest first, and how many rows there are in all."""

    rows: tuple[OwnTrade, ...]
    whole: int


class LedgerPage(NamedTuple):
    """Part of the ledger, newest first, and how many rows there are in all."""

    rows: tuple[LedgerEntry, ...]
    whole: int


def state_of(house: House, order: Order) -> OrderState:
    """Return everything about one order as it is now."""
    return OrderState(
        order.account,
        order.id,
        order.cl_ord_id,
        order.userref,
        order.status,
        order.waits_to_start,
        order.terms,
        order.qty_filled,
        order.cum_cost,
        order.cum_fee,
        house.fee_asset(order.terms),
        order.opened_ns,
        order.closed_ns,
        order.reason,
        tuple(order.trade_ids),
        order.fired,
        order.amended,
        order.parent_id,
    )


def balances(house: House, account: int) -> tuple[Balance, ...]:
    """Return all balances that an account has or had."""
    wallet = house.wallets[account]
    return tuple(Balance(asset, total, wallet.held.get(asset, 0)) for asset, total in wallet.total.items())


def open_orders(house: House, account: int, *, userref: int | None, cl_ord_id: str) -> tuple[OrderState, ...]:
    """Return open orders, oldest first."""
    return tuple(
        state_of(house, order) for order in house.open[account].values() if _matches(order, userref, cl_ord_id)
    )


def closed_orders(
    house: House,
    account: int,
    *,
    userref: int | None,
    cl_ord_id: str,
    start_ns: int,
    end_ns: int,
    by: str,
    offset: int,
    most: int,
) -> Page:
    """Return finished orders, newest first, from `offset` on.

    Parameters
    ----------
    start_ns, end_ns : after and up to when they were opened or closed; 0 leaves an end open.
    by : ``open``, ``close`` or ``both``: which time counts.
    """
    history = house.histories[account]
    found = [
        order
        for order in reversed(history.closed)
        if _matches(order, userref, cl_ord_id) and _within(_times(order, by), start_ns, end_ns)
    ]
    whole = userref is None and not cl_ord_id and not start_ns and not end_ns
    rows = tuple(state_of(house, order) for order in found[offset : offset + most])
    return Page(rows, history.closed_count if whole else len(found))


def orders_by_id(house: House, account: int, order_ids: Sequence[str]) -> dict[str, OrderState]:
    """Return those of these orders that are the account's and still remembered."""
    found = {one: house.by_id[one] for one in order_ids if one in house.by_id}
    return {one: state_of(house, order) for one, order in found.items() if order.account == account}


def amends(house: House, account: int, order_id: str) -> tuple[AmendRecord, ...]:
    """Return the versions of an order of the account, the original first; nothing if it was never amended."""
    order = house.by_id.get(order_id)
    return tuple(order.amends) if order is not None and order.account == account else ()


def trades(
    house: House, account: int, *, start_ns: int, end_ns: int, offset: int, most: int, ids: Sequence[str] | None
) -> TradePage:
    """Return own trades, newest first; with `ids` only those with one of these trade or order ids."""
    history = house.histories[account]
    rows: Iterable[OwnTrade] = reversed(history.trades)
    if ids is not None:
        wanted = set(ids)
        rows = (trade for trade in rows if trade.trade_id in wanted or trade.order_id in wanted)
    found = [trade for trade in rows if _within((trade.time_ns,), start_ns, end_ns)]
    whole = ids is None and not start_ns and not end_ns
    return TradePage(tuple(found[offset : offset + most]), history.trade_count if whole else len(found))


def ledger(
    house: House,
    account: int,
    *,
    assets: Sequence[str] | None,
    kind: str,
    start_ns: int,
    end_ns: int,
    offset: int,
    most: int,
    ids: Sequence[str] | None,
) -> LedgerPage:
    """Return ledger entries, newest first."""
    history = house.histories[account]
    found = [
        entry
        for entry in reversed(history.ledger)
        if (assets is None or entry.asset in assets)
        and kind in ("all", entry.type)
        and (ids is None or entry.ledger_id in ids)
        and _within((entry.time_ns,), start_ns, end_ns)
    ]
    whole = assets is None and kind == "all" and ids is None and not start_ns and not end_ns
    return LedgerPage(tuple(found[offset : offset + most]), history.ledger_count if whole else len(found))


def _matches(order: Order, userref: int | None, cl_ord_id: str) -> bool:
    return (userref is None or order.userref == userref) and (not cl_ord_id or order.cl_ord_id == cl_ord_id)


def _times(order: Order, by: str) -> tuple[int, ...]:
    if by == "both":
        return order.opened_ns, order.closed_ns
    return (order.opened_ns,) if by == "open" else (order.closed_ns,)


def _within(times: tuple[int, ...], start_ns: int, end_ns: int) -> bool:
    return any(time > start_ns and (end_ns == 0 or time <= end_ns) for time in times)
