"""Reconcile: hold our books against the exchange's own. Pure; who asks and what follows is the node's business.

An answer takes time, so a difference counts only if the next answer shows the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mycelial.domain.amounts import ONE, text_of
from mycelial.domain.orders import OrderReport, OrderStatus
from mycelial.domain.ports import AccountState

FIAT = ("USD", "EUR", "GBP", "CAD", "JPY")  # printed with four decimals in REST balances
FIAT_TOLERANCE, COIN_TOLERANCE = ONE // 10_000, ONE // 10**8


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that we and the exchange see differently."""

    what: str
    ours: str
    theirs: str

    def __str__(self) -> str:
        return f"{self.what}: ours {self.ours}, exchange {self.theirs}"


def differences(
    account: AccountState, balances: Mapping[str, int], live: Iterable[OrderReport], *, ignore_orders: bool = False
) -> frozenset[Difference]:
    """Return how books of our own differ from the exchange's.

    Parameters
    ----------
    balances : what there must be, amounts by asset.
    live : orders that we believe may still trade.
    """
    found = set()
    for asset in sorted({*balances, *account.balances}):
        ours, theirs = balances.get(asset, 0), account.balances.get(asset, 0)
        if abs(ours - theirs) > (FIAT_TOLERANCE if asset in FIAT else COIN_TOLERANCE):
            found.add(Difference(f"balance of {asset}", text_of(ours), text_of(theirs)))
    if ignore_orders:
        return frozenset(found)
    known = {order.client_id: order for order in live if order.status is not OrderStatus.REFUSED}
    listed = {order.client_id: order for order in account.open_orders}
    for client_id in sorted({*known, *listed}):
        mine, theirs_order = known.get(client_id), listed.get(client_id)
        if _shape(mine) != _shape(theirs_order):
            found.add(Difference(f"order {client_id}", _shape(mine), _shape(theirs_order)))
    return frozenset(found)


class Reconciler:
    """Remembers the last comparison, because only what stays different is."""

    def __init__(self) -> None:
        self._last: frozenset[Difference] = frozenset()
        self.standing: frozenset[Difference] = frozenset()
        self.checks = 0

    def compare(self, found: frozenset[Difference]) -> frozenset[Difference]:
        """Take a comparison; return what was different in this and the last one."""
        self.checks += 1
        self.standing, self._last = found & self._last, found
        return self.standing


def _shape(order: OrderReport | None) -> str:
    if order is None:
        return "none"
    return f"{order.side.value} {order.lots - order.filled_lots} of {order.lots} lots at {order.price_ticks} ticks"
