"""Who the agents are: parameters drawn once, and the arrays that hold what they know.

Agents are sorted by horizon tau and then by memory span h, so that everything which depends on (asset, tau) alone is
worked out once a day for a contiguous block of agents. Large arrays are zero-filled and touched only as they fill, so
untouched capacity costs address space, not memory.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.symba.memory import ERRORS_IN_A_WORD, LINES, MARGINS_IN_A_WORD, STEPS
from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.agents.symba.profits import PAGE
from mycelial.domain.seeds import generator, stream_key

F_STATES, F_ACTIONS = 27, 27
T_STATES, T_ACTIONS = 108, 9
STREAMS = ("estimate", "ties", "book", "awake", "chance", "activity", "turnover", "joint", "meta")
KEY_ESTIMATE, KEY_TIES, KEY_BOOK, KEY_AWAKE, KEY_CHANCE, KEY_ACTIVITY, KEY_TURNOVER, KEY_JOINT, KEY_META = range(
    len(STREAMS)
)

# One remembered day of one agent and asset, read again tau active days later, fills 40 bytes: four numbers ...
FORECAST, ESTIMATE, PRICE, LOTS = range(4)  # H(t); B(t); x, limit or fill price; q, signed lots (whole numbers)
# ... and eight bytes. Rewards are stored + 8; GREEN: filter V let an order through, so tau days later is an exit time.
F_STATE, F_ACTION, F_REWARD, T_STATE, T_ACTION, T_REWARD, GREEN, KNOWN = range(32, 40)

# A policy row of algorithm T fills 96 bytes: nine probabilities, nine values Q_T, and nine counts of 16 bits.
T_VALUE, T_COUNT, T_ROW_FLOATS = 9, 36, 24  # columns: of float32, of uint16, width in float32


class Traits(NamedTuple):
    """What an agent is born with. I = agents, J = assets, K = distinct horizons."""

    tau: NDArray[np.int64]  # [I] horizon, days, ascending
    span: NDArray[np.int64]  # [I] memory h, days
    patience: NDArray[np.int64]  # [I] window w of the filter V, days
    gesture: NDArray[np.float64]  # [I]
    rho: NDArray[np.float64]  # [I] reflexivity
    floor_pct: NDArray[np.int64]  # [I] bankruptcy level, % of NAV0
    beta: NDArray[np.float64]  # [I] learning rate
    leash: NDArray[np.float64]  # [J, I] ell
    leash_volatility: NDArray[np.float64]  # [J, I] v
    news: NDArray[np.float64]  # [J, I] probability a day that B snaps back to F
    error: NDArray[np.float64]  # [J, I] scale of the signal's error, in units of F's volatility
    fraction: NDArray[np.float64]  # [I] share of the portfolio an order puts to work
    biased: NDArray[np.bool_]  # [I] has the behavioural bias
    bias_chance: NDArray[np.float64]  # [I] probability that the bias acts
    horizon: NDArray[np.int64]  # [K] distinct horizons, ascending
    horizon_of: NDArray[np.int64]  # [I] index into `horizon`
    block: NDArray[np.int64]  # [K + 1] first agent of each horizon
    cash0: NDArray[np.float64]  # [I] initial cash
    lots0: NDArray[np.int64]  # [J, I] initial holdings, lots


class Past(NamedTuple):
    """What agents remember of single days, and where; every array is changed in place."""

    moment: NDArray[np.float64]  # [J, sum of tau, 5] ring of remembered days
    deed: NDArray[np.uint8]  # [J, sum of tau, 40] the same memory, seen as bytes
    moment_at: NDArray[np.int64]  # [I + 1] first moment of each agent
    slot: NDArray[np.int64]  # [J, I] today's moment
    active_days: NDArray[np.int64]  # [J, I] days on which the agent was not bankrupt
    first_reward: NDArray[np.int8]  # [J, I, 2] F and T reward at t = tau + 1
    memory_at: NDArray[np.int64]  # [I + 1] first place of each agent in the rings of e and m


class Forecaster(NamedTuple):
    """What algorithm F knows, per asset and agent; every array is changed in place."""

    estimate: NDArray[np.float64]  # [J, I] B(t)
    elastic: NDArray[np.float64]  # [J, I] lambda(t)
    forecast: NDArray[np.float64]  # [J, I] H(t)
    gap: NDArray[np.float32]  # [J, sum of 3 tau] ring of 100 |P - B| / P
    gap_sum: NDArray[np.float64]  # [J, I]
    policy: NDArray[np.float32]  # [J, 27 I, 27] row 27 i + state: probabilities; all 0 until learnt about: uniform
    visits: NDArray[np.uint16]  # [J, 27 I or 1, 27] visits, where the step depends on them
    errors: NDArray[np.int16]  # [J, I, 17, 32] histogram of forecast errors e
    recent: NDArray[np.int64]  # [J, sum of caps / 7] ring of bins, where the oldest value is forgotten
    stored: NDArray[np.int32]  # [J, I] values of e remembered (ever, where the oldest is forgotten)


class Trader(NamedTuple):
    """What algorithm T knows, per asset and agent; every array is changed in place.

    Policy rows exist only for states that were learnt about: `row` maps (asset, agent, state) to a row + 1 of the pool,
    0 meaning the uniform policy.
    """

    clock: NDArray[np.int32]  # [J, I] days since the last green light
    row: NDArray[np.int32]  # [J, I, 108]
    policy: NDArray[np.float32]  # [J, rows, 24] probabilities, then Q_T
    visits: NDArray[np.uint16]  # [J, rows, 48] the same memory, seen as counts
    rows_used: NDArray[np.int64]  # [J]
    best: NDArray[np.float32]  # [J, I, 108] max_a Q_T
    ranked: NDArray[np.float32]  # [J, I, 108] its non-zero values when the filter's clock started
    ranked_count: NDArray[np.int32]  # [J, I] how many they are
    margins: NDArray[np.int16]  # [J, 2 I, 17, 32] histograms of |m|, rows 2 i for m < 0, 2 i + 1 for m >= 0
    margin_size: NDArray[np.int32]  # [J, 2 I] values in them
    recent: NDArray[np.int64]  # [J, sum of caps / 6] ring of bins, + 512 where m >= 0
    stored: NDArray[np.int32]  # [J, I] values of m seen
    profits: NDArray[np.int16]  # [J, pages, 128] codes of G
    profit_page: NDArray[np.int32]  # [J, I, most pages of an agent] page + 1 in `profits`; 0: not needed yet
    profit_pages_used: NDArray[np.int64]  # [J]
    profit_count: NDArray[np.int32]  # [J, I] values of G remembered (ever, where the oldest is forgotten)


class Purse(NamedTuple):
    """What agents own. Cash is float64 because interest is; coins are whole lots and exact."""

    cash: NDArray[np.float64]  # [I] quote currency, one purse for all assets
    lots: NDArray[np.int64]  # [J, I]
    bankrupt: NDArray[np.bool_]  # [I]
    nav0: NDArray[np.float64]  # [I] NAV at the last yardstick
    cash_reference: NDArray[np.float64]  # [I] C_ref
    stake_reference: NDArray[np.float64]  # [J, I] X_ref
    ask: NDArray[np.float64]  # [J, I] own ask of the last active day, after its gesture (Q8)


def snap_back_probability(accuracy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return P(n n' >= A) for independent Poisson(1) n, n' (specification of the cointegration rule)."""
    terms = 40
    mass = np.exp(-1.0) / np.cumprod(np.concatenate([[1.0], np.arange(1.0, terms)]))
    product = np.multiply.outer(np.arange(terms), np.arange(terms)).ravel()
    joint = np.multiply.outer(mass, mass).ravel()
    levels, inverse = np.unique(product, return_inverse=True)
    mass_at = np.bincount(inverse, joint)
    upper = np.concatenate([np.cumsum(mass_at[::-1])[::-1], [0.0]])
    return np.asarray(upper[np.searchsorted(levels, accuracy, side="left")])


def draw_traits(params: SymbaParameters, assets: int, seed: int) -> Traits:
    """Draw the population of specification section 2."""
    p, rng = params, generator(seed, "symba", "traits")
    count = p.agents
    tau = np.ceil(6 * p.days_month * rng.random(count)).astype(np.int64) + p.days_week
    biased = np.arange(count) < round(p.biased_share * count) if p.bias != "none" else np.zeros(count, bool)
    short = np.ceil(5 * rng.random(count)).astype(np.int64) + 5
    if p.bias == "short_horizon":
        tau = np.where(biased, short, tau)
    tau = np.minimum(np.maximum(tau, 2), max(2, p.days // 3))
    span = np.abs(p.days_week + np.trunc(rng.random(count) * (p.days - tau - 1 - 2 * p.days_week))).astype(np.int64)
    span = np.maximum(span, 5)
    if p.memory_span_cap:
        span = np.minimum(span, p.memory_span_cap)
    order = np.lexsort((span, tau))
    tau, span, biased = tau[order], span[order], biased[order]
    horizon, horizon_of = np.unique(tau, return_inverse=True)
    chance_cap = 0.2 if p.bias in ("fear", "greed") else 0.5
    low, high = p.learning_rate_low, p.learning_rate_high
    cash_scale = p.cash_scale * (assets if p.cash_per_asset else 1)
    accuracy = p.accuracy + rng.random((assets, count))
    coins = np.trunc(np.abs(rng.normal(0.0, p.holdings_scale, (assets, count))))
    return Traits(
        tau=tau,
        span=span,
        patience=np.trunc(5 + rng.random(count) * tau * p.filter_window_share).astype(np.int64),
        gesture=p.gesture_scalar * rng.uniform(0.2, 1.0, count),
        rho=rng.random(count) ** p.reflexivity_power,
        floor_pct=np.trunc(p.drawdown + 10 * rng.random(count)).astype(np.int64),
        beta=(low + (high - low) * rng.random(count)) * np.where(biased & (p.bias == "slow_learning"), 0.5, 1.0),
        leash=p.leash * rng.random((assets, count)),
        leash_volatility=p.leash_volatility * rng.random((assets, count)),
        news=snap_back_probability(accuracy),
        error=p.signal_error * rng.uniform(0.5, 1.5, (assets, count)),
        fraction=p.fraction * rng.uniform(0.5, 1.5, count),
        biased=biased,
        bias_chance=chance_cap * rng.random(count),
        horizon=horizon,
        horizon_of=horizon_of.astype(np.int64),
        block=np.searchsorted(tau, np.append(horizon, np.iinfo(np.int64).max)).astype(np.int64),
        cash0=cash_scale * np.abs(rng.normal(0.0, 1.0, count)),
        lots0=np.rint(coins / p.lot).astype(np.int64),
    )


def _offsets(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each of several stretches starts when they follow one another, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _zeros_on_lines(shape: tuple[int, ...], kind: type[np.generic]) -> NDArray[Any]:
    """Return zeros that start on a cache line (64 bytes), untouched until used."""
    size = math.prod(shape) * np.dtype(kind).itemsize
    room = np.zeros(size + 64, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + size].view(kind).reshape(shape)


def _memory_caps(params: SymbaParameters, traits: Traits) -> NDArray[np.int64]:
    """Return how many values each agent's memories may hold."""
    extra = 0 if params.memory_rule == "latest" else traits.tau + 1
    return np.minimum(traits.span + extra, params.days + 1)


def empty_past(params: SymbaParameters, traits: Traits, assets: int) -> Past:
    """Allocate the days agents remember: none yet."""
    moment_at = _offsets(traits.tau)
    moment = np.zeros((assets, int(moment_at[-1]), 5))
    return Past(
        moment=moment,
        deed=moment.view(np.uint8),
        moment_at=moment_at,
        slot=np.zeros((assets, params.agents), np.int64),
        active_days=np.zeros((assets, params.agents), np.int64),
        first_reward=np.zeros((assets, params.agents, 2), np.int8),
        memory_at=_offsets(_memory_caps(params, traits)),
    )


def empty_forecaster(params: SymbaParameters, traits: Traits, assets: int) -> Forecaster:
    """Allocate what algorithm F knows: nothing yet, but that the memory of e starts as [0]."""
    j, count = assets, params.agents
    errors = _zeros_on_lines((j, count, LINES, STEPS), np.int16)
    errors[:, :, :2, 0] = 1
    remembered = int(_memory_caps(params, traits).sum()) if params.memory_rule == "latest" else 0
    return Forecaster(
        estimate=np.zeros((j, count)),
        elastic=traits.leash.copy(),
        forecast=np.zeros((j, count)),
        gap=np.zeros((j, 3 * int(traits.tau.sum())), np.float32),
        gap_sum=np.zeros((j, count)),
        policy=_zeros_on_lines((j, count * F_STATES, F_ACTIONS), np.float32),
        visits=np.zeros((j, count * F_STATES if params.counted_step else 1, F_ACTIONS), np.uint16),
        errors=errors,
        recent=np.zeros((j, remembered // ERRORS_IN_A_WORD + 1), np.int64),
        stored=np.ones((j, count), np.int32),
    )


def empty_trader(params: SymbaParameters, traits: Traits, assets: int) -> Trader:
    """Allocate what algorithm T knows: nothing yet, but that the memory of G starts as [0]."""
    j, count = assets, params.agents
    latest = params.memory_rule == "latest"
    margins = _zeros_on_lines((j, 2 * count, LINES, STEPS), np.int16)
    margin_size = np.zeros((j, 2 * count), np.int32)
    if not latest:  # in the authors' simulator both memories of m start as [0] too
        margins[:, :, :2, 0], margin_size[:] = 1, 1
    caps = _memory_caps(params, traits)
    pages = -(-caps // PAGE)
    profit_page = np.zeros((j, count, int(pages.max())), np.int32)
    profit_page[:, :, 0] = np.arange(1, count + 1)
    policy = _zeros_on_lines((j, count * T_STATES, T_ROW_FLOATS), np.float32)
    return Trader(
        clock=np.zeros((j, count), np.int32),
        row=np.zeros((j, count, T_STATES), np.int32),
        policy=policy,
        visits=policy.view(np.uint16),
        rows_used=np.zeros(j, np.int64),
        best=np.zeros((j, count, T_STATES), np.float32),
        ranked=np.zeros((j, count, T_STATES), np.float32),
        ranked_count=np.zeros((j, count), np.int32),
        margins=margins,
        margin_size=margin_size,
        recent=np.zeros((j, int(caps.sum()) // MARGINS_IN_A_WORD + 1 if latest else 1), np.int64),
        stored=np.zeros((j, count), np.int32),
        profits=_zeros_on_lines((j, int(pages.sum()), PAGE), np.int16),
        profit_page=profit_page,
        profit_pages_used=np.full(j, count, np.int64),
        profit_count=np.ones((j, count), np.int32),
    )


def opening_purse(traits: Traits, cash_factor: float = 1.0) -> Purse:
    """Return everybody's initial portfolio; `cash_factor` scales cash to the first price."""
    assets, count = traits.lots0.shape
    return Purse(
        cash=traits.cash0 * cash_factor,
        lots=traits.lots0.copy(),
        bankrupt=np.zeros(count, np.bool_),
        nav0=np.ones(count),
        cash_reference=np.zeros(count),
        stake_reference=np.zeros((assets, count)),
        ask=np.zeros((assets, count)),
    )


def asset_keys(seed: int, assets: int) -> NDArray[np.uint64]:
    """Return uint64[J, streams], one key for each asset and use of chance."""
    return np.array([[stream_key(seed, "symba", name, j) for name in STREAMS] for j in range(assets)], np.uint64)
