"""A book in a batch is the book it would be alone: invariant I18."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.book_inputs import Setup, aimed_streams, hostile_setup, hostile_stream, realistic_setup

from tests.support.book_inputs import Inputs, realistic_stream  # isort: skip

from mycelial.domain.errors import ConfigError, DataError
from mycelial.market.book import INPUT, OrderBook
from mycelial.market.books import OrderBooks
from mycelial.market.terms import MarketTerms


def terms_of(setup: Setup) -> MarketTerms:
    return MarketTerms(setup.instrument, setup.accounts, setup.fee_tiers, setup.may_borrow)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_each_book_of_a_batch_says_what_it_would_say_alone(threads: int) -> None:
    setups = [hostile_setup(seed, max_orders=64) if seed % 3 else realistic_setup() for seed in range(9)]
    streams = [
        hostile_stream(seed, 700, setup) if seed % 3 else realistic_stream(seed, 900)
        for seed, setup in enumerate(setups)
    ]
    batch = OrderBooks([terms_of(setup) for setup in setups], threads=threads)

    halves = [batch.apply_many([stream[:400] for stream in streams])]
    halves.append(batch.apply_many([stream[400:] for stream in streams]))

    for number, (setup, stream) in enumerate(zip(setups, streams, strict=True)):
        alone = setup.open(OrderBook)
        expected = alone.apply(stream)
        found = np.concatenate([half.of(number) for half in halves])
        assert found.tobytes() == expected.tobytes()
        assert batch.digests()[number] == alone.digest
        assert batch[number].accounts().tobytes() == alone.accounts().tobytes()
    batch.close()


@given(st.lists(aimed_streams(most=25), min_size=1, max_size=3))
@settings(max_examples=20)
def test_any_books_may_stand_side_by_side(drawn: list[tuple[Setup, Inputs]]) -> None:
    batch = OrderBooks([terms_of(setup) for setup, _ in drawn], threads=1)

    said = batch.apply_many([inputs for _, inputs in drawn])

    for number, (setup, inputs) in enumerate(drawn):
        assert said.of(number).tobytes() == setup.open(OrderBook).apply(inputs).tobytes()


def test_a_book_of_a_batch_may_be_used_on_its_own_in_between() -> None:
    setup, stream = realistic_setup(), realistic_stream(1, 600)
    batch, alone = OrderBooks([terms_of(setup)] * 2, threads=2), setup.open(OrderBook)
    batch.apply_many([stream[:200], stream[:0]])
    batch[0].apply(stream[200:400])
    batch.apply_many([stream[400:], stream])

    alone.apply(stream)

    assert batch.digests().tolist() == [alone.digest, alone.digest]
    assert batch[1].snapshot() == alone.snapshot()
    batch.close()


def test_a_batch_wants_one_array_of_inputs_per_book() -> None:
    batch = OrderBooks([terms_of(realistic_setup())] * 2, threads=1)
    with pytest.raises(DataError, match="2 order books"):
        batch.apply_many([np.zeros(1, INPUT)])
    with pytest.raises(ConfigError, match="at least one"):
        OrderBooks([])
