"""From actions to orders: limit prices around what an agent expects, and quantities within what it owns."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.symba.decision import BUY, EAGERLY, SELL, TOUGHLY
from mycelial.agents.symba.population import (
    KEY_CHANCE,
    Purse,
    Traits,
)
from mycelial.agents.symba.rules import (
    GODE_SUNDER,
    Rules,
)
from mycelial.domain.draws import uniform
from mycelial.domain.kernels import kernel

_MAX_LOTS = 2.0**52  # whole numbers stay exact in float64 up to here


@kernel
def order(
    rules: Rules,
    traits: Traits,
    purse: Purse,
    keys: NDArray[np.uint64],
    forecast: NDArray[np.float64],
    price: float,
    spread: float,
    volatility: float,
    activity: float,
    j: int,
    t: int,
    first: int,
    stop: int,
    action_of: NDArray[np.int64],
    order_lots: NDArray[np.int64],
    order_price: NDArray[np.float64],
) -> None:
    """Turn actions into signed lots and limit prices, written to the two order arrays [J, I]; 0 lots mean no order."""
    key_chance = keys[j, KEY_CHANCE]
    random_quotes = rules.minds == GODE_SUNDER and t >= rules.learning_days
    effort = activity**rules.fraction_attention
    step = rules.gesture_volatility * volatility * price if rules.volatility_gesture else spread
    gesture_size, fraction, bankrupt = traits.gesture, traits.fraction, purse.bankrupt
    cash, lots, own_ask = purse.cash, purse.lots, purse.ask
    for i in range(first, stop):
        order_lots[j, i] = 0
        if bankrupt[i]:
            continue
        bid, ask = quotes(price, forecast[j, i], rules.quoting)
        side, gesture = action_of[i - first] // 3, action_of[i - first] % 3
        if random_quotes:
            draw = np.uint64((t * rules.agents + i) * 4)
            bid = price * (0.9 + 0.2 * uniform(key_chance, draw + np.uint64(3)))
            ask = bid
        else:
            shift = gesture_size[i] * step
            if gesture == EAGERLY:
                bid, ask = bid + shift, ask - shift
            elif gesture == TOUGHLY:
                bid, ask = bid - shift, ask + shift
            bid, ask = max(bid, 0.0), max(ask, 0.0)
        own_ask[j, i] = ask
        share = min(1.0, fraction[i] * effort)
        held = lots[j, i]
        signed, limit = 0, price
        if side == SELL:
            limit = ask
            signed = -min(held, int(math.floor(share * held + 0.5))) if rules.fractional else -held  # noqa: RUF046
        elif side == BUY:
            limit = bid
            cost = max(bid, ask) * rules.assets / (0.98 * share) if rules.fractional else (rules.assets + 1) * ask
            if cost > 0.0 and cash[i] > 0.0:
                signed = int(min(math.floor(cash[i] / (cost * rules.lot)), _MAX_LOTS))
        order_lots[j, i], order_price[j, i] = signed, limit


@kernel
def quotes(price: float, forecast: float, phi: float) -> tuple[float, float]:
    """Return bid and ask around an expected price; phi = 0 is min/max(P, H) of the specification, phi = 1 quotes H."""
    # Written so that phi = 0 gives exactly P: neutral orders of both sides must meet there.
    bid = min(price, forecast) + phi * max(forecast - price, 0.0)
    ask = max(price, forecast) - phi * max(price - forecast, 0.0)
    return bid, ask
