"""Environments by name, and the layout of their observations."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from tests.support.environments import small

import mycelial
from mycelial.domain.errors import ConfigError, NotFound
from mycelial.environment import Episode, Every, Observed, names, preset, schema_of
from mycelial.environment.parallel import MarketParallelEnv
from mycelial.environment.single import MarketEnv
from mycelial.market.venues import packaged_venue


def test_every_name_is_a_pair_under_its_exchange_s_rules():
    kraken = packaged_venue("kraken")
    assert "kraken-btcusd" in names()
    assert len(names()) == len(kraken.pairs)
    for name in names():
        config = preset(name)
        pair = kraken.pair(config.instrument.symbol)
        assert config.instrument.tick_size == pair.tick_size
        assert config.instrument.min_lots * config.instrument.lot_size >= pair.min_quantity
        assert config.population.typical_lots >= config.instrument.min_lots
        assert [rates for _, *rates in config.fee_tiers] == [
            [tier.maker_ppm, tier.taker_ppm] for tier in kraken.fee_schedules[pair.fees].tiers
        ]


def test_one_agent_makes_a_gymnasium_environment_and_several_a_parallel_one():
    short = {"population": 100, "pace": Every(0.1), "episode": Episode(seconds=1.0, warm_up_s=0.5)}
    one = mycelial.make_env("kraken-btcusd", **short)
    several = mycelial.make_env("Kraken-ETHUSD", agents=3, **short)
    many = mycelial.make_vec_env("kraken-dogeusd", books=2, threads=2, **short)

    assert isinstance(one, MarketEnv)
    assert isinstance(several, MarketParallelEnv)
    assert one.reset(seed=1)[0] in one.observation_space
    assert len(several.reset(seed=1)[0]) == 3
    assert many.reset(seed=1)[0].shape == (2, many.schema.size)
    assert one.config.population.agents == 100
    many.close()


def test_a_configuration_of_one_s_own_is_taken_as_it_is():
    config = small()
    assert mycelial.make_env(config).config is config
    with pytest.raises(ConfigError, match="put pace into it"):
        mycelial.make_env(config, pace=Every(1.0))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: mycelial.make_env("kraken-btcusdd"), NotFound, "did you mean kraken-btcusd"),
        (lambda: mycelial.make_env("nowhere"), NotFound, "choose one of: kraken-"),
        (lambda: mycelial.make_env("kraken-btcusd", populaton=5), ConfigError, "did you mean population?"),
        (lambda: mycelial.make_env("kraken-btcusd", observation="round"), ConfigError, "flat or as a dict"),
        (lambda: preset("kraken-btcusd", pace=Every(0.0)), ConfigError, "too short"),
        (lambda: preset("kraken-btcusd", latency_ns=(0, 10**12)), ConfigError, "more than 256 steps"),
        (lambda: Observed(depth=0), ConfigError, "depth 0 must be from 1"),
    ],
)
def test_mistakes_are_named_with_what_to_do(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_the_layout_is_versioned_and_any_change_of_it_changes_the_digest():
    """If this fails because the layout changed, raise `schema.VERSION` and write the new digest here."""
    schema = schema_of(small())

    assert (schema.name, schema.version, schema.digest) == ("mycelial.market", 1, "cf5350f0acf08840")
    assert schema_of(small(pace=Every(5.0))).digest == schema.digest
    others = [{"depth": 6}, {"orders": 2}, {"trades": 5}, {"price_ticks": 21.0}, {"clip": 9.0}, {"age_s": 1.0}]
    settings = {"depth": 5, "orders": 3, "trades": 4}
    digests = {schema_of(small(observed=Observed(**{**settings, **other}))).digest for other in others}
    assert len(digests | {schema.digest}) == len(others) + 1


def test_blocks_lie_one_behind_the_other_without_gaps():
    schema = schema_of(small())
    flat = np.arange(schema.size, dtype=np.float32)

    blocks = schema.split(flat)

    assert list(blocks) == ["touch", "book", "funds", "orders", "trades", "clock"]
    assert np.array_equal(np.concatenate([block.reshape(-1) for block in blocks.values()]), flat)
    assert all(block.shape[-1] == len(laid.columns) for block, laid in zip(blocks.values(), schema.blocks, strict=True))


def test_the_book_block_is_the_exchange_s_book():
    env = MarketEnv(small())
    env.reset(seed=2)
    env.step(0)
    seen, book, config = env.schema.split(env.desk.seen[0]), env.market.observe(depth=5), env.config
    mid = (book.bids[0, 0] + book.asks[0, 0]) / 2

    assert seen["book"][0, :, 0] == pytest.approx((mid - book.bids[:, 0]) / config.observed.price_ticks, abs=1e-5)
    assert seen["book"][1, :, 1] == pytest.approx(np.log1p(book.asks[:, 1] / config.population.typical_lots))


@pytest.mark.parametrize("missing", ["gymnasium", "pettingzoo"])
def test_what_is_not_installed_is_named_with_how_to_install_it(missing):
    script = f"""
import sys
sys.modules[{missing!r}] = None
import mycelial
try:
    mycelial.make_env("kraken-btcusd", agents=2)
except mycelial.errors.MissingExtra as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert missing in result.stdout
    assert "pip install 'mycelial[env]'" in result.stdout
