"""Kernels as plain Python, and installations that cannot be written to: the same bytes everywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.plain_run import book_fingerprints, market_fingerprints

import mycelial

ROOT = Path(__file__).resolve().parents[2]
_TIMED = """
import time, mycelial
{imports}
started = time.process_time()
print(mycelial.__file__, {result}, time.process_time() - started)
"""
FIRST_ORDER = _TIMED.format(
    imports="""
from decimal import Decimal
import numpy as np
from mycelial.domain.instrument import Instrument
from mycelial.market.book import INPUT, OrderBook
book = OrderBook(Instrument("A/B", Decimal(1), Decimal(1), ladder_ticks=4096, max_orders=64, max_lots=1000), 2)
""",
    result="book.apply(np.zeros(1, INPUT)) is None or book.digest",
)
CHECKSUM = _TIMED.format(
    imports="import numpy as np\nfrom mycelial.market.checksum import l2_checksum\none = np.arange(1, 9)",
    result="l2_checksum(one, one, one, one)",
)


def run(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.stdout


def test_order_book_and_market_are_the_same_to_the_last_bit_with_compilation_off():
    plain = run("-m", "tests.support.plain_run", NUMBA_DISABLE_JIT="1").splitlines()

    assert plain == [*book_fingerprints(), *market_fingerprints()]


@pytest.mark.parametrize(("place", "code"), [("home", FIRST_ORDER), ("given", CHECKSUM), ("nowhere", CHECKSUM)])
def test_kernels_work_from_an_installation_that_cannot_be_written_to(tmp_path: Path, place: str, code: str):
    """With compiled kernels kept in the user's folder, in one that NUMBA_CACHE_DIR names, or nowhere at all."""
    installed = tmp_path / "site"
    shutil.copytree(
        Path(mycelial.__file__).parent, installed / "mycelial", ignore=shutil.ignore_patterns("__pycache__")
    )
    for folder in [path for path in installed.rglob("*") if path.is_dir()]:
        (folder / "__pycache__").write_text("in the way")  # which stops even those who may write everywhere
        folder.chmod(0o555)
    where = {"PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1", "NUMBA_CACHE_DIR": ""}
    if place == "given":
        where["NUMBA_CACHE_DIR"] = str(tmp_path / "kernels")
    where["XDG_CACHE_HOME"] = str(tmp_path / "home") if place == "home" else "/dev/null/none"

    try:
        seen, again = (run("-c", code, **where).split() for _ in range(2))
    finally:
        for folder in installed.rglob("*"):
            folder.chmod(0o755)

    assert seen[0].startswith(str(installed))
    assert seen[1] == again[1] == run("-c", code).split()[1]
    if place != "nowhere":
        assert float(again[2]) < 0.7 * float(seen[2])  # compiled once, then taken from where it is kept
