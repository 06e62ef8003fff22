"""Specification 3, 9, 10 and 16: one day after another, the order book, and bankruptcy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tests.support.oracle.forecasting import Keys, estimate_value, forecast, show_volatility, u64, volatility_states
from tests.support.oracle.memory import series_code
from tests.support.oracle.people import Agent, Asset, Order, people_from
from tests.support.oracle.trading import Leader, trade

from mycelial.agents.symba.fundamental import draw_fundamental
from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.agents.symba.population import STREAMS, draw_traits
from mycelial.domain.draws import bits, normal, uniform
from mycelial.domain.seeds import generator, stream_key

HALF_NORMAL_MEAN = math.sqrt(2.0 / math.pi)


@dataclass
class OracleRun:
    """What a run leaves behind: series [J, T] and shares [T]."""

    price: NDArray[np.float64]
    volume: NDArray[np.float64]
    spread: NDArray[np.float64]
    bias_pct: NDArray[np.float64]
    bankrupt_pct: NDArray[np.float64]
    people: list[Agent]


def run_oracle(p: SymbaParameters, assets: int, seed: int) -> OracleRun:
    """Simulate one small world, slowly."""
    paths = draw_fundamental(p, assets, seed)
    people = people_from(p, draw_traits(p, assets, seed), paths.value)
    opening = generator(seed, "symba", "opening").normal(size=(assets, p.agents))
    markets = []
    for j in range(assets):
        first = float((paths.value[j, 0] + np.abs(opening[j])).mean())  # section 5: the mean initial bid
        value, uncertainty = paths.value[j].tolist(), paths.uncertainty[j].tolist()
        for agent in people:
            agent.minds[j].ask = first
        markets.append(Asset([first], [0.0, first], value, uncertainty, first, first))
    keys = [{name: stream_key(seed, "symba", name, j) for name in STREAMS} for j in range(assets)]
    bankrupt_pct = [0.0]
    market_news = 0.0
    for t in range(1, p.days):
        pay_interest(p, people, markets, t)
        if t == p.learning_days:
            revive(people)
        for agent in people:
            if t == 1 or (t >= 2 * p.days_week and agent.cash_reference == 0.0):
                agent.cash_reference = agent.cash
        if p.attention or p.gesture_unit == "volatility":
            market_news = feel(p, markets, keys, market_news, stream_key(seed, "symba", "world"), t)
        leader = Leader(leader_of(p, people, markets), round(p.herd_share * p.agents))
        for j, asset in enumerate(markets):
            live_day(p, people, asset, assets, j, keys[j], leader, t)
            send_meta_order(p, people, asset, j, keys[j], t)
            sort_and_spread(p, asset, keys[j]["book"], t)
        judge_bankruptcies(p, people, markets, t)
        bankrupt_pct.append(100.0 * sum(agent.bankrupt for agent in people) / p.agents)
        for j, asset in enumerate(markets):
            endow_sender(p, people, asset, j)
            clear(p, people, asset, j, t)
        renew(p, people, markets, keys, t)
    return OracleRun(
        *(np.array([getattr(a, name) for a in markets]) for name in ("price", "volume", "spread", "bias_pct")),
        np.array(bankrupt_pct),
        people,
    )


def pay_interest(p: SymbaParameters, people: list[Agent], markets: list[Asset], t: int) -> None:
    """Carry prices over; pay interest on cash and a dividend on holdings (section 10)."""
    for asset in markets:
        asset.show(t, asset.price[t - 1])
    for agent in people:
        agent.cash *= 1.0 + p.risk_free_rate / p.days_year
        for j, asset in enumerate(markets):
            value = asset.price[t - 1]
            if p.own_ask_valuation:  # Q8: the agent's own ask of the day before
                value = agent.minds[j].ask
            agent.cash += agent.lots[j] * p.lot * value * p.dividend_rate / p.days_year


def revive(people: list[Agent]) -> None:
    """Give everybody the initial portfolio back; policies and memories stay."""
    for agent in people:
        agent.bankrupt, agent.cash, agent.lots = False, agent.cash0, list(agent.lots0)


def leader_of(p: SymbaParameters, people: list[Agent], markets: list[Asset]) -> int:
    """Return whom the herd copies: the richest, the poorest or the last agent outside it; -1 for nobody."""
    outside = people[round(p.herd_share * p.agents) :]
    if p.herd_leader in ("none", "noise") or not outside:
        return -1
    if p.herd_leader == "fixed":
        return p.agents - 1
    alive = [agent for agent in outside if not agent.bankrupt]
    pick = max if p.herd_leader == "best" else min

    def wealth(agent: Agent) -> float:
        return agent.cash + sum(agent.lots[j] * p.lot * asset.price[-1] for j, asset in enumerate(markets))

    return pick(alive, key=wealth).number if alive else -1


def live_day(
    p: SymbaParameters, people: list[Agent], asset: Asset, assets: int, j: int, keys: Keys, leader: Leader, t: int
) -> None:
    """Let every agent estimate, forecast and order (sections 4, 7, 8)."""
    asset.orders.clear()
    horizons = {agent.tau for agent in people}
    codes = show_volatility(p, asset, horizons, t)
    for tau in horizons:
        asset.long_codes.setdefault(tau, [])
        asset.short_codes.setdefault(tau, [])
    gaps = 0.0
    for agent in people:
        mind = agent.minds[j]
        mind.estimates.append(estimate_value(p, agent, mind, asset, keys, t))
        gaps += 100.0 * abs(asset.price[t] - mind.estimates[t]) / asset.price[t]
    asset.bias_pct.append(gaps / p.agents)
    leader_first = sorted(people, key=lambda agent: agent.number != leader.number)
    for agent in leader_first:
        if agent.bankrupt:
            continue
        states = volatility_states(p, agent, asset, codes[agent.tau], t)
        forecast(p, agent, agent.minds[j], asset, keys, states, t)
        trade(p, agent, agent.minds[j], asset, assets, j, keys, states[2], leader, t)
    for tau in horizons:
        asset.long_codes[tau].append(codes[tau][0])
        asset.short_codes[tau].append(codes[tau][1])
    if t > 1 and asset.volume[t - 1] > 0.0:
        asset.volume_codes.append(series_code(asset.volume[t - 1]))


def send_meta_order(p: SymbaParameters, people: list[Agent], asset: Asset, j: int, keys: Keys, t: int) -> None:
    """Make one order as large as a share of all coins, on the first day of every half year (section 17)."""
    asset.meta_sender = None
    since = t - p.learning_days
    if p.meta_order == 0.0 or since <= 0 or since % (p.days_year // 2) != 0:
        return
    start = int(uniform(keys["meta"], u64(t)) * p.agents)
    in_turn = [*range(start, p.agents), *range(start)]
    sender = next((i for i in in_turn if i in asset.orders and asset.orders[i].lots != 0), None)
    if sender is not None:
        size = math.floor(p.meta_order * sum(agent.lots[j] for agent in people) + 0.5)
        asset.orders[sender].lots = size if asset.orders[sender].lots > 0 else -size
        asset.meta_sender = sender


def endow_sender(p: SymbaParameters, people: list[Agent], asset: Asset, j: int) -> None:
    """Give whoever sent a meta-order the money or the coins for it."""
    if asset.meta_sender is None or people[asset.meta_sender].bankrupt:
        return
    order, agent = asset.orders[asset.meta_sender], people[asset.meta_sender]
    if order.lots > 0:
        agent.cash += order.lots * p.lot * order.price * (1.0 + p.fee)
    else:
        agent.lots[j] -= order.lots


def sides(asset: Asset) -> tuple[list[Order], list[Order]]:
    """Return today's bids and asks as `sort_and_spread` left them."""
    orders = list(asset.orders.values())
    return [o for o in orders if o.lots > 0], [o for o in orders if o.lots < 0]


def sort_and_spread(p: SymbaParameters, asset: Asset, key: np.uint64, t: int) -> None:
    """Sort the book, ties in a fresh random order, and record the spread before clearing (section 9.1 to 9.3)."""

    def place(order: Order) -> tuple[float, int, int]:
        level = float(np.float32(order.price))
        tie = int(bits(key, u64(t * p.agents + order.agent)) >> u64(20)) % 4096
        return (-level if order.lots > 0 else level), tie, order.agent

    asset.orders = {order.agent: order for order in sorted(asset.orders.values(), key=place)}
    bids, asks = sides(asset)
    both = min(len(bids), len(asks))
    if p.spread_rule == "matched":  # Q12
        bids, asks = bids[:both], asks[:both]
    if bids:
        asset.mean_bid = sum(order.price for order in bids) / len(bids)
    if asks:
        asset.mean_ask = sum(order.price for order in asks) / len(asks)
    asset.spread.append(abs(asset.mean_bid - asset.mean_ask))


def judge_bankruptcies(p: SymbaParameters, people: list[Agent], markets: list[Asset], t: int) -> None:
    """Ruin agents who fell below their floor relative to the market; set yardsticks once a year (section 10)."""
    if t < 10:
        return
    phase = (t - 10) % p.days_accounting
    alive = [agent for agent in people if not agent.bankrupt]
    for agent in alive:
        nav = agent.cash
        for j, asset in enumerate(markets):
            value = agent.minds[j].ask if p.own_ask_valuation else asset.price[t]
            nav += agent.lots[j] * p.lot * value
        if phase == 0:
            agent.nav0 = nav
        agent.ratio_pct = 100.0 * nav / agent.nav0 if agent.nav0 > 0.0 else 100.0
    if phase <= 5 or not alive:
        return
    discount = max(0, 100 - int(sum(agent.ratio_pct for agent in alive) / len(alive)))
    for agent in alive:
        if agent.ratio_pct + discount <= agent.floor_pct:
            agent.bankrupt, agent.cash, agent.lots = True, 0.0, [0] * len(markets)


def crossing_price(bids: list[Order], asks: list[Order]) -> float:
    """Return the mid of the last pair that would trade if everybody could pay."""
    left = {order.agent: abs(order.lots) for order in bids + asks}
    bids, asks, price = list(bids), list(asks), math.nan
    while bids and asks and bids[0].price >= asks[0].price:
        price = (bids[0].price + asks[0].price) / 2
        quantity = min(left[bids[0].agent], left[asks[0].agent])
        for side in (bids, asks):
            left[side[0].agent] -= quantity
            if left[side[0].agent] == 0:
                side.pop(0)
    return price


def clear(p: SymbaParameters, people: list[Agent], asset: Asset, j: int, t: int) -> None:
    """Match the k-th best bid with the k-th best ask, write price, volume and fills (section 9.4 to 9.7)."""
    bids, asks = sides(asset)
    left = {order.agent: abs(order.lots) for order in bids + asks}
    in_book_bids, in_book_asks = list(bids), list(asks)
    uniform_price = crossing_price(bids, asks)
    trades: list[tuple[int, int, int, float]] = []
    k = 0  # pairs that stay in the book, matched or passed over
    while k < min(len(bids), len(asks)) and bids[k].price >= asks[k].price:
        bid, ask = bids[k], asks[k]
        buyer, seller = people[bid.agent], people[ask.agent]
        quantity = min(left[bid.agent], left[ask.agent])
        price = uniform_price if p.price_rule == "auction" else (bid.price + ask.price) / 2
        paid = quantity * p.lot * price
        fee = p.fee * paid if p.fee_rule == "trade" else 0.0
        if seller.lots[j] < quantity or buyer.cash < paid + fee or not ask.price <= price <= bid.price:
            k += 1
            continue
        buyer.cash -= paid + fee
        seller.cash += paid - fee
        if p.fee_rule == "cash":  # Q13
            buyer.cash *= 1.0 - p.fee
            seller.cash *= 1.0 - p.fee
        buyer.lots[j] += quantity
        seller.lots[j] -= quantity
        trades.append((bid.agent, ask.agent, quantity, price))
        left[bid.agent] -= quantity
        left[ask.agent] -= quantity
        bid_done, ask_done = left[bid.agent] == 0, left[ask.agent] == 0
        if bid_done and ask_done:
            k += 1
            if not p.keep_matched:  # Q20
                in_book_bids.remove(bid)
                in_book_asks.remove(ask)
        elif bid_done:
            in_book_bids.remove(bids.pop(k))
        else:
            in_book_asks.remove(asks.pop(k))
    if trades and in_book_bids:
        asset.mean_bid = sum(order.price for order in in_book_bids) / len(in_book_bids)
    if trades and in_book_asks:
        asset.mean_ask = sum(order.price for order in in_book_asks) / len(in_book_asks)
    remember_fills(p, people, j, trades, t)
    previous, volume = asset.price[t], sum(quantity for _, _, quantity, _ in trades)
    close = closing_price(p, trades, previous)
    asset.show(t, close)
    asset.volume.append(volume * p.lot)
    if p.attention or p.gesture_unit == "volatility":
        remember_mood(p, asset, previous, close, volume * p.lot)


def closing_price(p: SymbaParameters, trades: list[tuple[int, int, int, float]], previous: float) -> float:
    close = previous
    if trades:
        close = trades[-1][3]
        if p.price_rule == "average":
            close = sum(q * price for _, _, q, price in trades) / sum(q for _, _, q, _ in trades)
    if p.tick > 0.0:
        step = p.tick * 100.0
        close = max(step, math.floor(close / step + 0.5) * step)
    return previous / 2.0 if close < 1e-6 else close


def remember_fills(
    p: SymbaParameters, people: list[Agent], j: int, trades: list[tuple[int, int, int, float]], t: int
) -> None:
    """Attach to day t what each agent traded: its last piece, or all of it at the mean price (Q10)."""
    pieces: dict[int, list[tuple[int, float]]] = {}
    for buyer, seller, quantity, price in trades:
        pieces.setdefault(buyer, []).append((quantity, price))
        pieces.setdefault(seller, []).append((-quantity, price))
    for number, mine in pieces.items():
        mind = people[number].minds[j]
        today = mind.past[max(mind.past)]
        lots = sum(quantity for quantity, _ in mine)
        today.lots, today.price = lots, sum(abs(quantity) * price for quantity, price in mine) / abs(lots)
        if p.intended_fills:
            today.lots, today.price = mine[-1]


def feel(
    p: SymbaParameters, markets: list[Asset], keys: list[Keys], market_news: float, world_key: np.uint64, t: int
) -> float:
    """Set today's attention of every asset; return the market's exogenous part."""
    phi, share = p.attention_persistence, p.attention_market
    scale = p.attention_sd * math.sqrt(1.0 - phi**2)
    stirred = [(asset.quick + asset.slow) / 2 for asset in markets]
    market_news = phi * market_news + scale * normal(world_key, u64(4 * t))
    for j, asset in enumerate(markets):
        asset.news = phi * asset.news + scale * normal(keys[j]["activity"], u64(t))
        mixed = (1.0 - share) * stirred[j] + share * sum(stirred) / len(markets)
        news = math.sqrt(1.0 - share) * asset.news + math.sqrt(share) * market_news
        asset.activity = math.exp(max(mixed, -1.0) - 1.0 + news)
    return market_news


def remember_mood(p: SymbaParameters, asset: Asset, previous: float, close: float, volume: float) -> None:
    """Fold today's move and volume into the moving averages behind gestures and attention."""
    move = abs(math.log(close / previous))
    surprise = min(6.0, move / max(asset.usual_move, 1e-6))
    if asset.usual_volume > 0.0:
        surprise += p.attention_volume * (min(8.0, volume / asset.usual_volume) - 1.0)
        asset.usual_volume = 0.99 * asset.usual_volume + 0.01 * volume
    else:
        asset.usual_volume = volume
    asset.quick = 0.7 * asset.quick + 0.3 * surprise
    asset.slow = 0.97 * asset.slow + 0.03 * surprise
    asset.move = max(0.002, 0.97 * asset.move + 0.03 * move)
    asset.usual_move = 0.995 * asset.usual_move + 0.005 * move


def renew(p: SymbaParameters, people: list[Agent], markets: list[Asset], keys: list[Keys], t: int) -> None:
    """Replace a few agents and let some bankrupt ones return, with portfolios around the mean of those alive."""
    alive = [agent for agent in people if not agent.bankrupt]
    if not alive:
        return
    mean_cash, count = sum(agent.cash for agent in alive) / len(alive), len(alive)
    coins = sum(agent.lots[j] * p.lot * a.price[t] for j, a in enumerate(markets) for agent in people)
    half = 0.5 * (mean_cash + coins / count)
    for agent in people:
        at = (t * p.agents + agent.number) * 2
        if uniform(keys[0]["turnover"], u64(at)) >= (p.reentry if agent.bankrupt else p.turnover):
            continue
        mean = half if p.balanced_entry else mean_cash
        agent.cash = mean / HALF_NORMAL_MEAN * abs(normal(keys[0]["turnover"], u64(at + 1)))
        for j in range(len(markets)):
            mean_held = sum(other.lots[j] for other in people) / count
            if p.balanced_entry:
                mean_held = half / (len(markets) * p.lot * markets[j].price[t])
            agent.lots[j] = int(mean_held / HALF_NORMAL_MEAN * abs(normal(keys[j]["turnover"], u64(at + 2**40))))
        agent.nav0 = agent.cash + sum(agent.lots[j] * p.lot * a.price[t] for j, a in enumerate(markets))
        agent.bankrupt = False
