"""Those who have an opinion: value traders, chartists, arbitrageurs, holders with stops."""

from __future__ import annotations

import math

import numpy as np

from mycelial.agents.intraday.deciding import (
    affordable,
    bell,
    chance,
    inventory,
    leaning,
    middle_of,
    move,
    order_lots,
    quote,
    reachable,
    resting_lots,
    shy_price,
    sight,
    standing,
    take,
)
from mycelial.agents.intraday.fundamental import reference, worth
from mycelial.agents.intraday.noise import take_at_market
from mycelial.agents.intraday.state import Crowd, agent_of
from mycelial.agents.intraday.stops import arm
from mycelial.domain.kernels import helper
from mycelial.market.book.pool import slot_of
from mycelial.market.book.state import Book, order_of

_BPS = 1e-4


@helper
def act_value(crowd: Crowd, book: Book, i: int, now: int) -> None:
    """Take what is mispriced against the private view, else quote around it."""
    agent = agent_of(crowd, i)
    view = sight(crowd, now - agent.down)
    opinion = worth(crowd, now, agent.belief + _BPS * crowd.value_noise_sd_bps * bell(crowd, i))
    threshold = _BPS * crowd.value_threshold_bps
    high, low = opinion * (1.0 - threshold), opinion * (1.0 + threshold)
    side = 0 if chance(crowd, i) < 0.5 else 1
    if view.ask > 0 and view.ask < high:
        take_up_to(crowd, book, i, 0, min(high, view.ask * (1.0 + threshold)))
    elif view.bid > low:
        take_up_to(crowd, book, i, 1, max(low, view.bid * (1.0 - threshold)))
    else:
        margin = _BPS * crowd.value_margin_bps
        rest_at(crowd, book, i, side, opinion * (1.0 - margin if side == 0 else 1.0 + margin), now)


@helper
def take_up_to(crowd: Crowd, book: Book, i: int, side: int, price: float) -> None:
    """Trade an order of usual size at once, no worse than `price`."""
    limit = reachable(book, math.floor(price) if side == 0 else math.ceil(price))
    lots = affordable(book, i, side, limit, order_lots(crowd, i))
    if lots > 0:
        take(crowd, i, side, limit, lots)


@helper
def rest_at(crowd: Crowd, book: Book, i: int, side: int, price: float, now: int) -> None:
    """Have an order resting at `price`, but short of the other side: the one there is moves."""
    view = sight(crowd, now - agent_of(crowd, i).down)
    if side == 0 and view.ask > 0:
        price = min(price, view.ask - 1.0)
    elif side == 1:
        price = max(price, view.bid + 1.0)
    price = shy_price(crowd, side, price, middle_of(crowd, view))
    limit = reachable(book, math.floor(price) if side == 0 else math.ceil(price))
    handle = standing(crowd, book, i, side)
    if handle > 0:
        if order_of(book, slot_of(book, handle)).tick != limit:
            move(crowd, i, handle, limit, -1)
    elif handle == 0:
        lots = affordable(book, i, side, limit, resting_lots(crowd, order_lots(crowd, i)))
        if lots > 0:
            quote(crowd, i, side, limit, lots, 0)


@helper
def act_chartist(crowd: Crowd, book: Book, i: int, now: int) -> None:
    """Hold what trend, flow and book suggest; trade the difference."""
    agent = agent_of(crowd, i)
    view = sight(crowd, now - agent.down)
    trend = np.float64(view.fast + view.slow) / _BPS / crowd.chartist_threshold_bps
    signal = trend / (1.0 + abs(trend)) + crowd.chartist_heed_flow * view.flow
    signal += crowd.chartist_heed_book * leaning(view)
    if agent.mind != 0:
        signal = -signal
    if abs(signal) < 0.5:
        signal = 0.0
    wanted = 4.0 * crowd.typical_lots * max(-2.0, min(2.0, signal)) - inventory(crowd, book, i)
    if abs(wanted) < 0.5 * crowd.typical_lots:
        return
    side = 0 if wanted > 0.0 else 1
    lots = min(int(abs(wanted)), order_lots(crowd, i))
    take_at_market(crowd, book, i, side, lots, now)


@helper
def act_arbitrageur(crowd: Crowd, book: Book, i: int, now: int) -> None:
    """Take what another venue would take back at a profit; what is owned already counts against more of it."""
    agent = agent_of(crowd, i)
    view = sight(crowd, now - agent.down)
    size = crowd.arbitrageur_size * crowd.typical_lots
    cost = _BPS * crowd.arbitrageur_cost_bps
    fair = reference(crowd, now) * (
        1.0
        + _BPS * (crowd.arbitrageur_error_bps * bell(crowd, i) + crowd.arbitrageur_heed_book * leaning(view))
        - 0.5 * cost * max(-1.0, min(1.0, inventory(crowd, book, i) / (10.0 * size)))
    )
    side, limit = 0, fair * (1.0 - cost)
    if view.bid > fair * (1.0 + cost):
        side, limit = 1, fair * (1.0 + cost)
    elif view.ask == 0 or view.ask >= limit:
        return
    tick = reachable(book, math.floor(limit) if side == 0 else math.ceil(limit))
    lots = affordable(book, i, side, tick, int(size))
    if lots > 0:
        take(crowd, i, side, tick, lots)


@helper
def act_stop_holder(crowd: Crowd, book: Book, i: int, stopped: bool, now: int) -> None:
    """Set a stop; when it goes off, get out at any price; come back later."""
    agent = agent_of(crowd, i)
    if stopped:
        agent.armed = 0
        take_at_market(crowd, book, i, 0 if agent.target > 0 else 1, abs(agent.target), now)
        return
    if agent.armed != 0:
        return
    owned, size = inventory(crowd, book, i), max(1, int(crowd.stop_holder_size * crowd.typical_lots))
    view = sight(crowd, now - agent.down)
    middle = middle_of(crowd, view)
    side = 0 if owned < 0 or (owned == 0 and chance(crowd, i) < 0.5) else 1
    if owned != 0 and chance(crowd, i) < 0.5:  # undo the last stop patiently
        rest_at(crowd, book, i, side, float(view.bid if side == 0 else view.ask), now)
        return
    distance = crowd.stop_holder_nearest_bps - crowd.stop_holder_scale_bps * math.log(1.0 - chance(crowd, i))
    sign = 1.0 if side == 0 else -1.0
    agent.target = int(sign) * size
    agent.belief = middle * (1.0 + sign * _BPS * distance)
    arm(crowd, i, reachable(book, agent.belief), side)
