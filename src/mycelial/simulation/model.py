"""The SYMBA market as a Mesa model: agents are objects to look at and change, the day itself stays compiled.

A `MarketAgent` owns nothing: its attributes read and write one row of the population arrays, so Mesa's `AgentSet`
(`select`, `do`, `agg`, `groupby`) and `DataCollector` work on the living market, and prices are those of
`simulate_world` to the last bit as long as nobody interferes. Written to what Mesa 3.3.1 to 3.5 have in common.
Importing Mesa sets the start method of `multiprocessing`; nothing here relies on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.symba.fundamental import Fundamental
from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.agents.symba.presets import preset
from mycelial.domain.errors import MissingExtra, MycelialError
from mycelial.simulation.daily import WHOLE_DAY, live
from mycelial.simulation.world import World, new_world

try:
    import mesa
    from mesa.datacollection import DataCollector
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise MissingExtra("mesa", "mesa", "the Mesa front of the market") from error


class Column:
    """An attribute of an agent that lives in a column of the population arrays.

    Arrays [I] give one Python number; arrays [J, I] give a view of J numbers, one for each asset.
    """

    def __init__(self, find: Callable[[World], NDArray[Any]], meaning: str) -> None:
        self._find = find
        self.__doc__ = meaning

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, agent: MarketAgent | None, owner: type | None = None) -> Any:
        if agent is None:
            return self
        row = self._find(agent.model.world)[..., agent.row]
        return row.item() if row.ndim == 0 else row

    def __set__(self, agent: MarketAgent, value: Any) -> None:
        self._find(agent.model.world)[..., agent.row] = value


class MarketAgent(mesa.Agent):
    """One agent: row `row` of the population. Subclass it to add behaviour for `model.agents.do(...)`."""

    cash = Column(lambda w: w.purse.cash, "quote currency")
    lots = Column(lambda w: w.purse.lots, "int64[J], whole lots owned of each asset")
    bankrupt = Column(lambda w: w.purse.bankrupt, "whether the agent is out of the market")
    nav0 = Column(lambda w: w.purse.nav0, "NAV at the last bankruptcy yardstick, quote currency")
    tau = Column(
        lambda w: w.traits.tau, "horizon, days; days already remembered are laid out by it, so do not change it"
    )
    rho = Column(lambda w: w.traits.rho, "reflexivity: weight of forecasts against own value")
    beta = Column(lambda w: w.traits.beta, "learning rate")
    gesture = Column(lambda w: w.traits.gesture, "how far the agent quotes from its expectation")
    patience = Column(lambda w: w.traits.patience, "window of the filter V, days")
    floor_pct = Column(lambda w: w.traits.floor_pct, "bankruptcy level, % of NAV0")
    estimate = Column(lambda w: w.forecaster.estimate, "float64[J], own estimate B of each asset, quote currency")
    forecast = Column(lambda w: w.forecaster.forecast, "float64[J], expected price H of each asset, quote currency")
    order_lots = Column(lambda w: w.books.lots, "int64[J], today's orders in lots, negative to sell")
    order_price = Column(lambda w: w.books.price, "float64[J], their limits, quote currency")

    model: MarketModel

    def __init__(self, model: MarketModel, row: int) -> None:
        super().__init__(model)
        self.row = row

    @property
    def holdings(self) -> NDArray[np.float64]:
        """Coins owned of each asset, float64[J]; assigning rounds to whole lots."""
        return np.asarray(self.lots * self.model.world.rules.lot)

    @holdings.setter
    def holdings(self, coins: float | Iterable[float]) -> None:
        self.lots = np.rint(np.asarray(coins, np.float64) / self.model.world.rules.lot).astype(np.int64)

    @property
    def nav(self) -> float:
        """Net asset value at the last prices, quote currency."""
        return float(self.cash + self.holdings @ self.model.price)


class MarketModel(mesa.Model):
    """A SYMBA market whose `step` lives one day.

    Mesa keeps every model it has numbered agents for alive; use this one as a context manager, or call `close`, to give
    its arrays back.

    Parameters
    ----------
    params : SymbaParameters or str
        Parameters, or the name of a preset.
    assets : int
        Number of assets J traded by the one population.
    seed : int
        Root seed: the same seed gives the prices of `simulate_world`.
    fundamental : Fundamental, optional
        Replaces the drawn fundamental paths.
    agent_class : type[MarketAgent]
        Class of the agents.
    model_reporters, agent_reporters : mapping, optional
        What Mesa's `DataCollector` records after every day. By default the model's prices, volumes and share of
        bankrupt agents, and nothing of single agents.

    Raises
    ------
    ConfigError
        If a preset or parameter is unknown or out of range.
    """

    def __init__(
        self,
        params: SymbaParameters | str = "paper",
        assets: int = 1,
        seed: int = 1,
        *,
        fundamental: Fundamental | None = None,
        agent_class: type[MarketAgent] = MarketAgent,
        model_reporters: Mapping[str, Any] | None = None,
        agent_reporters: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(rng=seed)
        self.params = preset(params) if isinstance(params, str) else params
        self.day = 0  # the last day lived
        self._world: World | None = new_world(self.params, assets, seed, fundamental)
        for row in range(self.params.agents):
            agent_class(self, row)
        if model_reporters is None:
            model_reporters = {name: _reporter(name) for name in ("price", "volume", "bankrupt_pct")}
        self.datacollector = DataCollector(
            model_reporters=dict(model_reporters), agent_reporters=dict(agent_reporters or {})
        )

    def step(self) -> None:
        """Live one day and collect data; `running` turns false after the last one."""
        world = self.world
        if self.day + 1 >= self.params.days:
            raise MycelialError(f"the market has lived its {self.params.days} days; raise `days` to go on")
        live(world, self.day + 1, self.day + 2, WHOLE_DAY, 0, world.rules.assets)
        self.day += 1
        self.running = self.day + 1 < self.params.days
        self.datacollector.collect(self)

    @property
    def world(self) -> World:
        """The arrays behind the model; changing them changes the market."""
        if self._world is None:
            raise MycelialError("this market is closed and its arrays are gone; build a new MarketModel")
        return self._world

    @property
    def price(self) -> NDArray[np.float64]:
        """Last closes, float64[J], quote currency."""
        return self.world.signals.price[:, self.day].copy()

    @property
    def prices(self) -> NDArray[np.float64]:
        """Closes of all days so far, float64[J, day + 1]."""
        return self.world.signals.price[:, : self.day + 1].copy()

    @property
    def volume(self) -> NDArray[np.float64]:
        """Coins traded on the last day, float64[J]."""
        return self.world.signals.volume[:, self.day].copy()

    @property
    def volumes(self) -> NDArray[np.float64]:
        """Coins traded on all days so far, float64[J, day + 1]."""
        return self.world.signals.volume[:, : self.day + 1].copy()

    @property
    def bankrupt_pct(self) -> float:
        """Share of agents out of the market, per cent."""
        return float(100.0 * self.world.purse.bankrupt.mean())

    def close(self) -> None:
        """Let go of all agents and arrays; what the data collector holds stays. Closing twice is fine."""
        self.remove_all_agents()
        counters = getattr(mesa.Agent, "_ids", None)  # keyed by model for ever, in the versions that have it
        if counters is not None:
            counters.pop(self, None)
        self._world = None
        self.running = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _reporter(name: str) -> Callable[[MarketModel], Any]:
    """Return a reporter that gives a plain number where there is one asset, else an array [J]."""

    def report(model: MarketModel) -> Any:
        value = np.asarray(getattr(model, name))
        return value.item() if value.size == 1 else value

    return report
