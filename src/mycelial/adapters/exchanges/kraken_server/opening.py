"""Open a simulated exchange for business: markets warmed up, server ready to listen, and what to tell the client."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mycelial.adapters.exchanges.kraken_server.admin import scenario_named
from mycelial.adapters.exchanges.kraken_server.server import Addresses, Server
from mycelial.market.venues import Venue
from mycelial.simulation.exchange import commands as own
from mycelial.simulation.exchange.accounts import ApiKey
from mycelial.simulation.exchange.exchange import PAIRS, SimulatedExchange

COLD_S = 8.0  # an opening that takes longer has compiled kernels
LATE_NS = 20_000_000


@dataclass(frozen=True, slots=True)
class Opened:
    """An exchange about to listen."""

    exchange: SimulatedExchange
    server: Server

    def ready(self, addresses: Addresses) -> dict[str, Any]:
        """Return what a client needs to know: base URLs, and the keys with their secrets, which guard play money."""
        return {
            "rest": addresses.rest,
            "ws": addresses.ws,
            "ws_auth": addresses.ws_auth,
            "ws_l3": addresses.ws_auth,
            "admin": addresses.admin,
            "keys": [self._key(one) for one in self.exchange.keys],
            "pairs": list(self.exchange.listings),
            "seed": self.exchange.seed,
        }

    def _key(self, key: ApiKey) -> dict[str, Any]:
        account = self.exchange.account_of(key)
        return {
            "key": key.key,
            "secret": key.secret,
            "tier": account.tier,
            "permissions": sorted(key.permissions),
            "name": key.name,
            "account": account.name,
        }


def open_exchange(
    pairs: Sequence[str] = PAIRS,
    *,
    seed: int = 1,
    speed: float = 1.0,
    scenario: str | None = None,
    mixed: bool = False,
    nonce_window: int = 0,
    record: bool = False,
    venue: Venue | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Opened:
    """Open an exchange at the present time of the wall clock.

    Parameters
    ----------
    pairs : any names of the pairs to trade.
    speed : market seconds in a second.
    scenario : a packaged stress scenario that begins with the opening, such as ``X01:seller@30``.
    mixed : let both WebSocket doors take public and private requests.
    nonce_window : how far a late nonce may lie below the highest one of its key.
    venue : whose rules hold; Kraken's when left out.
    say : hears what takes its time.

    Raises
    ------
    NotFound
        If the venue has no such pair, or there is no such scenario.
    """
    played = None if scenario is None else scenario_named(scenario)
    say(f"opening {', '.join(pairs)} (kernels are compiled once per machine, then cached) ...")
    began = time.monotonic()
    exchange = SimulatedExchange(pairs, seed, venue=venue, now_ns=time.time_ns(), record=record)
    warm_up(exchange, is_cold=time.monotonic() - began > COLD_S)
    while (now_ns := time.time_ns()) - exchange.now > LATE_NS:  # opening took its time; the market has lived through it
        exchange.advance(now_ns)
    exchange.drain()
    if played is not None:
        exchange.play(played)
    say(f"the markets live; opened in {time.monotonic() - began:.1f} s")
    return Opened(exchange, Server(exchange, speed=speed, mixed=mixed, nonce_window=nonce_window))


def warm_up(exchange: SimulatedExchange, *, is_cold: bool) -> None:
    """Call everything once that a client may call, so that none waits for a kernel to be compiled or loaded."""
    for symbol in exchange.listings:
        exchange.watch_levels(symbol, 10)
        exchange.watch_orders(symbol, 10)
    exchange.advance(exchange.now + LATE_NS // 2)
    exchange.drain()
    for symbol in exchange.listings:
        exchange.forget_levels(symbol, 10)
        exchange.forget_orders(symbol, 10)
    if is_cold:
        _rehearse(SimulatedExchange(list(exchange.listings)[:1], exchange.seed, warm_up_ns=10**9))


def _rehearse(scratch: SimulatedExchange) -> None:
    """Place, amend, trigger and cancel orders on an exchange that is thrown away."""
    (symbol,) = scratch.listings
    ticker = scratch.ticker(symbol)
    step = scratch.listings[symbol].tick_step
    low = ticker.bid * 8 // 10 // step * step
    least = scratch.listings[symbol].instrument.min_lots * scratch.listings[symbol].lot_step * 100
    buy = partial(own.AddOrder, symbol=symbol, side=own.Side.BUY, qty=least)
    sell = partial(own.AddOrder, symbol=symbol, side=own.Side.SELL, qty=least)
    placed = scratch.submit(0, buy(type=own.OrderType.LIMIT, limit=own.Price(low)))
    commands: list[own.Command] = [
        buy(type=own.OrderType.MARKET),
        sell(type=own.OrderType.STOP_LOSS, trigger=own.Price(low)),
        *([own.Amend(order_id=placed.order_id, qty=2 * least)] if isinstance(placed, own.Added) else []),
        own.CancelAll(),
    ]
    for command in commands:
        scratch.submit(0, command)
        scratch.advance(scratch.now + LATE_NS // 2)
