"""Search spaces, the split of coins, and named seeds."""

from __future__ import annotations

import numpy as np
import pytest

from mycelial.agents.symba.presets import preset
from mycelial.domain.errors import ConfigError, DataError, NotFound
from mycelial.facts.panel import Panel
from mycelial.simulation.calibrate.analysis import position
from mycelial.simulation.calibrate.space import CODE, EXTENDED, PAPER, Dimension, Space, named_space, parse_space
from mycelial.simulation.calibrate.split import named_seeds, split_coins


def panel_of(names: list[str]) -> Panel:
    price = np.arange(1.0, 3 * len(names) + 1).reshape(len(names), 3)
    return Panel(tuple(names), price, np.ones_like(price), "real")


def test_paper_grid_is_the_600_points_of_table_1():
    points = PAPER.grid()

    assert len(points) == 600
    assert points[0] == {"agents": 500, "gesture_scalar": 1.0, "accuracy": 9.0, "drawdown": 10}
    assert points[-1] == {"agents": 5500, "gesture_scalar": 3.0, "accuracy": 12.0, "drawdown": 90}
    assert {point["agents"] for point in points} == {500, 1500, 2500, 3500, 4500, 5500}
    assert len({tuple(point.values()) for point in points}) == 600


def test_grid_of_the_simulator_has_1200_points_over_jump_spacing():
    points = CODE.grid()

    assert len(points) == 1200
    assert sorted({point["jump_spacing"] for point in points}) == [0.1, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.5]


def test_a_subset_of_the_grid_depends_on_its_seed_only():
    some = PAPER.grid(points=40, seed=3)

    assert some == PAPER.grid(points=40, seed=3)
    assert some != PAPER.grid(points=40, seed=4)
    assert len(some) == 40
    assert all(point in PAPER.grid() for point in some)
    assert PAPER.grid(stride=100) == [PAPER.grid()[n] for n in range(0, 600, 100)]


def test_a_log_range_is_searched_evenly_in_logs_and_inverted_exactly():
    dimension = Dimension("signal_error", 0.1, 10.0, log=True)

    assert dimension.at(0.5) == pytest.approx(1.0)
    assert dimension.at(0.25) == pytest.approx(10**-0.5)
    assert position(dimension, dimension.at(0.3)) == pytest.approx(0.3)


def test_a_range_of_a_whole_number_gives_whole_numbers_inside_it():
    dimension = Dimension("agents", 10, 20)

    found = {dimension.at(u) for u in np.linspace(0, 0.999, 200)}

    assert found == set(range(10, 21))
    assert all(type(value) is int for value in found)


def test_a_space_from_toml_applies_fixed_and_searched_parameters():
    space = parse_space(
        '[fixed]\nestimate = "signal"\n[parameters.quoting]\nlow = 0.2\nhigh = 0.8\n'
        "[parameters.memory_span_cap]\nvalues = [60, 250]\n",
        "mine.toml",
    )

    params = space.apply(preset("paper"), {"quoting": 0.5, "memory_span_cap": 60})

    assert (params.estimate, params.quoting, params.memory_span_cap) == ("signal", 0.5, 60)
    assert Space.from_dict(space.to_dict()) == space


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[parameters.quotin]\nlow = 0\nhigh = 1", "did you mean quoting"),
        ("[parameters.quoting]\nlow = 0\nhigh = 2", r"allows \[0, 1\]"),
        ("[parameters.quoting]\nlow = 0.9\nhigh = 0.1", "low below high"),
        ("[parameters.quoting]\nlow = 0\nhigh = 1\nlog = true", "above 0"),
        ("[parameters.quoting]\nlow = 0", "lacks 'high'"),
        ("[parameters.quoting]\nlow = 0\nhigh = 1\nstep = 2", "takes low, high and log"),
        ("[parameters.minds]\nlow = 0\nhigh = 1", "is a switch"),
        ('[parameters.minds]\nvalues = ["clever"]', "choose one of"),
        ("[fixed]\nquoting = 1\n[parameters.quoting]\nlow = 0\nhigh = 1", "given twice"),
        ("name = 'x'", "searches nothing"),
        ("parameters = [", "is not TOML"),
    ],
)
def test_a_wrong_space_says_what_is_wrong(text, said):
    with pytest.raises(ConfigError, match=said):
        parse_space(text, "mine.toml")


def test_an_unknown_space_names_those_there_are():
    with pytest.raises(NotFound, match="paper, code, extended"):
        named_space("papr")


def test_the_extended_space_holds_its_own_preset():
    assert EXTENDED.point_of(preset("extended")) is not None
    assert EXTENDED.point_of(preset("extended").replace(quoting=0.0)) is None


def test_coins_are_split_in_disjoint_halves_whatever_their_order():
    names = [f"C{n:02d}" for n in range(27)]

    split = split_coins(panel_of(names), seed=5)

    assert set(split.fit).isdisjoint(split.validation)
    assert set(split.fit) | set(split.validation) == set(names)
    assert (len(split.fit), len(split.validation)) == (14, 13)
    assert split == split_coins(panel_of(names[::-1]), seed=5)
    assert split != split_coins(panel_of(names), seed=6)


def test_the_halves_of_a_panel_carry_their_own_prices():
    panel = panel_of(["D", "C", "B", "A"])
    split = split_coins(panel, seed=0)

    fit, validation = split.panels(panel)

    for half in (fit, validation):
        for name, price in zip(half.names, half.price, strict=True):
            assert price.tolist() == panel.price[panel.names.index(name)].tolist()


def test_a_panel_without_a_coin_of_the_split_is_refused():
    split = split_coins(panel_of(["A", "B", "C", "D"]), seed=0)

    with pytest.raises(DataError, match="lacks 1 coin"):
        split.panels(panel_of(["A", "B", "C", "E"]))


def test_three_coins_are_too_few_to_hold_half_out():
    with pytest.raises(DataError, match="at least 4"):
        split_coins(panel_of(["A", "B", "C"]), seed=0)


def test_named_sets_of_seeds_share_none_and_grow_at_the_end():
    sets = {name: named_seeds(7, name, 50) for name in ("search", "validation", "report", "sensitivity")}

    assert len({seed for seeds in sets.values() for seed in seeds}) == 200
    assert named_seeds(7, "search", 3) == sets["search"][:3]
    assert named_seeds(8, "search", 3) != sets["search"][:3]
