"""An exchange in a box: living markets with accounts, wallets, orders and limits behind a plain interface."""

from mycelial.simulation.exchange.accounts import Account as Account
from mycelial.simulation.exchange.accounts import ApiKey as ApiKey
from mycelial.simulation.exchange.exchange import SimulatedExchange as SimulatedExchange
