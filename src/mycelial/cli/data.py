"""Commands of `mycelial data`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mycelial.cli.output import note, print_json

if TYPE_CHECKING:
    from mycelial.adapters.data.catalogue import Entry
    from mycelial.adapters.data.verify import Finding

app = typer.Typer(no_args_is_help=True, help="Candle files: import, verify, download.")

DATA = Path("data")
KRAKEN_ZIP = Path("kraken-zip")  # the word that makes `import` read Kraken's published archives
WIDTH_OF_A_FILE = 140  # characters of a table that no terminal limits
SHOWN_FINDINGS = 20  # per check, for a person; --json has all

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
OutOption = Annotated[Path, typer.Option("--out", help="Folder of the catalogue.")]


class OnConflict(StrEnum):
    """What to do when a candle differs from the one stored."""

    REFUSE = "refuse"
    KEEP = "keep"
    REPLACE = "replace"


@app.command("import")
def import_(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="CSV or parquet files of candles; or the word kraken-zip and archives as Kraken publishes them."
        ),
    ],
    out: OutOption = DATA,
    venue: Annotated[str, typer.Option(help="Where the candles were traded (binance, kraken, …).")] = "local",
    interval: Annotated[
        str | None,
        typer.Option(help="1m … 1d, 1w; told from the candles when left out. Of an archive: only this (or trades)."),
    ] = None,
    symbol: Annotated[
        str | None, typer.Option(help="For files without a symbol column. Of an archive: only these, BTCUSD,ETHUSD.")
    ] = None,
    on_conflict: Annotated[
        OnConflict, typer.Option(help="When a candle differs from the stored one.")
    ] = OnConflict.REFUSE,
    json: JsonOption = False,
) -> None:
    """Merge candle files into the catalogue; what is already there is not written again."""
    from mycelial.adapters.data.importing import import_file

    if files[0] == KRAKEN_ZIP or all(file.suffix == ".zip" for file in files):
        _import_archives([file for file in files if file != KRAKEN_ZIP], out, interval, symbol, on_conflict, json=json)
        return
    imported = []
    for file in files:
        result = import_file(
            file,
            out,
            venue=venue,
            imported_at=_now_text(),
            interval=interval,
            symbol=symbol,
            on_conflict=on_conflict.value,
        )
        imported.append(result)
        note(
            f"{file}: {len(result.stored)} symbol(s), {result.n_added} new of {result.rows} {result.interval} candle(s)"
        )
        chosen = "the stored one was kept" if on_conflict is OnConflict.KEEP else "it was replaced"
        for conflict in [c for stored in result.stored for c in stored.conflicts][:SHOWN_FINDINGS]:
            note(f"  differs from the stored candle, {chosen}: {conflict}")
    if json:
        print_json(
            {
                "catalogue": str(out),
                "files": [
                    {
                        "file": result.file,
                        "interval": result.interval,
                        "rows": result.rows,
                        "added": result.n_added,
                        "symbols": [stored.entry.symbol for stored in result.stored],
                        "conflicts": [asdict(c) for stored in result.stored for c in stored.conflicts],
                    }
                    for result in imported
                ],
            }
        )
    note(f"next: mycelial data verify {out}")


@app.command("list")
def list_(
    path: Annotated[Path, typer.Argument(help="Folder of the catalogue.")] = DATA,
    json: JsonOption = False,
) -> None:
    """List what the catalogue holds."""
    from mycelial.adapters.data.catalogue import read_entries

    entries = read_entries(path)
    if json:
        print_json({"catalogue": str(path), "files": [asdict(entry) for entry in entries]})
    else:
        _print_entries(entries)
    note(f"next: mycelial data verify {path}")


@app.command()
def verify(
    path: Annotated[Path, typer.Argument(help="A candle file, or the folder of a catalogue.")] = DATA,
    max_move: Annotated[float, typer.Option(min=0.0, help="Warn of |ln(close / previous close)| above this.")] = 1.0,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
    json: JsonOption = False,
) -> None:
    """Check candles for what cannot be right; exit code 7 when something is wrong."""
    from mycelial.adapters.data.verify import verify_path
    from mycelial.domain.errors import VerificationFailed

    findings = verify_path(path, max_log_move=max_move)
    n_errors = sum(finding.severity == "error" for finding in findings)
    n_warnings = len(findings) - n_errors
    failed = n_errors > 0 or (strict and n_warnings > 0)
    if json:
        print_json(
            {
                "path": str(path),
                "ok": not failed,
                "errors": n_errors,
                "warnings": n_warnings,
                "findings": [asdict(finding) for finding in findings],
            }
        )
    else:
        _print_findings(findings)
    if failed:
        note(f"next: correct or fetch again what is listed, then mycelial data verify {path}")
        raise VerificationFailed(f"{path}: {n_errors} error(s), {n_warnings} warning(s); do not compute with it yet")
    note(f"{path}: no errors, {n_warnings} warning(s)")
    note(f"next: mycelial facts compute {path}")


@app.command()
def download(
    venue: Annotated[str, typer.Argument(help="A venue ccxt knows: binance, kraken, …")],
    symbols: Annotated[list[str], typer.Argument(help="Markets: BTC/USDT ETH/USDT …")],
    since: Annotated[str, typer.Option(help="First day, UTC (2018-09-01).")],
    until: Annotated[str | None, typer.Option(help="Last day, included; today's closed candles when left out.")] = None,
    interval: Annotated[str, typer.Option(help="1m … 1d, 1w.")] = "1d",
    out: OutOption = DATA,
    base_url: Annotated[str | None, typer.Option(help="Use this server in place of the venue's.")] = None,
    json: JsonOption = False,
) -> None:
    """Download closed candles from a venue into the catalogue, fetching only what it lacks."""
    import time

    from mycelial.adapters.data.candles import DAY_MS
    from mycelial.adapters.data.downloading import Shell
    from mycelial.adapters.data.downloading import download as download_symbol
    from mycelial.adapters.data.intervals import interval_ms
    from mycelial.adapters.data.venue import Venue
    from mycelial.cli.progress import fraction_bar

    interval_ms(interval)
    since_ms = _day_ms("--since", since)
    until_ms = None if until is None else _day_ms("--until", until) + DAY_MS
    if until_ms is not None and until_ms <= since_ms:
        raise typer.BadParameter(f"--until {until} is before --since {since}")
    source = Venue(venue, base_url=base_url)
    source.refuse_interval(interval)
    done = []
    for symbol in symbols:
        with fraction_bar(f"{venue} {symbol} {interval}") as progress:
            shell = Shell(now_ms=lambda: time.time_ns() // 1_000_000, sleep_s=time.sleep, progress=progress, warn=note)
            result = download_symbol(source, symbol, interval, out, since_ms=since_ms, until_ms=until_ms, shell=shell)
        done.append(result)
        if result.first is None:
            note(f"{symbol}: the venue has no closed candles there")
            continue
        note(f"{result.symbol}: {result.n_added} new, {result.rows} in all, {result.first} .. {result.last}")
    if json:
        print_json({"catalogue": str(out), "symbols": [asdict(result) for result in done]})
    note(f"next: mycelial data verify {out}")


@app.command()
def fill(
    venue: Annotated[str, typer.Argument(help="kraken: its history of trades is whole.")],
    symbols: Annotated[list[str], typer.Argument(help="Markets: BTC/USD ETH/USD …")],
    interval: Annotated[str, typer.Option(help="1m … 1d: candles; or trades.")] = "1m",
    since: Annotated[str | None, typer.Option(help="First day of trades, where none are stored.")] = None,
    until: Annotated[str | None, typer.Option(help="Last day, included; now when left out.")] = None,
    out: OutOption = DATA,
    base_url: Annotated[str | None, typer.Option(help="Use this server in place of the venue's.")] = None,
    json: JsonOption = False,
) -> None:
    """Find gaps in what is stored and fetch what is missing, at the rate the venue allows."""
    import time

    from mycelial.adapters.data.candles import DAY_MS
    from mycelial.adapters.data.downloading import Shell
    from mycelial.adapters.data.filling import fill_candles, fill_trades
    from mycelial.adapters.data.venue import Venue
    from mycelial.cli.progress import fraction_bar

    until_ms = None if until is None else _day_ms("--until", until) + DAY_MS
    since_ms = None if since is None else _day_ms("--since", since)
    source = Venue(venue, base_url=base_url)
    done = []
    for symbol in symbols:
        with fraction_bar(f"{venue} {symbol} {interval}") as progress:
            shell = Shell(now_ms=lambda: time.time_ns() // 1_000_000, sleep_s=time.sleep, progress=progress, warn=note)
            if interval == "trades":
                result = fill_trades(source, symbol, out, since_ms=since_ms, until_ms=until_ms, shell=shell)
            else:
                result = fill_candles(source, symbol, interval, out, until_ms=until_ms, shell=shell)
        done.append(result)
        quiet = f", {result.n_quiet:,} interval(s) without a trade" if result.n_quiet else ""
        note(f"{result.symbol} {interval}: {result.n_gaps} gap(s), {result.n_added:,} new{quiet}")
    if json:
        print_json({"catalogue": str(out), "symbols": [asdict(result) for result in done]})
    note(f"next: mycelial data verify {out}")


@app.command()
def record(
    symbols: Annotated[list[str], typer.Argument(help="Markets by their modern names: BTC/USD ETH/USD …")],
    url: Annotated[str, typer.Option(help="WebSocket v2 address.")] = "wss://ws.kraken.com/v2",
    out: Annotated[Path, typer.Option("--out", help="Folder of the recording.")] = Path("recordings"),
    depth: Annotated[int, typer.Option(help="Levels a side: 10, 25, 100, 500, 1000.")] = 10,
    seconds: Annotated[float | None, typer.Option("--for", min=0.0, help="Stop after so many seconds.")] = None,
    rotate_s: Annotated[float, typer.Option("--rotate", min=1.0, help="Seconds in a segment.")] = 3600.0,
    json: JsonOption = False,
) -> None:
    """Record books and trades: a log that replays, proved by the exchange's checksums, and parquet. Ctrl-C stops."""
    import asyncio
    import random
    import time

    from mycelial import __version__
    from mycelial.adapters.data.atomic import locked
    from mycelial.adapters.data.recorder import RecordingPlan, Tally
    from mycelial.adapters.data.recorder import record as record_plan
    from mycelial.adapters.data.recorder.connection import Shell
    from mycelial.adapters.data.recorder.segments import recover
    from mycelial.domain.errors import Interrupted

    plan = RecordingPlan(url, tuple(symbols), out, depth=depth, rotate_s=rotate_s, seconds=seconds)

    def report(tally: Tally) -> None:
        note(f"{tally.messages:,} messages, {tally.trades:,} trades, {len(tally.segments)} segment(s) finished")

    async def until_stopped() -> tuple[Tally, bool]:
        import signal

        stop, was_asked = asyncio.Event(), False

        def ask() -> None:
            nonlocal was_asked
            was_asked = True
            stop.set()

        for signum in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signum, ask)
        shell = Shell(time.time_ns, random.random, note, report, __version__)
        return await record_plan(plan, shell, stop), was_asked

    with locked(out):
        for log in recover(out):
            note(f"{log}: was left by a recorder that was killed; finished")
        note(f"recording {', '.join(symbols)} from {url} into {out}; Ctrl-C stops")
        tally, was_asked = asyncio.run(until_stopped())
    if json:
        print_json({"folder": str(out), **asdict(tally)})
    if tally.missed_trades:
        note(f"{tally.missed_trades} trade(s) were missed between connections")
    note(f"next: mycelial data verify {out}")
    if was_asked and seconds is not None:
        raise Interrupted(f"{out}: stopped early, what was recorded is finished; the same command records on")


def _import_archives(
    archives: list[Path], out: Path, interval: str | None, symbol: str | None, on_conflict: OnConflict, *, json: bool
) -> None:
    from mycelial.adapters.data.kraken_archive import ImportedMember, import_archive, members_of
    from mycelial.cli.progress import fraction_bar

    if not archives:
        raise typer.BadParameter("name an archive: mycelial data import kraken-zip Kraken_OHLCVT_Q3_2026.zip")
    symbols = frozenset(symbol.split(",")) if symbol else frozenset()
    kinds = frozenset(interval.split(",")) if interval else frozenset()
    done: list[tuple[Path, ImportedMember]] = []
    for archive in archives:
        others = members_of(archive)[1]
        if others:
            note(f"{archive}: {len(others)} member(s) are neither candles nor trades and are left out ({others[0]} …)")
        with fraction_bar(str(archive.name)) as progress:
            for member in import_archive(
                archive,
                out,
                imported_at=_now_text(),
                symbols=symbols,
                kinds=kinds,
                on_conflict=on_conflict.value,
                progress=progress,
            ):
                done.append((archive, member))
        mine = [member for of, member in done if of == archive]
        known = sum(member.was_done for member in mine)
        note(
            f"{archive}: {len(mine)} member(s), {sum(member.added for member in mine):,} new of "
            f"{sum(member.rows for member in mine):,} row(s){f', {known} known from before' if known else ''}"
        )
    if json:
        members = [asdict(member) | {"archive": str(archive)} for archive, member in done]
        print_json({"catalogue": str(out), "members": members})
    note(f"next: mycelial data verify {out}")


def _day_ms(option: str, text: str) -> int:
    import datetime as dt

    try:
        return int(dt.datetime.combine(dt.date.fromisoformat(text), dt.time(), dt.UTC).timestamp()) * 1000
    except ValueError:
        raise typer.BadParameter(f"{option} {text!r} is no day; write it like 2018-09-01") from None


def _now_text() -> str:
    import datetime as dt

    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def _print_entries(entries: tuple[Entry, ...]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("symbol", "quote", "venue", "interval", "first", "last", "rows", "source", box=None)
    for entry in entries:
        table.add_row(
            *(entry.symbol, entry.quote, entry.venue, entry.interval, entry.first, entry.last),
            *(f"{entry.rows:,}", entry.source),
        )
    Console(file=sys.stderr, width=None if sys.stderr.isatty() else WIDTH_OF_A_FILE).print(table)


def _print_findings(findings: list[Finding]) -> None:
    shown: dict[str, int] = {}
    for finding in findings:
        shown[finding.check] = shown.get(finding.check, 0) + 1
        if shown[finding.check] <= SHOWN_FINDINGS:
            place = f"{finding.file}{f' row {finding.row}' if finding.row else ''} {finding.symbol} {finding.time}"
            note(f"{finding.severity} {finding.check}: {place}: {finding.message}")
    for check, count in shown.items():
        if count > SHOWN_FINDINGS:
            note(f"… and {count - SHOWN_FINDINGS} more of {check}; --json lists all")
