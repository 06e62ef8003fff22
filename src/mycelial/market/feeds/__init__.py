"""What a market shows: top of book, levels, orders, trades and candles, each as snapshot and numbered updates."""

from mycelial.market.feeds.mirror import BookMirror as BookMirror
from mycelial.market.feeds.publisher import FeedSpec as FeedSpec
from mycelial.market.feeds.publisher import MarketFeeds as MarketFeeds
from mycelial.market.feeds.publisher import Published as Published
from mycelial.market.feeds.records import MESSAGE as MESSAGE
from mycelial.market.feeds.records import TOUCH as TOUCH
from mycelial.market.feeds.records import UPDATE as UPDATE
from mycelial.market.feeds.records import MessageKind as MessageKind
from mycelial.market.feeds.records import View as View
from mycelial.market.feeds.tape import CANDLE as CANDLE
from mycelial.market.feeds.tape import PRINT as PRINT
from mycelial.market.feeds.tape import Candles as Candles
from mycelial.market.feeds.tape import TradeTape as TradeTape
