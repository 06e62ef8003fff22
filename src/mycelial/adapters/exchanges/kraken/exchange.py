"""`KrakenExchange`: Kraken, or our own exchange that speaks its protocol, behind the `Exchange` port.

WebSocket first; REST for names and rules at the start, for tokens, and for finding out what happened. Everything that
thinks is in `kraken.client`; here the pieces are put together and given a voice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import aiohttp

from mycelial.adapters.exchanges.kraken.account_feed import AccountFeed, order_id_of
from mycelial.adapters.exchanges.kraken.credentials import Credentials
from mycelial.adapters.exchanges.kraken.market_feed import MarketFeed
from mycelial.adapters.exchanges.kraken.nonce_floor import StoredNonces
from mycelial.adapters.exchanges.kraken.recovery import Recovery
from mycelial.adapters.exchanges.kraken.rest import NotSent, Rest
from mycelial.adapters.exchanges.kraken.settings import Settings
from mycelial.adapters.exchanges.kraken.socket import Socket
from mycelial.adapters.exchanges.outbox import Outbox
from mycelial.domain.errors import DataError, ExchangeError, OrderRejected
from mycelial.domain.orders import Amendment, Fill, NewOrder, OrderReport, Remembered
from mycelial.domain.ports import AccountState, BookView, Clock, ExchangeEvent, LinkChanged
from mycelial.domain.trading_rules import TradingRules
from mycelial.kraken.client.budget import Budget, Ticket, TradingBudget
from mycelial.kraken.client.keeping import SECOND, Backoff, ClockOffset, DeadManSwitch
from mycelial.kraken.client.tracker import OrderTracker
from mycelial.kraken.client.translating import add_order, amend_order, rules_of_pair
from mycelial.kraken.errors import Meaning, Reaction
from mycelial.kraken.orders import CancelAll, CancelAllAfter, CancelOrders
from mycelial.kraken.rest.envelope import NoAnswer
from mycelial.kraken.rest.market_answers import PairRow
from mycelial.kraken.rest.queries import AssetPairs
from mycelial.kraken.symbols import SymbolTable
from mycelial.kraken.ws.reading import Reply, read_result
from mycelial.market.rate_counters import Cost, Limits, Transaction
from mycelial.market.venues.rules import Venue

log = logging.getLogger(__name__)
DEADLINE_MARGIN_NS = SECOND  # how far our idea of the exchange's clock may be off
MOST_DONE = 4_096  # orders that are remembered after their end
MOST_WAIT_NS = 2 * SECOND  # for room in the counter, before an order is refused here

_GONE = (Reaction.TREAT_AS_GONE,)


class KrakenExchange:
    """An account on an exchange that speaks Kraken's protocol; see `domain.ports.Exchange`.

    Parameters
    ----------
    venue : limits and prices of messages; names of assets.
    budget : mirror of the trading counters, shared with whoever schedules.
    """

    def __init__(
        self,
        settings: Settings,
        credentials: Credentials,
        clock: Clock,
        venue: Venue,
        budget: TradingBudget | None = None,
    ) -> None:
        self.settings, self._clock, self._venue = settings, clock, venue
        self._credentials = credentials
        self.budget = budget or TradingBudget(
            venue.limits(settings.tier), venue.tariff, reserve_ppm=settings.cancel_reserve_ppm
        )
        self.tracker = OrderTracker()
        self.offset = ClockOffset()
        self.switch = (
            DeadManSwitch(settings.dead_man_ns, settings.dead_man_refresh_ns) if settings.dead_man_ns else None
        )
        self._rules: dict[str, TradingRules] = {}
        self._outbox = Outbox()
        self._ready = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None
        self._family: asyncio.Task[None] | None = None
        self.market: MarketFeed
        self.accounts: AccountFeed
        self.recovery: Recovery

    # ---- life ------------------------------------------------------------------------------------------------------

    def remember(self, orders: Sequence[Remembered]) -> None:
        """Take up orders of a former run."""
        for one in orders:
            self.tracker.remember(one)

    async def start(self) -> None:
        """Connect and take up the account; see the port."""
        self._session = aiohttp.ClientSession(trust_env=False)
        try:
            await self._build(self._session)
            self._family = asyncio.create_task(self._run(), name="kraken")
            waiting = asyncio.create_task(self._ready.wait())
            patience = self.settings.start_ns / 1e9
            await asyncio.wait({waiting, self._family}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if self._family.done():
                await self._family
            if not self._ready.is_set():
                raise ExchangeError(
                    f"the account at {self.settings.ws_auth} was not up after {patience:g} s; is the exchange running?"
                )
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Let go of connections. Orders stay, and then the dead man's switch runs down; without any it is disarmed."""
        if self._family is not None:
            await self._disarm()
            self._family.cancel()
            with suppress(asyncio.CancelledError, ExchangeError):
                await self._family
        if self._session is not None:
            await self._session.close()
        self._outbox.close()

    async def _disarm(self) -> None:
        switch = self.switch
        if switch is None or not switch.fires_ns or self.tracker.live() or not self.accounts.is_followed:
            return
        with suppress(ExchangeError):
            if (await self.accounts.command(CancelAllAfter(timeout_s=0))).success:
                switch.disarmed()

    async def _build(self, session: aiohttp.ClientSession) -> None:
        settings, clock = self.settings, self._clock
        calls = Budget(self._venue.rest_limits(settings.tier), reserve_ppm=0)
        rest = Rest(
            *(settings.rest, session, clock, calls, self._venue.rest),
            credentials=self._credentials,
            nonces=StoredNonces(settings.nonce_file),
            answer_ns=settings.answer_ns,
        )
        self._rules, names = await read_rules(rest, settings.pairs)
        connects = connect_budget(self._venue)
        self.market = MarketFeed(
            *(public_socket(settings, session, clock, connects, self.offset), clock, self._rules),
            *(settings.pairs, settings.depth, self._outbox.tell),
        )
        self.accounts = AccountFeed(
            *(private_socket(settings, session, clock, connects, self.offset), rest, clock, self._rules),
            *(self.tracker, self.switch, self._changed, self._counted),
        )
        modern = SymbolTable.of_venue(self._venue).modern
        backoff = Backoff(settings.seed, "kraken", "recovery", most_ns=settings.reconnect_most_ns)
        self.recovery = Recovery(rest, clock, self.tracker, names, modern, backoff, self._pump)

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.market.run(), name="market")
                tasks.create_task(self.accounts.run(), name="account")
                tasks.create_task(self.recovery.run(), name="recovery")
        except BaseExceptionGroup as group:
            failure = _first(group)
            self._outbox.close(failure)
            raise failure from None

    # ---- what is known ---------------------------------------------------------------------------------------------

    @property
    def rules(self) -> Mapping[str, TradingRules]:
        """Pairs by symbol; refreshed while running."""
        return self._rules

    def events(self) -> AsyncIterator[ExchangeEvent]:
        """Return what happens."""
        return self._outbox

    def book(self, symbol: str) -> BookView:
        """Return a book as it is known now."""
        return self.market.view(symbol)

    def is_ready(self) -> bool:
        """Return whether new risk may be sent."""
        armed = self.switch is None or self.switch.is_armed(self._clock.now_ns())
        return self.accounts.is_followed and armed

    # ---- orders ----------------------------------------------------------------------------------------------------

    async def submit(self, order: NewOrder) -> OrderReport:
        """Place an order; see the port."""
        rules = self._rules_of(order.symbol)
        rules.check(order)
        self._need_ready(order.client_id)
        await self._room(order.symbol, Transaction.ADD)
        deadline = self._deadline()
        self.tracker.sending(order, deadline_ns=deadline)
        ticket = self._charge(order.symbol, Transaction.ADD)

        def accepted(reply: Reply) -> None:
            order_id = order_id_of(read_result(reply, dict[str, Any]))
            self.tracker.accepted(order.client_id, order_id, self._clock.now_ns())

        await self._ask(
            order.client_id,
            ticket,
            lambda: self.accounts.command(add_order(order, rules, self._their_deadline())),
            accepted,
            lambda error: self.tracker.refused(order.client_id, error),
        )
        return self.tracker[order.client_id].report()

    async def amend(self, change: Amendment) -> OrderReport:
        """Change a resting order; see the port."""
        order = self._known(change.client_id)
        rules = self._rules_of(order.symbol)
        rules.check_amendment(change, order.lots, order.price_ticks)
        self._need_ready(change.client_id)
        await self._room(order.symbol, Transaction.AMEND, order.touched_ns)
        self.tracker.changing(change, deadline_ns=self._deadline())
        ticket = self._charge(order.symbol, Transaction.AMEND, order.touched_ns)
        await self._ask(
            change.client_id,
            ticket,
            lambda: self.accounts.command(amend_order(change, rules, self._their_deadline())),
            lambda _: self.tracker.change_accepted(change, self._clock.now_ns()),
            lambda _: self.tracker.change_refused(change),
        )
        return order.report()

    async def cancel(self, client_id: str) -> OrderReport:
        """Take an order back; see the port."""
        order = self._known(client_id)
        if not order.status.is_live:
            return order.report()
        if not self.accounts.is_followed:
            raise OrderRejected(f"order {client_id} cannot be cancelled now: the connection is down; nothing was sent")
        # An order under change may be younger than we know.
        touched = self._clock.now_ns() if order.changes else order.touched_ns
        await self._room(order.symbol, Transaction.CANCEL, touched)
        self.tracker.cancelling(client_id)
        ticket = self._charge(order.symbol, Transaction.CANCEL, touched)
        names = CancelOrders(cl_ord_ids=(client_id,)) if order.is_ours else CancelOrders(order_ids=(order.order_id,))
        await self._ask(
            client_id,
            ticket,
            lambda: self.accounts.command(names),
            lambda _: None,
            lambda _: self.tracker.cancel_refused(client_id),
        )
        return order.report()

    async def cancel_all(self) -> None:
        """Take every order of the account back; raises `ExchangeError` if that is not certain to have happened."""
        for one in self.tracker.live():
            self.tracker.cancelling(one.client_id)
        reply = await self.accounts.command(CancelAll())
        if not reply.success:
            raise ExchangeError(f"cancel_all was refused: {reply.error}")

    async def account(self) -> AccountState:
        """Ask the exchange for balances and open orders."""
        return await self.recovery.account()

    async def resolve(self, client_id: str) -> OrderReport:
        """Find out what became of an order."""
        self._known(client_id)
        return await self.recovery.resolve(client_id)

    async def fills(self, since_ns: int) -> Sequence[Fill]:
        """Return own fills from the exchange's records."""
        return await self.recovery.fills(since_ns)

    # ---- inside ----------------------------------------------------------------------------------------------------

    async def _ask(
        self,
        client_id: str,
        ticket: Ticket,
        send: Callable[[], Awaitable[Reply]],
        accepted: Callable[[Reply], None],
        refused: Callable[[str], None],
    ) -> None:
        """Send one order message and tell the tracker what its answer means; shielded, so that none is left unread."""

        async def ask() -> None:
            carried_out: bool | None = None  # None: nobody knows
            try:
                reply = await send()
                if reply.success:
                    accepted(reply)
                    carried_out = True
                else:
                    carried_out = self._refusal(client_id, ticket, reply.meaning, reply.error or "", refused)
            except NotSent as error:
                carried_out = False
                refused(str(error))
            except (NoAnswer, DataError) as error:
                log.warning("order %s: %s", client_id, error)
            finally:
                if carried_out is None:
                    self.tracker.doubt(client_id)
                self._settle(ticket, carried_out)
                self._pump()

        await asyncio.shield(asyncio.ensure_future(ask()))

    def _refusal(
        self, client_id: str, ticket: Ticket, meaning: Meaning, error: str, refused: Callable[[str], None]
    ) -> bool | None:
        """Tell the tracker of an error; return whether the message was carried out, None if nobody knows."""
        if meaning.fate_unknown:
            return None
        if meaning.reaction is Reaction.WAIT_DECAY:
            log.error("refused for rate on %s: the mirror was wrong or the account is shared", ticket.name)
            self.budget.refused_for_rate(ticket.name, self._clock.now_ns())
        refused(error)
        if meaning.reaction in _GONE:
            self.tracker.doubt(client_id)
        return False

    def _settle(self, ticket: Ticket, carried_out: bool | None) -> None:
        """Let a charge decay; one whose message may still arrive begins to once its deadline has passed."""

        def settle() -> None:
            self.budget.answered(ticket, self._clock.now_ns(), carried_out=carried_out is not False)

        if carried_out is None:
            asyncio.get_running_loop().call_later((self.settings.deadline_ns + DEADLINE_MARGIN_NS) / 1e9, settle)
        else:
            settle()

    async def _room(self, symbol: str, kind: Transaction, touched_ns: int | None = None) -> None:
        """Wait until the counter has room for a message, at most a moment."""
        until = self._clock.now_ns() + MOST_WAIT_NS
        while True:
            now = self._clock.now_ns()
            wait = self.budget.wait_ns(symbol, now, self._cost(kind, touched_ns), is_cancel=kind is Transaction.CANCEL)
            if wait == 0:
                return
            if wait is None or now + wait > until:
                raise OrderRejected(
                    f"{symbol}: the message counter is full; amend old orders, spread over pairs, or wait"
                )
            await self._clock.sleep_until(now + wait)

    def _cost(self, kind: Transaction, touched_ns: int | None) -> Cost:
        return self.budget.cost(kind, self._clock.now_ns(), () if touched_ns is None else (touched_ns,))

    def _charge(self, symbol: str, kind: Transaction, touched_ns: int | None = None) -> Ticket:
        return self.budget.sending(symbol, self._cost(kind, touched_ns))

    def _deadline(self) -> int:
        """Return when, by our clock, a message sent now can no longer reach the exchange."""
        return self._clock.now_ns() + self.settings.deadline_ns + DEADLINE_MARGIN_NS

    def _their_deadline(self) -> int | None:
        """Return the deadline on the exchange's clock; None where that runs at a pace of its own."""
        if not self.offset.keeps_pace():
            return None
        return self.offset.theirs(self._clock.now_ns()) + self.settings.deadline_ns

    def _need_ready(self, client_id: str) -> None:
        if not self.is_ready():
            why = (
                "the account is not followed" if not self.accounts.is_followed else "the dead man's switch is not armed"
            )
            raise OrderRejected(f"order {client_id} was not sent: {why}; wait for the link to come up")

    def _rules_of(self, symbol: str) -> TradingRules:
        rules = self._rules.get(symbol)
        if rules is None:
            raise OrderRejected(f"the exchange does not trade {symbol}; it has {', '.join(self._rules)}")
        return rules

    def _known(self, client_id: str) -> Any:
        if client_id not in self.tracker:
            raise OrderRejected(f"order {client_id} was never placed here")
        return self.tracker[client_id]

    def _changed(self, link: LinkChanged | None) -> None:
        """The account feed took something."""
        if link is not None:
            self._outbox.tell(link)
        self._pump()
        if self.is_ready():
            self._ready.set()

    def _counted(self, symbol: str, points: float) -> None:
        """The exchange told its counter of a pair."""
        self.budget.told(symbol, points, self._clock.now_ns())

    def _pump(self) -> None:
        """Tell what the tracker has learned, and look into what it doubts."""
        for news in self.tracker.drain():
            self._outbox.tell(news)
        if len(self.tracker) > 2 * MOST_DONE:
            self.tracker.forget_done(MOST_DONE)
        self.recovery.wake()


async def read_rules(rest: Rest, wanted: Sequence[str]) -> tuple[dict[str, TradingRules], dict[str, TradingRules]]:
    """Return the rules of every pair by symbol, and by each of its names in capitals.

    Raises
    ------
    ExchangeError
        If the exchange does not trade a wanted pair.
    """
    rows: dict[str, PairRow] = await rest.ask_patiently(AssetPairs())
    by_symbol: dict[str, TradingRules] = {}
    names: dict[str, TradingRules] = {}
    for key, row in rows.items():
        rules = rules_of_pair(row)
        if rules is not None:
            by_symbol[rules.symbol] = rules
            names |= {name.upper(): rules for name in (key, row.altname, rules.symbol, row.wsname or key)}
    missing = [symbol for symbol in wanted if symbol not in by_symbol]
    if missing:
        raise ExchangeError(f"the exchange does not trade {', '.join(missing)}; it has {', '.join(by_symbol)}")
    return by_symbol, names


def connect_budget(venue: Venue) -> Budget:
    """Return a budget of half the connections that the exchange allows at once, the rest as they are earned back."""
    rules = venue.websocket
    per_s = rules.connects * 1_000_000 * SECOND // rules.connects_within_ns
    return Budget(Limits(threshold=rules.connects * 500_000, decay=max(1, per_s // 2)), reserve_ppm=0)


def public_socket(
    settings: Settings, session: aiohttp.ClientSession, clock: Clock, connects: Budget, offset: ClockOffset
) -> Socket:
    """Return the socket of market data."""
    return _socket(settings, settings.ws, "public", session, clock, connects, offset)


def private_socket(
    settings: Settings, session: aiohttp.ClientSession, clock: Clock, connects: Budget, offset: ClockOffset
) -> Socket:
    """Return the socket of the account."""
    return _socket(settings, settings.ws_auth, "private", session, clock, connects, offset)


def _socket(
    settings: Settings,
    base: str,
    name: str,
    session: aiohttp.ClientSession,
    clock: Clock,
    connects: Budget,
    offset: ClockOffset,
) -> Socket:
    url = base.rstrip("/")
    return Socket(
        url if url.endswith("/v2") else f"{url}/v2",
        *(session, clock, Backoff(settings.seed, "kraken", name, most_ns=settings.reconnect_most_ns)),
        *(connects, offset),
        answer_ns=settings.answer_ns,
        silence_ns=settings.silence_ns,
    )


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    one = group.exceptions[0]
    return _first(one) if isinstance(one, BaseExceptionGroup) else one
