"""The counter behind all doors: one exchange, its names and printers, and how requests of either transport reach it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from mycelial.adapters.exchanges.kraken_server import translating
from mycelial.adapters.exchanges.kraken_server.amounts import Amounts
from mycelial.adapters.exchanges.kraken_server.clock import MarketClock
from mycelial.adapters.exchanges.kraken_server.keyring import Keyring, Tokens
from mycelial.adapters.exchanges.kraken_server.order_words import OrderWords
from mycelial.adapters.exchanges.kraken_server.reports import Reports
from mycelial.adapters.exchanges.kraken_server.reports_v1 import ReportsV1
from mycelial.adapters.exchanges.kraken_server.rest_rows import RestRows
from mycelial.kraken import errors, orders
from mycelial.kraken.errors import Refused
from mycelial.kraken.limits import Budget
from mycelial.kraken.numbers import decimal
from mycelial.kraken.permissions import Permission
from mycelial.kraken.symbols import SymbolTable
from mycelial.kraken.ws.printing import PairPrinter
from mycelial.kraken.ws.v1 import V1Printer
from mycelial.market.book import Mode
from mycelial.market.venues.rules import Pair
from mycelial.simulation.exchange import commands as own
from mycelial.simulation.exchange.accounts import ApiKey
from mycelial.simulation.exchange.exchange import SimulatedExchange
from mycelial.simulation.exchange.reports import Event, OrderState
from mycelial.simulation.reference_prices import QUOTE_VALUES

PairOf = Callable[[str], Pair]

MODE_NAMES: Mapping[Mode, str] = {
    Mode.ONLINE: "online",
    Mode.MAINTENANCE: "maintenance",
    Mode.CANCEL_ONLY: "cancel_only",
    Mode.POST_ONLY: "post_only",
    Mode.LIMIT_ONLY: "limit_only",
    Mode.REDUCE_ONLY: "reduce_only",
    Mode.CLOSED: "work_in_progress",
}


class Desk:
    """Everything the doors share.

    Parameters
    ----------
    exchange : the simulated exchange; nobody else advances it or sends it commands.
    clock : market time.
    wall_ns : the wall clock.
    nonce_window : see `Keyring`.
    """

    def __init__(
        self, exchange: SimulatedExchange, clock: MarketClock, wall_ns: Callable[[], int], *, nonce_window: int = 0
    ) -> None:
        self.exchange, self.clock, self.wall_ns = exchange, clock, wall_ns
        self.venue = exchange.venue
        self.table = SymbolTable.of_venue(self.venue, exchange.listings)
        self.printers = {symbol: PairPrinter(pair) for symbol, pair in self.table.pairs.items()}
        self.v1_printers = {symbol: V1Printer(pair) for symbol, pair in self.table.pairs.items()}
        self.keyring = Keyring(exchange.keys, nonce_window=nonce_window)
        self.tokens = Tokens(self.venue.websocket.token_valid_ns, wall_ns)
        self.usd_values: dict[str, Decimal] = {}
        self.amounts = Amounts(self.usd_values)
        self.words = OrderWords(self.table, self.amounts)
        self.rows = RestRows(self.table, self.amounts, self.words)
        self.reports, self.reports_v1 = Reports(self.table, self.amounts), ReportsV1(self.rows)
        self.unavailable = False  # an outage: nothing private is answered
        self.tell: Callable[[list[Event]], None] = lambda events: None  # set by the hub that spreads events
        self._public: dict[tuple[str, str, str], Budget] = {}
        self.value_assets()

    # ------------------------------------------------------------------------------------------------------- time

    def now(self) -> int:
        """Return market time, ns."""
        return self.clock.now()

    def pump(self) -> None:
        """Tell everybody what happened."""
        events = self.exchange.drain()
        if events:
            self.tell(events)

    def value_assets(self) -> None:
        """Look up what each asset is worth in USD now."""
        values = self.usd_values
        values[self.venue.fee_volume_currency] = Decimal(1)
        values.update(dict.fromkeys(self.venue.fee_at_par, Decimal(1)))
        for asset, worth in QUOTE_VALUES.items():
            values.setdefault(asset, Decimal(worth))
        for symbol, pair in self.table.pairs.items():
            if pair.quote == self.venue.fee_volume_currency:
                values[pair.base] = decimal(self.exchange.ticker(symbol).last, pair.price_decimals)

    # -------------------------------------------------------------------------------------------------- permission

    def check(self, key: ApiKey, needs: tuple[Permission, ...]) -> None:
        """Refuse a key that has none of these rights, and everybody during an outage.

        Raises
        ------
        Refused
            ``EGeneral:Permission denied`` or ``EService:Unavailable``.
        """
        if needs and not any(one in key.permissions for one in needs):
            raise Refused(errors.PERMISSION_DENIED)
        if self.unavailable or self.exchange.mode in (Mode.MAINTENANCE, Mode.CLOSED):
            raise Refused(errors.UNAVAILABLE)

    def public_call(self, address: str, method: str, pair: str) -> None:
        """Charge a public call of an address.

        Raises
        ------
        Refused
            ``EAPI:Rate limit exceeded``.
        """
        who = address, method, pair
        budget = self._public.get(who)
        if budget is None:
            if len(self._public) >= PUBLIC_REMEMBERED:
                self._public.clear()
            budget = self._public[who] = Budget(PUBLIC_SHARED * self.venue.rest.public_per_s, PUBLIC_BURST)
        if not budget.take(self.wall_ns()):
            raise Refused(errors.CALL_RATE_LIMIT)

    # ----------------------------------------------------------------------------------------------------- trading

    def carry_out(self, account: int, command: orders.Command, pair_of: PairOf) -> own.Outcome:
        """Carry out a command; a list of single cancels goes through `cancel_each`.

        Raises
        ------
        Refused
            With the error string, if it cannot even be translated.
        """
        now, wall = self.exchange.now, self.wall_ns()
        most = self.venue.orders.deadline_most_ns
        match command:
            case orders.AddOrder():
                translating.refuse_if_late(command.deadline_ns, wall, most)
                pair = pair_of(command.order.pair)
                made: own.Command = translating.add_order(command.order, pair, now, validate=command.validate)
            case orders.AddBatch():
                translating.refuse_if_late(command.deadline_ns, wall, most)
                pair = pair_of(command.pair)
                rows = tuple(translating.add_order(one, pair, now, validate=command.validate) for one in command.orders)
                made = own.AddBatch(orders=rows, validate=command.validate)
            case orders.AmendOrder():
                translating.refuse_if_late(command.deadline_ns, wall, most)
                state = self._order(account, command.order_id, command.cl_ord_id)
                if state is None:
                    return own.Refused(own.Reject.UNKNOWN_ORDER)
                made = translating.amend(command, self.table.pairs[state.terms.symbol])
            case orders.EditOrder():
                translating.refuse_if_late(command.deadline_ns, wall, most)
                pair = pair_of(command.pair)
                state = self._order(account, command.order_id, None)
                if state is None or not state.status.is_open:
                    return own.Refused(own.Reject.UNKNOWN_ORDER)
                made = translating.edit(command, pair, state.terms.type.value)
            case orders.CancelOrders(batch=True):
                made = own.CancelBatch(orders=tuple(translating.cancels(command)))
            case orders.CancelOrders():
                (made,) = translating.cancels(command)
            case orders.CancelAll():
                made = own.CancelAll()
            case orders.CancelAllAfter():
                made = own.CancelAllAfter(command.timeout_s)
        return self.exchange.submit(account, made)

    def cancel_each(self, account: int, command: orders.CancelOrders) -> list[tuple[own.Cancel, own.Outcome]]:
        """Cancel each name by itself; the answers in the order of the names."""
        return [(one, self.exchange.submit(account, one)) for one in translating.cancels(command)]

    def _order(self, account: int, order_id: str | None, cl_ord_id: str | None) -> OrderState | None:
        if order_id is not None:
            return self.exchange.orders(account, [order_id]).get(order_id)
        found = self.exchange.open_orders(account, cl_ord_id=cl_ord_id or "")
        return found[0] if found else None


PUBLIC_SHARED = 10.0  # clients that are taken to share an address: on loopback all do
PUBLIC_BURST = 200.0  # public calls of one address, method and pair at once
PUBLIC_REMEMBERED = 10_000
