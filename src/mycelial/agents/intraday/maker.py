"""Market makers: a ladder of quotes around a fair price that leans with inventory and book and widens after losses."""

from __future__ import annotations

import math

from mycelial.agents.intraday.config import MOST_LEVELS
from mycelial.agents.intraday.deciding import (
    affordable,
    inventory,
    leaning,
    middle_of,
    move,
    place,
    reachable,
    resting_lots,
    revoke,
    shy_price,
    sight,
)
from mycelial.agents.intraday.fundamental import reference
from mycelial.agents.intraday.state import QUOTE_TAG, Crowd, agent_of, quote_of
from mycelial.domain.kernels import helper
from mycelial.market.book.pool import slot_of
from mycelial.market.book.records import Flag
from mycelial.market.book.state import Book, order_of, terms_of

_POST_ONLY = int(Flag.POST_ONLY)


@helper
def act_maker(crowd: Crowd, book: Book, i: int, called: bool, now: int) -> None:
    """Bring every quote to where it should be, but leave those near enough; when called, not the first."""
    agent = agent_of(crowd, i)
    view = sight(crowd, now - agent.down)
    full = inventory(crowd, book, i) / (crowd.maker_most_inventory * crowd.typical_lots)
    fair = middle_of(crowd, view)
    fair += crowd.maker_anchor * (reference(crowd, now) * (1.0 + agent.belief) - fair)
    fair += crowd.maker_lean_ticks * leaning(view)
    fair -= crowd.maker_skew_ticks * max(-1.5, min(1.5, full))
    half = (
        crowd.maker_half_spread_ticks
        + crowd.maker_fear_ticks * agent.memory
        + crowd.maker_widen * abs(view.fast) * crowd.mid
    )
    size = float(agent.target)
    for level in range(crowd.maker_levels):
        away = half + crowd.maker_spacing_ticks * level
        bid, ask = math.floor(fair - away), math.ceil(fair + away)
        if view.ask > 0:
            bid = min(bid, view.ask - 1.0)
        ask = max(ask, view.bid + 1.0)
        bid = shy_price(crowd, 0, bid, middle_of(crowd, view))
        ask = shy_price(crowd, 1, ask, middle_of(crowd, view))
        near = 0.0 if called and level == 0 else crowd.maker_patience_ticks * (1.0 + level)
        row = 2 * MOST_LEVELS * agent.seat + level
        lots = resting_lots(crowd, int(size))
        _keep(crowd, book, i, row, 0, reachable(book, bid), lots if full < 1.0 else 0, near)
        _keep(crowd, book, i, row + MOST_LEVELS, 1, reachable(book, ask), lots if full > -1.0 else 0, near)
        size *= crowd.maker_growth


@helper
def _keep(crowd: Crowd, book: Book, i: int, row: int, side: int, tick: int, lots: int, near: float) -> None:
    """Have one quote at `tick` with about `lots`: place, move, refill or withdraw it, or leave it."""
    quote = quote_of(crowd, row)
    handle = quote.handle
    if handle < 0:
        return
    slot = slot_of(book, handle) if handle > 0 else 0
    if slot == 0:
        lots = affordable(book, i, side, tick, lots)
        quote.handle = -1 if lots > 0 else 0
        if lots > 0:
            place(crowd, i, side, tick, lots, _POST_ONLY, QUOTE_TAG + row)
        return
    if lots == 0:
        revoke(crowd, i, handle, QUOTE_TAG + row)
        quote.handle = 0
        return
    order = order_of(book, slot)
    total = terms_of(book, slot).filled + lots if 2 * order.shown < lots else -1
    if total != -1 or abs(order.tick - float(tick)) > near:
        move(crowd, i, handle, tick, total)


@helper
def learn_of_fill(crowd: Crowd, i: int, signed_lots: int, now: int) -> None:
    """Remember whether a fill went against the flow that came with it."""
    agent = agent_of(crowd, i)
    wrong = 1.0 if signed_lots * sight(crowd, now - agent.down).flow < 0.0 else 0.0
    agent.memory += 0.1 * (wrong - agent.memory)
