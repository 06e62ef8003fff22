"""The sweep of random messages against the plain-Python order book: a short one; it goes on; it would notice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from benchmarks import book_sweep
from benchmarks.book_sweep import LENGTH, Different, examined, sweep


def test_some_thousand_messages_equal_the_oracle_and_a_stopped_sweep_goes_on(tmp_path: Path):
    out = tmp_path / "sweep.json"

    sweep(2 * LENGTH, out, say=lambda line: None)
    resumed = sweep(5 * LENGTH, out, say=lambda line: None)

    whole = sweep(5 * LENGTH, say=lambda line: None)
    assert {**resumed, "cpu_seconds": 0} == {**whole, "cpu_seconds": 0}
    assert resumed["streams"] == 5
    assert set(resumed["events"]) >= {"ACCEPTED", "REJECTED", "TRADE", "RESTED", "DONE", "AMENDED", "MODE", "POSTED"}


def test_a_book_that_does_otherwise_is_noticed(monkeypatch: pytest.MonkeyPatch):
    class Forgetful(book_sweep.OrderBook):
        def apply(self, inputs):
            return super().apply(inputs[:-1])

    monkeypatch.setattr(book_sweep, "OrderBook", Forgetful)

    with ThreadPoolExecutor(1) as pool, pytest.raises(Different, match="stream 1"):
        examined(1, pool)
