"""Configuration: which source wins, what is refused and how the refusal helps."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from mycelial.agents.symba.presets import PRESETS, preset
from mycelial.config import Config, load
from mycelial.config.loading import to_toml
from mycelial.config.rooms import amount, duration_s, share
from mycelial.config.schema import keys
from mycelial.domain.errors import ConfigError, NotFound


def toml(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_each_source_wins_over_the_ones_before_it(tmp_path: Path):
    """Take one source away after the other: the value is that of the strongest one left."""
    project = toml(tmp_path, "mycelial.toml", "seed = 1\n")
    calm = toml(tmp_path, "calm.toml", "seed = 2\n")
    crash = toml(tmp_path, "crash.toml", "seed = 3\n")
    environment = {"MYCELIAL__SEED": "4", "HOME": "/nowhere"}
    everything = {
        "overlays": (calm, crash),
        "project": project,
        "environment": environment,
        "settings": ["seed=5"],
        "options": {"seed": ("--seed", 6)},
    }
    expected = [
        ("options", 6, "--seed"),
        ("settings", 5, "--set"),
        ("environment", 4, "environment MYCELIAL__SEED"),
        ("overlays", 3, str(crash)),
        ("project", 1, str(project)),
    ]

    for source, value, origin in expected:
        loaded = load(**everything)
        assert (loaded.config.seed, loaded.origin["seed"]) == (value, origin)
        del everything[source]

    assert load().origin["seed"] == "default"


def test_the_environment_reaches_parameters_of_the_population():
    loaded = load(environment={"MYCELIAL__POPULATION__SYMBA__AGENTS": "40"})

    assert loaded.config.population.symba.parameters().agents == 40
    assert loaded.origin["population.symba.agents"] == "environment MYCELIAL__POPULATION__SYMBA__AGENTS"


def test_parameters_left_out_come_from_the_preset_whichever_source_names_it(tmp_path: Path):
    project = toml(tmp_path, "mycelial.toml", "[population.symba]\nagents = 40\npreset = 'extended'\n")

    loaded = load(project=project, settings=["population.symba.preset=paper"])

    assert loaded.config.population.symba.parameters() == preset("paper").replace(agents=40)
    assert loaded.origin["population.symba.fee"] == "preset paper"


@pytest.mark.parametrize(
    ("setting", "suggestion"),
    [
        ("population.symba.agentz=5", "did you mean population.symba.agents?"),
        ("simulation.asset=5", "did you mean simulation.assets?"),
        ("sead=5", "did you mean seed?"),
        ("agents=5", "did you mean population.symba.agents?"),
        ("populaton.symba.fee=0", "did you mean population.symba.fee?"),
        ("simulation=5", "simulation is a table"),
        ("zzz.qqq=1", "config show"),
    ],
)
def test_an_unknown_key_is_an_error_that_names_the_nearest_one(setting: str, suggestion: str):
    with pytest.raises(ConfigError) as refused:
        load(settings=[setting])

    assert suggestion in str(refused.value)
    assert str(refused.value).startswith("--set: ")


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("population.symba.preset=extendid", "did you mean extended?"),
        ("population.symba.agents=1", "outside [2, 200000]"),
        ("population.symba.agents=many", "not a whole number"),
        ("population.symba.fee=nan", "outside [0, 0.1]"),
        ("population.symba.noise=loud", "independent, common"),
        ("population.symba.learning_days=2453", "leaves none of the 2453 days"),
        ("simulation.assets=0", "greater than or equal to 1"),
        ("simulation.assets=2.5", "integer"),
        ("seed=true", "integer"),
        ("no-equals-sign", "is not key=value"),
    ],
)
def test_an_impossible_value_is_refused_with_the_reason(setting: str, reason: str):
    with pytest.raises(ConfigError, match="--set") as refused:
        load(settings=[setting])

    assert reason in str(refused.value)


def test_a_refused_value_names_the_file_it_stands_in(tmp_path: Path):
    overlay = toml(tmp_path, "tiny.toml", "[population.symba]\nagents = 1\n")

    with pytest.raises(ConfigError, match=r"tiny\.toml: population\.symba\.agents = 1"):
        load((overlay,))


def test_an_overlay_that_does_not_exist_or_is_no_toml_is_refused(tmp_path: Path):
    with pytest.raises(NotFound, match=r"absent\.toml does not exist"):
        load((tmp_path / "absent.toml",))
    with pytest.raises(ConfigError, match=r"broken\.toml: is not TOML: .*line 1"):
        load((toml(tmp_path, "broken.toml", "seed = = 1"),))


@pytest.mark.parametrize("name", PRESETS)
def test_the_written_configuration_reads_back_to_the_very_same_values(tmp_path: Path, name: str):
    settings = [f"population.symba.preset={name}", "population.symba.fee=0.012345678901234567", "seed=123456789012"]
    before = load(settings=settings).config

    after = load((toml(tmp_path, "lock.toml", to_toml(before.flat(), comment="complete")),)).config

    assert after.flat() == before.flat()
    assert after.population.symba.parameters() == before.population.symba.parameters()


def test_every_key_can_be_explained_and_stands_in_the_schema():
    explained = keys()

    assert set(explained) == set(Config().flat())
    assert all(key.why and key.allowed for key in explained.values())
    symba = Config.model_json_schema()["$defs"]["Symba"]["properties"]
    assert symba["agents"] | {"title": ""} == {
        "default": None,
        "description": "number of agents I",
        "minimum": 2,
        "maximum": 200000,
        "title": "",
    }
    assert {f"population.symba.{name}" for name in symba} < set(explained)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("risk.max_drawdown=5 km", "risk.max_drawdown = '5 km': '5 km' is not a share; write it like \"2 %\""),
        ("risk.max_position=half", 'write it like "0.5 BTC"'),
        ("risk.cancel_on_disconnect=1 week", "units: ms, s, min, h, d"),
        ('exchange.pairs=["BTCUSD"]', "exchange.pairs = ['BTCUSD']: 'BTCUSD' is not a pair"),
        ("swarm.learning.best_response.depth=4", "less than or equal to 3"),
        ("swarm.gossip=1", "swarm.gossip is a table, not a value"),
        ("swarm.gossip.agregate=mean", "did you mean swarm.gossip.aggregate?"),
    ],
)
def test_rooms_of_the_swarm_say_what_is_wrong_and_how_to_write_it(setting: str, says: str):
    with pytest.raises(ConfigError, match=re.escape(says)):
        load(settings=[setting])


def test_amounts_shares_and_durations_are_read_exactly():
    assert amount("0.1 BTC") == (Decimal("0.1"), "BTC")
    assert share("2 %") == Decimal("0.02")
    assert duration_s("5 min") == 300
    assert duration_s("20 ms") == Decimal("0.02")


def test_a_complete_configuration_reads_back_to_itself(tmp_path: Path):
    whole = load(settings=['exchange.pairs=["BTC/USD", "ETH/USD"]', "swarm.learning.best_response.depth=2"]).config

    again = load((toml(tmp_path, "lock.toml", to_toml(whole.flat())),)).config

    assert again.flat() == whole.flat()


def test_every_key_of_the_schema_is_explained_and_has_a_value():
    known, flat = keys(), Config().flat()

    assert set(known) == set(flat)
    assert all(key.why and key.allowed and key.kind for key in known.values())
