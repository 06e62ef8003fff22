"""Small runs of order book and living market that print fingerprints; for processes with and without compilation."""

from __future__ import annotations

import numpy as np
from tests.support.book_inputs import hostile_setup, hostile_stream, realistic_setup, realistic_stream

from mycelial.agents.intraday.presets import preset
from mycelial.market.book import OrderBook
from mycelial.simulation.intraday import IntradayMarket
from mycelial.simulation.scenarios import Drought, Scenario, Sweep
from mycelial.simulation.stress import StressedMarket

SECOND = 10**9
FEES = ((0, 1_600, 2_600), (10**9, 1_400, 2_400))


def book_fingerprints() -> list[str]:
    """Fingerprints of a plausible and a hostile stream, and of the second through a snapshot."""
    found = []
    for setup, inputs in (
        (realistic_setup(), realistic_stream(3, 1_500)),
        (hostile_setup(5), hostile_stream(5, 1_500)),
    ):
        book = setup.open(OrderBook)
        first = book.apply(inputs[:700])
        book = OrderBook.restore(book.snapshot())
        second = book.apply(inputs[700:])
        kinds = np.bincount(np.concatenate([first, second])["kind"])
        found.append(f"{book.digest:016x} {kinds.tolist()} {book.levels(0, 5).tolist()} {len(book.orders())}")
    return found


def market_fingerprints() -> list[str]:
    """Fingerprints of a small market of every kind of agents, calm and under a scenario."""
    instrument, population = preset("default")
    few = population.scaled(60).replace(
        noise={"rate_hz": 0.6},
        learner={"rate_hz": 0.5, "horizon_s": 2.0},
        executor={"start_share": 0.9},
        chartist={"count": 12, "rate_hz": 1.0},
        value={"rate_hz": 0.5},
    )
    storm = Scenario(
        "storm",
        (
            Drought(start_ns=SECOND, duration_ns=4 * SECOND, depth_ppm=300_000, spread_ppm=3_000_000),
            Sweep(start_ns=2 * SECOND, size_ppm=5_000_000),
        ),
    )
    found = []
    for scenario in (Scenario("calm"), storm):
        market = IntradayMarket(instrument, few, 3, externals=1, fee_tiers=FEES)
        market.run_until(SECOND)
        stressed = StressedMarket(market, scenario)
        stressed.run_until(7 * SECOND)
        people = market.population.arrays
        policies = float(people["policies"]["weight"].astype(np.float64).sum())
        seen = (market.messages, market.wakes, market.lost, people["agents"]["memory"].sum(), policies)
        found.append(f"{market.digest:016x} {market.worth!r} {seen}")
    return found


if __name__ == "__main__":
    for line in (*book_fingerprints(), *market_fingerprints()):
        print(line)
