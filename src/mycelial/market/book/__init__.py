"""The limit order book: records in, events out."""

from mycelial.market.book.book import OrderBook as OrderBook
from mycelial.market.book.records import EVENT as EVENT
from mycelial.market.book.records import INPUT as INPUT
from mycelial.market.book.records import Done as Done
from mycelial.market.book.records import EventFlag as EventFlag
from mycelial.market.book.records import EventKind as EventKind
from mycelial.market.book.records import Flag as Flag
from mycelial.market.book.records import Kind as Kind
from mycelial.market.book.records import Mode as Mode
from mycelial.market.book.records import Reject as Reject
from mycelial.market.book.records import Side as Side
from mycelial.market.book.records import Stp as Stp
from mycelial.market.book.records import Tif as Tif
