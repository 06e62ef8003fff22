"""Teams of makers in living markets: a batched task for learners, in one compiled step."""

from mycelial.environment.trading.config import Charges as Charges
from mycelial.environment.trading.config import Choices as Choices
from mycelial.environment.trading.config import TradingConfig as TradingConfig
from mycelial.environment.trading.regimes import REGIMES as REGIMES
from mycelial.environment.trading.regimes import Regime as Regime
from mycelial.environment.trading.regimes import regime as regime
from mycelial.environment.trading.task import TradingTask as TradingTask
