"""Large orders cut into children: power-law parents give the sign of trades its long memory."""

from __future__ import annotations

import math

from mycelial.agents.intraday.deciding import (
    BID_SLOT,
    affordable,
    chance,
    inventory,
    leaning,
    middle_of,
    order_lots,
    reachable,
    revoke,
    set_slot,
    sight,
    standing,
    take,
)
from mycelial.agents.intraday.fundamental import worth
from mycelial.agents.intraday.state import Crowd, agent_of
from mycelial.agents.intraday.traders import rest_at
from mycelial.domain.kernels import helper
from mycelial.market.book.state import Book, account_of


@helper
def act_executor(crowd: Crowd, book: Book, i: int, now: int) -> None:
    """Send the next child of a parent order, or look for a parent."""
    agent = agent_of(crowd, i)
    view = sight(crowd, now - agent.down)
    if agent.armed == 0:
        _find_parent(crowd, book, i, now)
        return
    left = agent.target - inventory(crowd, book, i)
    side = 0 if left > 0 else 1
    if left * agent.belief <= 0.0:  # done
        agent.armed = 0
        for mine in range(2):
            handle = standing(crowd, book, i, mine)
            if handle > 0:
                revoke(crowd, i, handle, BID_SLOT + mine)
                set_slot(crowd, i, mine, 0)
        return
    touch, queue = (view.ask, view.ask_lots) if side == 0 else (view.bid, view.bid_lots)
    mine = leaning(view) if side == 0 else -leaning(view)
    # a book that leans its way may run away, so it waits less
    if touch == 0 or chance(crowd, i) < crowd.executor_passive_share * (1.0 - mine):
        rest_at(crowd, book, i, side, float(view.bid if side == 0 else view.ask), now)
        return
    lots = min(abs(left), max(order_lots(crowd, i) // 2, int(crowd.executor_touch_share * queue)))
    lots = affordable(book, i, side, touch, lots)
    if lots > 0:
        take(crowd, i, side, reachable(book, float(touch)), lots)


@helper
def _find_parent(crowd: Crowd, book: Book, i: int, now: int) -> None:
    agent = agent_of(crowd, i)
    if chance(crowd, i) >= crowd.executor_start_share:
        return
    view = sight(crowd, now - agent.down)
    orders = min(crowd.executor_most, crowd.executor_least * (1.0 - chance(crowd, i)) ** (-1.0 / crowd.executor_tail))
    cheap = math.tanh(500.0 * math.log(worth(crowd, now, 0.0) / middle_of(crowd, view)))
    lots = int(orders * crowd.typical_lots)
    if chance(crowd, i) < 0.5 + 0.25 * cheap:
        can = int(0.8 * account_of(book, i).cash_free / (crowd.mid * book.cash_per_tick_lot))
        agent.belief = 1.0
    else:
        can = account_of(book, i).asset_free
        agent.belief = -1.0
    lots = min(lots, can)
    if lots < book.min_lots:
        return
    agent.target = inventory(crowd, book, i) + (lots if agent.belief > 0.0 else -lots)
    agent.armed = 1
