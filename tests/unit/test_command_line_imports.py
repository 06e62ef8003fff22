"""`--help` answers at once: no command loads anything heavy before it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.main import get_command

from mycelial.cli.main import app

# pydantic is absent from this list: typer imports it by itself where it is installed.
HEAVY = ("numpy", "numba", "scipy", "pyarrow", "plotly", "optuna", "ccxt", "pandas", "mesa", "ray")


def commands() -> list[list[str]]:
    """Every command and group, as words."""
    found: list[list[str]] = [[]]

    def walk(group: object, words: list[str]) -> None:
        for name, one in getattr(group, "commands", {}).items():
            found.append([*words, name])
            walk(one, [*words, name])

    walk(get_command(app), [])
    return found


def test_no_help_page_loads_a_heavy_module():
    script = f"""
import sys
from typer.testing import CliRunner
from mycelial.cli.main import app
for words in {commands()!r}:
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0, (words, result.output)
    heavy = [name for name in {HEAVY!r} if name in sys.modules]
    assert not heavy, f"mycelial {{' '.join(words)}} --help loads {{heavy}}"
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_says_what_it_does(words: list[str]):
    command = get_command(app)
    for word in words:
        command = command.commands[word]

    assert command.help
    assert len(command.help.splitlines()[0]) > 15


def test_importing_the_package_loads_nothing_heavy():
    script = f"import sys, mycelial; print([name for name in {HEAVY!r} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)

    assert done.stdout.strip() == "[]", done.stdout + done.stderr
