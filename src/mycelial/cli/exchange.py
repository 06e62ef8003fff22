"""Commands of `mycelial exchange`: a simulated Kraken on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mycelial.cli.options import Json
from mycelial.cli.output import note
from mycelial.cli.run_bot import run_bot

app = typer.Typer(no_args_is_help=True, help="Simulated exchanges that anybody's client can connect to.")

app.command("run-bot")(run_bot)

LOOPBACK = "127.0.0.1"
PAIRS = ["BTC/USD", "ETH/USD", "SOL/USD"]


@app.command()
def serve(
    pair: Annotated[
        list[str] | None, typer.Option("--pair", help="A pair to trade; repeat for more. [default: BTC, ETH, SOL]")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; anything but loopback lets others in.")] = LOOPBACK,
    port: Annotated[
        int, typer.Option(min=0, max=65_532, help="First of four ports: REST, two WebSockets, admin; 0 = free ones.")
    ] = 0,
    scenario: Annotated[str | None, typer.Option(help="A stress scenario that begins with the opening.")] = None,
    speed: Annotated[float, typer.Option(min=0.001, max=1_000.0, help="Market seconds in a second.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Root seed of residents, ids and keys.")] = 1,
    record: Annotated[Path | None, typer.Option(help="Folder for replayable logs of every engine.")] = None,
    one_port: Annotated[
        bool, typer.Option("--one-port", help="Let both WebSocket ports take public and private requests.")
    ] = False,
    nonce_window: Annotated[
        int, typer.Option(min=0, help="How far a late nonce may lie below the highest one of its key.")
    ] = 0,
    json: Json = False,
) -> None:
    """Serve a simulated Kraken: REST, WebSocket v2 and v1. Prints one JSON line when it is ready; Ctrl-C ends it."""
    import asyncio
    from contextlib import nullcontext

    _need_aiohttp()
    from mycelial.adapters.exchanges.kraken_server.opening import open_exchange
    from mycelial.adapters.exchanges.kraken_server.recording import Recorder

    opened = open_exchange(
        pair or PAIRS,
        seed=seed,
        speed=speed,
        scenario=scenario,
        mixed=one_port,
        nonce_window=nonce_window,
        record=record is not None,
        say=note,
    )
    with nullcontext() if record is None else Recorder(opened.exchange, record) as recorder:
        if recorder is not None:
            opened.server.now_and_then = recorder.take
        asyncio.run(_run(opened, host, port, quiet=json))
    note("closed")
    if record is not None:
        folder = record / next(iter(opened.exchange.listings)).replace("/", "-")
        note(f"next: mycelial sim replay {folder}")


def _need_aiohttp() -> None:
    from importlib.util import find_spec

    from mycelial.domain.errors import MissingExtra

    for package in ("aiohttp", "msgspec"):
        if find_spec(package) is None:
            raise MissingExtra(package, "exchange", "mycelial exchange serve")


async def _run(opened: Any, host: str, port: int, *, quiet: bool) -> None:
    import asyncio
    import gc
    import signal
    from json import dumps

    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, task.cancel)
    # What is there now stays: going through it at every full collection would hold orders up by a tenth of a second.
    gc.collect()
    gc.freeze()
    async with opened.server.listening(host, port) as addresses:
        typer.echo(dumps(opened.ready(addresses)))
        if not quiet:
            _explain(addresses)
        try:
            await opened.server.live()
        except asyncio.CancelledError:
            task.uncancel()


def _explain(addresses: Any) -> None:
    note(f"REST {addresses.rest}   WebSocket {addresses.ws}/v2   private {addresses.ws_auth}/v2")
    note(f"admin {addresses.admin}   listening until Ctrl-C")
    note("simulated market, play money; keys and secrets are in the line above")
    note("next: docs/reference/exchange-server.md tells how to point ccxt, python-kraken-sdk and Freqtrade at it")
