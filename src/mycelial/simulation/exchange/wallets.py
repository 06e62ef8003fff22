"""Wallets: what every account owns, to the last unit, over all pairs.

The wallet alone decides what an account can pay. The ledgers of the single order books let customers borrow and merely
count what they bought and sold there (docs/decisions, "One wallet over many books"), so that

    sum over wallets + fees taken + what the residents of all markets own

is the same for ever, asset by asset.
"""

from __future__ import annotations

from collections.abc import Mapping

from mycelial.domain.errors import OrderRejected


class Wallet:
    """The balances of one account, in `commands.UNITS` of each asset.

    `total` counts everything owned; `held` of it is set aside for open orders. Neither falls below zero, nor `held`
    above `total`.
    """

    __slots__ = ("held", "total")

    def __init__(self, balances: Mapping[str, int]) -> None:
        self.total: dict[str, int] = dict(balances)
        self.held: dict[str, int] = dict.fromkeys(self.total, 0)

    def free(self, asset: str) -> int:
        """Return what may be spent."""
        return self.total.get(asset, 0) - self.held.get(asset, 0)

    def hold(self, asset: str, amount: int) -> None:
        """Set more aside, or less (a negative amount).

        Raises
        ------
        OrderRejected
            If that is more than is free, or gives back more than is held.
        """
        held = self.held.get(asset, 0) + amount
        if not 0 <= held <= self.total.get(asset, 0):
            raise OrderRejected(f"cannot hold {amount} units of {asset}: {self.free(asset)} are free, {held} would be")
        self.held[asset] = held

    def add(self, asset: str, amount: int) -> int:
        """Change a balance; return what it is then.

        Raises
        ------
        OrderRejected
            If that takes more than is free.
        """
        total = self.total.get(asset, 0) + amount
        if total < self.held.get(asset, 0):
            raise OrderRejected(f"cannot take {-amount} units of {asset}: only {self.free(asset)} are free")
        self.total[asset] = total
        return total
