"""Results that would be too good must show up: foresight is found, luck is not taken for skill."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mycelial.environment.trading import TradingConfig, TradingTask, regime
from mycelial.lab.inference import deflated_sharpe, paired, sharpe
from mycelial.lab.trading.evaluation import has_edge, play
from mycelial.lab.trading.policies import Trained
from mycelial.learning.hyper import Hyper
from mycelial.learning.loop import Trainer
from mycelial.learning.policy import Team

CONFIG = TradingConfig(regime=regime("middle"), steps=60, seats=2, volumes_usd=(10_000_000,), warm_up_s=20.0)
HYPER = Hyper(
    steps=40_000, backend="numpy", gamma=0.9, trace=0.3, rate=2e-3, segment=20, minibatches=4, scale_rewards=True
)


def trained(config, steps, seed=1):
    trainer = Trainer(TradingTask(config, 32), replace(HYPER, steps=steps), seed)
    trainer.advance(steps)
    return trainer.team()


def test_foresight_is_learnt_within_seconds():
    seeing = replace(CONFIG, foresight_s=20.0)
    team = trained(seeing, 40_000)

    with_it = play(seeing, Trained(team), [0, 1, 2], 16)
    blind = play(CONFIG, Trained(team), [0, 1, 2], 16)  # the same team in the same worlds, the figure hidden

    assert with_it.scores.min() > 1.2 * blind.scores.max()
    assert paired(with_it.profit.reshape(-1), blind.profit.reshape(-1)).is_gain


@pytest.mark.parametrize("draw", ["normal", "heavy tails", "skewed"])
def test_no_edge_is_reported_where_there_is_none(draw):
    rng = np.random.default_rng(17)
    alarms, found, trials = 0, 0, 300

    for _ in range(trials):
        scores = {
            "normal": rng.standard_normal((20, 12)),
            "heavy tails": rng.standard_t(3, (20, 12)),
            "skewed": rng.exponential(1.0, (20, 12)) - 1.0,
        }[draw]
        alarms += paired(scores[0], np.zeros(12), resamples=300).is_gain
        best = max(range(20), key=lambda n: sharpe(scores[n]))
        spread = float(np.std([sharpe(row) for row in scores]))
        found += deflated_sharpe(scores[best], 20, spread) > 0.95

    bound = 0.05 * trials + 2.0 * np.sqrt(0.05 * 0.95 * trials)  # 5 % and what sampling adds
    assert alarms <= bound
    assert found <= bound


def test_a_team_that_trades_at_random_in_a_fair_market_shows_no_edge():
    outcome = play(replace(CONFIG, regime=regime("liquid")), Trained(trained(CONFIG, 1_000)), range(6), 4)

    assert not has_edge(outcome).is_gain


def decisions(foresight, change_at):
    """Return what a team saw and did when the future, and only it, is another from step `change_at` on."""
    config = replace(CONFIG, foresight_s=foresight, steps=30)
    task = TradingTask(config, 2, stagger=False)
    seen = task.reset(3)
    obs, mask = seen.obs, seen.mask
    rows = []
    for t in range(30):
        if t == change_at:
            for desk in task._desks.desks:
                market = desk.market
                market.population.header["world_key"] ^= np.uint64(12345)
                market.population.header["key"] ^= np.uint64(54321)
                market.header["pool_key"] ^= np.uint64(999)
        rows.append(obs.copy())
        step = task.step(np.argmax(mask * np.cos(np.arange(task.actions) * (1.0 + obs.sum(-1))[..., None]), -1))
        obs, mask = step.final_obs, step.mask
    return np.stack(rows)


def test_another_future_changes_no_past_decision():
    one, other = decisions(0.0, 15), decisions(0.0, 40)

    assert one[:16].tobytes() == other[:16].tobytes()
    assert one[16:].tobytes() != other[16:].tobytes()


def test_the_check_of_the_future_bites():
    """A figure of the future makes decisions depend on it: the check above would see that."""
    config = replace(CONFIG, foresight_s=20.0, steps=30)
    task = TradingTask(config, 1, stagger=False)
    task.reset(3)
    keep = np.zeros((1, 2), np.int32)
    plain = [task.step(keep).final_obs[0, 0, -1] for _ in range(10)]

    task.reset(3)
    for t in range(10):
        if t == 5:
            task._desks.desks[0].market.population.header["world_key"] ^= np.uint64(12345)
        last = task.step(keep).final_obs[0, 0, -1]
        if t < 5:
            assert last == plain[t]

    assert last != plain[9]


def test_exported_team_acts_as_the_trainer_did(tmp_path):
    team = trained(CONFIG, 1_000)
    team.save(tmp_path / "team.npz")
    task = TradingTask(CONFIG, 4)
    seen = task.reset(1)

    again = Team.load(tmp_path / "team.npz")

    for _ in range(20):
        actions = team.act(seen.obs, seen.mask)
        np.testing.assert_array_equal(again.act(seen.obs, seen.mask), actions)
        single = [[again.member(n).act(seen.obs[b, n], seen.mask[b, n]) for n in range(2)] for b in range(4)]
        np.testing.assert_array_equal(single, actions)
        seen = task.step(actions)
