"""What every decision uses: draws, the view of the market as it reaches an agent, sizes, and sending a record."""

from __future__ import annotations

import math

import numpy as np

from mycelial.agents.intraday.state import QUOTE_TAG, Crowd, Seen, agent_of, outbox_of, quote_of, seen_of
from mycelial.domain.draws import normal, uniform
from mycelial.domain.kernels import helper
from mycelial.market.book.ladder import exists, worse
from mycelial.market.book.pool import slot_of
from mycelial.market.book.records import Kind, Tif
from mycelial.market.book.state import Book, account_of, level_of

_NEW, _CANCEL, _AMEND = int(Kind.NEW), int(Kind.CANCEL), int(Kind.AMEND)
_GTC, _IOC = int(Tif.GTC), int(Tif.IOC)
BID_SLOT, ASK_SLOT = 1, 2  # tags of the two orders most agents may have resting
_OWNER_BITS = np.uint64(32)


@helper
def counter(crowd: Crowd, i: int) -> np.uint64:
    """Use up one random number of an agent."""
    agent = agent_of(crowd, i)
    agent.draws += 1
    return (np.uint64(i) << _OWNER_BITS) | np.uint64(agent.draws)


@helper
def chance(crowd: Crowd, i: int) -> float:
    """Return a uniform draw of agent `i`."""
    return uniform(crowd.key, counter(crowd, i))


@helper
def bell(crowd: Crowd, i: int) -> float:
    """Return a standard normal draw of agent `i`."""
    return normal(crowd.key, counter(crowd, i))


@helper
def sight(crowd: Crowd, now: int) -> Seen:
    """Return the newest view that was public at `now`; the oldest one kept if all are newer."""
    now = min(now, crowd.frozen_at)
    at = crowd.seen_count - 1
    oldest = max(0, crowd.seen_count - 1 - crowd.seen_mask)
    back = 1
    while at > oldest and seen_of(crowd, at & crowd.seen_mask).time > now:  # gallop, then bisect
        at = max(oldest, at - back)
        back *= 2
    high = min(at + back // 2, crowd.seen_count - 1)
    while at < high:
        middle = (at + high + 1) // 2
        if seen_of(crowd, middle & crowd.seen_mask).time <= now:
            at = middle
        else:
            high = middle - 1
    return seen_of(crowd, at & crowd.seen_mask)


@helper
def leaning(view: Seen) -> float:
    """Return the imbalance of the best levels: 1 when only bids are there, -1 when only asks."""
    whole = view.near_bid + view.near_ask
    return (view.near_bid - view.near_ask) / whole if whole > 0 else 0.0


@helper
def middle_of(crowd: Crowd, view: Seen) -> float:
    """Return the mid of a view in ticks; with an empty side the last mid known."""
    return 0.5 * (view.bid + view.ask) if view.bid > 0 and view.ask > 0 else crowd.mid


@helper
def look(crowd: Crowd, book: Book, done: int, signed_lots: int, price: int) -> None:
    """Write what has become public at `done`, after trades of `signed_lots` in all, the last at `price` (0: none)."""
    bid, ask = book.best_bid, book.best_ask
    there_bid, there_ask = exists(book, 0, bid), exists(book, 1, ask)
    near_bid, near_ask, tick = 0, 0, bid
    for _ in range(int(crowd.near_levels)):
        if not exists(book, 0, tick):
            break
        near_bid += level_of(book, 2 * tick).shown
        tick = worse(book, 0, tick)
    tick = ask
    for _ in range(int(crowd.near_levels)):
        if not exists(book, 1, tick):
            break
        near_ask += level_of(book, 2 * tick + 1).shown
        tick = worse(book, 1, tick)
    former = seen_of(crowd, (crowd.seen_count - 1) & crowd.seen_mask)
    bid, ask = bid if there_bid else 0, ask if there_ask else 0
    if (
        price == 0
        and former.bid == bid
        and former.ask == ask
        and former.near_bid == near_bid
        and former.near_ask == near_ask
    ):
        return
    elapsed = (done - crowd.changed_at) * 1e-9
    crowd.changed_at = done
    # implicit Euler: no exponentials on the hot path; the mid that stood until now is what the averages have seen
    crowd.fast_mid += (crowd.mid - crowd.fast_mid) * (elapsed / (crowd.fast_s + elapsed))
    crowd.slow_mid += (crowd.mid - crowd.slow_mid) * (elapsed / (crowd.slow_s + elapsed))
    crowd.flow *= crowd.flow_s / (crowd.flow_s + elapsed)
    if price != 0:
        crowd.flow += signed_lots / (6.0 * crowd.typical_lots)
        crowd.last = price
    if there_bid and there_ask:
        crowd.mid = 0.5 * (bid + ask)
    view = seen_of(crowd, crowd.seen_count & crowd.seen_mask)
    crowd.seen_count += 1
    view.time, view.bid, view.ask = done, bid, ask
    view.bid_lots = level_of(book, 2 * bid).shown if there_bid else 0
    view.ask_lots = level_of(book, 2 * ask + 1).shown if there_ask else 0
    view.near_bid, view.near_ask = near_bid, near_ask
    view.last = crowd.last
    view.flow = crowd.flow / (1.0 + abs(crowd.flow))
    view.fast = crowd.mid / crowd.fast_mid - 1.0
    view.slow = crowd.mid / crowd.slow_mid - 1.0


@helper
def order_lots(crowd: Crowd, i: int) -> int:
    """Draw an order size: log-normal, some of them rounded to one leading digit."""
    lots = crowd.typical_lots * math.exp(crowd.size_sigma * bell(crowd, i))
    if chance(crowd, i) < crowd.round_share:
        unit = 10.0 ** math.floor(math.log10(max(lots, 1.0)))
        lots = unit * max(1.0, math.floor(lots / unit + 0.5))
    return max(1, int(lots))


@helper
def affordable(book: Book, i: int, side: int, tick: int, lots: int) -> int:
    """Cut an order to what the agent's free funds can hold, fees included; 0 below the smallest order."""
    account = account_of(book, i)
    if side == 0:
        worst = max(account.taker_ppm, account.maker_ppm, 0)
        one = tick * book.cash_per_tick_lot * (1.0 + worst * 1e-6) + 1.0
        lots = min(lots, int(account.cash_free / one))
    else:
        lots = min(lots, account.asset_free)
    lots = min(lots, book.max_lots)
    return lots if lots >= book.min_lots and tick * lots * book.cash_per_tick_lot >= book.min_notional else 0


@helper
def inventory(crowd: Crowd, book: Book, i: int) -> int:
    """Return the lots an agent owns beyond those it was born with."""
    account = account_of(book, i)
    return account.asset_free + account.asset_held - agent_of(crowd, i).start_lots


@helper
def _send(crowd: Crowd, i: int, kind: int, side: int, price: int, lots: int) -> None:
    wish = outbox_of(crowd, crowd.sent)
    crowd.sent += 1
    wish.kind, wish.side, wish.tif, wish.flags, wish.stp = kind, side, _GTC, 0, 0
    wish.owner, wish.group = i, -1
    wish.handle, wish.client_id = -1, 0
    wish.price, wish.lots = price, lots
    wish.display, wish.expire, wish.aux = 0, 0, 0


@helper
def place(crowd: Crowd, i: int, side: int, price: int, lots: int, flags: int, tag: int) -> None:
    """Send a limit order that rests; its handle will be kept where `tag` says (see `keep_handle`)."""
    _send(crowd, i, _NEW, side, price, lots)
    wish = outbox_of(crowd, crowd.sent - 1)
    wish.flags, wish.aux = flags, tag


@helper
def set_slot(crowd: Crowd, i: int, side: int, handle: int) -> None:
    """Note the handle of the agent's own order on a side: 0 none, -1 on its way."""
    if side == 0:
        agent_of(crowd, i).bid = handle
    else:
        agent_of(crowd, i).ask = handle


@helper
def standing(crowd: Crowd, book: Book, i: int, side: int) -> int:
    """Return the handle of the agent's resting order on a side, -1 while it is on its way, 0 if there is none."""
    agent = agent_of(crowd, i)
    handle = agent.bid if side == 0 else agent.ask
    if handle > 0 and slot_of(book, handle) == 0:
        handle = 0
        set_slot(crowd, i, side, 0)
    return handle


@helper
def quote(crowd: Crowd, i: int, side: int, price: int, lots: int, flags: int) -> None:
    """Send the one order the agent may have resting on a side."""
    set_slot(crowd, i, side, -1)
    place(crowd, i, side, price, lots, flags, BID_SLOT + side)


@helper
def take(crowd: Crowd, i: int, side: int, price: int, lots: int) -> None:
    """Send an order that trades at once, up to `price`, and never rests."""
    _send(crowd, i, _NEW, side, price, lots)
    outbox_of(crowd, crowd.sent - 1).tif = _IOC


@helper
def revoke(crowd: Crowd, i: int, handle: int, tag: int) -> None:
    """Send a cancel of the order kept where `tag` says; should it get lost, it is kept there again."""
    _send(crowd, i, _CANCEL, 0, 0, 0)
    wish = outbox_of(crowd, crowd.sent - 1)
    wish.handle, wish.aux = handle, tag


@helper
def move(crowd: Crowd, i: int, handle: int, price: int, total_lots: int) -> None:
    """Send an amend to a new price and, unless -1, a new total size."""
    _send(crowd, i, _AMEND, 0, price, total_lots)
    wish = outbox_of(crowd, crowd.sent - 1)
    wish.handle, wish.display = handle, -1


@helper
def resting_lots(crowd: Crowd, lots: int) -> int:
    """Return with how many lots an order rests that should have `lots`: fewer while liquidity is withdrawn."""
    return lots if crowd.depth >= 1.0 else math.ceil(lots * crowd.depth)


@helper
def shy_price(crowd: Crowd, side: int, price: float, middle: float) -> float:
    """Return a price at which an order rests that should rest at `price`: farther from the mid while spreads are."""
    if crowd.shy_ticks <= 0.0:
        return price
    return min(price, middle - crowd.shy_ticks) if side == 0 else max(price, middle + crowd.shy_ticks)


@helper
def reachable(book: Book, tick: float) -> int:
    """Return a price within the ladder."""
    return int(min(max(tick, 1.0), book.ladder - 1.0))


@helper
def keep_handle(crowd: Crowd, i: int, tag: int, handle: int) -> None:
    """Note what became of an order sent with `tag`: the handle under which it rests, or 0."""
    if tag == BID_SLOT:
        agent_of(crowd, i).bid = handle
    elif tag == ASK_SLOT:
        agent_of(crowd, i).ask = handle
    elif tag >= QUOTE_TAG:
        quote_of(crowd, tag - QUOTE_TAG).handle = handle
