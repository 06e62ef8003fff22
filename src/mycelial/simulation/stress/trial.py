"""One trial: a market, a scenario, a stretch of time; what happened, and the figures of stability."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from mycelial.agents.intraday.config import PopulationConfig
from mycelial.domain.errors import MycelialError
from mycelial.domain.instrument import Instrument
from mycelial.market.book.book import FREE
from mycelial.simulation.intraday.market import SECOND, IntradayMarket, Recording
from mycelial.simulation.scenarios import Injection, Scenario
from mycelial.simulation.stress.figures import stability_of
from mycelial.simulation.stress.market import Happened, StressedMarket
from mycelial.simulation.stress.orders import mean_order_lots
from mycelial.simulation.stress.probe import Probe, Samples

CALM = Scenario("calm")
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Trial:
    """What is run.

    Parameters
    ----------
    instrument, population, fee_tiers : the market, as `IntradayMarket` takes them.
    scenario : Scenario
        It starts after the warm-up; `CALM` is none.
    seconds : float
        How long the market lives after the warm-up.
    seed : int
    warm_up_s : float
    """

    instrument: Instrument
    population: PopulationConfig
    scenario: Scenario = CALM
    seconds: float = 600.0
    seed: int = 7
    warm_up_s: float = 30.0
    fee_tiers: tuple[tuple[int, int, int], ...] = FREE

    @property
    def calm(self) -> Trial:
        """The same trial without the scenario: its pair, with the same random numbers."""
        return replace(self, scenario=CALM)


@dataclass(frozen=True, eq=False)
class TrialResult:
    """What came of a trial.

    Parameters
    ----------
    digest : fingerprint of every event of the market.
    figures : by the names of `figures.FIGURES`.
    left_out : injections that do not concern this pair.
    messages, dropped, throttled, lost : order messages worked off, lost on their way, refused by the throttle; news
        that found no room (0 in a sound run).
    recording : inputs and events, when asked for.
    """

    trial: Trial
    digest: int
    figures: dict[str, float]
    samples: Samples
    happened: tuple[Happened, ...]
    left_out: tuple[Injection, ...]
    messages: int
    dropped: int
    throttled: int
    lost: int
    recording: Recording | None = field(default=None)


def run_trial(trial: Trial, *, progress: Progress | None = None, record: bool = False) -> TrialResult:
    """Run a trial; the same trial gives the same bytes.

    Raises
    ------
    MycelialError
        If the ledger does not balance to the last unit, which would be a defect.
    """
    market = IntradayMarket(
        trial.instrument, trial.population, trial.seed, externals=1, fee_tiers=trial.fee_tiers, record=record
    )
    start = round(trial.warm_up_s * SECOND)
    end = start + round(trial.seconds * SECOND)
    market.run_until(start)
    stressed = StressedMarket(market, trial.scenario)
    probe = Probe(market)
    for now in probe.live(stressed, end):
        if progress is not None:
            progress(min(1.0, (now - start) / max(end - start, 1)))
    check_ledger(market)
    samples = probe.samples()
    shock = min((one.start_ns for one in trial.scenario.injections), default=None)
    figures = stability_of(
        samples, mean_order_lots(trial.population), shock_ns=None if shock is None else start + shock
    )
    return TrialResult(
        trial=trial,
        digest=market.digest,
        figures=figures,
        samples=samples,
        happened=tuple(stressed.happened),
        left_out=stressed.left_out,
        messages=market.messages,
        dropped=int(market.header["dropped"][0]),
        throttled=int(market.header["throttled"][0]),
        lost=market.lost,
        recording=market.take_recording() if record else None,
    )


def check_ledger(market: IntradayMarket) -> None:
    """See that no unit of money or assets came from nowhere or went there, and that nobody owes.

    Raises
    ------
    MycelialError
        If so; the message says how much.
    """
    rows = market.book.accounts()
    cash = int(rows["cash_free"].astype(object).sum() + rows["cash_held"].astype(object).sum())
    lots = int(rows["asset_free"].astype(object).sum() + rows["asset_held"].astype(object).sum())
    people = rows[: market.config.agents + market.externals]
    least = min(int(people[name].min()) for name in ("cash_free", "cash_held", "asset_free", "asset_held"))
    held = np.array([int(rows["cash_held"][-2:].sum()), int(rows["asset_held"][-2:].sum())])
    if cash or lots or least < 0 or held.any():
        raise MycelialError(
            f"the ledger is off by {cash} cash units and {lots} lots, smallest balance {least}; this is a defect, "
            "please report seed and scenario"
        )
