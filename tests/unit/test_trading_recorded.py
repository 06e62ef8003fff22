"""Teams at recorded markets: what is sent, what it costs, and that doing nothing changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mycelial.adapters.data.feeds import read_kraken_v1
from mycelial.lab.trading.recorded import Terms, play_recorded

DATA = Path(__file__).parents[3] / "shared" / "data"
CANCEL, QUOTE = 1, 3


@pytest.fixture(scope="module")
def recording():
    book = DATA / "kraken_v1_book1000_10pairs_20210417.jsonl.gz"
    if not book.is_file():
        pytest.skip(f"the recordings are not at {DATA}")
    return read_kraken_v1(book, trades=DATA / "kraken_v1_trade_10pairs_20210417.jsonl.gz")["SC/EUR"]


def always(action):
    return lambda obs, mask: np.full(obs.shape[:2], action, np.int32)


def test_doing_nothing_sends_nothing_and_earns_nothing(recording):
    found = play_recorded(recording, always(CANCEL), Terms(9.0, volume_usd=0), warm_up_s=2.0)

    assert found["steps"] > 20
    assert found["messages"] == found["fills"] == found["profit_quote"] == 0


def test_quotes_are_sent_and_fees_lower_the_profit(recording):
    cheap, dear = (
        play_recorded(recording, always(QUOTE), Terms(4.0, volume_usd=volume), warm_up_s=2.0)
        for volume in (10_000_000, 0)
    )

    assert cheap["messages"] > 0
    assert cheap["fills"] == dear["fills"]
    assert cheap["fees_quote"] == 0.0
    if cheap["fills"]:
        assert dear["fees_quote"] > 0.0
        assert dear["profit_quote"] < cheap["profit_quote"]


def test_message_counter_bounds_what_is_sent(recording):
    free, bound = (
        play_recorded(recording, always(QUOTE), Terms(4.0, counter=tier, tolerance=0.0, step_s=0.2), warm_up_s=2.0)
        for tier in ("pro", "starter")
    )

    seconds, seats = 0.2 * bound["steps"], 4
    assert bound["messages"] <= free["messages"]
    assert bound["messages"] <= seats * (60 + seconds)
