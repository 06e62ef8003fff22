"""The intraday market: an order book, a population and the time between them."""

from mycelial.simulation.intraday.market import IntradayMarket as IntradayMarket
from mycelial.simulation.intraday.market import Observation as Observation
from mycelial.simulation.intraday.market import Recording as Recording
