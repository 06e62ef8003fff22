"""Rate counters of many accounts at once, for kernels: the same rules and the same units as `rate_counters`.

Compiled with the NumPy error model: what cannot raise need not keep every array alive for an exception. Nothing is
divided by zero, as `Limits` sees to it that every decay is above zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.kernels import allocating_entry
from mycelial.market.rate_counters import CEILING, MICRO, Charge, Limits, Tariff, Transaction

ACCEPTED = 0  # as in `rate_counters.Verdict`; a kernel wants plain constants
RATE_LIMIT = 1
ORDERS_LIMIT = 2
BAD_CLOCK = 3
NO_ORDER_LIMIT = 2**62


class TariffTable(NamedTuple):
    """A `Tariff` as arrays. K = age brackets; rows by `Transaction`."""

    age_edges_ns: NDArray[np.int64]  # [K], rising
    fixed: NDArray[np.int64]  # [7] micro-points per message
    fixed_each: NDArray[np.int64]  # [7] micro-points per order in it
    aged_each: NDArray[np.int64]  # [7, K] micro-points per order


class Counters(NamedTuple):
    """Counters of A accounts on one pair."""

    level: NDArray[np.int64]  # [A] 10^-15 points
    at_ns: NDArray[np.int64]  # [A] when that was
    threshold: NDArray[np.int64]  # [A] micro-points
    decay: NDArray[np.int64]  # [A] micro-points per second
    open_orders: NDArray[np.int64]  # [A] most open at once


def tariff_table(tariff: Tariff) -> TariffTable:
    """Return the price list as arrays."""
    brackets = len(tariff.age_edges_ns)
    rows = [tariff.charges.get(transaction, Charge()) for transaction in Transaction]
    return TariffTable(
        np.array(tariff.age_edges_ns, np.int64),
        np.array([row.fixed for row in rows], np.int64),
        np.array([row.fixed_each for row in rows], np.int64),
        np.array([row.aged_each or (0,) * brackets for row in rows], np.int64).reshape(len(rows), brackets),
    )


def counters(limits: Sequence[Limits]) -> Counters:
    """Return fresh counters, one account for each element of `limits`."""
    return Counters(
        np.zeros(len(limits), np.int64),
        np.zeros(len(limits), np.int64),
        np.array([one.threshold for one in limits], np.int64),
        np.array([one.decay for one in limits], np.int64),
        np.array([NO_ORDER_LIMIT if one.open_orders is None else one.open_orders for one in limits], np.int64),
    )


@allocating_entry
def level_at(counters: Any, account: int, now_ns: int) -> int:
    """Return an account's level at a time not before the latest."""
    level = counters.level[account]
    decay = counters.decay[account]
    elapsed = now_ns - counters.at_ns[account]
    if elapsed > level // decay:  # also keeps the product within 63 bits
        return 0
    return level - elapsed * decay


@allocating_entry
def aged_points(table: Any, transaction: int, age_ns: int) -> int:
    """Return the micro-points one order of this age adds to a transaction."""
    for bracket in range(table.age_edges_ns.size):
        if age_ns < table.age_edges_ns[bracket]:
            return table.aged_each[transaction, bracket]
    return 0


@allocating_entry
def charge_points(counters: Any, account: int, now_ns: int, fixed: int, aged: int, opens: int, open_orders: int) -> int:
    """Charge micro-points to an account (`counters` mutated) and return the verdict; see `rate_counters.charge`."""
    if now_ns < counters.at_ns[account]:
        return BAD_CLOCK
    level = level_at(counters, account, now_ns)
    threshold = counters.threshold[account]
    points = fixed
    if level + (fixed + aged) * MICRO > threshold * MICRO:
        verdict = RATE_LIMIT
    elif opens > 0 and open_orders + opens > counters.open_orders[account]:
        verdict = ORDERS_LIMIT
    else:
        verdict = ACCEPTED
        points = fixed + aged
    counters.level[account] = min(level + points * MICRO, CEILING * threshold * MICRO)
    counters.at_ns[account] = now_ns
    return verdict


@allocating_entry
def charge(
    counters: Any,
    table: Any,
    account: int,
    now_ns: int,
    transaction: int,
    orders: int,
    age_ns: int,
    opens: int,
    open_orders: int,
) -> int:
    """Charge a message about `orders` orders of one age (`counters` mutated) and return the verdict.

    For a batch of orders of different ages add up `aged_points` and call `charge_points`.
    """
    fixed = table.fixed[transaction] + orders * table.fixed_each[transaction]
    aged = orders * aged_points(table, transaction, age_ns)
    return charge_points(counters, account, now_ns, fixed, aged, opens, open_orders)
