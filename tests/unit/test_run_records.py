"""Run directories: complete under their name, or not there."""

from __future__ import annotations

import dataclasses
import errno
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mycelial.adapters.data.panels import load_panel
from mycelial.adapters.runs import find_runs, new_run, read_learning, read_run, read_sample
from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.domain.errors import ConfigError, DataError, NotFound, StorageError
from mycelial.simulation.run import WorldRun

ASSETS, DAYS, LEARNING = 3, 40, 10
PARAMS = SymbaParameters(agents=5, days=DAYS, learning_days=LEARNING)


def world(seed: int) -> WorldRun:
    """A world nobody lived in, of random positive numbers."""
    rng = np.random.default_rng(seed)
    series = [1.0 + rng.random((ASSETS, DAYS)) for _ in range(5)]
    nav = rng.random((2, PARAMS.agents))
    nav[1, 2] = np.nan
    return WorldRun(PARAMS, seed, *series, rng.random(DAYS), rng.random(DAYS), nav, 0.0)


def write(directory: Path, worlds: list[WorldRun], *, overwrite: bool = False) -> None:
    with new_run(directory, overwrite=overwrite) as writer:
        for one in worlds:
            writer.add(one)
        writer.finish({"started": "2026-01-01", "params": PARAMS.to_dict()}, "seed = 7\n")


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_run_reads_back_as_it_was_without_its_learning_phase(tmp_path: Path):
    worlds = [world(1), world(2)]

    write(tmp_path / "run", worlds)

    panel = load_panel(tmp_path / "run")
    np.testing.assert_array_equal(panel.price, np.concatenate([one.price[:, LEARNING:] for one in worlds]))
    np.testing.assert_array_equal(panel.volume, np.concatenate([one.volume[:, LEARNING:] for one in worlds]))
    assert panel.group == (0, 0, 0, 1, 1, 1)
    np.testing.assert_array_equal(read_learning(tmp_path / "run"), np.stack([one.year_nav_pct for one in worlds]))
    day, price, fundamental = read_sample(tmp_path / "run", run=1, asset=2)
    np.testing.assert_array_equal(day, np.arange(LEARNING, DAYS))
    np.testing.assert_array_equal(price, worlds[1].price[2, LEARNING:])
    np.testing.assert_array_equal(fundamental, worlds[1].fundamental[2, LEARNING:])


def test_series_hold_exactly_the_agreed_columns_and_days(tmp_path: Path):
    write(tmp_path / "run", [world(1)])

    series, learning = (pq.read_table(tmp_path / "run" / f"{name}.parquet") for name in ("series", "learning"))
    columns = ["run", "t", "asset", "price", "volume", "spread", "fundamental"]
    assert series.column_names == learning.column_names == columns
    assert sorted(set(series.column("t").to_pylist())) == list(range(LEARNING, DAYS))
    assert sorted(set(learning.column("t").to_pylist())) == list(range(LEARNING))
    days = pq.read_table(tmp_path / "run" / "days.parquet")
    assert days.column_names == ["run", "t", "bankrupt_pct", "nav_ratio_pct", "bias_pct"]
    np.testing.assert_array_equal(days.column("bias_pct").to_numpy(), world(1).bias_pct.mean(axis=0))


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_a_run_that_is_stopped_leaves_nothing_and_the_old_one_stays(tmp_path: Path, stop: type[BaseException]):
    write(tmp_path / "run", [world(1)])

    def stopped() -> None:
        with new_run(tmp_path / "run", overwrite=True) as writer:
            writer.add(world(2))
            raise stop

    with pytest.raises(stop):
        stopped()

    assert names(tmp_path) == ["run"]
    np.testing.assert_array_equal(load_panel(tmp_path / "run").price, world(1).price[:, LEARNING:])


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)

    with pytest.raises(StorageError, match=r"No space left on device.*nothing was left behind"):
        write(tmp_path / "run", [world(1)])

    assert names(tmp_path) == []


def test_what_a_killed_process_leaves_is_refused_by_every_reader(tmp_path: Path):
    with new_run(tmp_path / "run") as writer:
        writer.add(world(1))
        left = tmp_path / "left.partial-1"
        left.mkdir()
        for name in names(writer.folder):  # what a kill would leave, without the last words of the files
            (left / name).write_bytes((writer.folder / name).read_bytes())
        writer.finish({}, "")
    for name in ("series", "learning", "days", "curves"):  # even where every file happens to be whole
        (left / f"{name}.parquet").write_bytes((tmp_path / "run" / f"{name}.parquet").read_bytes())

    with pytest.raises(DataError, match="'running', not 'complete'"):
        load_panel(left)
    with pytest.raises(DataError, match="'running', not 'complete'"):
        read_run(left)
    assert [found.directory.name for found in find_runs(tmp_path)] == ["run"]


def test_a_taken_name_is_refused_and_overwrite_replaces_runs_only(tmp_path: Path):
    write(tmp_path / "run", [world(1)])
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter-1.md").write_text("years of work")

    with pytest.raises(ConfigError, match="--overwrite"):
        write(tmp_path / "run", [world(2)])
    with pytest.raises(ConfigError, match="is not a run"):
        write(tmp_path / "thesis", [world(2)], overwrite=True)
    write(tmp_path / "run", [world(2)], overwrite=True)

    np.testing.assert_array_equal(load_panel(tmp_path / "run").price, world(2).price[:, LEARNING:])
    assert (tmp_path / "thesis" / "chapter-1.md").read_text() == "years of work"
    assert names(tmp_path) == ["run", "thesis"]


def test_an_empty_folder_may_become_a_run(tmp_path: Path):
    (tmp_path / "run").mkdir()

    write(tmp_path / "run", [world(1)])

    assert read_run(tmp_path / "run").manifest["status"] == "complete"


def test_a_broken_series_is_refused_with_the_place(tmp_path: Path):
    write(tmp_path / "run", [world(1)])
    file = tmp_path / "run" / "series.parquet"
    table = pq.read_table(file)

    pq.write_table(table.drop_columns(["volume"]), file)
    with pytest.raises(DataError, match="no column volume"):
        load_panel(tmp_path / "run")

    prices = table.column("price").to_numpy().copy()
    prices[4] = -1.0
    pq.write_table(table.set_column(3, "price", pa.array(prices)), file)
    with pytest.raises(DataError, match=r"column price, row 5 \(run 0, asset 0, day 14\) is -1"):
        load_panel(tmp_path / "run")

    file.write_bytes(b"PAR1 and then nothing of use")
    with pytest.raises(DataError, match=r"series\.parquet"):
        load_panel(tmp_path / "run")


def test_a_manifest_of_another_version_or_none_is_refused(tmp_path: Path):
    write(tmp_path / "run", [world(1)])
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    (tmp_path / "run" / "manifest.json").write_text(json.dumps(manifest | {"schema": "mycelial-run/99"}))

    with pytest.raises(DataError, match="mycelial-run/99"):
        read_run(tmp_path / "run")
    with pytest.raises(NotFound, match="is not a run"):
        read_run(tmp_path / "absent")


def test_a_world_without_learning_phase_has_an_empty_learning_file(tmp_path: Path):
    params = PARAMS.replace(learning_days=0)

    write(tmp_path / "run", [dataclasses.replace(world(1), params=params)])

    assert pq.read_table(tmp_path / "run" / "learning.parquet").num_rows == 0
    assert load_panel(tmp_path / "run").n_days == DAYS


def test_curves_and_samples_that_cannot_be_right_are_refused_with_the_place(tmp_path: Path):
    write(tmp_path / "run", [world(1)])
    curves, series = tmp_path / "run" / "curves.parquet", tmp_path / "run" / "series.parquet"
    table = pq.read_table(curves)

    with pytest.raises(NotFound, match="no asset 3 of run 0"):
        read_sample(tmp_path / "run", asset=ASSETS)
    pq.write_table(table.slice(1), curves)
    with pytest.raises(DataError, match=r"curves\.parquet: lacks, repeats or misplaces"):
        read_learning(tmp_path / "run")
    pq.write_table(table.drop_columns(["nav_pct"]), curves)
    with pytest.raises(DataError, match=r"curves\.parquet: no column nav_pct"):
        read_learning(tmp_path / "run")
    series.unlink()
    with pytest.raises(DataError, match=r"series\.parquet: is missing"):
        read_sample(tmp_path / "run")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": "mycelial-run/1"'])
def test_a_corrupt_manifest_is_one_clear_error_and_is_not_listed(tmp_path: Path, content: str):
    write(tmp_path / "run", [world(1)])
    (tmp_path / "run" / "manifest.json").write_text(content)

    with pytest.raises(DataError, match=r"manifest\.json: is not a run manifest"):
        read_run(tmp_path / "run")
    assert find_runs(tmp_path) == []


def test_a_manifest_without_a_field_that_is_shown_is_refused(tmp_path: Path):
    write(tmp_path / "run", [world(1)])

    with pytest.raises(DataError, match="lacks seed, preset"):
        read_run(tmp_path / "run", fields=("params", "seed", "preset"))


def test_a_link_to_a_run_still_points_at_it_after_overwriting(tmp_path: Path):
    write(tmp_path / "run", [world(1)])
    (tmp_path / "link").symlink_to("run")

    write(tmp_path / "link", [world(2)], overwrite=True)

    assert (tmp_path / "link").is_symlink()
    np.testing.assert_array_equal(load_panel(tmp_path / "run").price, world(2).price[:, LEARNING:])
    assert names(tmp_path) == ["link", "run"]


def test_folders_made_on_the_way_go_when_the_run_fails(tmp_path: Path):
    with pytest.raises(RuntimeError, match="ended before `finish`"), new_run(tmp_path / "all" / "mine" / "run"):
        pass

    assert names(tmp_path) == []
