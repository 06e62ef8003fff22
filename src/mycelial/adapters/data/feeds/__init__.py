"""Recorded market data of exchanges, read into the common form of `domain.recording`."""

from mycelial.adapters.data.feeds.binance import read_binance_feed as read_binance_feed
from mycelial.adapters.data.feeds.kraken_v1 import read_kraken_v1 as read_kraken_v1
from mycelial.adapters.data.feeds.kraken_v2 import read_kraken_v2 as read_kraken_v2
from mycelial.adapters.data.feeds.trade_tables import read_trades as read_trades
