"""Tables of trades (CSV): time, price, volume and, when the venue tells it, the taker's side and a number."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

from mycelial.adapters.data.feeds.collecting import Collector, lines_of, wrong
from mycelial.adapters.data.feeds.kraken_v2 import utc_nanoseconds
from mycelial.domain.errors import DataError
from mycelial.domain.recording import BUY, SELL, MarketRecording

_SPELLINGS = {
    "time": ("time", "timestamp", "date"),
    "price": ("price",),
    "lots": ("qty", "volume", "quantity", "size", "amount"),
    "side": ("taker_side", "side"),
    "trade_id": ("trade_id", "id"),
}
_SIDES = {"buy": BUY, "b": BUY, "sell": SELL, "s": SELL}


def read_trades(
    path: Path, *, label: str | None = None, tick_size: Decimal | None = None, lot_size: Decimal | None = None
) -> MarketRecording:
    """Read a table of trades, line by line.

    Raises
    ------
    NotFound, DataError
        If there is no such file; if a column is missing, a line is corrupt, or time or trade numbers go back.
    """
    path = Path(path)
    out = Collector(path, label or path.name.split(".")[0])
    position: dict[str, int] = {}
    before, last_id = 0, -1
    for number, line in lines_of(path):
        try:
            (row,) = csv.reader([line.decode()])
            if not position:
                position = _positions(path, row)
                continue
            ts = utc_nanoseconds(row[position["time"]])
            trade_id = int(row[position["trade_id"]]) if "trade_id" in position else -1
            if ts < before:
                raise ValueError("its time is before that of the line above")
            if "trade_id" in position and trade_id <= last_id:
                raise ValueError(f"trade {trade_id} comes after trade {last_id}")
            before, last_id = ts, trade_id
            side = _SIDES[row[position["side"]].lower()] if "side" in position else -1
            out.trade(ts, ts, row[position["price"]], row[position["lots"]], trade_id, side)
        except (ValueError, KeyError, IndexError, UnicodeDecodeError, csv.Error) as error:
            raise wrong(path, number, f"is no trade ({error})", "remove the line or export the file again") from None
    return out.recording(tick_size, lot_size)


def _positions(path: Path, header: list[str]) -> dict[str, int]:
    plain = [name.strip().lower() for name in header]
    found = {
        role: plain.index(spelling)
        for role, spellings in _SPELLINGS.items()
        for spelling in reversed(spellings)
        if spelling in plain
    }
    missing = [role for role in ("time", "price", "lots") if role not in found]
    if missing:
        names = ", ".join("/".join(_SPELLINGS[role]) for role in missing)
        raise DataError(f"{path}: line 1: no column {names} among {', '.join(header)}; export the file with it")
    return found
