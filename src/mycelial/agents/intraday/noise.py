"""Zero-intelligence flow: the crowd that nobody can name, with an eye on the book.

Their market orders lean to the heavier side of the book and to recent trades, which is what makes the imbalance of
simulated books predict the next move, as it does in recorded ones, and what a spoofer lives on.
"""

from __future__ import annotations

import math

from mycelial.agents.intraday.deciding import (
    BID_SLOT,
    affordable,
    chance,
    leaning,
    middle_of,
    order_lots,
    quote,
    reachable,
    resting_lots,
    revoke,
    set_slot,
    shy_price,
    sight,
    standing,
    take,
)
from mycelial.agents.intraday.state import Crowd, agent_of
from mycelial.domain.kernels import helper
from mycelial.market.book.state import Book


@helper
def act_noise(crowd: Crowd, book: Book, i: int, now: int) -> None:
    """Cancel, take or place, as chance has it."""
    agent = agent_of(crowd, i)
    view = sight(crowd, now - agent.down)
    what = chance(crowd, i)
    if what < crowd.noise_cancel_share:
        side = 0 if chance(crowd, i) < 0.5 else 1
        if standing(crowd, book, i, side) == 0:
            side = 1 - side
        handle = standing(crowd, book, i, side)
        if handle > 0:
            revoke(crowd, i, handle, BID_SLOT + side)
            set_slot(crowd, i, side, 0)
            return
    elif what < crowd.noise_cancel_share + crowd.noise_market_share:
        tilt = crowd.noise_lean * leaning(view) + crowd.noise_follow * view.flow
        side = 0 if chance(crowd, i) < 0.5 + 0.5 * tilt / (1.0 + abs(tilt)) else 1
        take_at_market(crowd, book, i, side, order_lots(crowd, i), now)
        return
    side = 0 if chance(crowd, i) < 0.5 else 1
    if standing(crowd, book, i, side) != 0:
        side = 1 - side
    if standing(crowd, book, i, side) == 0:
        place_behind(crowd, book, i, side, order_lots(crowd, i), now)


@helper
def act_called(crowd: Crowd, book: Book, i: int, side: int, now: int) -> None:
    """Answer a trade: take the same side, most of the time."""
    if chance(crowd, i) >= crowd.noise_herding:
        side = 1 - side
    take_at_market(crowd, book, i, side, order_lots(crowd, i), now)


@helper
def take_at_market(crowd: Crowd, book: Book, i: int, side: int, lots: int, now: int) -> None:
    """Trade at once, within the protection of the market."""
    view = sight(crowd, now - agent_of(crowd, i).down)
    touch = view.ask if side == 0 else view.bid
    if touch == 0:  # nobody seen there; perhaps somebody comes before the order does
        touch = view.last
    if touch == 0:
        return
    reach = max(touch * book.protection_ppm // 1_000_000, 1)
    limit = reachable(book, float(touch + reach if side == 0 else touch - reach))
    lots = affordable(book, i, side, limit, lots)
    if lots > 0:
        take(crowd, i, side, limit, lots)


@helper
def place_behind(crowd: Crowd, book: Book, i: int, side: int, lots: int, now: int) -> None:
    """Rest an order inside the spread, at the best price, or a power-law distance behind it."""
    agent = agent_of(crowd, i)
    view = sight(crowd, now - agent.down)
    sign = 1 if side == 0 else -1
    touch, other = (view.bid, view.ask) if side == 0 else (view.ask, view.bid)
    where = chance(crowd, i)
    if touch == 0:
        price = middle_of(crowd, view) - sign * (1.0 + crowd.noise_depth_ticks)
    elif where < crowd.noise_inside_share and other != 0 and abs(other - touch) > 1:
        price = touch + sign * (1 + int(chance(crowd, i) * (abs(other - touch) - 1)))
    elif where < crowd.noise_inside_share + crowd.noise_touch_share:
        price = float(touch)
    else:
        behind = crowd.noise_depth_ticks * ((1.0 - chance(crowd, i)) ** (-1.0 / crowd.noise_depth_tail) - 1.0)
        price = touch - sign * (1.0 + math.floor(behind))
        if price < 0.5 * touch or price > 2.0 * touch:  # nobody quotes at half or twice the price
            price = float(touch)
    limit = reachable(book, shy_price(crowd, side, price, middle_of(crowd, view)))
    lots = affordable(book, i, side, limit, resting_lots(crowd, lots))
    if lots == 0:
        return
    quote(crowd, i, side, limit, lots, 0)
