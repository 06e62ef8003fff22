"""The daily book: one order per agent, sorted, matched pair by pair, one closing price (specification section 9).

State in, state out: the caller owns cash and coins, this module moves them. Coins are whole lots and conserved exactly;
cash leaves only as fees. Ties in price are broken by a fresh random order every day.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.draws import bits
from mycelial.domain.kernels import kernel, shared_kernel

LAST, AVERAGE, AUCTION = 0, 1, 2  # closing price: last match, volume-weighted mean, uniform price
_INDEX_BITS = np.uint64((1 << 20) - 1)
_TIE_BITS = np.uint64(((1 << 12) - 1) << 20)
_S32 = np.uint64(32)
_ALL_32 = np.uint64(0xFFFFFFFF)


class Fills(NamedTuple):
    """What each agent traded today in one asset; cleared and rewritten by `clear`. I agents."""

    lots: NDArray[np.int64]  # [I] signed sum of fills
    value: NDArray[np.float64]  # [I] sum of |lots| x price, in price-lots
    last_lots: NDArray[np.int64]  # [I] signed, last piece
    last_price: NDArray[np.float64]  # [I] its price
    touched: NDArray[np.int64]  # [I] agents with a fill, in order of their first one
    touched_count: NDArray[np.int64]  # [1] how many of them
    bids: NDArray[np.uint64]  # [I] scratch: sort keys
    asks: NDArray[np.uint64]  # [I] scratch
    left: NDArray[np.int64]  # [I] scratch: unfilled lots
    spare: NDArray[np.uint64]  # [I] scratch: keys on their way


def empty_fills(assets: int, agents: int) -> Fills:
    """Allocate for several assets: every array gains a leading axis J; `fills_of` takes one asset's."""
    shape = (assets, agents)
    return Fills(
        lots=np.zeros(shape, np.int64),
        value=np.zeros(shape),
        last_lots=np.zeros(shape, np.int64),
        last_price=np.zeros(shape),
        touched=np.zeros(shape, np.int64),
        touched_count=np.zeros((assets, 1), np.int64),
        bids=np.zeros(shape, np.uint64),
        asks=np.zeros(shape, np.uint64),
        left=np.zeros(shape, np.int64),
        spare=np.zeros(shape, np.uint64),
    )


@kernel
def fills_of(every: Fills, j: int) -> Fills:
    """Return asset j's view of the fills of all assets."""
    return Fills(
        every.lots[j],
        every.value[j],
        every.last_lots[j],
        every.last_price[j],
        every.touched[j],
        every.touched_count[j],
        every.bids[j],
        every.asks[j],
        every.left[j],
        every.spare[j],
    )


@shared_kernel
def sort_book(
    order_lots: NDArray[np.int64], order_price: NDArray[np.float64], key: np.uint64, day: int, fills: Fills
) -> tuple[int, int]:
    """Sort the day's orders into `fills.bids` (best first) and `fills.asks`; return how many there are of each.

    A sort key packs the price as float32 (so prices within 1e-7 of each other tie), a random tie-breaker, the agent.
    """
    bid_keys, ask_keys = fills.bids, fills.asks
    agents = order_lots.size
    bids, asks = 0, 0
    for i in range(agents):
        lots = order_lots[i]
        if lots == 0:
            continue
        tie = bits(key, np.uint64(day * agents + i)) & _TIE_BITS
        level = np.uint64(np.float32(order_price[i]).view(np.uint32))
        if lots > 0:
            bid_keys[bids] = ((_ALL_32 - level) << _S32) | tie | np.uint64(i)
            bids += 1
        else:
            ask_keys[asks] = (level << _S32) | tie | np.uint64(i)
            asks += 1
    _sort(bid_keys, bids, fills.spare)
    _sort(ask_keys, asks, fills.spare)
    return bids, asks


@kernel
def _sort(keys: NDArray[np.uint64], count: int, spare: NDArray[np.uint64]) -> None:
    """Sort the first `count` of `keys`, all different, by merging runs that double in length; `spare` is scratch."""
    source, target, moved = keys, spare, False
    width = 1
    while width < count:
        for start in range(0, count, 2 * width):
            middle, stop = min(start + width, count), min(start + 2 * width, count)
            a, b, k = start, middle, start
            while a < middle and b < stop:  # without a branch on the keys: nobody could guess it
                first, second = source[a], source[b]
                earlier = first < second
                target[k] = first if earlier else second
                a += int(earlier)
                b += int(not earlier)
                k += 1
            for n in range(a, middle):
                target[k] = source[n]
                k += 1
            for n in range(b, stop):
                target[k] = source[n]
                k += 1
        source, target, moved = target, source, not moved
        width *= 2
    if moved:
        for n in range(count):
            keys[n] = spare[n]


@kernel
def agent_of(key: np.uint64) -> int:
    """Return the agent packed into a sort key."""
    return int(key & _INDEX_BITS)


@shared_kernel
def quoted_spread(
    order_price: NDArray[np.float64], fills: Fills, bids: int, asks: int, matched: bool, averages: NDArray[np.float64]
) -> float:
    """Return W = |mean bid - mean ask| before clearing, over all orders or the best min(#bids, #asks) of each side.

    `averages` float64[2] holds the last known mean bid and ask and is changed in place; an empty side keeps its own.
    """
    bid_keys, ask_keys = fills.bids, fills.asks
    both = min(bids, asks)
    use_bids, use_asks = (both, both) if matched else (bids, asks)
    if use_bids > 0:
        total = 0.0
        for k in range(use_bids):
            total += order_price[agent_of(bid_keys[k])]
        averages[0] = total / use_bids
    if use_asks > 0:
        total = 0.0
        for k in range(use_asks):
            total += order_price[agent_of(ask_keys[k])]
        averages[1] = total / use_asks
    return abs(averages[0] - averages[1])


@kernel
def _uniform_price(
    order_lots: NDArray[np.int64], order_price: NDArray[np.float64], fills: Fills, n: int, m: int
) -> float:
    """Return the mid of the last pair that crosses when everybody can pay; nan if none does."""
    bid_keys, ask_keys = fills.bids, fills.asks
    b, a, price = 0, 0, np.nan
    bid_left = order_lots[agent_of(bid_keys[0])] if n > 0 else 0
    ask_left = -order_lots[agent_of(ask_keys[0])] if m > 0 else 0
    while b < n and a < m:
        bid, ask = order_price[agent_of(bid_keys[b])], order_price[agent_of(ask_keys[a])]
        if bid < ask:
            break
        price = 0.5 * (bid + ask)
        traded = min(bid_left, ask_left)
        bid_left -= traded
        ask_left -= traded
        if bid_left == 0:
            b += 1
            bid_left = order_lots[agent_of(bid_keys[b])] if b < n else 0
        if ask_left == 0:
            a += 1
            ask_left = -order_lots[agent_of(ask_keys[a])] if a < m else 0
    return price


@kernel
def _record(fills: Fills, i: int, signed: int, price: float) -> None:
    if fills.lots[i] == 0 and fills.value[i] == 0.0:
        fills.touched[fills.touched_count[0]] = i
        fills.touched_count[0] += 1
    fills.lots[i] += signed
    fills.value[i] += abs(signed) * price
    fills.last_lots[i], fills.last_price[i] = signed, price


@shared_kernel
def clear(
    order_lots: NDArray[np.int64],
    order_price: NDArray[np.float64],
    cash: NDArray[np.float64],
    lots: NDArray[np.int64],
    fills: Fills,
    bids: int,
    asks: int,
    lot: float,
    fee: float,
    cash_fee: bool,
    keep_matched: bool,
    price_rule: int,
    averages: NDArray[np.float64],
) -> tuple[float, int]:
    """Match the sorted book; return the closing price (nan without a trade) and the volume in lots.

    The k-th best bid meets the k-th best ask. They trade when they cross, the seller still owns the lots and the buyer
    can pay, at a price within both limits (a uniform price may not be, after a pair that could not pay). The smaller
    order leaves, an equal pair moves on, a pair that fails is passed over. `cash` [I], `lots` [I], `fills` and
    `averages` (mean bid and ask of what is left in the book) are changed in place.
    """
    bid_keys, ask_keys, left = fills.bids, fills.asks, fills.left
    fill_lots, fill_value, touched = fills.lots, fills.value, fills.touched
    for k in range(fills.touched_count[0]):
        i = touched[k]
        fill_lots[i], fill_value[i] = 0, 0.0
    fills.touched_count[0] = 0
    auction = _uniform_price(order_lots, order_price, fills, bids, asks) if price_rule == AUCTION else 0.0
    for k in range(bids):
        i = agent_of(bid_keys[k])
        left[i] = order_lots[i]
    for k in range(asks):
        i = agent_of(ask_keys[k])
        left[i] = -order_lots[i]
    b, a, volume = 0, 0, 0
    worth, close = 0.0, np.nan
    gone_bids, gone_asks, gone_bid_sum, gone_ask_sum = 0, 0, 0.0, 0.0
    while b < bids and a < asks:
        buyer, seller = agent_of(bid_keys[b]), agent_of(ask_keys[a])
        bid, ask = order_price[buyer], order_price[seller]
        if bid < ask:
            break  # prices only diverge from here
        traded = min(left[buyer], left[seller])
        price = auction if price_rule == AUCTION else 0.5 * (bid + ask)
        pay = traded * lot * price
        charge = 0.0 if cash_fee else fee * pay
        if lots[seller] < traded or cash[buyer] < pay + charge or not ask <= price <= bid:
            b += 1
            a += 1
            continue
        cash[buyer] -= pay + charge
        cash[seller] += pay - charge
        if cash_fee:
            cash[buyer] *= 1.0 - fee
            cash[seller] *= 1.0 - fee
        lots[buyer] += traded
        lots[seller] -= traded
        _record(fills, buyer, traded, price)
        _record(fills, seller, -traded, price)
        volume += traded
        worth += traded * price
        close = price
        left[buyer] -= traded
        left[seller] -= traded
        bid_done, ask_done = left[buyer] == 0, left[seller] == 0
        if bid_done:
            b += 1
        if ask_done:
            a += 1
        if not (bid_done and ask_done and keep_matched):
            if bid_done:
                gone_bids, gone_bid_sum = gone_bids + 1, gone_bid_sum + bid
            if ask_done:
                gone_asks, gone_ask_sum = gone_asks + 1, gone_ask_sum + ask
    if volume > 0:
        _average_left(order_price, fills, bids, asks, gone_bids, gone_bid_sum, gone_asks, gone_ask_sum, averages)
        if price_rule == AVERAGE:
            close = worth / volume
    return close, volume


@kernel
def _average_left(
    order_price: NDArray[np.float64],
    fills: Fills,
    bids: int,
    asks: int,
    gone_bids: int,
    gone_bid_sum: float,
    gone_asks: int,
    gone_ask_sum: float,
    averages: NDArray[np.float64],
) -> None:
    """Set the mean bid and ask of the orders still in the book after a clearing."""
    bid_keys, ask_keys = fills.bids, fills.asks
    if bids > gone_bids:
        total = -gone_bid_sum
        for k in range(bids):
            total += order_price[agent_of(bid_keys[k])]
        averages[0] = total / (bids - gone_bids)
    if asks > gone_asks:
        total = -gone_ask_sum
        for k in range(asks):
            total += order_price[agent_of(ask_keys[k])]
        averages[1] = total / (asks - gone_asks)
