"""`mycelial facts` for order books: a recorded intraday run or a recorded feed, measured and held beside real books."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mycelial.cli.output import note, print_json

if TYPE_CHECKING:
    from mycelial.domain.recording import MarketRecording
    from mycelial.facts.intraday import IntradaySummary
    from mycelial.facts.intraday_reference import IntradayReference, RangeCheck

STANDARD_BOOKS = "binance-2024-08-08"
FEED_ENDINGS = (".feed", ".feed.gz")
_LEAST_MINUTES = 30


def is_order_book(path: Path) -> bool:
    """Tell whether a path holds an order book: the run of an intraday market, or a recorded feed."""
    if path.name.endswith(FEED_ENDINGS):
        return True
    from mycelial.compose import market_manifest

    return path.is_dir() and market_manifest(path) is not None


def compute_books(path: Path, *, as_json: bool, bootstrap: int) -> None:
    """Measure and print; see `mycelial facts compute`."""
    summary = _summary(_recording(path), bootstrap)
    if as_json:
        print_json(summary.to_dict())
    else:
        _show([summary])
    note(f"next: mycelial facts compare {path} {STANDARD_BOOKS}")


def compare_books(path: Path, reference: str, *, as_json: bool, bootstrap: int) -> None:
    """Compare with recorded books and print; see `mycelial facts compare`."""
    from mycelial.facts.intraday_reference import compare_intraday

    real = _reference(reference)
    summary = _summary(_recording(path), bootstrap)
    checks = compare_intraday(summary, real.markets)
    if as_json:
        print_json(
            {
                "simulated": summary.to_dict(),
                "real": [one.to_dict() for one in real.markets],
                "checks": [one.to_dict() for one in checks],
                "inside": sum(one.passed for one in checks),
                "inside_of_required": sum(one.passed for one in checks if one.required),
            }
        )
    else:
        _show_checks(checks)
    first = [one for one in checks if one.required]
    note(
        f"{sum(one.passed for one in checks)} of {len(checks)} figures inside the range of {len(real.markets)} recorded"
        f" books, {sum(one.passed for one in first)} of {len(first)} of those asked for first"
    )
    note(f"next: mycelial facts report {path} {reference} --out report.html")


def report_books(path: Path, reference: str, out: Path, *, bootstrap: int) -> None:
    """Write the page; see `mycelial facts report`."""
    from mycelial.facts.minutes import minute_bars, summarise_minutes
    from mycelial.lab.intraday_report import intraday_report
    from mycelial.lab.report import write_report

    real, recording = _reference(reference), _recording(path)
    minutes = None
    if recording.seconds >= 60 * _LEAST_MINUTES:
        minutes = summarise_minutes(*minute_bars(recording), recording.label)
    write_report(out, intraday_report(_summary(recording, bootstrap), real, minutes=minutes))
    note(f"wrote {out}\nnext: open {out} in a browser")


def _recording(path: Path) -> MarketRecording:
    from mycelial.compose import shown_of

    return shown_of(path)


def _summary(recording: MarketRecording, bootstrap: int) -> IntradaySummary:
    from mycelial.facts.intraday import summarise_intraday

    return summarise_intraday(recording, replicates=bootstrap)


def _reference(name: str) -> IntradayReference:
    from mycelial.domain.errors import NotFound
    from mycelial.facts.intraday_reference import from_json
    from mycelial.facts.packaged.intraday import packaged_intraday

    path = Path(name)
    if path.suffix != ".json":
        return packaged_intraday(name)
    if not path.is_file():
        raise NotFound(f"intraday figures {name} do not exist; the packaged ones are {STANDARD_BOOKS}")
    return from_json(path.read_text(encoding="utf-8"), name)


def _show(summaries: list[IntradaySummary]) -> None:
    from rich.table import Table

    from mycelial.facts.intraday import FIGURES

    table = Table(title="Intraday facts", box=None)
    table.add_column("figure")
    for one in summaries:
        table.add_column(one.label, justify="right")
    table.add_column("in words")
    for name, meaning in FIGURES.items():
        cells = [
            _number(one.figures[name])
            + (f" [{_number(one.intervals[name][0])}, {_number(one.intervals[name][1])}]" if one.intervals else "")
            for one in summaries
        ]
        table.add_row(name, *cells, meaning)
    _print(table)


def _show_checks(checks: list[RangeCheck]) -> None:
    from rich.table import Table

    table = Table(title="Simulated beside recorded books; * asked for first", box=None)
    for heading in ("", "figure", "simulated", "from", "to", "in words"):
        table.add_column(heading, justify="right" if heading in ("simulated", "from", "to") else "left")
    for one in sorted(checks, key=lambda check: not check.required):
        verdict = "inside" if one.passed else "OUTSIDE"
        name = f"{one.name}{' *' if one.required else ''}"
        table.add_row(verdict, name, _number(one.value), _number(one.low), _number(one.high), one.meaning)
    _print(table)


def _print(table: object) -> None:
    import sys

    from rich.console import Console

    Console(stderr=True, width=None if sys.stderr.isatty() else 160).print(table)


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.4g}"
