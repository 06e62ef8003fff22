"""The example of the environments runs as it stands."""

from __future__ import annotations

import runpy
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_a_random_trader_earns_exactly_the_change_of_its_value(capsys):
    runpy.run_path(str(EXAMPLES / "random_trader.py"), run_name="__main__")

    printed = capsys.readouterr().out
    assert "schema" in printed
    assert "ended by time" in printed
