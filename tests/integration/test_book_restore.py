"""A snapshot of an order book, taken up by another process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from tests.support.book_inputs import hostile_setup, hostile_stream

from mycelial.market.book import OrderBook

TAKE_UP = """
import sys
import numpy as np
from mycelial.market.book import OrderBook

book = OrderBook.restore(open(sys.argv[1], "rb").read())
np.save(sys.argv[3], book.apply(np.load(sys.argv[2])))
print(book.digest)
"""


def test_another_process_goes_on_from_a_snapshot(tmp_path: Path):
    setup = hostile_setup(2)
    inputs = hostile_stream(2, 3_000, setup)
    book = setup.open(OrderBook)
    book.apply(inputs[:1_500])
    (tmp_path / "book").write_bytes(book.snapshot())
    np.save(tmp_path / "inputs.npy", inputs[1_500:])

    command = [sys.executable, "-c", TAKE_UP, "book", "inputs.npy", "events.npy"]
    other = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)

    assert np.load(tmp_path / "events.npy").tobytes() == book.apply(inputs[1_500:]).tobytes()
    assert int(other.stdout) == book.digest
