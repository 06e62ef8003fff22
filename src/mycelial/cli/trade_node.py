"""What `mycelial trade` is made of: from configuration, addresses and a key to a node with its state on disk."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mycelial.domain.errors import ConfigError, ExchangeError, Interrupted, MycelialError, NotFound, StorageError

if TYPE_CHECKING:
    from mycelial.adapters.exchanges.kraken import Credentials, KrakenExchange, Settings
    from mycelial.adapters.state import SqliteLedger
    from mycelial.config import Config
    from mycelial.trader.node import Node

STATUS, STOP, PID, LEDGER = "status.json", "stop", "node.pid", "ledger.sqlite"
SERVER_PATIENCE_S = 240.0


@dataclass(frozen=True)
class Venue:
    """Where to trade and with which key."""

    rest: str
    ws: str
    ws_auth: str
    key: str
    secret: str
    is_own: bool = False  # started for this run alone

    def __repr__(self) -> str:
        return f"Venue({self.rest})"


def venue_of_ready(document: Mapping[str, Any], account: str, *, is_own: bool = False) -> Venue:
    """Return what the line that `exchange serve` prints says of an account."""
    keys = {one["name"]: one for one in document["keys"]}
    if account not in keys:
        raise NotFound(f"the exchange has no key named {account!r}; choose one of: {', '.join(keys)}")
    one = keys[account]
    return Venue(document["rest"], document["ws"], document["ws_auth"], one["key"], one["secret"], is_own)


def read_ready(path: Path) -> Mapping[str, Any]:
    """Read the line that `mycelial exchange serve` printed into a file."""
    try:
        document = json.loads(path.read_text().splitlines()[0])
        if not {"rest", "ws", "ws_auth", "keys"} <= set(document):
            raise ValueError("addresses or keys are missing")
    except FileNotFoundError:
        raise NotFound(f"{path} is not there; run: mycelial exchange serve > {path}") from None
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise ConfigError(f"{path}: is not what `mycelial exchange serve` prints ({error}); write it again") from None
    found: Mapping[str, Any] = document
    return found


@contextmanager
def own_exchange(config: Config, account: str, log: Path) -> Iterator[Venue]:
    """Run an exchange for this run alone; it ends with it, whatever happens."""
    named = [part for pair in config.exchange.pairs for part in ("--pair", pair)]
    command = [sys.executable, "-m", "mycelial.cli.main", "exchange", "serve", "--json", "--port", "0"]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*command, "--seed", str(config.seed), *named],
            stdout=subprocess.PIPE,
            stderr=errors,
            preexec_fn=_end_with_parent,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise ExchangeError(f"the exchange did not come up; what it said is in {log}")
            yield venue_of_ready(json.loads(line), account, is_own=True)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            if process.poll() is None:
                process.kill()
                process.wait(10)


def _end_with_parent() -> None:
    """Ask Linux to end the exchange when its trader dies; elsewhere it has to be ended by hand."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def credentials_of(venue: Venue) -> Credentials:
    """Return the key in a form that does not show itself."""
    from mycelial.adapters.exchanges.kraken import Credentials
    from mycelial.kraken.signing import Secret

    return Credentials(venue.key, Secret(venue.secret))


def settings_of(config: Config, venue: Venue, state: Path) -> Settings:
    """Return the client's settings."""
    from mycelial.adapters.exchanges.kraken import Settings
    from mycelial.config.rooms import duration_s

    print_of_key = credentials_of(venue).fingerprint
    return Settings(
        *(venue.rest, venue.ws, venue.ws_auth),
        tier=config.exchange.tier,
        pairs=tuple(config.exchange.pairs),
        seed=config.seed,
        nonce_file=state / f"nonce-{print_of_key}",
        dead_man_ns=int(duration_s(config.risk.cancel_on_disconnect) * 10**9),
        dead_man_refresh_ns=int(duration_s(config.risk.cancel_on_disconnect) * 10**9) // 4,
    )


def client_of(config: Config, venue: Venue, state: Path) -> KrakenExchange:
    """Return a client for an account."""
    from mycelial.adapters.clock import WallClock
    from mycelial.adapters.exchanges.kraken import KrakenExchange
    from mycelial.market.venues import packaged_venue

    rules = packaged_venue(config.exchange.profile)
    return KrakenExchange(settings_of(config, venue, state), credentials_of(venue), WallClock(), rules)


def open_ledger(state: Path) -> SqliteLedger:
    """Open the books of a mode; the size of a lot comes from the packaged rules of the exchange."""
    from mycelial.adapters.state import SqliteLedger
    from mycelial.domain.amounts import amount_of
    from mycelial.market.venues import packaged_venue

    venue = packaged_venue("kraken")
    return SqliteLedger(state, lambda symbol, lots: lots * amount_of(venue.pair(symbol).lot_size))


def position_limits(config: Config) -> dict[str, int]:
    """Return the largest position of each pair, in lots; a pair without one cannot be traded.

    Raises
    ------
    ConfigError
        If a pair has none.
    """
    from mycelial.config.rooms import amount
    from mycelial.market.venues import packaged_venue

    venue, most = packaged_venue(config.exchange.profile), amount(config.risk.max_position)
    limits = {}
    for symbol in config.exchange.pairs:
        pair = venue.pair(symbol)
        if pair.base != most.asset:
            raise ConfigError(
                f"risk.max_position = {config.risk.max_position!r} says nothing about {pair.symbol}; trade pairs of "
                f"{most.asset}, or give the limit in {pair.base}"
            )
        limits[pair.symbol] = int(most.number / pair.lot_size)
    return limits


@dataclass
class Session:
    """One run of a node over a state folder."""

    config: Config
    venue: Venue
    state: Path
    seconds: float | None = None
    interrupted: bool = False

    def run(self) -> dict[str, Any]:
        """Trade until stopped; return the last status.

        Raises
        ------
        Interrupted
            If Ctrl-C ended it; every order was taken back.
        """
        with only_node(self.state):
            if self.venue.is_own:
                archive_books(self.state)
            (self.state / STOP).unlink(missing_ok=True)
            ledger = open_ledger(self.state)
            try:
                asyncio.run(self._trade(ledger))
            finally:
                ledger.close()
        if self.interrupted:
            raise Interrupted(f"interrupted; orders were taken back, books are in {self.state}; run the same to go on")
        return read_status(self.state)

    async def _trade(self, ledger: SqliteLedger) -> None:
        loop = asyncio.get_running_loop()
        for one in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(one, self._interrupt)
        client = client_of(self.config, self.venue, self.state)
        node = self.node(client, ledger)
        await node.run()

    def _interrupt(self) -> None:
        if self.interrupted:  # twice: now
            raise KeyboardInterrupt
        self.interrupted = True

    def node(self, client: KrakenExchange, ledger: SqliteLedger) -> Node:
        """Return a node with one maker for each pair."""
        from mycelial.adapters.clock import WallClock
        from mycelial.kraken.client.scheduler import Scheduler
        from mycelial.trader.decide import Maker
        from mycelial.trader.node import Node

        limits = position_limits(self.config)
        end = None if self.seconds is None else time.monotonic() + self.seconds
        stop = self.state / STOP

        def should_stop() -> bool:
            return self.interrupted or stop.exists() or (end is not None and time.monotonic() >= end)

        makers = {f"maker-{symbol}": (symbol, Maker(max(1, most // 50), most // 2)) for symbol, most in limits.items()}
        return Node(
            client,
            ledger,
            WallClock(),
            Scheduler(client.budget),
            makers,
            limits,
            should_stop,
            lambda document: write_status(self.state, document),
        )


@contextmanager
def only_node(state: Path) -> Iterator[None]:
    """Hold a state folder for one process.

    Raises
    ------
    StorageError
        If another node trades there, or the disk refuses.
    """
    try:
        state.mkdir(parents=True, exist_ok=True)
        handle = (state / PID).open("a+")
    except OSError as error:
        raise StorageError(f"{state}: cannot be used ({error.strerror}); choose another --state") from error
    with handle:
        try:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass
        except OSError:
            handle.seek(0)
            who = handle.read().strip() or "another process"
            raise StorageError(f"{state}: process {who} trades here; stop it with `mycelial trade stop`") from None
        handle.seek(0)
        handle.truncate()
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def is_running(state: Path) -> bool:
    """Tell whether a node holds the folder."""
    if not (state / PID).is_file():
        return False
    try:
        with only_node(state):
            return False
    except StorageError:
        return True


def archive_books(state: Path) -> None:
    """Move away the books of an exchange that is gone: a new one begins with new balances."""
    if (state / LEDGER).is_file():
        folder = state / "archive" / str(time.time_ns())
        folder.mkdir(parents=True)
        for path in state.glob(f"{LEDGER}*"):
            path.rename(folder / path.name)


def write_status(state: Path, document: Mapping[str, Any]) -> None:
    """Publish what the node says of itself; a full disk costs the report, never the trading."""
    from mycelial.adapters.data.atomic import write_atomically

    with suppress(StorageError):
        write_atomically(state / STATUS, json.dumps({"pid": os.getpid(), **document}).encode())


def read_status(state: Path) -> dict[str, Any]:
    """Return what the node last said of itself.

    Raises
    ------
    NotFound
        If no node ever reported there.
    """
    try:
        document: dict[str, Any] = json.loads((state / STATUS).read_text())
    except FileNotFoundError:
        raise NotFound(f"no node has reported in {state}; start one with: mycelial trade run --mode sim") from None
    except ValueError:
        raise MycelialError(f"{state / STATUS} cannot be read; it is written again while a node runs") from None
    return document


async def compare_books(config: Config, venue: Venue, state: Path) -> list[str]:
    """Return how the ledger and the exchange differ, asked twice half a second apart."""
    from mycelial.trader.reconcile import Reconciler, differences

    ledger = open_ledger(state)
    client = client_of(config, venue, state)
    client.switch = None  # looking must not arm a timer that cancels orders
    client.remember([order for order, _ in ledger.unfinished()])
    judge = Reconciler()
    await client.start()
    try:
        await asyncio.sleep(1.0)
        for _ in range(2):
            account = await client.account()
            live = [order.report() for order in client.tracker.live()]
            standing = judge.compare(differences(account, ledger.balances(), live))
            await asyncio.sleep(0.5)
    finally:
        await client.stop()
        ledger.close()
    return sorted(str(one) for one in standing)
