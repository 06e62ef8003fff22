"""Commands of `mycelial trade`: run a trader and look at it. What connects to the outside waits for the gate."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mycelial.cli.options import ConfigFiles, Json, Seed, Settings, load_config
from mycelial.cli.output import note, print_json

if TYPE_CHECKING:
    from mycelial.cli.trade_node import Venue
    from mycelial.config import Config

app = typer.Typer(no_args_is_help=True, help="Trade: preflight, run, status, orders, limits, reconcile, stop.")

BANNER = (
    "Software, not advice. No promise of profit: losses can exceed expectations, total loss is possible. Simulated "
    "results are hypothetical and have inherent limits. You are responsible for what is lawful where you are, and for "
    "the terms of the venue."
)
STATE = Path("state")

ModeOption = Annotated[Literal["sim", "dry-run", "live"], typer.Option("--mode", help="Where trading happens.")]
StateOption = Annotated[Path, typer.Option("--state", help="Folder of books and status; one below it for each mode.")]
Ready = Annotated[
    Path | None, typer.Option("--ready", help="File with the line that `mycelial exchange serve` printed.")
]
Account = Annotated[str, typer.Option("--account", help="Which key of that line.")]


@app.command()
def run(
    mode: ModeOption = "sim",
    ready: Ready = None,
    account: Account = "pro-1",
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop by itself after so long.")] = None,
    state: StateOption = STATE,
    config: ConfigFiles = None,
    set_: Settings = None,
    seed: Seed = None,
    json: Json = False,
) -> None:
    """Run one trader: a market maker on each pair. `sim` trades against `mycelial exchange serve`, or starts one."""
    loaded = _config(config, set_, seed)
    with ExitStack() as stack:
        venue = _venue(mode, loaded, ready, account, state, stack)
        from mycelial.cli.trade_node import Session

        note(BANNER)
        note(f"mode {mode} at {venue.rest}; books in {state / mode}; Ctrl-C or `mycelial trade stop` ends it")
        status = Session(loaded, venue, state / mode, seconds).run()
    if json:
        print_json(status)
    note(f"{status['messages']} messages, {status['fills']} fills, {status['refused']} refused; books are reconciled")
    note(f"next: mycelial trade orders --state {state}")


@app.command()
def preflight(
    mode: ModeOption = "sim",
    ready: Ready = None,
    account: Account = "pro-1",
    state: StateOption = STATE,
    config: ConfigFiles = None,
    set_: Settings = None,
    json: Json = False,
) -> None:
    """Check everything that a run needs, without trading."""
    import asyncio

    loaded = _config(config, set_, None)
    with ExitStack() as stack:
        venue = _venue(mode, loaded, ready, account, state, stack)
        checks = asyncio.run(_look(loaded, venue, state / mode))
    if json:
        print_json({"mode": mode, "checks": checks})
    for one in checks:
        note(f"  {'ok ' if one['ok'] else 'NO '} {one['check']:<22} {one['found']}")
    failed = [one["check"] for one in checks if not one["ok"]]
    if failed:
        from mycelial.domain.errors import VerificationFailed

        raise VerificationFailed(f"not ready: {', '.join(failed)}")
    note(f"next: mycelial trade run --mode {mode}")


@app.command()
def status(mode: ModeOption = "sim", state: StateOption = STATE, json: Json = False) -> None:
    """Show what the node says of itself."""
    from mycelial.cli.trade_node import is_running, read_status

    document = {**read_status(state / mode), "running": is_running(state / mode)}
    if json:
        print_json(document)
    else:
        typer.echo(f"{document['state']}{'' if document['running'] else ' (no node runs now)'} {document['reason']}")
        for symbol, pair in document["pairs"].items():
            typer.echo(
                f"  {symbol:<10} bid {pair['bid_ticks']} ask {pair['ask_ticks']} ticks, position "
                f"{pair['position_lots']} lots, counter {pair['counter_points']:.1f} of {pair['counter_threshold']:.0f}"
            )
        typer.echo(f"  {document['messages']} messages, {document['fills']} fills, {document['refused']} refused")
        for difference in document["reconciled"]["differences"]:
            typer.echo(f"  DIFFERS {difference}")
    note(f"next: mycelial trade {'stop' if document['running'] else 'run'} --mode {mode}")


@app.command()
def orders(
    mode: ModeOption = "sim",
    state: StateOption = STATE,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 50,
    json: Json = False,
) -> None:
    """Show the latest orders of the ledger."""
    found = [_plain(one) for one in _ledger(state / mode).orders(limit)]
    if json:
        print_json({"orders": found})
    else:
        for one in found:
            typer.echo(
                f"{one['client_id']:<18} {one['symbol']:<10} {one['side']:<4} {one['filled_lots']:>12} of "
                f"{one['lots']:>12} lots at {one['price_ticks']!s:>10}  {one['status']} {one['reason']}"
            )
    note("next: mycelial trade reconcile")


@app.command()
def limits(
    mode: ModeOption = "sim",
    state: StateOption = STATE,
    config: ConfigFiles = None,
    set_: Settings = None,
    json: Json = False,
) -> None:
    """Show what the node may do, and how much of it is used."""
    from mycelial.cli.trade_node import position_limits, read_status
    from mycelial.domain.errors import NotFound
    from mycelial.market.venues import packaged_venue

    loaded = _config(config, set_, None)
    venue = packaged_venue(loaded.exchange.profile)
    trading, rest = venue.limits(loaded.exchange.tier), venue.rest_limits(loaded.exchange.tier)
    try:
        pairs = read_status(state / mode)["pairs"]
    except NotFound:
        pairs = {}
    document = {
        "tier": loaded.exchange.tier,
        "max_position": loaded.risk.max_position,
        "max_position_lots": position_limits(loaded),
        "cancel_on_disconnect": loaded.risk.cancel_on_disconnect,
        "counter": {
            "threshold": trading.threshold / 1e6,
            "decay_per_s": trading.decay / 1e6,
            "reserved_for_cancels": 0.2,
            "open_orders_per_pair": trading.open_orders,
        },
        "rest_counter": {"threshold": rest.threshold / 1e6, "decay_per_s": rest.decay / 1e6},
        "used": {symbol: pair["counter_points"] for symbol, pair in pairs.items()},
    }
    if json:
        print_json(document)
    else:
        for name, value in document.items():
            typer.echo(f"  {name:<22} {value}")
    note("next: mycelial trade status")


@app.command()
def reconcile(
    mode: ModeOption = "sim",
    ready: Ready = None,
    account: Account = "pro-1",
    state: StateOption = STATE,
    config: ConfigFiles = None,
    set_: Settings = None,
    json: Json = False,
) -> None:
    """Hold the ledger against the exchange's own books; exit code 7 if they differ."""
    import asyncio

    from mycelial.cli.trade_node import compare_books
    from mycelial.domain.errors import ConfigError, VerificationFailed

    loaded = _config(config, set_, None)
    if ready is None and not _has_key():
        raise ConfigError(
            "which exchange? give --ready FILE, or addresses in [exchange] and the key in the environment"
        )
    _ledger(state / mode).close()
    with ExitStack() as stack:
        venue = _venue(mode, loaded, ready, account, state, stack)
        standing = asyncio.run(compare_books(loaded, venue, state / mode))
    if json:
        print_json({"equal": not standing, "differences": standing})
    for line in standing:
        typer.echo(f"DIFFERS {line}", err=json)
    if standing:
        raise VerificationFailed(f"{len(standing)} difference(s) between our books and the exchange's")
    note("equal: balances and open orders are those of the exchange\nnext: mycelial trade run")


@app.command()
def stop(
    mode: ModeOption = "sim",
    state: StateOption = STATE,
    wait: Annotated[float, typer.Option(min=0.0, help="Seconds to wait for the end.")] = 30.0,
) -> None:
    """Ask a node to take its orders back and end; wait until it has."""
    import time

    from mycelial.cli.trade_node import STOP, is_running
    from mycelial.domain.errors import NotFound, TimedOut

    folder = state / mode
    if not is_running(folder):
        raise NotFound(f"no node runs in {folder}; nothing to stop")
    (folder / STOP).touch()
    until = time.monotonic() + wait
    while is_running(folder):
        if time.monotonic() >= until:
            raise TimedOut(f"the node in {folder} did not end in {wait:g} s; it was asked to, look at `trade status`")
        time.sleep(0.1)
    note("stopped; every order was taken back\nnext: mycelial trade status")


def _config(files: Any, settings: Any, seed: int | None) -> Config:
    return load_config(files, settings, {"seed": ("--seed", seed)}).config


def _venue(mode: Any, config: Config, ready: Path | None, account: str, state: Path, stack: ExitStack) -> Venue:
    """Return where to trade, through the gate; start an exchange if none is named."""
    import os

    from mycelial.cli import trade_node
    from mycelial.trader.gate import check_gate, is_loopback

    check_gate(mode, ())
    if ready is not None:
        venue = trade_node.venue_of_ready(trade_node.read_ready(ready), account)
    elif is_loopback(config.exchange.rest_url):
        from mycelial.adapters.exchanges.kraken.credentials import KEY, SECRET, find_credentials

        find_credentials(os.environ)  # one clear message if there is none
        where = config.exchange
        venue = trade_node.Venue(where.rest_url, where.ws_url, where.ws_auth_url, os.environ[KEY], os.environ[SECRET])
    else:
        (state / mode).mkdir(parents=True, exist_ok=True)
        note("no exchange named: starting one for this run (see `mycelial exchange serve`)")
        venue = stack.enter_context(trade_node.own_exchange(config, account, state / mode / "exchange.log"))
    check_gate(mode, (venue.rest, venue.ws, venue.ws_auth))
    return venue


def _has_key() -> bool:
    import os

    from mycelial.adapters.exchanges.kraken.credentials import KEY

    return bool(os.environ.get(KEY))


def _ledger(folder: Path) -> Any:
    from mycelial.cli.trade_node import LEDGER, open_ledger
    from mycelial.domain.errors import NotFound

    if not (folder / LEDGER).is_file():
        raise NotFound(f"{folder} holds no ledger; run: mycelial trade run --mode {folder.name}")
    return open_ledger(folder)


def _plain(report: Any) -> dict[str, Any]:
    names = ("client_id", "order_id", "symbol", "lots", "price_ticks", "filled_lots", "reason")
    return {
        **{name: getattr(report, name) for name in names},
        "side": report.side.value,
        "status": report.status.value,
    }


async def _look(config: Config, venue: Venue, folder: Path) -> list[dict[str, Any]]:
    from mycelial.cli.trade_node import client_of, open_ledger, position_limits
    from mycelial.domain.amounts import text_of

    checks: list[dict[str, Any]] = []

    def found(check: str, ok: bool, text: str) -> None:
        checks.append({"check": check, "ok": ok, "found": text})

    found("limits", True, ", ".join(f"{symbol} {lots} lots" for symbol, lots in position_limits(config).items()))
    ledger = open_ledger(folder)
    found("ledger", True, f"{ledger.path}, {len(ledger.unfinished())} orders unfinished")
    ledger.close()
    client = client_of(config, venue, folder)
    client.switch = None
    await client.start()
    try:
        account = await client.account()
        skew_ms = client.offset.offset_ns / 1e6
        found("account", True, ", ".join(f"{text_of(amount)} {asset}" for asset, amount in account.balances.items()))
        found("clock", not client.offset.is_skewed(), f"{skew_ms:+.1f} ms from the exchange's (at most 250)")
        for symbol in config.exchange.pairs:
            rules = client.rules[symbol]
            found(
                symbol,
                rules.status == "online",
                f"{rules.status}, tick {rules.tick_size}, minimum {rules.min_lots} lots",
            )
        found("open orders", True, f"{len(account.open_orders)} on the account")
    finally:
        await client.stop()
    return checks
