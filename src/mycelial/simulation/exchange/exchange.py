"""`SimulatedExchange`: several living markets behind one counter, with accounts, wallets and Kraken's rules.

Pure: time comes in with `advance`, commands with `submit`, and everything it has to say goes out with `drain`. The
protocol (text, sockets, signatures, sequence numbers) is left to a shell.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal

from mycelial.agents.intraday.config import PopulationConfig
from mycelial.domain.errors import ConfigError, DataError, NotFound
from mycelial.market.book import Mode
from mycelial.market.rate_counters import Cost, Counter, Limits, Verdict, charge
from mycelial.market.terms import MarketTerms
from mycelial.market.venues import Venue, packaged_venue
from mycelial.simulation.exchange import asking, changing, entering, waiting
from mycelial.simulation.exchange.accounts import STANDARD_ACCOUNTS, STANDARD_KEYS, Account, ApiKey, make_keys
from mycelial.simulation.exchange.asking import Balance, LedgerPage, Page, TradePage
from mycelial.simulation.exchange.candles import ROWS
from mycelial.simulation.exchange.commands import (
    AddBatch,
    AddOrder,
    Amend,
    Cancel,
    CancelAll,
    CancelAllAfter,
    CancelBatch,
    Command,
    Edit,
    Outcome,
)
from mycelial.simulation.exchange.coupling import GRID_NS, Coupling
from mycelial.simulation.exchange.floor import Floor
from mycelial.simulation.exchange.house import House
from mycelial.simulation.exchange.listing import Listing, listing
from mycelial.simulation.exchange.past import no_past, past
from mycelial.simulation.exchange.reports import (
    AmendRecord,
    BookUpdate,
    Candle,
    Event,
    ModeChanged,
    OrderState,
    OrdersUpdate,
    PublicTrade,
    Ticker,
)
from mycelial.simulation.exchange.settling import absorb
from mycelial.simulation.exchange.showing import Showcase
from mycelial.simulation.intraday.market import Recording
from mycelial.simulation.scenarios import Conditions, Scenario
from mycelial.simulation.stress.market import Happened

SECOND_NS = 10**9
EPOCH_NS = 1_790_000_000 * SECOND_NS  # when nobody says what time it is: 2026-09-21
PAIRS = ("BTC/USD", "ETH/USD", "SOL/USD")
WARM_UP_NS = 60 * SECOND_NS
_STEP_NS = SECOND_NS  # what happened is taken in at least so often
_WATCHFUL_NS = 2_000_000  # and so often while an order waits for a trigger, or for a fill to place its close
_FIRST_TRADE = 10_000_000
_CALM = Conditions()


class SimulatedExchange:
    """An exchange in a box.

    Parameters
    ----------
    symbols : pairs to open, by any of their names.
    seed : int
        Root of everything random: residents, pasts, ids, keys. The same seed, commands and times give the same bytes.
    accounts : customers with their opening funds.
    keys : (name, account number, permissions) of each API key.
    venue : whose rules hold; by default the packaged ones of Kraken.
    now_ns : unix time of the opening.
    populations : residents by symbol, instead of the fitted ones.
    warm_up_ns : how long the residents trade before the opening.
    history : draw candles of the time before; without, the past is one flat candle, which opens faster.
    record : keep everything that enters and leaves the engines, for `take_recording`.
    domain : what an account may send over all pairs together.

    Raises
    ------
    NotFound
        If a pair or tier does not exist.
    ConfigError
        If there is nothing to trade or nobody to trade it.
    """

    def __init__(
        self,
        symbols: Sequence[str] = PAIRS,
        seed: int = 1,
        *,
        accounts: Sequence[Account] = STANDARD_ACCOUNTS,
        keys: Sequence[tuple[str, int, frozenset[str]]] = STANDARD_KEYS,
        venue: Venue | None = None,
        now_ns: int = EPOCH_NS,
        populations: Mapping[str, PopulationConfig] | None = None,
        reference_prices: Mapping[str, Decimal] | None = None,
        warm_up_ns: int = WARM_UP_NS,
        history: bool = True,
        record: bool = False,
        domain: Limits | None = None,
    ) -> None:
        self.venue = packaged_venue("kraken") if venue is None else venue
        names = [self.venue.pair(symbol).symbol for symbol in symbols]
        if not names or len(set(names)) < len(names) or not accounts:
            raise ConfigError("an exchange needs at least one pair, no pair twice, and at least one account")
        self.seed = seed
        self.keys: tuple[ApiKey, ...] = make_keys(seed, keys)
        crowds, prices = populations or {}, reference_prices or {}
        self.listings: dict[str, Listing] = {
            name: listing(self.venue, name, population=crowds.get(name), reference_price=prices.get(name))
            for name in names
        }
        floors = {
            name: Floor(one, _seed_of(seed, name), len(accounts), first_trade=_FIRST_TRADE, record=record)
            for name, one in self.listings.items()
        }
        self._house = House(self.venue, self.listings, floors, accounts, now_ns - warm_up_ns, seed, domain)
        house, self._show = self._house, {}
        self._coupling = Coupling(self.venue, floors)
        self._run_markets(now_ns)
        for name, floor in floors.items():
            trades, lots = floor.usual_minute()
            before = (
                past(floor.listed, seed, house.epoch_ns, trades=trades, lots=lots)
                if history
                else no_past(floor.listed, house.epoch_ns)
            )
            self._show[name] = Showcase(house, floor, before)
        self._calls: dict[str, Counter] = {}
        self.recorded: list[tuple[int, int, Command]] = []  # (time, account, command) since last taken
        self._record = record
        self._system = Mode.ONLINE
        self._pair_modes = {name: self.venue.pair(name).mode for name in names}
        self._told_modes: dict[str, Mode] = {}
        house.now = now_ns
        waiting.follow_up(house)  # trades before the opening trigger nothing
        self.set_mode(Mode.ONLINE)
        self._publish()
        self.drain()

    # ------------------------------------------------------------------------------------------------- time ---

    @property
    def now(self) -> int:
        """Unix time of the exchange, ns."""
        return self._house.now

    def advance(self, to_ns: int) -> None:
        """Let everything up to and including `to_ns` happen.

        Raises
        ------
        DataError
            If that time has passed already.
        """
        house = self._house
        if to_ns < house.now:
            raise DataError(f"the exchange is at {house.now} ns and cannot go back to {to_ns} ns")
        while True:
            watchful = house.closing > 0 or any(len(triggers) for triggers in house.triggers.values())
            step = min(to_ns, house.now + (_WATCHFUL_NS if watchful else _STEP_NS))
            due = waiting.next_due(house)
            if due:
                step = min(step, max(due, house.now))
            self._run_markets(step)
            house.now = step
            if any(floor.stress is not None for floor in house.floors.values()):
                self._squeeze()
                self._announce_modes()
            waiting.follow_up(house)
            waiting.do_due(house)
            if step == to_ns:
                break
        self._publish()

    def _run_markets(self, to_ns: int) -> None:
        """Bring all markets to a time, hearing of each other on the way."""
        house, coupling = self._house, self._coupling
        if coupling.is_needed:
            grid = house.epoch_ns + (house.now - house.epoch_ns) // GRID_NS * GRID_NS + GRID_NS
            while grid <= to_ns:
                self._run_apart(grid)
                coupling.turn()
                house.now = grid
                grid += GRID_NS
        self._run_apart(to_ns)

    def _run_apart(self, to_ns: int) -> None:
        """Bring all markets to a time; what concerns customers is taken in in order of time."""
        house = self._house
        until = to_ns - house.epoch_ns
        news = [(floor, found) for floor in house.floors.values() if (found := floor.run(until))]
        if len(news) == 1:
            absorb(house, *news[0])
        elif news:
            rows = [(one[1][1], n, k) for n, (_, found) in enumerate(news) for k, one in enumerate(found)]
            for _, n, k in sorted(rows):
                floor, found = news[n]
                absorb(house, floor, [found[k]])

    # --------------------------------------------------------------------------------------------- commands ---

    def submit(self, account: int, command: Command) -> Outcome:
        """Carry out a command now; what follows from it waits in `drain`."""
        house = self._house
        if self._record:
            self.recorded.append((house.now, account, command))
        outcome = self._carry_out(account, command)
        waiting.follow_up(house)
        return outcome

    def _carry_out(self, account: int, command: Command) -> Outcome:
        house = self._house
        if isinstance(command, AddOrder):
            return entering.add(house, account, command)
        if isinstance(command, Cancel):
            return changing.cancel(house, account, command)
        if isinstance(command, Amend):
            return changing.amend(house, account, command)
        if isinstance(command, AddBatch):
            return entering.add_batch(house, account, command)
        if isinstance(command, CancelBatch):
            return changing.cancel_batch(house, account, command)
        if isinstance(command, Edit):
            return changing.edit(house, account, command)
        if isinstance(command, CancelAll):
            return changing.cancel_all(house, account)
        assert isinstance(command, CancelAllAfter)
        return changing.cancel_all_after(house, account, command)

    def drain(self) -> list[Event]:
        """Return what happened since the last call, in order."""
        out, self._house.out = self._house.out, []
        return out

    def _publish(self) -> None:
        house = self._house
        for showcase in self._show.values():
            house.out += showcase.publish(house.now)

    # ------------------------------------------------------------------------------------------ market data ---

    def watch_levels(self, symbol: str, depth: int) -> BookUpdate:
        """Begin (or go on) making `BookUpdate`s of a pair at a depth; return the whole book as a snapshot.

        Updates already drained or waiting in `drain` with a `seq` up to the snapshot's are part of it.
        """
        self._publish()
        show = self._showcase(symbol)
        show.watch_levels(depth)
        return show.levels(depth, self.now)

    def watch_orders(self, symbol: str, depth: int) -> OrdersUpdate:
        """Like `watch_levels` for the book order by order."""
        self._publish()
        show = self._showcase(symbol)
        show.watch_orders(depth)
        return show.orders(depth, self.now)

    def forget_levels(self, symbol: str, depth: int) -> None:
        """Stop making `BookUpdate`s that nobody reads any more."""
        self._showcase(symbol).forget(depth, orders=False)

    def forget_orders(self, symbol: str, depth: int) -> None:
        """Stop making `OrdersUpdate`s that nobody reads any more."""
        self._showcase(symbol).forget(depth, orders=True)

    def depth(self, symbol: str, count: int) -> BookUpdate:
        """Return the best `count` levels a side right now; `seq` and `checksum` mean nothing here."""
        listed = self.listings[self._known(symbol)]
        sides = []
        for side in (0, 1):
            levels = self._house.floors[listed.symbol].market.book.levels(side, count).copy()
            levels[:, 0] *= listed.tick_step
            levels[:, 1] *= listed.lot_step
            sides.append(levels)
        return BookUpdate(listed.symbol, count, 0, self.now, sides[0], sides[1], 0, True)

    def ticker(self, symbol: str) -> Ticker:
        """Return the ticker of a pair."""
        return self._showcase(symbol).ticker(self.now)

    def candles(self, symbol: str, interval: int, most: int = ROWS) -> list[Candle]:
        """Return the latest candles of an interval in minutes, oldest first, the forming one last."""
        return self._showcase(symbol).candles.rows(interval, most)

    def forming_candle(self, symbol: str, interval: int) -> Candle:
        """Return the candle that still changes."""
        return self._showcase(symbol).candles.forming(interval)

    def trades(self, symbol: str, most: int, since_ns: int = -1) -> list[PublicTrade]:
        """Return public trades, oldest first: the latest, or with `since_ns` the first ones after that time."""
        kept = self._showcase(symbol).trades
        if since_ns < 0:
            return [kept[n] for n in range(max(0, len(kept) - most), len(kept))]
        return [trade for trade in kept if trade.time_ns > since_ns][:most]

    def spreads(self, symbol: str, since_ns: int = -1) -> list[tuple[int, int, int]]:
        """Return recent (time, best bid, best ask), oldest first."""
        return [row for row in self._showcase(symbol).spreads if row[0] > since_ns]

    # -------------------------------------------------------------------------------------------- questions ---

    def account_of(self, key: ApiKey) -> Account:
        """Return the account that a key opens."""
        return self._house.accounts[key.account]

    def charge_call(self, key: ApiKey, method: str) -> bool:
        """Charge a private REST call to a key's counter; False if the counter is full."""
        account = self._house.accounts[key.account]
        if not account.limited:
            return True
        limits = self.venue.rest_limits(account.tier)
        cost = Cost(0, self.venue.rest.cost(method) * 1_000_000)
        counter = self._calls.get(key.key) or Counter(0, self.now)
        verdict, self._calls[key.key] = charge(limits, counter, self.now, cost)
        return verdict is Verdict.ACCEPTED

    def trading_limits(self, account: int) -> Limits:
        """Return an account's limits on every pair."""
        return self._house.limits[account]

    def counter(self, account: int, symbol: str) -> int:
        """Return the trading counter of an account on a pair now, 10^-15 points."""
        return self._house.counter_level(account, symbol)

    def balances(self, account: int) -> tuple[Balance, ...]:
        """Return all balances of an account."""
        return asking.balances(self._house, account)

    def open_orders(self, account: int, *, userref: int | None = None, cl_ord_id: str = "") -> tuple[OrderState, ...]:
        """Return open orders, oldest first."""
        return asking.open_orders(self._house, account, userref=userref, cl_ord_id=cl_ord_id)

    def closed_orders(
        self,
        account: int,
        *,
        userref: int | None = None,
        cl_ord_id: str = "",
        start_ns: int = 0,
        end_ns: int = 0,
        by: str = "both",
        offset: int = 0,
        most: int = asking.PAGE,
    ) -> Page:
        """Return a page of finished orders, newest first; see `asking.closed_orders`."""
        return asking.closed_orders(
            self._house,
            account,
            userref=userref,
            cl_ord_id=cl_ord_id,
            start_ns=start_ns,
            end_ns=end_ns,
            by=by,
            offset=offset,
            most=most,
        )

    def orders(self, account: int, order_ids: Sequence[str]) -> dict[str, OrderState]:
        """Return those of these orders, open or finished, that are the account's and still remembered."""
        return asking.orders_by_id(self._house, account, order_ids)

    def amends(self, account: int, order_id: str) -> tuple[AmendRecord, ...]:
        """Return the versions of an order of the account, the original first; nothing if it was never amended."""
        return asking.amends(self._house, account, order_id)

    def own_trades(
        self,
        account: int,
        *,
        start_ns: int = 0,
        end_ns: int = 0,
        offset: int = 0,
        most: int = asking.PAGE,
        ids: Sequence[str] | None = None,
    ) -> TradePage:
        """Return a page of own trades, newest first; with `ids` those with one of these trade or order ids."""
        return asking.trades(self._house, account, start_ns=start_ns, end_ns=end_ns, offset=offset, most=most, ids=ids)

    def ledger(
        self,
        account: int,
        *,
        assets: Sequence[str] | None = None,
        kind: str = "all",
        start_ns: int = 0,
        end_ns: int = 0,
        offset: int = 0,
        most: int = asking.PAGE,
        ids: Sequence[str] | None = None,
    ) -> LedgerPage:
        """Return a page of ledger entries, newest first."""
        return asking.ledger(
            self._house,
            account,
            assets=assets,
            kind=kind,
            start_ns=start_ns,
            end_ns=end_ns,
            offset=offset,
            most=most,
            ids=ids,
        )

    def fee_rates(self, account: int, symbol: str) -> tuple[int, int]:
        """Return the (maker, taker) fee rates of an account on a pair now, ppm."""
        return self._house.rates_of(account, self._known(symbol), self.now)

    def volume(self, account: int) -> int:
        """Return what an account traded in the fee window, in millionths of the volume currency."""
        return self._house.meters[account].volume(self.now)

    # ---------------------------------------------------------------------------------------------- control ---

    @property
    def mode(self) -> Mode:
        """Mode of the whole exchange: the one it was put into, or the one in which all its pairs stand."""
        if self._system != Mode.ONLINE:
            return self._system
        modes = {floor.market.book.state.scalar("mode") for floor in self._house.floors.values()}
        return Mode(modes.pop()) if len(modes) == 1 else self._system

    def pair_mode(self, symbol: str) -> Mode:
        """Return the mode of a pair's market."""
        return self._house.floors[self._known(symbol)].mode

    def set_mode(self, mode: Mode, symbol: str = "") -> None:
        """Put a pair, or with no symbol the whole exchange, into a session mode."""
        if symbol:
            self._pair_modes[self._known(symbol)] = mode
        else:
            self._system = mode
        for name, floor in self._house.floors.items():
            wanted = self._pair_modes[name] if self._system == Mode.ONLINE else self._system
            if floor.mode != wanted:
                absorb(self._house, floor, floor.set_mode(wanted))
        self._announce_modes()

    def _announce_modes(self) -> None:
        """Tell which modes have changed, pairs first."""
        house = self._house
        now = {name: floor.mode for name, floor in house.floors.items()} | {"": self.mode}
        for name, mode in now.items():
            if self._told_modes.get(name) != mode:
                house.out.append(ModeChanged(name, self.now, mode))
        self._told_modes = now

    def play(self, scenario: Scenario) -> None:
        """Let a stress scenario happen from now on, to all pairs that it concerns.

        Raises
        ------
        ConfigError
            If another one is still going on.
        """
        for floor in self._house.floors.values():
            floor.play(scenario, self.seed)

    def conditions(self, symbol: str) -> Conditions:
        """Return what a scenario does to a pair now; delays, losses and spoilt feeds are for the gateway to give."""
        stress = self._house.floors[self._known(symbol)].stress
        return _CALM if stress is None else stress.conditions

    def happened(self, symbol: str) -> tuple[Happened, ...]:
        """Return what the scenario has done to a pair so far; times are from the opening of its market."""
        stress = self._house.floors[self._known(symbol)].stress
        return () if stress is None else tuple(stress.happened)

    def _squeeze(self) -> None:
        """Let scenarios lower the limits of customers, as they do those of residents."""
        house = self._house
        for name, floor in house.floors.items():
            if floor.stress is None:
                continue
            limits = floor.stress.conditions.limits
            if limits is None:
                house.squeezed.pop(name, None)
            elif name not in house.squeezed:
                house.squeezed[name] = limits.limits_ppm
                for account in range(len(house.accounts)):
                    house.use_up(account, name, limits.used_ppm)

    def take_recordings(self) -> dict[str, tuple[MarketTerms, Recording]]:
        """Return everything that entered and left each engine since the last call, with the terms that replay it.

        Raises
        ------
        MycelialError
            If the exchange was opened without `record`.
        """
        taken = {}
        for name, floor in self._house.floors.items():
            book, owners = floor.market.book, floor.operator + 1
            borrow = tuple(floor.first_customer <= owner < floor.operator for owner in range(owners))
            terms = MarketTerms(book.instrument, owners, may_borrow=borrow)
            taken[name] = terms, floor.market.take_recording()
        return taken

    def total(self, asset: str) -> int:
        """Return everything there is of an asset: wallets, fees taken, and what residents own. It never changes."""
        house = self._house
        whole = house.fees.get(asset, 0) + sum(wallet.total.get(asset, 0) for wallet in house.wallets)
        for name, floor in house.floors.items():
            listed = self.listings[name]
            cash, lots = floor.owned()
            if listed.pair.quote == asset:
                whole += cash * listed.cash_units
            if listed.pair.base == asset:
                whole += lots * listed.lot_units
        return whole

    @property
    def digest(self) -> str:
        """Fingerprint of all engines, wallets and ids so far, 32 hexadecimal digits."""
        house = self._house
        whole = hashlib.blake2b(digest_size=16)
        for name, floor in house.floors.items():
            whole.update(f"{name} {floor.market.digest} {floor.now};".encode())
        for wallet in house.wallets:
            whole.update(repr((sorted(wallet.total.items()), sorted(wallet.held.items()))).encode())
        whole.update(repr((house.now, house.ids.drawn, sorted(house.fees.items()))).encode())
        return whole.hexdigest()

    def _showcase(self, symbol: str) -> Showcase:
        return self._show[self._known(symbol)]

    def _known(self, symbol: str) -> str:
        if symbol not in self._show:
            raise NotFound(f"this exchange has no pair {symbol!r}; its pairs are {', '.join(self._show)}")
        return symbol


def _seed_of(seed: int, symbol: str) -> int:
    """Return the seed of one market: pairs live apart, whichever others are open."""
    return int.from_bytes(hashlib.blake2b(f"{seed}\x1f{symbol}".encode(), digest_size=6).digest(), "little")
