"""What the trader needs from the world, as protocols: a clock and an exchange. Adapters provide, `compose` chooses.

Simulation, dry-run and live differ in nothing but which object stands behind these names; one suite of tests
(``tests/contract/test_exchange_port.py``) runs against every exchange.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mycelial.domain.orders import Amendment, Fill, NewOrder, OrderReport, Remembered, Side
from mycelial.domain.trading_rules import TradingRules


class Clock(Protocol):
    """Where time comes from."""

    def now_ns(self) -> int:
        """Return UTC nanoseconds since 1970, never going back."""

    async def sleep_until(self, time_ns: int) -> None:
        """Return when `now_ns` has reached `time_ns`."""


@dataclass(frozen=True, slots=True)
class BookView:
    """The best levels of a pair, best first: (price in ticks, lots).

    Parameters
    ----------
    time_ns : when it was last known to be right.
    is_verified : False while it is being fetched again; such a book must not be traded on.
    """

    symbol: str
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    time_ns: int
    is_verified: bool

    @property
    def is_two_sided(self) -> bool:
        """Whether there is a best bid and a best ask to trade around."""
        return bool(self.is_verified and self.bids and self.asks)


@dataclass(frozen=True, slots=True)
class BookChanged:
    """The book of a pair changed; look at it with `Exchange.book`. Several changes may be told as one."""

    symbol: str


@dataclass(frozen=True, slots=True)
class PublicTrade:
    """Somebody traded; `side` is the taker's."""

    symbol: str
    side: Side
    price_ticks: int
    lots: int
    trade_id: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class VenueStatus:
    """What the exchange says of itself: ``online``, ``maintenance``, ``cancel_only``, ``post_only``, ``limit_only``."""

    system: str


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """Whether own orders can be followed at the moment; until it is up again nothing new should be risked."""

    is_up: bool
    reason: str = ""


ExchangeEvent = BookChanged | PublicTrade | OrderReport | Fill | VenueStatus | LinkChanged


@dataclass(frozen=True, slots=True)
class AccountState:
    """What the exchange itself says of the account: the truth that books of our own are held against.

    Parameters
    ----------
    balances : whole amounts by asset (modern names), holds included.
    open_orders : every open order of the account.
    asked_ns, told_ns : when the question left and when the answer was complete.
    """

    balances: Mapping[str, int]
    open_orders: Sequence[OrderReport]
    asked_ns: int
    told_ns: int


class Exchange(Protocol):
    """A venue that takes orders.

    Orders are answered with what is known of them when the call returns; the same and everything later also comes
    through `events`. A call never raises because an exchange refused or a connection broke: the report says so. It
    raises `OrderRejected` for what must not be sent (`TradingRules.check`), and then nothing was sent.
    """

    @property
    def rules(self) -> Mapping[str, TradingRules]:
        """Pairs that can be traded here, by symbol."""

    def remember(self, orders: Sequence[Remembered]) -> None:
        """Take up orders of a former run, before `start`; each stays in doubt until the exchange has spoken of it."""

    async def start(self) -> None:
        """Connect, or raise `ExchangeError`; afterwards connections are kept up until `stop`."""

    async def stop(self) -> None:
        """Let go of everything; resting orders stay where they are."""

    def events(self) -> AsyncIterator[ExchangeEvent]:
        """Return everything that happens, in order; one reader only."""

    def book(self, symbol: str) -> BookView:
        """Return the book of a pair as it is known now."""

    def is_ready(self) -> bool:
        """Return whether new risk may be sent: connected, accounts followed, the safety timer running."""

    async def submit(self, order: NewOrder) -> OrderReport:
        """Place an order."""

    async def amend(self, change: Amendment) -> OrderReport:
        """Change a resting order."""

    async def cancel(self, client_id: str) -> OrderReport:
        """Take an order back."""

    async def cancel_all(self) -> None:
        """Take every order of the account back."""

    async def account(self) -> AccountState:
        """Ask the exchange for balances and open orders; raises `ExchangeError` if it does not answer."""

    async def resolve(self, client_id: str) -> OrderReport:
        """Find out what became of an order, from the exchange's own records."""

    async def fills(self, since_ns: int) -> Sequence[Fill]:
        """Return the account's own fills since a time, oldest first, from the exchange's own records."""


class Ledger(Protocol):
    """The trader's own books, safe on disk before anything is done: orders before they leave, fills as they are told.

    Every method raises `StorageError` if the disk refuses; then the thing must not be done.
    """

    def intend(self, order: NewOrder, slot: str, deadline_ns: int, now_ns: int) -> None:
        """Write down an order that is about to be sent; `slot` says which quote of which agent it is."""

    def report(self, report: OrderReport, now_ns: int) -> None:
        """Write down what is known of an order."""

    def fill(self, fill: Fill) -> bool:
        """Write down a fill; False if it was there already."""

    def unfinished(self) -> Sequence[tuple[Remembered, str]]:
        """Return the orders that had not ended, with their slots."""

    def open_with(self, balances: Mapping[str, int]) -> None:
        """Write down the balances that the books begin with, unless they have begun."""

    def balances(self) -> dict[str, int]:
        """Return what there must be: the opening balances and all fills, amounts by asset."""

    def position_lots(self, symbol: str) -> int:
        """Return lots bought less lots sold on a pair."""

    def latest_fill_ns(self) -> int:
        """Return the time of the latest fill, 0 without one."""

    def latest_word_ns(self) -> int:
        """Return when anything was last written of an order, 0 without one."""


class GossipReader(Protocol):
    """What waits for one reader of gossip; bounded, the oldest goes first and is counted."""

    dropped: int

    async def get(self) -> bytes | None:
        """Return the oldest message, waiting for one; nothing once the transport is closed and all is read."""


class Transport(Protocol):
    """How peers' messages travel; bytes in, bytes out, no order or delivery promised.

    One suite of tests (``tests/contract/test_transport.py``) runs against every transport.
    """

    async def publish(self, topic: str, data: bytes) -> None:
        """Send a message to all readers of a topic; late readers may still get it."""

    async def subscribe(self, topic: str, *, from_start: bool = False, capacity: int = 1_024) -> GossipReader:
        """Return what comes from now on; with `from_start` also what is still kept."""

    async def close(self) -> None:
        """Stop, and let all readers go."""
