"""`House`: everything the exchange knows, in one place, and the few things that all its clerks do with it.

The clerks are modules of functions on a house: `checking` (may this order be?), `entering` (new orders), `changing`
(amend, edit, cancel), `settling` (what the engine answered), `waiting` (triggers and times), `asking` (queries).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from mycelial.market.rate_counters import MICRO, Cost, Counter, Limits, Transaction, Verdict, charge
from mycelial.market.triggers import Triggers
from mycelial.market.venues import Venue
from mycelial.simulation.exchange.accounts import Account
from mycelial.simulation.exchange.commands import UNITS, Reject, Side
from mycelial.simulation.exchange.fees import RateTable, VolumeMeter, reserve_of
from mycelial.simulation.exchange.floor import Floor
from mycelial.simulation.exchange.identifiers import Identifiers
from mycelial.simulation.exchange.listing import Listing
from mycelial.simulation.exchange.reports import (
    AmendRecord,
    Event,
    ExecType,
    LedgerEntry,
    OrderReport,
    OrderStatus,
    OwnTrade,
    Terms,
)
from mycelial.simulation.exchange.wallets import Wallet
from mycelial.simulation.reference_prices import QUOTE_VALUES

HISTORY = 10_000  # finished orders, trades and twice as many ledger entries kept for each account
_MILLION = 1_000_000


class Order:
    """One order and where it stands; `Terms` say what it asks for."""

    __slots__ = (
        "account",
        "aged_ns",
        "amended",
        "amends",
        "cl_ord_id",
        "closed_ns",
        "cum_cost",
        "cum_fee",
        "fired",
        "handle",
        "held",
        "id",
        "opened_ns",
        "parent_id",
        "qty_filled",
        "reason",
        "serial",
        "status",
        "terms",
        "trade_ids",
        "userref",
        "waiting",
        "waits_to_start",
    )

    def __init__(
        self, serial: int, account: int, order_id: str, cl_ord_id: str, userref: int | None, terms: Terms, now: int
    ) -> None:
        self.serial, self.account, self.id = serial, account, order_id
        self.cl_ord_id, self.userref, self.terms = cl_ord_id, userref, terms
        self.status = OrderStatus.PENDING_NEW
        self.qty_filled = self.cum_cost = self.cum_fee = 0
        self.handle = -1  # in the book
        self.waiting = -1  # its number among the triggers
        self.waits_to_start = False
        self.fired = self.amended = False
        self.held = 0  # UNITS of `held_asset`
        self.opened_ns = self.aged_ns = now  # created; created or last amended
        self.closed_ns = 0
        self.reason = self.parent_id = ""
        self.trade_ids: list[str] = []
        self.amends: list[AmendRecord] = []  # with the original first; empty until it is amended


@dataclass
class History:
    """What an account has done; the oldest is forgotten first, the totals are not."""

    closed: deque[Order] = field(default_factory=deque)
    trades: deque[OwnTrade] = field(default_factory=lambda: deque(maxlen=HISTORY))
    ledger: deque[LedgerEntry] = field(default_factory=lambda: deque(maxlen=2 * HISTORY))
    closed_count: int = 0
    trade_count: int = 0
    ledger_count: int = 0


class House:
    """The state of the exchange.

    Parameters
    ----------
    venue : whose rules hold.
    listings, floors : by symbol.
    accounts : customers; their number is their place in this sequence.
    epoch_ns : unix time at which the markets' clocks stand at 0.
    domain : what an account may send over all pairs together; None does not limit it (no figure is published).
    """

    def __init__(
        self,
        venue: Venue,
        listings: dict[str, Listing],
        floors: dict[str, Floor],
        accounts: Sequence[Account],
        epoch_ns: int,
        seed: int,
        domain: Limits | None = None,
    ) -> None:
        self.venue, self.listings, self.floors = venue, listings, floors
        self.accounts, self.epoch_ns, self.domain = tuple(accounts), epoch_ns, domain
        self.now = epoch_ns
        self.ids = Identifiers(seed, "own")
        self.resident_ids = {symbol: Identifiers(seed, "residents", symbol) for symbol in listings}
        self.wallets = [Wallet({}) for _ in accounts]
        self.fees: dict[str, int] = {}
        self.meters = [VolumeMeter(venue.fee_window_days) for _ in accounts]
        self.rates = {symbol: RateTable(venue.fee_schedules[one.pair.fees]) for symbol, one in listings.items()}
        self.limits = [venue.limits(one.tier) for one in accounts]
        self.counters: dict[tuple[int, str], Counter] = {}
        self.orders: dict[int, Order] = {}  # open ones, by serial
        self.by_id: dict[str, Order] = {}  # open ones and those in the histories
        self.open: list[dict[str, Order]] = [{} for _ in accounts]
        self.open_counts: dict[tuple[int, str], int] = {}
        self.by_client: list[dict[str, Order]] = [{} for _ in accounts]
        self.histories = [History() for _ in accounts]
        self.triggers = {symbol: Triggers() for symbol in listings}
        self.agenda: list[tuple[int, int, str, int]] = []  # heap of (time, tie, what, order serial or account)
        self.switches = [0] * len(self.accounts)  # when the dead man's switches fire, 0: disarmed
        self.closes: deque[tuple[Order, int, int]] = deque()  # fills whose conditional close is still to be placed
        self.squeezed: dict[str, int] = {}  # parts per million of their limits that customers are left, by pair
        self.closing = 0  # open orders with a conditional close
        self.out: list[Event] = []
        self.cancel_reason = ""
        self._serial = self._tie = 0
        traded = {asset for one in listings.values() for asset in (one.pair.base, one.pair.quote)}
        for n, one in enumerate(accounts):
            for asset, amount in one.balances.items():
                if asset not in traded:
                    continue
                self.ledger(n, self.now, "deposit", self.ids.next("Q"), asset, amount * UNITS, 0)

    def next_serial(self) -> int:
        """Return a fresh number for an order."""
        self._serial += 1
        return self._serial

    def at(self, time_ns: int, what: str, number: int) -> None:
        """Put something on the agenda."""
        self._tie += 1
        heapq.heappush(self.agenda, (time_ns, self._tie, what, number))

    def report(
        self, order: Order, kind: ExecType, time_ns: int, trade: OwnTrade | None = None, reason: str = ""
    ) -> None:
        """Tell what happened to an order."""
        terms = order.terms
        symbol = terms.symbol
        counter = self.counters.get((order.account, symbol))
        level = 0 if counter is None else counter.level_at(self.limits[order.account], max(time_ns, counter.at_ns))
        self.out.append(
            OrderReport(
                order.account,
                kind,
                time_ns,
                order.id,
                order.cl_ord_id,
                order.userref,
                order.status,
                terms,
                order.qty_filled,
                order.cum_cost,
                order.cum_fee,
                self.fee_asset(terms),
                reason,
                trade,
                order.fired,
                self.floors[symbol].last_price * self.listings[symbol].tick_step,
                order.amended,
                level // MICRO,
            )
        )

    def fee_asset(self, terms: Terms) -> str:
        """Return the asset in which an order's fees are taken."""
        pair = self.listings[terms.symbol].pair
        return pair.base if terms.fee_in_base else pair.quote

    def rates_of(self, account: int, symbol: str, time_ns: int) -> tuple[int, int]:
        """Return the (maker, taker) rates of an account at a time, ppm."""
        return self.rates[symbol].rates(self.meters[account].volume(time_ns))

    def charge(
        self, account: int, symbol: str, kind: Transaction, ages: Sequence[int] = (), *, orders: int = 1, opens: int = 0
    ) -> Reject | None:
        """Charge the trading counter of a pair; return why the transaction is refused, if it is."""
        if not self.accounts[account].limited:
            return None
        cost = self.venue.tariff.cost(kind, ages, orders=orders)
        key = account, symbol
        verdict = self._count(key, self.limits_on(account, symbol), cost, opens, self.open_counts.get(key, 0))
        if verdict is Verdict.RATE_LIMIT:
            return Reject.RATE_LIMIT
        if verdict is Verdict.ORDERS_LIMIT:
            return Reject.ORDERS_LIMIT
        if self.domain is not None and self._count((account, ""), self.domain, cost) is Verdict.RATE_LIMIT:
            return Reject.DOMAIN_RATE_LIMIT
        return None

    def _count(self, key: tuple[int, str], limits: Limits, cost: Cost, opens: int = 0, open_orders: int = 0) -> Verdict:
        """Charge a counter. The fixed part of a refused message counts however full the counter is, word for word."""
        counter = self.counters.get(key) or Counter(0, self.now)
        verdict, charged = charge(limits, counter, self.now, cost, opens=opens, open_orders=open_orders)
        if verdict is not Verdict.ACCEPTED:  # where `charge` would saturate
            charged = Counter(counter.level_at(limits, self.now) + cost.fixed * MICRO, self.now)
        self.counters[key] = charged
        return verdict

    def limits_on(self, account: int, symbol: str) -> Limits:
        """Return the limits of an account on a pair, as they are enforced now."""
        limits = self.limits[account]
        return limits.share(self.squeezed[symbol]) if symbol in self.squeezed else limits

    def use_up(self, account: int, symbol: str, share_ppm: int) -> None:
        """Let a trading counter stand at least at a share of its threshold."""
        least = self.limits_on(account, symbol).threshold * MICRO * share_ppm // _MILLION
        self.counters[account, symbol] = Counter(max(least, self.counter_level(account, symbol)), self.now)

    def counter_level(self, account: int, symbol: str) -> int:
        """Return a trading counter now, in 10^-15 points; the symbol ``""`` is that of all pairs together."""
        counter = self.counters.get((account, symbol))
        limits = self.limits[account] if symbol or self.domain is None else self.domain
        return 0 if counter is None else counter.level_at(limits, self.now)

    def needed(self, order: Order, qty_left: int, price: int) -> int:
        """Return what an order must hold while `qty_left` may still trade at `price`, fees included."""
        terms = order.terms
        listed = self.listings[terms.symbol]
        _, taker = self.rates_of(order.account, terms.symbol, self.now)
        if terms.side is Side.BUY:
            cost = listed.cost(price, qty_left)
            return cost if terms.fee_in_base else cost + reserve_of(cost, taker, listed.fee_step)
        base = qty_left * listed.qty_units
        return base + reserve_of(base, taker, listed.qty_units) if terms.fee_in_base else base

    def held_asset(self, terms: Terms) -> str:
        """Return the asset an order sets aside."""
        pair = self.listings[terms.symbol].pair
        return pair.quote if terms.side is Side.BUY else pair.base

    def hold(self, order: Order, amount: int) -> bool:
        """Let an order hold this amount instead of what it held; False if the wallet cannot."""
        wallet, asset = self.wallets[order.account], self.held_asset(order.terms)
        if amount - order.held > wallet.free(asset):
            return False
        wallet.hold(asset, amount - order.held)
        order.held = amount
        return True

    def admit(self, order: Order) -> None:
        """Enter an order into the indices."""
        key = order.account, order.terms.symbol
        self.orders[order.serial] = self.by_id[order.id] = self.open[order.account][order.id] = order
        self.open_counts[key] = self.open_counts.get(key, 0) + 1
        self.closing += order.terms.close is not None
        if order.cl_ord_id:
            self.by_client[order.account][order.cl_ord_id] = order

    def finish(self, order: Order, status: OrderStatus, time_ns: int, reason: str = "") -> None:
        """Let an order leave: funds freed, history kept, and the last report made."""
        self.hold(order, 0)
        order.status, order.closed_ns, order.reason = status, time_ns, reason
        order.waiting, order.waits_to_start = -1, False
        account = order.account
        del self.orders[order.serial], self.open[account][order.id]
        self.open_counts[account, order.terms.symbol] -= 1
        self.closing -= order.terms.close is not None
        if order.cl_ord_id:
            del self.by_client[account][order.cl_ord_id]
        history = self.histories[account]
        history.closed.append(order)
        history.closed_count += 1
        if len(history.closed) > HISTORY:
            del self.by_id[history.closed.popleft().id]
        kind = {OrderStatus.FILLED: ExecType.FILLED, OrderStatus.EXPIRED: ExecType.EXPIRED}.get(
            status, ExecType.CANCELED
        )
        self.report(order, kind, time_ns, reason=reason)

    def ledger(self, account: int, time_ns: int, kind: str, ref_id: str, asset: str, amount: int, fee: int) -> str:
        """Change a balance and write it down; return the ledger id."""
        balance = self.wallets[account].add(asset, amount - fee)
        if fee:
            self.fees[asset] = self.fees.get(asset, 0) + fee
        entry = LedgerEntry(self.ids.next("L"), ref_id, account, time_ns, kind, asset, amount, fee, balance)
        history = self.histories[account]
        history.ledger.append(entry)
        history.ledger_count += 1
        self.out.append(entry)
        return entry.ledger_id

    def volume_of(self, listed: Listing, cost: int) -> int:
        """Return what a cost adds to the 30-day volume, in millionths of the volume currency."""
        if not self.rates[listed.symbol].counts:
            return 0
        quote, currency = listed.pair.quote, self.venue.fee_volume_currency
        if quote == currency or quote in self.venue.fee_at_par:
            return cost * _MILLION // UNITS
        market = f"{quote}/{currency}"
        if market in self.floors and self.floors[market].last_price:
            other = self.listings[market]
            price = self.floors[market].last_price * other.tick_step
            return cost * price * _MILLION // (UNITS * 10**other.pair.price_decimals)
        return int(Decimal(QUOTE_VALUES.get(quote, "1")) * (cost * _MILLION) // UNITS)

    def is_market(self, terms: Terms) -> bool:
        """Tell whether an order trades at any price."""
        return not terms.type.has_limit

    def resident_id(self, symbol: str, handle: int) -> str:
        """Return the order id under which a resident's order is shown."""
        return self.resident_ids[symbol].of("O", handle)
