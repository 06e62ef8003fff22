"""The intraday market as a Mesa model: agents are rows of the population to look at and change; time stays compiled.

As in `mycelial.simulation.model` an agent owns nothing: its attributes read and write the arrays of the market, so
Mesa's `AgentSet` and `DataCollector` work on the living market, and a run is that of `IntradayMarket` to the last bit
as long as nobody interferes. Balances are read from the book and cannot be written: money only comes by FUND records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

from mycelial.agents.intraday.config import KINDS, PopulationConfig
from mycelial.domain.errors import MissingExtra, MycelialError
from mycelial.domain.instrument import Instrument
from mycelial.simulation.intraday.market import SECOND, IntradayMarket

try:
    import mesa
    from mesa.datacollection import DataCollector
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise MissingExtra("mesa", "mesa", "the Mesa front of the intraday market") from error


class Column:
    """An attribute of an agent that is a column of the population."""

    def __init__(self, name: str, meaning: str) -> None:
        self._name = name
        self.__doc__ = meaning

    def __get__(self, agent: IntradayAgent | None, owner: type | None = None) -> Any:
        if agent is None:
            return self
        return agent.model.market.population.arrays["agents"][self._name][agent.row].item()

    def __set__(self, agent: IntradayAgent, value: Any) -> None:
        agent.model.market.population.arrays["agents"][self._name][agent.row] = value


class Balance:
    """An attribute of an agent that is read from its account in the book."""

    def __init__(self, free: str, held: str, meaning: str) -> None:
        self._columns = free, held
        self.__doc__ = meaning

    def __get__(self, agent: IntradayAgent | None, owner: type | None = None) -> Any:
        if agent is None:
            return self
        accounts = agent.model.market.book.state.arrays["accounts"]
        return sum(int(accounts[name][agent.row]) for name in self._columns)

    def __set__(self, agent: IntradayAgent, value: Any) -> None:
        raise MycelialError("balances belong to the ledger and cannot be written; submit a FUND record instead")


class IntradayAgent(mesa.Agent):
    """One agent: row `row` of the population. Subclass it to add behaviour for `model.agents.do(...)`."""

    up = Column("up", "ns from the agent to the engine")
    down = Column("down", "ns from the engine to the agent")
    belief = Column("belief", "private log-deviation from the fundamental; of a stop holder the stop in ticks")
    memory = Column("memory", "makers: share of fills that went wrong; learners: usual gain in bps")
    target = Column("target", "executors: inventory in lots to reach; makers: lots of the first quote")
    sends = Column("sends", "messages sent so far")
    cash = Balance("cash_free", "cash_held", "cash units, holds included")
    lots = Balance("asset_free", "asset_held", "lots owned, holds included")

    model: IntradayModel

    def __init__(self, model: IntradayModel, row: int) -> None:
        super().__init__(model)
        self.row = row

    @property
    def kind(self) -> str:
        """What sort of trader it is."""
        return KINDS[int(self.model.market.population.arrays["agents"]["kind"][self.row])]

    @property
    def inventory(self) -> int:
        """Lots owned beyond those it was born with."""
        return int(self.lots - self.model.market.population.arrays["agents"]["start_lots"][self.row])


class IntradayModel(mesa.Model):
    """An intraday market whose `step` lives `step_s` seconds.

    Mesa keeps every model it has numbered agents for alive; use this one as a context manager, or call `close`.

    Parameters
    ----------
    instrument : Instrument
    population : PopulationConfig
    seed : int
    step_s : float
    agent_class : type[IntradayAgent]
    model_reporters, agent_reporters : mapping, optional
        What Mesa's `DataCollector` records after every step; by default the mid, the spread and the messages so far.
    options
        Further arguments of `IntradayMarket`.
    """

    def __init__(
        self,
        instrument: Instrument,
        population: PopulationConfig,
        seed: int = 1,
        *,
        step_s: float = 1.0,
        agent_class: type[IntradayAgent] = IntradayAgent,
        model_reporters: Mapping[str, Any] | None = None,
        agent_reporters: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(rng=seed)
        self.step_ns = round(step_s * SECOND)
        self._market: IntradayMarket | None = IntradayMarket(instrument, population, seed, **options)
        for row in range(population.agents):
            agent_class(self, row)
        if model_reporters is None:
            model_reporters = {name: _reporter(name) for name in ("mid", "spread", "messages")}
        self.datacollector = DataCollector(
            model_reporters=dict(model_reporters), agent_reporters=dict(agent_reporters or {})
        )

    def step(self) -> None:
        """Let `step_s` seconds pass and collect data."""
        self.market.run_until(self.market.now + self.step_ns)
        self.datacollector.collect(self)

    @property
    def market(self) -> IntradayMarket:
        """The market behind the model; changing its arrays changes it."""
        if self._market is None:
            raise MycelialError("this market is closed and its arrays are gone; build a new IntradayModel")
        return self._market

    @property
    def mid(self) -> float:
        """Mid price in ticks; NaN while a side is empty."""
        book = self.market.book
        return 0.5 * (book.best_bid + book.best_ask) if book.best_bid and book.best_ask else float("nan")

    @property
    def spread(self) -> float:
        """Spread in ticks; NaN while a side is empty."""
        book = self.market.book
        return float(book.best_ask - book.best_bid) if book.best_bid and book.best_ask else float("nan")

    @property
    def messages(self) -> int:
        """Order messages processed so far."""
        return self.market.messages

    def close(self) -> None:
        """Let go of all agents and arrays; what the data collector holds stays. Closing twice is fine."""
        self.remove_all_agents()
        counters = getattr(mesa.Agent, "_ids", None)  # keyed by model for ever, in the versions that have it
        if counters is not None:
            counters.pop(self, None)
        self._market = None
        self.running = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _reporter(name: str) -> Callable[[IntradayModel], Any]:
    return lambda model: getattr(model, name)
