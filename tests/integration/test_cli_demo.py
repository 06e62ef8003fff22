"""`mycelial demo`, small: what it says, what it leaves, and that it can be repeated."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mycelial.cli import main as command_line
from mycelial.cli.demo import HEADINGS


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    monkeypatch.chdir(tmp_path)

    def demo(*more: str) -> tuple[dict[str, object], str]:
        monkeypatch.setattr(sys, "argv", ["mycelial", "demo", "--assets", "2", "--agents", "20", *more, "--json"])
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        assert not ended.value.code
        out, err = capsys.readouterr()
        return json.loads(out), err

    return demo


def test_the_demo_tells_its_story_writes_the_report_and_can_be_repeated(demo, tmp_path: Path):
    pytest.importorskip("plotly")
    (tmp_path / "mycelial.toml").write_text("[population.symba]\nagents = 99999\n")  # not the demo's business

    first, said = demo("--swarm-steps", "0")
    second, _ = demo("--swarm-steps", "0")

    assert first == second
    assert set(HEADINGS) <= {check["name"] for check in first["checks"]}
    for heading in HEADINGS.values():
        assert heading in said
    signs = [line.split()[0] for line in said.splitlines() if line.strip()[:1] in ("✔", "✘")]
    met = sum(check["passed"] for check in first["checks"] if check["name"] in HEADINGS)
    assert signs.count("✔") in (met, met + 1)  # one more line sums up the many checks on correlations
    assert "Simulated market. No promise of returns." in said
    assert said.splitlines()[-1] == "next: mycelial facts compare runs/demo-7 binance-btc-2018-2022"
    page = (tmp_path / "runs" / "demo-7" / "report.html").read_text()
    for figure in (3, 5, 6, 7, 8, 9, 10, 11, 12):
        assert f"Figure {figure}. " in page
    assert "Figures 13 and 14" in page
    assert sorted(entry.name for entry in (tmp_path / "runs").iterdir()) == ["demo-7", "demo-7-zero-intelligence"]
