"""Look for what cannot be right in candles: each check is a pure function from candles to findings.

Errors are contradictions (a day twice, a high below the close). Warnings are things that look wrong and sometimes are
true: real coins did move by more than a factor of e within a day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mycelial.adapters.data.candles import PRICE_COLUMNS, Candles, time_text
from mycelial.adapters.data.catalogue import Entry, file_checksum, is_catalogue, load, read_entries
from mycelial.adapters.data.intervals import interval_ms, usual_spacing_ms
from mycelial.adapters.data.reading import read_candles
from mycelial.adapters.data.recorder.segments import MANIFEST, wrong_files
from mycelial.adapters.data.trade_files import TRADES, trade_errors
from mycelial.domain.errors import DataError, NotFound

MAX_LOG_MOVE = 1.0  # |ln(close / previous close)| beyond which a move is worth a look


LEAVES_OUT_EMPTY = ("kraken",)  # venues that publish no candle for an interval without a trade


@dataclass(frozen=True)
class Finding:
    """One thing that is, or looks, wrong."""

    severity: Literal["error", "warning"]
    check: str
    file: str
    symbol: str
    time: str  # UTC
    row: int  # counting from 1 in the order of the file; 0 when it concerns the file
    message: str


def verify_path(path: Path, *, max_log_move: float = MAX_LOG_MOVE) -> list[Finding]:
    """Verify a candle file, or every file of a catalogue with its checksum.

    Raises
    ------
    NotFound, DataError
        If a single file cannot be read as candles at all; in a catalogue that is a finding.
    """
    path = Path(path)
    if path.is_dir():
        if (path / MANIFEST).is_file():
            return [Finding("error", "recording", str(path), "", "", 0, message) for message in wrong_files(path)]
        if not is_catalogue(path):
            raise NotFound(f"{path}: is a folder without catalogue.json; name a candle file or a catalogue")
        return [f for entry in read_entries(path) for f in verify_entry(path, entry, max_log_move=max_log_move)]
    return verify_candles(read_candles(path), str(path), max_log_move=max_log_move)


def verify_entry(folder: Path, entry: Entry, *, max_log_move: float = MAX_LOG_MOVE) -> list[Finding]:
    """Verify one file of a catalogue: there, unchanged since it was written, as described, and sensible."""
    file = folder / entry.path

    def wrong(check: str, message: str) -> list[Finding]:
        return [Finding("error", check, str(file), entry.symbol, entry.first, 0, message)]

    if not file.is_file():
        return wrong("missing", "is in the manifest but not on disk; import or download it again")
    if file_checksum(file) != entry.sha256:
        return wrong("checksum", "is not the file that was stored; import or download it again")
    if entry.interval == TRADES:
        return [
            Finding("error", "trades", str(file), entry.symbol, entry.first, 0, e) for e in trade_errors(file, entry)
        ]
    try:
        candles = load(folder, entry)
    except DataError as error:
        return wrong("unreadable", str(error))
    findings = verify_candles(candles, str(file), spacing_ms=interval_ms(entry.interval), max_log_move=max_log_move)
    return [_maybe_no_trade(one) if entry.venue in LEAVES_OUT_EMPTY else one for one in findings]


def _maybe_no_trade(finding: Finding) -> Finding:
    if finding.check != "gap":
        return finding
    return replace(finding, severity="warning", message=f"{finding.message}, or had no trade (mycelial data fill)")


def verify_candles(
    candles: Candles, origin: str, *, spacing_ms: int | None = None, max_log_move: float = MAX_LOG_MOVE
) -> list[Finding]:
    """Run every check.

    Parameters
    ----------
    candles : Candles
        Rows in any order.
    origin : str
        The file, for the findings.
    spacing_ms : int, optional
        Distance of neighbouring candles; their most frequent distance when not given.
    max_log_move : float
        Largest |ln(close / previous close)| that passes without a warning.
    """
    spacing_ms = spacing_ms or usual_spacing_ms(candles)
    report = _Reporter(candles, origin)
    order = np.lexsort((candles.time_ms, candles.symbol))
    findings = [
        *_impossible_values(candles, report),
        *_inconsistent_ranges(candles, report),
        *_repeated_moments(candles, order, report),
        *([] if spacing_ms is None else _gaps(candles, order, spacing_ms, report)),
        *_absurd_moves(candles, order, max_log_move, report),
    ]
    return sorted(findings, key=lambda finding: (finding.severity, finding.check, finding.symbol, finding.time))


@dataclass(frozen=True)
class _Reporter:
    candles: Candles
    origin: str

    def __call__(
        self,
        severity: Literal["error", "warning"],
        check: str,
        rows: Iterable[int],
        message: Callable[[int], str],
    ) -> list[Finding]:
        return [
            Finding(
                severity,
                check,
                self.origin,
                self.candles.symbols[self.candles.symbol[row]],
                time_text(int(self.candles.time_ms[row])),
                int(row) + 1,
                message(int(row)),
            )
            for row in rows
        ]


def _impossible_values(candles: Candles, report: _Reporter) -> list[Finding]:
    findings = []
    for column in PRICE_COLUMNS:
        price = candles.value(column)
        rows = np.flatnonzero(~(np.isfinite(price) & (price > 0)))
        findings += report("error", "price", rows, lambda row, c=column, p=price: f"{c} is {p[row]:g}, not positive")  # type: ignore[misc]
    volume = candles.volume
    rows = np.flatnonzero(~(np.isfinite(volume) & (volume >= 0)))
    return findings + report("error", "volume", rows, lambda row: f"volume is {volume[row]:g}, negative or not finite")


def _inconsistent_ranges(candles: Candles, report: _Reporter) -> list[Finding]:
    low, high = candles.low, candles.high
    lowest, highest = np.minimum(candles.open, candles.close), np.maximum(candles.open, candles.close)
    is_possible = (np.minimum(low, lowest) > 0) & np.isfinite(high)  # others are reported already
    rows = np.flatnonzero(is_possible & ((low > lowest) | (high < highest)))

    def message(row: int) -> str:
        return (
            f"low {low[row]:.10g}, high {high[row]:.10g} do not enclose "
            f"open {candles.open[row]:.10g} and close {candles.close[row]:.10g}"
        )

    return report("error", "range", rows, message)


def _repeated_moments(candles: Candles, order: NDArray[np.intp], report: _Reporter) -> list[Finding]:
    same = (np.diff(candles.symbol[order]) == 0) & (np.diff(candles.time_ms[order]) == 0)
    return report("error", "duplicate", order[1:][same], lambda _: "is there more than once")


def _gaps(candles: Candles, order: NDArray[np.intp], spacing_ms: int, report: _Reporter) -> list[Finding]:
    step = np.diff(candles.time_ms[order])
    same_symbol = np.diff(candles.symbol[order]) == 0
    step_before = dict(zip(order[1:].tolist(), step.tolist(), strict=True))
    missing = order[1:][same_symbol & (step > spacing_ms)]
    crowded = order[1:][same_symbol & (step > 0) & (step < spacing_ms)]

    def hole(row: int) -> str:
        return f"{-(-step_before[row] // spacing_ms) - 1} candle(s) are missing before it"

    return [
        *report("error", "gap", missing, hole),
        *report(
            "error", "spacing", crowded, lambda row: f"opens {step_before[row] / 1000:g} s after the candle before"
        ),
    ]


def _absurd_moves(candles: Candles, order: NDArray[np.intp], max_log_move: float, report: _Reporter) -> list[Finding]:
    close = candles.close[order]
    with np.errstate(divide="ignore", invalid="ignore"):
        move = np.diff(np.log(close))
    large = (np.diff(candles.symbol[order]) == 0) & np.isfinite(move) & (np.abs(move) > max_log_move)
    move_of = dict(zip(order[1:][large].tolist(), move[large].tolist(), strict=True))
    return report(
        "warning", "move", order[1:][large], lambda row: f"close moved by a factor {np.exp(move_of[row]):.4g}"
    )
