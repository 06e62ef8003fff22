"""Teams of makers as a task: exact money, honest prices, the exchange's limits, and nothing of the future."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from mycelial.domain.errors import ConfigError, DataError, NotFound
from mycelial.environment.trading import Charges, TradingConfig, TradingTask, regime
from mycelial.environment.trading.config import (
    ASK_OFFSET,
    ASK_SIZE,
    BID_OFFSET,
    BID_SIZE,
    FLATTEN,
    KEEP,
    KIND,
    QUOTE,
    TAKE,
    TAKE_SIZE,
)
from mycelial.environment.trading.features import Market, Order, Scale, SeatView, Watcher
from mycelial.environment.trading.state import COUNTS
from mycelial.environment.trading.task import started
from mycelial.learning.task import TeamTask
from mycelial.market.book.records import EventKind
from mycelial.market.rate_counters import MICRO
from mycelial.market.rate_kernels import level_at

STEPS = 40


def small(books=2, **changes):
    settings = {"regime": regime("middle"), "steps": STEPS, "seats": 3, "warm_up_s": 20.0}
    return TradingTask(TradingConfig(**{**settings, **changes}), books, stagger=False)


def some_actions(task, seed=0):
    """Return actions for an episode that run through all of them."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, task.actions, (task.config.steps, task.books, task.agents)).astype(np.int32)


def live(task, seed, actions):
    """Return everything an episode showed and paid."""
    seen = task.reset(seed)
    obs, rewards, costs = [seen.obs.copy()], [], []
    for row in actions:
        step = task.step(row)
        obs.append(step.final_obs.copy())
        rewards.append(step.reward.copy())
        costs.append(step.own_cost.copy())
    return np.stack(obs), np.stack(rewards), np.stack(costs)


def quotes(task, offset, size=1.0):
    wishes = np.zeros((task.books, task.agents, 6))
    wishes[..., KIND] = QUOTE
    wishes[..., BID_OFFSET] = wishes[..., ASK_OFFSET] = offset
    wishes[..., BID_SIZE] = wishes[..., ASK_SIZE] = size
    return wishes


def test_task_is_what_learners_expect():
    task = small()

    seen = task.reset(3)

    assert isinstance(task, TeamTask)
    assert seen.obs.shape == (2, 3, task.observation_size)
    assert seen.mask.shape == (2, 3, task.actions)
    assert seen.mask[:, :, KEEP].all()
    assert np.isfinite(seen.obs).all()


def test_same_seed_and_actions_give_the_same_bytes_on_any_number_of_threads():
    config = TradingConfig(regime=regime("middle"), steps=STEPS, seats=2, warm_up_s=20.0)
    one, two = TradingTask(config, 4, stagger=False), TradingTask(config, 4, threads=2, stagger=False)
    actions = some_actions(one)

    first, second = live(one, 5, actions), live(two, 5, actions)
    other = live(one, 6, actions)
    again = live(one, 5, actions)

    for a, b, c in zip(first, second, again, strict=True):
        assert a.tobytes() == b.tobytes() == c.tobytes()
    assert first[0].tobytes() != other[0].tobytes()
    two.close()


def test_fees_and_money_agree_with_what_the_exchange_reported():
    task = small(volumes_usd=(100_000,), charges=Charges(0.0, 0.0), latency_ns=(0, 0))
    actions = some_actions(task, 1)
    paid = np.zeros((2, 3), np.int64)
    flows = np.zeros((2, 3), np.int64)
    task.reset(7)
    for desk in task._desks.desks:
        desk.forget_heard()
    total = np.zeros(2)

    for t, row in enumerate(actions):
        if t == STEPS - 1:
            break
        total += task.step(row).reward

    for b, desk in enumerate(task._desks.desks):
        told, lost = desk.heard()
        assert lost == 0
        first = int(desk.seats["owner"][0])
        for n in range(3):
            trades = told[n]["kind"] == int(EventKind.TRADE)
            for name in ("taker", "maker"):
                mine = trades & (told[n]["owner" if name == "taker" else "maker_owner"] == first + n)
                paid[b, n] += told[n][f"{name}_fee"][mine].sum()
                buys = (told[n]["side"][mine] == 0) == (name == "taker")
                money = told[n]["price"][mine] * told[n]["lots"][mine]
                flows[b, n] += np.where(buys, -money, money).sum()
    seats = task.floor.seats.reshape(2, 3)
    fees = seats["counts"][:, :, COUNTS.index("fees")]
    assert fees.sum() > 0
    np.testing.assert_array_equal(fees, paid)
    np.testing.assert_array_equal(seats["cash"] - seats["start_cash"], flows - paid)
    np.testing.assert_allclose(total, 0.5 * task.rules.scale * seats["value"].sum(1), rtol=1e-5)


def test_inventory_is_charged_and_closed_at_the_end():
    free, charged = (small(1, charges=Charges(*weights)) for weights in ((0.0, 0.0), (0.5, 0.25)))
    wishes = np.zeros((1, 3, 6))
    wishes[..., KIND], wishes[..., TAKE_SIZE] = TAKE, 2.0
    keep = np.zeros((1, 3), np.int32)
    rewards = []

    for task in (free, charged):
        task.reset(2)
        rewards.append([task.step_wishes(wishes).reward[0], task.step(keep).reward[0]])
        held = task.inventories()[0] / task.config.most_orders
    before = free.values()[0]
    for _ in range(STEPS - 2):
        last = free.step(keep)

    expected = 0.5 * (held**2).sum() + 0.25 * 3 * held.mean() ** 2
    assert held.min() > 0.2
    assert rewards[0][1] - rewards[1][1] == pytest.approx(expected, rel=1e-4)
    assert last.truncated.all()
    assert not last.terminated.any()
    half_spread, taker_fee = 0.5, 0.001
    least = held.sum() * 6 * (half_spread + taker_fee * 10_000 / 8)
    assert free.results()["profit_units"][0] < before + 40 * held.sum() - least


def test_own_quotes_cannot_move_the_mid_they_are_paid_by():
    task = small(1, latency_ns=(0, 0))
    task.reset(4)
    stood = 0

    for offset in (2.0, 4.0, 6.0, 3.0, 5.0, 7.0):
        task.step_wishes(quotes(task, offset, 4.0))
        market = task._desks.desks[0].market
        for side in range(2):
            levels = market.book.levels(side, 20)
            orders = task.floor.seats["order_tick"][:, side], task.floor.seats["order_lots"][:, side]
            own: dict[int, int] = {}
            for tick, lots in zip(*orders, strict=True):
                own[int(tick)] = own.get(int(tick), 0) + int(lots)
            others = [int(tick) for tick, shown in levels[:, :2] if shown > own.get(int(tick), 0)]
            stood += int((orders[1] > 0).sum())
            assert task.floor.books["best"][0, side] == others[0]
    assert stood >= 6


def test_quotes_stay_within_the_limit_and_never_meet_the_own_team():
    task = small(4, most_orders=1.5)
    task.reset(9)
    largest = 0.0

    for t in range(STEPS):
        step = task.step_wishes(quotes(task, -1.0 if t % 7 == 0 else 3.0))
        if not step.truncated.any():
            largest = max(largest, np.abs(task.inventories()).max())

    results = task.results()
    assert results["maker_fills"].sum() > 50
    assert results["own_lots"].sum() == 0
    assert 1.0 <= largest <= 1.5


def test_messages_stop_where_the_counter_of_the_exchange_is_full():
    task = small(1, counter="starter", tolerance=0.0, latency_ns=(0, 0))
    task.reset(1)
    room = task.rules.threshold * MICRO
    highest = 0

    for t in range(STEPS - 1):
        task.step_wishes(quotes(task, 30.0 + 3.0 * (t % 2)))
        highest = max(highest, int(task._counters.level.max()))

    counts = task.floor.seats["counts"]
    assert counts[:, COUNTS.index("withheld")].sum() > 0
    assert 0.5 * room < highest <= room
    assert (counts[:, COUNTS.index("points")] > 0).all()


def test_flatten_closes_what_is_held():
    task = small(1)
    task.reset(3)
    wishes = np.zeros((1, 3, 6))
    wishes[..., KIND], wishes[..., TAKE_SIZE] = TAKE, 1.0
    flatten = np.zeros((1, 3, 6))
    flatten[..., KIND] = FLATTEN

    task.step_wishes(wishes)
    task.step(np.zeros((1, 3), np.int32))
    bought = task.inventories()
    for _ in range(3):
        task.step_wishes(flatten)
    task.step(np.zeros((1, 3), np.int32))

    assert (bought > 0.9).all()
    np.testing.assert_array_equal(task.inventories(), 0.0)


@pytest.mark.parametrize(("volume", "maker"), [(0, 2500), (9_999, 2500), (10_000, 2000), (10_000_000, 0)])
def test_fee_tier_is_that_of_the_volume_a_seat_begins_with(volume, maker):
    ladder = ((0, 2500, 4000), (10_000, 2000, 3500), (10_000_000, 0, 1000))

    tiers = started(ladder, volume)

    assert tiers[0][:2] == (0, maker)
    assert all(low[0] < high[0] for low, high in pairwise(tiers))
    assert [tier[0] + volume for tier in tiers[1:]] == [tier[0] for tier in ladder if tier[0] > volume]


def test_bad_settings_are_refused_with_what_to_do():
    with pytest.raises(NotFound, match="liquid, middle, thin"):
        regime("calm")
    with pytest.raises(ConfigError, match="seats"):
        TradingConfig(seats=0)
    with pytest.raises(ConfigError, match="latencies"):
        TradingConfig(latency_ns=(10**12, 0))
    task = small(1)
    task.reset(1)
    with pytest.raises(DataError, match="actions must be 1 x 3"):
        task.step(np.full((1, 3), 99, np.int32))


def views(task, b):
    """Return what the market shows and what the seats know, from the books of the exchange and the task's records."""
    desk, seats = task._desks.desks[b], task.floor.seats.reshape(task.books, -1)[b]
    best, all_lots, prices = [], [], []
    for side in range(2):
        own: dict[int, int] = {}
        for seat in seats:
            tick, lots = int(seat["order_tick"][side]), int(seat["order_lots"][side])
            own[tick] = own.get(tick, 0) + lots
        shown = [(int(t), int(q) - own.get(int(t), 0)) for t, q in desk.market.book.levels(side, 5)[:, :2]]
        others = [(t, q) for t, q in shown if q > 0]
        prices.append(others[0][0])
        best.append(others[0][1])
        all_lots.append(sum(q for _, q in others))
    orders = [
        [Order(int(s["order_tick"][k]), int(s["order_lots"][k]), int(s["order_ahead"][k])) for k in range(2)]
        for s in seats
    ]
    now = desk.market.now
    seat_views = [
        SeatView(
            int(s["lots"] - s["start_lots"]),
            *pair,
            int(s["filled"]),
            level_at(task._counters, b * task.agents + n, now) / (task.rules.threshold * MICRO),
        )
        for n, (s, pair) in enumerate(zip(seats, orders, strict=True))
    ]
    return prices, best, all_lots, seat_views


def test_plain_watcher_sees_what_the_compiled_task_sees():
    task = small(2, latency_ns=(0, 0), volumes_usd=(1_000_000,))
    obs = task.reset(11).obs
    rules = task.rules
    scale = Scale(rules.unit_ticks, rules.typical_lots, rules.most_lots, 600.0, 1600.0)
    watchers, taken = [], []
    for b in range(2):
        (bid, ask), best, total, seats = views(task, b)
        watchers.append(Watcher(scale, STEPS, Market(bid, ask, tuple(best), tuple(total))))
        taken.append(int(task._desks.desks[b].market.header["tape_count"][0]))
        np.testing.assert_allclose(watchers[b].observe(seats), obs[b], atol=2e-5)

    for row in some_actions(task, 3)[:-1]:
        obs = task.step(row).obs
        for b in range(2):
            market = task._desks.desks[b].market
            count = int(market.header["tape_count"][0])
            trades = market.tape(count - taken[b])
            taken[b] = count
            (bid, ask), best, total, seats = views(task, b)
            signed = int(np.where(trades["side"] == 0, trades["lots"], -trades["lots"]).sum())
            watchers[b].see(Market(bid, ask, tuple(best), tuple(total), signed, len(trades)))
            np.testing.assert_allclose(watchers[b].observe(seats), obs[b], atol=2e-5)
