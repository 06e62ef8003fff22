"""Meta-orders: twice a year one order of an asset is replaced by a far larger one (specification section 17).

Its size is a share of the coins outstanding, side and limit stay those of the order it replaces. Whoever sends it is
given what it takes, or nobody could: money and coins come from outside, as with an investor who arrives.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.symba.population import Purse
from mycelial.agents.symba.rules import Rules
from mycelial.domain.draws import uniform
from mycelial.domain.kernels import kernel


@kernel
def is_meta_day(rules: Rules, t: int) -> bool:
    """Return whether day t is one of the two days of a year, after the learning phase, that see a meta-order."""
    return (
        rules.meta_order > 0.0 and t > rules.learning_days and (t - rules.learning_days) % (rules.days_year // 2) == 0
    )


@kernel
def sender_of(order_lots: NDArray[np.int64], key: np.uint64, t: int) -> int:
    """Return who sends today's meta-order: from an agent drawn at random on, the first with an order; -1 if none has.

    Parameters
    ----------
    order_lots : int64[I]
        Today's orders, signed; 0 without one.
    """
    agents = len(order_lots)
    first = int(uniform(key, np.uint64(t)) * agents)
    for k in range(agents):
        i = (first + k) % agents
        if order_lots[i] != 0:
            return i
    return -1


@kernel
def swell(rules: Rules, purse: Purse, order_lots: NDArray[np.int64], key: np.uint64, j: int, t: int) -> None:
    """Replace the sender's order in asset j by one for `meta_order` of all coins, in place."""
    i = sender_of(order_lots, key, t)
    if i >= 0:
        size = int(math.floor(rules.meta_order * purse.lots[j].sum() + 0.5))  # noqa: RUF046
        order_lots[i] = size if order_lots[i] > 0 else -size


@kernel
def endow(
    rules: Rules,
    purse: Purse,
    order_lots: NDArray[np.int64],
    limit: NDArray[np.float64],
    key: np.uint64,
    j: int,
    t: int,
) -> None:
    """Give the sender what its order in asset j takes: cash at the limit with the fee, or coins."""
    i = sender_of(order_lots, key, t)
    if i < 0 or purse.bankrupt[i]:
        return
    if order_lots[i] > 0:
        purse.cash[i] += order_lots[i] * rules.lot * limit[i] * (1.0 + rules.fee)
    else:
        purse.lots[j, i] -= order_lots[i]
