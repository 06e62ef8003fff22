"""SYMBA's traders by the second: direct policy search on a table of a few states, rewarded by what the price did next.

States: the book leans to asks, nowhere or to bids; trades were sales, mixed or purchases; the price is above, near or
below the private view. Actions: wait, queue to buy, queue to sell, buy, sell, go flat. As in `mycelial.agents.symba`
an action is judged after a horizon, its gain is turned into a reward from -4 to 4 by what gains are usual, and the row
of the table moves by (1 - kappa)^|reward|.
"""

from __future__ import annotations

import math

import numpy as np

from mycelial.agents.intraday.deciding import (
    BID_SLOT,
    chance,
    inventory,
    leaning,
    middle_of,
    order_lots,
    revoke,
    set_slot,
    sight,
    standing,
)
from mycelial.agents.intraday.fundamental import worth
from mycelial.agents.intraday.noise import take_at_market
from mycelial.agents.intraday.state import ACTIONS, STATES, Crowd, agent_of, policy_of, trial_of
from mycelial.agents.intraday.traders import rest_at
from mycelial.domain.kernels import helper
from mycelial.market.book.state import Book

_BPS = 1e-4
_WAIT, _QUEUE_BUY, _QUEUE_SELL, _BUY, _SELL, _FLAT = range(ACTIONS)
_MOST_REWARD = 4.0
_LEAST = 1e-30


@helper
def act_learner(crowd: Crowd, book: Book, i: int, now: int) -> None:
    """Judge the last action once its time has come, then act on what is seen."""
    agent = agent_of(crowd, i)
    view = sight(crowd, now - agent.down)
    middle = middle_of(crowd, view)
    trial = trial_of(crowd, agent.seat)
    if trial.at > 0:
        if (now - trial.at) * 1e-9 < crowd.learner_horizon_s:
            return
        _judge(crowd, i, middle)
    state = _state(crowd, i, np.float64(view.flow), leaning(view), middle, now)
    action = _choose(crowd, i, state)
    trial.at, trial.state, trial.action = now, state, action
    trial.price = middle
    if (action == _BUY and view.ask > 0) or (action == _QUEUE_SELL and view.ask > 0):
        trial.price = float(view.ask)
    elif (action == _SELL and view.bid > 0) or (action == _QUEUE_BUY and view.bid > 0):
        trial.price = float(view.bid)
    _carry_out(crowd, book, i, action, now)


@helper
def _carry_out(crowd: Crowd, book: Book, i: int, action: int, now: int) -> None:
    owned, view = inventory(crowd, book, i), sight(crowd, now - agent_of(crowd, i).down)
    bound = int(20.0 * crowd.typical_lots)
    for side in range(2):
        handle = standing(crowd, book, i, side)
        if handle > 0 and action != _QUEUE_BUY + side and action != _WAIT:
            revoke(crowd, i, handle, BID_SLOT + side)
            set_slot(crowd, i, side, 0)
    if action == _QUEUE_BUY and owned < bound:
        rest_at(crowd, book, i, 0, float(view.bid), now)
    elif action == _QUEUE_SELL and owned > -bound:
        rest_at(crowd, book, i, 1, float(view.ask), now)
    elif action == _BUY and owned < bound:
        take_at_market(crowd, book, i, 0, order_lots(crowd, i), now)
    elif action == _SELL and owned > -bound:
        take_at_market(crowd, book, i, 1, order_lots(crowd, i), now)
    elif action == _FLAT and owned != 0:
        take_at_market(crowd, book, i, 0 if owned < 0 else 1, min(abs(owned), order_lots(crowd, i)), now)


@helper
def _third(value: float, edge: float) -> int:
    if value < -edge:
        return 0
    return 2 if value > edge else 1


@helper
def _state(crowd: Crowd, i: int, flow: float, lean: float, middle: float, now: int) -> int:
    cheap = math.log(worth(crowd, now, agent_of(crowd, i).belief) / middle)
    return 9 * _third(lean, 0.3) + 3 * _third(flow, 0.2) + _third(cheap, 5.0 * _BPS)


@helper
def _choose(crowd: Crowd, i: int, state: int) -> int:
    """Return the most probable action, ties at random; now and then any."""
    if chance(crowd, i) < crowd.learner_explore:
        return int(chance(crowd, i) * ACTIONS)
    weight = policy_of(crowd, agent_of(crowd, i).seat * STATES + state).weight
    start = int(chance(crowd, i) * ACTIONS)
    best = start
    for n in range(1, ACTIONS):
        action = (start + n) % ACTIONS
        if weight[action] > weight[best]:
            best = action
    return best


@helper
def _judge(crowd: Crowd, i: int, middle: float) -> None:
    """Reward the last action by the move since then, in its direction."""
    agent = agent_of(crowd, i)
    trial = trial_of(crowd, agent.seat)
    action = trial.action
    sign = 0.0
    if action in (_BUY, _QUEUE_BUY):
        sign = 1.0
    elif action in (_SELL, _QUEUE_SELL):
        sign = -1.0
    trial.at = 0
    if sign == 0.0:
        return
    gain = sign * (middle / trial.price - 1.0) / _BPS
    agent.memory += 0.02 * (abs(gain) - agent.memory) if agent.memory > 0.0 else abs(gain)
    if agent.memory <= 0.0:
        return
    reward = math.floor(2.0 * gain / agent.memory + 0.5)
    reward = max(-_MOST_REWARD, min(_MOST_REWARD, reward))
    weight = policy_of(crowd, agent.seat * STATES + trial.state).weight
    keep = (1.0 - crowd.learner_kappa) ** abs(reward)
    chosen = np.float64(weight[action])
    if reward > 0.0:
        for n in range(ACTIONS):
            weight[n] = max(weight[n] * keep, _LEAST)
        weight[action] = 1.0 - (1.0 - chosen) * keep
    elif reward < 0.0:
        for n in range(ACTIONS):
            weight[n] = weight[n] + chosen * (1.0 - keep) / (ACTIONS - 1)
        weight[action] = max(chosen * keep, _LEAST)
