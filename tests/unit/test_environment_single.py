"""One learning agent in a living market: what it sees, what it may do, what it is paid, and when it ends."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from tests.support.environments import POPULATION, choose, same, small, total_money

from mycelial.environment import (
    AfterEvents,
    Episode,
    Observed,
    OwnEvent,
    QuotePair,
    RawRecords,
    Reward,
    Templates,
)
from mycelial.environment.single import MarketEnv
from mycelial.market.book import INPUT, EventKind, Kind, Mode, Reject, Tif

NOTHING = 0
MS = 10**6


def rejections(info):
    """The reasons of all refusals told in an `info`."""
    events = info["events"]
    return [int(reason) for reason in events["reason"][events["kind"] == EventKind.REJECTED]]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", ["flat", "dict"])
@pytest.mark.parametrize("acting", [Templates(), QuotePair(), RawRecords(3)], ids=lambda a: type(a).__name__)
def test_gymnasium_finds_nothing_wrong(acting, form):
    check_env(MarketEnv(small(acting=acting), observation=form), skip_render_check=True)


def test_profits_add_up_to_the_change_of_value_to_the_last_unit():
    env = MarketEnv(small(reward=Reward(scale=1.0)))
    _, first = env.reset(seed=3)
    rewards, profits, info = 0, 0, first

    for step in range(20):
        _, reward, _, _, info = env.step(choose(step, env.action_space.n))
        assert reward == info["profit"]
        rewards, profits = rewards + int(reward), profits + info["profit"]

    account = env.market.book.accounts()[env.market.config.agents]
    assert profits == rewards == info["value"] - first["value"] != 0
    assert info["cash"] == account["cash_free"] + account["cash_held"]
    assert info["lots"] == account["asset_free"] + account["asset_held"] != first["lots"]


def test_nothing_is_made_or_lost_in_an_episode():
    env = MarketEnv(small())
    env.reset(seed=5)
    for step in range(20):
        env.step(choose(step, env.action_space.n, 3))

    assert total_money(env.market) == (0, 0)
    assert env.market.lost == 0


def test_shortfall_is_what_fills_and_fees_cost_against_the_opening_mid():
    env = MarketEnv(small(acting=Templates(offsets=(5,), tifs=("IOC",)), reward=Reward(0.0, 0.0, 1.0, scale=1.0)))
    _, first = env.reset(seed=3)
    start_mid = (first["start_value"] - first["cash"]) // first["lots"]

    _, reward, _, _, info = env.step(2)  # buy
    events = info["events"]
    costs = events["lots"] * (events["price"] - start_mid) + events["taker_fee"]
    paid = int(costs[events["kind"] == EventKind.TRADE].sum())

    assert info["shortfall"] == paid == -reward > 0


def test_holding_more_than_at_the_start_is_charged_by_the_second():
    plain = MarketEnv(small(acting=Templates(offsets=(5,), tifs=("IOC",)), reward=Reward(scale=1.0)))
    charged = MarketEnv(
        small(acting=Templates(offsets=(5,), tifs=("IOC",)), reward=Reward(inventory_bps=100.0, scale=1.0))
    )
    (_, first), _ = plain.reset(seed=3), charged.reset(seed=3)

    _, without, _, _, info = plain.step(2)
    _, with_charge, _, _, _ = charged.step(2)
    mark = (info["value"] - info["cash"]) // info["lots"]

    assert without - with_charge == pytest.approx(0.01 * (info["lots"] - first["lots"]) * mark * 0.1)


def test_what_the_mask_allows_is_accepted_and_what_it_forbids_is_refused_without_effect():
    poor = small(
        acting=Templates(offsets=(0, 3), sizes=(1.0, 30.0), tifs=("GTC", "IOC")), cash_orders=20.0, asset_orders=20.0
    )
    seen = set()
    env = MarketEnv(poor)
    for seed in range(3):
        env.reset(seed=seed)
        for step in range(18):
            mask = env.action_masks()
            choice = choose(step, env.action_space.n, seed)
            before = env.market.book.accounts()[env.market.config.agents].copy()
            _, _, _, _, info = env.step(choice)
            seen.add(bool(mask[choice]))
            assert (rejections(info) == []) == bool(mask[choice]), (choice, info["events"])
            if not mask[choice] and len(info["events"]["kind"]) == 1:
                assert env.market.book.accounts()[env.market.config.agents] == before

    assert seen == {True, False}


def test_a_choice_that_does_not_exist_is_refused_by_the_exchange():
    env = MarketEnv(small())
    env.reset(seed=1)
    for choice in (-1, env.action_space.n, 2**40):
        assert rejections(env.step(choice)[4]) == [Reject.BAD_RECORD]


def test_a_quote_that_is_no_number_is_refused_by_the_exchange():
    env = MarketEnv(small(acting=QuotePair()))
    env.reset(seed=1)

    assert rejections(env.step(np.array([np.nan, 1, 1, 1], np.float32))[4]) == [Reject.BAD_RECORD]


def test_two_quotes_rest_where_they_were_asked_and_keep_their_place():
    env = MarketEnv(small(acting=QuotePair(), observed=Observed(orders=2)))
    env.reset(seed=1)
    env.step(np.array([40, 40, 1, 2], np.float32))
    first = env.desk.schema.split(env.step(np.array([0, 0, 0, 0], np.float32))[0])["orders"]
    env.step(np.array([40, 40, 1, 2], np.float32))
    orders = env.desk.schema.split(env.desk.seen)["orders"][0]

    assert np.all(first == 0.0)
    assert sorted(orders[:, 0]) == [-1.0, 1.0]
    assert orders[:, 2] == pytest.approx(np.log1p([1.0, 2.0]))
    assert np.all(np.abs(orders[:, 1] - 2.0) <= 0.05)  # 40 ticks of 20, rounded outward
    assert np.all(orders[:, 3] >= 0.0)


def test_only_the_operator_closes_the_market_or_mints_money():
    env = MarketEnv(small(acting=RawRecords(4)))
    env.reset(seed=1)
    records = np.zeros(4, INPUT)
    records["kind"] = [Kind.CONTROL, Kind.FUND, Kind.CLOCK, 99]
    records["aux"] = int(Mode.CLOSED)

    _, _, _, _, info = env.step(records)

    assert rejections(info) == [Reject.BAD_RECORD] * 4
    assert env.market.book.mode == Mode.ONLINE
    assert info["profit"] == (info["value"] - info["start_value"])


def test_raw_records_act_for_nobody_else():
    env = MarketEnv(small(acting=RawRecords(2)))
    env.reset(seed=1)
    records = np.zeros(2, INPUT)
    records["kind"], records["side"], records["lots"], records["price"] = Kind.NEW, 1, 10, 20_000
    records["owner"], records["client_id"], records["tif"] = 3, [7, 8], Tif.GTC

    _, _, _, _, info = env.step(records)

    accepted = info["events"]["kind"] == EventKind.ACCEPTED
    assert list(info["events"]["client_id"][accepted]) == [7, 8]
    assert set(info["events"]["owner"]) == {env.market.config.agents}


def test_whatever_records_say_nothing_raises():
    env = MarketEnv(small(acting=RawRecords(8)))
    env.reset(seed=1)
    noise = np.random.default_rng(0)
    for _ in range(10):
        records = noise.integers(0, 256, 8 * INPUT.itemsize, np.uint8).view(INPUT).copy()
        records["kind"] = noise.integers(0, 9, 8)
        env.step(records)

    assert total_money(env.market) == (0, 0)


def test_the_same_seed_and_actions_give_the_same_bytes():
    one, other = MarketEnv(small()), MarketEnv(small())
    assert same(one.reset(seed=9)[0], other.reset(seed=9)[0])
    for step in range(20):
        choice = choose(step, one.action_space.n)
        a, b = one.step(choice), other.step(choice)
        assert same(a[0], b[0])
        assert a[1:4] == b[1:4]
        assert same(a[4]["events"], b[4]["events"])
    assert one.market.digest == other.market.digest
    assert not same(one.reset()[0], one.reset(seed=10)[0])


def test_a_distant_agent_sees_what_a_near_one_saw_before():
    near, far = MarketEnv(small()), MarketEnv(small(latency_ns=(0, 300 * MS)))
    split = near.schema.split
    seen = [split(near.reset(seed=4)[0])["book"]] + [split(near.step(NOTHING)[0])["book"] for _ in range(10)]
    late = [split(far.reset(seed=4)[0])["book"]] + [split(far.step(NOTHING)[0])["book"] for _ in range(10)]

    assert len({book.tobytes() for book in seen}) > 5
    for step in range(8):
        assert same(seen[step], late[step + 3])


@pytest.mark.parametrize(("up", "down", "steps"), [(0, 0, 1), (50, 40, 1), (50, 60, 2), (250, 100, 4)])
def test_no_observation_shows_what_happened_later(up, down, steps):
    """What an agent does now can change nothing that it sees before its order went there and the news came back."""
    steady = POPULATION.replace(latency={"jitter": "none"})
    quiet, busy = (MarketEnv(small(latency_ns=(up * MS, down * MS), population=steady)) for _ in range(2))
    quiet.reset(seed=4)
    busy.reset(seed=4)
    differs = []
    for step in range(8):
        a, b = quiet.step(NOTHING)[0], busy.step(4 if step == 0 else NOTHING)[0]
        differs.append(not same(a, b))

    assert differs.index(True) == steps - 1


def test_another_future_leaves_the_past_as_it_was():
    one, other = MarketEnv(small()), MarketEnv(small())
    one.reset(seed=6)
    other.reset(seed=6)
    ahead = [2, 5, 1, 8, 3]
    past = [(one.step(c)[0], other.step(c)[0]) for c in ahead]
    futures = [(one.step(c)[0], other.step(d)[0]) for c, d in zip([2, 6, 9], [9, 2, 6], strict=True)]

    assert all(same(a, b) for a, b in past)
    assert not all(same(a, b) for a, b in futures)


def test_a_step_of_events_ends_when_they_have_happened_and_arrived():
    env = MarketEnv(small(pace=AfterEvents(50), latency_ns=(0, 10 * MS)))
    env.reset(seed=2)
    count, time = env.market.book.state.scalar("event_seq"), env.market.now
    _, _, _, _, info = env.step(NOTHING)
    age = env.schema.split(env.desk.seen)["clock"][0, 1] * 10.0

    assert env.market.book.state.scalar("event_seq") >= count + 50
    assert info["time_ns"] > time
    assert age == pytest.approx(0.010, abs=1e-6)


def test_a_step_to_the_first_own_event_ends_with_it_or_with_patience():
    env = MarketEnv(small(pace=OwnEvent(0.5), latency_ns=(10 * MS, 20 * MS)))
    env.reset(seed=2)
    start = env.market.now
    waited = env.step(NOTHING)[4]
    answered = env.step(2)[4]

    assert waited["time_ns"] - start == 500 * MS
    assert len(waited["events"]["kind"]) == 0
    assert len(answered["events"]["kind"]) >= 1
    assert 30 * MS <= answered["time_ns"] - waited["time_ns"] < 500 * MS


def test_running_out_of_time_truncates():
    env = MarketEnv(small())
    env.reset(seed=1)
    ends = [env.step(NOTHING)[2:] for _ in range(20)]

    assert all((terminated, truncated) == (False, False) for terminated, truncated, _ in ends[:-1])
    assert ends[-1][:2] == (False, True)
    assert ends[-1][2]["end"] == "time"


def test_ruin_terminates():
    env = MarketEnv(
        small(
            acting=Templates(offsets=(50,), sizes=(5.0,), tifs=("IOC",)),
            episode=Episode(seconds=60.0, warm_up_s=1.0, ruin_share=0.9999),
        )
    )
    env.reset(seed=1)
    for step in range(600):
        _, _, terminated, truncated, info = env.step(2 + step % 2)
        if terminated:
            break

    assert (terminated, truncated, info["end"]) == (True, False, "ruin")
    assert info["value"] <= 0.9999 * info["start_value"]


def test_reaching_the_goal_with_no_order_left_terminates():
    env = MarketEnv(
        small(
            acting=Templates(offsets=(200,), sizes=(1.0,), tifs=("IOC", "GTC")),
            episode=Episode(seconds=10.0, warm_up_s=1.0, goal_orders=2.0),
        )
    )
    env.reset(seed=1)
    first = env.step(2)
    second = env.step(3)  # a buy order far below the market stays
    third = env.step(2)
    last = env.step(1)

    assert [x[2] for x in (first, second, third)] == [False] * 3
    assert last[2:4] == (True, False)
    assert last[4]["end"] == "goal"
    assert last[4]["lots"] - env.desk.seats["start_lots"][0] == env.config.goal_lots
