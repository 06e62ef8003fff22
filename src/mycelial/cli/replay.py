"""`mycelial sim replay`: run a recorded market again, and show where it goes another way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mycelial.cli.options import Json
from mycelial.cli.output import note, print_json
from mycelial.domain.errors import VerificationFailed

if TYPE_CHECKING:
    from mycelial.market.rerun import Difference


def replay(
    log: Annotated[Path, typer.Argument(help="A log of inputs, or the folder of a recorded market.")],
    since: Annotated[Path | None, typer.Option("--from", help="Snapshot that the log goes on from.")] = None,
    snapshot: Annotated[
        Path | None, typer.Option("--snapshot", help="Write a snapshot of the book at the end.")
    ] = None,
    json: Json = False,
) -> None:
    """Replay the inputs of a market; stop at the first event that differs from the log of events beside them."""
    from mycelial.compose import replay_market

    done = replay_market(log, since=since, snapshot=snapshot)
    difference = done.difference
    if json:
        print_json(
            {
                "log": str(log),
                "inputs": done.inputs,
                "events": done.events,
                "fingerprint": done.fingerprint if difference is None else None,
                "difference": None if difference is None else _document(difference),
            }
        )
    if difference is not None:
        if not json:
            _show(difference)
        raise VerificationFailed(
            f"{log}: event {difference.event_seq} is not the one that was written; the rules, the program or the log "
            "have changed since; replay with the version that recorded it"
        )
    if not json:
        typer.echo(done.fingerprint)
    note(f"{done.inputs:,} inputs gave {done.events:,} events; fingerprint {done.fingerprint}")
    if snapshot is not None:
        note(f"wrote {snapshot}")


def _plain(record: Any) -> dict[str, int] | None:
    """Return a record as numbers by name, without padding."""
    if record is None:
        return None
    return {name: int(record[name]) for name in record.dtype.names if not name.startswith("_")}


def _document(difference: Difference) -> dict[str, Any]:
    return {
        "event_seq": difference.event_seq,
        "fields": list(difference.fields),
        "written": _plain(difference.written),
        "found": _plain(difference.found),
        "input": _plain(difference.cause),
        "bids": difference.bids,
        "asks": difference.asks,
    }


def _show(difference: Difference) -> None:
    from mycelial.market.book import EventKind, Kind

    def named(record: Any, kinds: Any) -> str:
        values = _plain(record)
        if values is None:
            return "nothing"
        kind = values.pop("kind")
        name = kinds(kind).name if kind in set(kinds) else str(kind)
        return f"{name:<12}" + " ".join(f"{key}={value}" for key, value in values.items())

    typer.echo(f"first difference: event {difference.event_seq}" + "".join(f" {name}" for name in difference.fields))
    typer.echo(f"  written  {named(difference.written, EventKind)}")
    typer.echo(f"  found    {named(difference.found, EventKind)}")
    typer.echo(f"  input    {named(difference.cause, Kind)}")
    typer.echo("  book before that input (price lots, in ticks and lots):")
    for price, lots in difference.asks[::-1].tolist():
        typer.echo(f"    {'':>14}{price:>10} {lots}")
    for price, lots in difference.bids.tolist():
        typer.echo(f"    {lots:>13} {price:>10}")
