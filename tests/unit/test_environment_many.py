"""Several learning agents in one market, and many markets at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from pettingzoo.test import parallel_api_test, parallel_seed_test
from tests.support.environments import choose, same, small, total_money

from mycelial.domain.errors import ConfigError, DataError
from mycelial.environment import Episode, QuotePair, RawRecords, Templates
from mycelial.environment.parallel import MarketParallelEnv
from mycelial.environment.single import MarketEnv
from mycelial.environment.vector import MarketVectorEnv
from mycelial.market.book import INPUT, EventKind


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("acting", [Templates(), QuotePair()], ids=lambda a: type(a).__name__)
def test_pettingzoo_finds_nothing_wrong(acting):
    parallel_api_test(MarketParallelEnv(small(acting=acting), 3), num_cycles=60)
    parallel_seed_test(lambda: MarketParallelEnv(small(acting=acting), 2), num_cycles=30)


def test_whose_order_comes_first_rotates_with_the_step():
    env = MarketParallelEnv(small(acting=Templates(offsets=(100,), tifs=("GTC",))), 3)
    env.reset(seed=1)
    firsts = []
    for _ in range(6):
        infos = env.step(dict.fromkeys(env.agents, 2))[4]
        accepted = {
            name: info["events"]["event_seq"][info["events"]["kind"] == EventKind.ACCEPTED][0]
            for name, info in infos.items()
        }
        firsts.append(min(accepted, key=accepted.__getitem__))

    assert firsts == ["agent_0", "agent_1", "agent_2"] * 2


def test_each_agent_hears_of_its_own_orders_only():
    env = MarketParallelEnv(small(), 2)
    env.reset(seed=1)
    first = env.market.config.agents
    for step in range(15):
        infos = env.step({name: choose(step, 14, n) for n, name in enumerate(env.agents)})[4]
        for n, name in enumerate(env.agents):
            events = infos[name]["events"]
            mine = (events["owner"] == first + n) | (
                (events["kind"] == EventKind.TRADE) & (events["maker_owner"] == first + n)
            )
            assert mine.all()


def test_profits_of_everybody_add_up_and_money_is_conserved():
    env = MarketParallelEnv(small(), 4)
    _, infos = env.reset(seed=8)
    start, profit = {name: info["value"] for name, info in infos.items()}, dict.fromkeys(env.agents, 0)
    while env.agents:
        infos = env.step({name: choose(profit[name] % 50, 14, n) for n, name in enumerate(env.agents)})[4]
        for name, info in infos.items():
            profit[name] += info["profit"]

    assert all(infos[name]["value"] - start[name] == profit[name] for name in infos)
    assert total_money(env.market) == (0, 0)


def test_a_ruined_agent_leaves_and_its_orders_are_cancelled():
    env = MarketParallelEnv(
        small(
            acting=Templates(offsets=(50,), sizes=(5.0,), tifs=("IOC", "GTC")),
            episode=Episode(seconds=60.0, warm_up_s=1.0, ruin_share=0.9999),
        ),
        2,
    )
    env.reset(seed=1)
    env.step({"agent_0": 3, "agent_1": 0})  # an order that rests
    step = 0
    while "agent_0" in env.agents:
        _, _, terminated, truncated, _ = env.step({"agent_0": (2, 4)[step % 2], "agent_1": 0})
        step += 1
    env.step({"agent_1": 0})
    account = env.market.book.accounts()[env.market.config.agents]

    assert (terminated["agent_0"], truncated["agent_0"]) == (True, False)
    assert env.agents == ["agent_1"]
    assert account["cash_held"] == account["asset_held"] == 0


def test_a_crowd_of_learning_agents_may_send_more_than_the_market_first_had_room_for():
    rich = small(acting=RawRecords(32), instrument=replace(small().instrument, max_orders=2**13))
    env = MarketParallelEnv(rich, 100)
    env.reset(seed=1)
    records = np.zeros(32, INPUT)
    records["lots"], records["price"] = 1, np.arange(5_000, 5_032)

    infos = env.step(dict.fromkeys(env.agents, records))[4]
    orders = env.market.book.orders()

    assert (orders["owner"] >= env.market.config.agents).sum() == 100 * 32
    assert infos["agent_0"]["events_lost"] > 0
    assert env.market.lost == 0
    assert total_money(env.market) == (0, 0)


def test_agents_at_different_distances_share_one_market():
    env = MarketParallelEnv(small(latency_ns=((0, 0), (10**6, 200 * 10**6))), 2)
    env.reset(seed=1)
    books = []
    for _ in range(6):
        seen = env.step({})[0]
        books.append([env.schema.split(seen[name])["book"] for name in env.possible_agents])

    assert all(same(books[step][0], books[step + 2][1]) for step in range(4))


@pytest.mark.parametrize("threads", [1, 2])
def test_every_book_of_a_vector_lives_as_it_would_alone(threads):
    books = 3
    many = MarketVectorEnv(small(), books, threads=threads)
    alone = [MarketEnv(small()) for _ in range(books)]
    seen, _ = many.reset(seed=11)
    assert all(same(seen[b], alone[b].reset(seed=11 + b)[0]) for b in range(books))

    for step in range(50):
        actions = np.array([choose(step, 14, b) for b in range(books)])
        seen, rewards, terminated, truncated, infos = many.step(actions)
        for b, env in enumerate(alone):
            begins_anew = step % 21 == 20  # after 20 steps
            expected = (env.reset()[0], 0.0, False, False) if begins_anew else env.step(actions[b])[:4]
            assert same(seen[b], expected[0])
            assert (rewards[b], terminated[b], truncated[b]) == expected[1:]
            assert infos["value"][b] == env.desk.seats["value"][0]
            assert same(many.action_masks()[b], env.action_masks())
    many.close()


def test_same_step_autoreset_gives_the_last_observation_apart():
    next_step, same_step = MarketVectorEnv(small(), 2), MarketVectorEnv(small(), 2, autoreset="same_step")
    next_step.reset(seed=1)
    same_step.reset(seed=1)
    nothing = np.zeros(2, int)
    for _ in range(20):
        a, b = next_step.step(nothing), same_step.step(nothing)
    fresh = next_step.step(nothing)[0]

    assert next_step.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert same_step.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert a[3].all()
    assert b[3].all()
    assert "final_obs" not in a[4]
    assert same(np.stack(list(b[4]["final_obs"])), a[0])
    assert same(b[4]["final_info"]["value"], a[4]["value"])
    assert same(b[0], fresh)


def test_a_book_of_several_agents_ends_for_all_at_once():
    env = MarketVectorEnv(small(), 2, agents=3)
    seen, infos = env.reset(seed=1)
    assert seen.shape == (6, env.schema.size)
    assert infos["value"].shape == (6,)
    for _ in range(20):
        truncated = env.step(env.action_space.sample())[3]

    assert truncated.all()


@pytest.mark.parametrize("form", ["flat", "dict"])
def test_vector_spaces_contain_what_comes_out(form):
    env = MarketVectorEnv(small(acting=QuotePair()), 2, observation=form)
    seen, _ = env.reset(seed=1)
    assert seen in env.observation_space
    seen = env.step(env.action_space.sample())[0]
    assert seen in env.observation_space


def test_impossible_numbers_are_refused_with_a_reason():
    with pytest.raises(ConfigError, match="at least one"):
        MarketVectorEnv(small(), 0)
    with pytest.raises(ConfigError, match="autoreset 'never'"):
        MarketVectorEnv(small(), 1, autoreset="never")
    with pytest.raises(DataError, match="3 seeds are given for 2 books"):
        MarketVectorEnv(small(), 2).reset(seed=[1, 2, 3])
    with pytest.raises(ConfigError, match="2 latencies are given for 3 agents"):
        MarketParallelEnv(small(latency_ns=((0, 0), (1, 1))), 3)
