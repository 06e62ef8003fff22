"""Orders as a trader speaks of them, whatever the exchange: what is asked for, and what is known of it.

Prices are ticks and quantities lots of the pair's `TradingRules`; fees and costs are amounts (`domain.amounts`).
An order is named by its client id from before it is sent until long after it is done: an exchange's own id only exists
once its answer arrives, and the answer may never arrive.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Side(StrEnum):
    """Which way an order trades."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for buying, -1 for selling."""
        return 1 if self is Side.BUY else -1


class TimeInForce(StrEnum):
    """How long an order may live."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    GTD = "gtd"


class OrderStatus(StrEnum):
    """What is known of an order."""

    SENDING = "sending"  # on its way; no word yet
    UNKNOWN = "unknown"  # its answer is lost: it may rest, trade or not exist
    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REFUSED = "refused"  # the exchange never had it

    @property
    def is_live(self) -> bool:
        """Whether the order may still trade, as far as is known."""
        return self in (OrderStatus.SENDING, OrderStatus.UNKNOWN, OrderStatus.OPEN)


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to place.

    Parameters
    ----------
    client_id : at most 18 ASCII characters, never used twice.
    lots : whole size.
    price_ticks : limit; None for a market order.
    expires_ns : when a GTD order lapses, on the exchange's clock.
    """

    client_id: str
    symbol: str
    side: Side
    lots: int
    price_ticks: int | None
    post_only: bool = False
    time_in_force: TimeInForce = TimeInForce.GTC
    expires_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Amendment:
    """New values for a resting order, which keeps its identity; None leaves a value as it is."""

    client_id: str
    lots: int | None = None
    price_ticks: int | None = None
    post_only: bool = False


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of part of an order.

    Parameters
    ----------
    exec_id : the exchange's name of it; the same fill told twice has the same.
    cost, fee : amounts of the quote asset, and of `fee_asset`.
    """

    exec_id: str
    client_id: str
    order_id: str
    symbol: str
    side: Side
    lots: int
    price_ticks: int
    cost: int
    fee: int
    fee_asset: str
    is_maker: bool
    time_ns: int


@dataclass(frozen=True, slots=True)
class OrderReport:
    """All that is known of one order now.

    Parameters
    ----------
    order_id : the exchange's name, "" as long as none was told.
    lots, price_ticks : as they are now, after amendments.
    filled_lots : filled so far, as the exchange counts.
    reason : why it is done, or was refused; "" otherwise.
    """

    client_id: str
    symbol: str
    side: Side
    status: OrderStatus
    lots: int
    price_ticks: int | None
    filled_lots: int = 0
    order_id: str = ""
    reason: str = ""

    @property
    def open_lots(self) -> int:
        """Lots that may still trade."""
        return self.lots - self.filled_lots if self.status.is_live else 0


@dataclass(frozen=True, slots=True)
class Remembered:
    """An order of a former run that had not ended when that run did.

    Parameters
    ----------
    report : the last that was known.
    filled_lots, exec_ids : fills that were booked.
    deadline_ns : after it the exchange takes the order no more.
    """

    report: OrderReport
    filled_lots: int
    exec_ids: tuple[str, ...]
    deadline_ns: int
