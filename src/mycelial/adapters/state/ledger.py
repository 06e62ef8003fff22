"""The ledger as an SQLite database in WAL mode: what is committed survives a kill at any instant.

One database for each mode (``state/sim/ledger.sqlite``, ...): they are never summed. Amounts are decimal text, because
they are larger than SQLite's integers.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mycelial.domain.errors import DataError, StorageError
from mycelial.domain.orders import Fill, NewOrder, OrderReport, OrderStatus, Remembered, Side

VERSION = 1
FILE = "ledger.sqlite"
T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    client_id TEXT PRIMARY KEY, slot TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, lots INTEGER NOT NULL,
    price_ticks INTEGER, deadline_ns INTEGER NOT NULL, intended_ns INTEGER NOT NULL, status TEXT NOT NULL,
    order_id TEXT NOT NULL, filled_lots INTEGER NOT NULL, reason TEXT NOT NULL, told_ns INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS unfinished ON orders (status) WHERE status IN ('sending', 'unknown', 'open');
CREATE TABLE IF NOT EXISTS fills (
    exec_id TEXT PRIMARY KEY, client_id TEXT NOT NULL, order_id TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL,
    lots INTEGER NOT NULL, price_ticks INTEGER NOT NULL, cost TEXT NOT NULL, fee TEXT NOT NULL, fee_asset TEXT NOT NULL,
    is_maker INTEGER NOT NULL, time_ns INTEGER NOT NULL, base_amount TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS fills_of ON fills (client_id);
CREATE TABLE IF NOT EXISTS opening (asset TEXT PRIMARY KEY, amount TEXT NOT NULL) STRICT;
"""


class SqliteLedger:
    """A ledger in a folder.

    Parameters
    ----------
    base_amount : worth of lots of a pair as an amount of its base asset.

    Raises
    ------
    StorageError
        If the disk refuses.
    DataError
        If the file is no ledger of this version.
    """

    def __init__(self, folder: Path, base_amount: Callable[[str, int], int]) -> None:
        self.path = folder / FILE
        self._base_amount = base_amount
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{folder}: cannot be made ({error.strerror}); choose another state folder") from error
        self._db = self._run(lambda: sqlite3.connect(self.path, isolation_level=None))
        self._run(self._open)
        self._moved: dict[str, int] = {}  # by asset, of all fills
        self._positions: dict[str, int] = {}
        for row in self._rows("SELECT * FROM fills"):
            self._count(_fill(row), int(row["base_amount"]))

    def _open(self) -> None:
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, VERSION):
            raise DataError(f"{self.path}: is a ledger of version {found}, this is {VERSION}; move it away")
        self._db.executescript(_SCHEMA)
        self._db.execute(f"PRAGMA user_version={VERSION}")

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def intend(self, order: NewOrder, slot: str, deadline_ns: int, now_ns: int) -> None:
        """Write down an order that is about to be sent."""
        self._write(
            "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'sending', '', 0, '', ?)",
            *(order.client_id, slot, order.symbol, order.side.value, order.lots, order.price_ticks),
            *(deadline_ns, now_ns, now_ns),
        )

    def report(self, report: OrderReport, now_ns: int) -> None:
        """Write down what is known of an order; of a stranger's too."""
        self._write(
            "INSERT INTO orders VALUES (?, '', ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?) ON CONFLICT (client_id) DO UPDATE SET "
            "lots = excluded.lots, price_ticks = excluded.price_ticks, status = excluded.status, "
            "order_id = excluded.order_id, filled_lots = max(filled_lots, excluded.filled_lots), "
            "reason = excluded.reason, told_ns = excluded.told_ns",
            *(report.client_id, report.symbol, report.side.value, report.lots, report.price_ticks, now_ns),
            *(report.status.value, report.order_id, report.filled_lots, report.reason, now_ns),
        )

    def fill(self, fill: Fill) -> bool:
        """Write down a fill; False if it was there already."""
        base = self._base_amount(fill.symbol, fill.lots)
        written = self._write(
            "INSERT OR IGNORE INTO fills VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(fill.exec_id, fill.client_id, fill.order_id, fill.symbol, fill.side.value, fill.lots, fill.price_ticks),
            *(str(fill.cost), str(fill.fee), fill.fee_asset, int(fill.is_maker), fill.time_ns, str(base)),
        )
        if written:
            self._count(fill, base)
        return bool(written)

    def unfinished(self) -> Sequence[tuple[Remembered, str]]:
        """Return the orders that had not ended, and those with fills that were never told, with their slots."""
        found = []
        for row in self._rows(
            "SELECT o.*, coalesce(sum(f.lots), 0) AS booked, group_concat(f.exec_id) AS execs FROM orders o "
            "LEFT JOIN fills f ON f.client_id = o.client_id GROUP BY o.client_id "
            "HAVING o.status IN ('sending', 'unknown', 'open') OR o.filled_lots > booked ORDER BY o.intended_ns"
        ):
            ids = tuple(row["execs"].split(",")) if row["execs"] else ()
            found.append((Remembered(_report(row), row["booked"], ids, row["deadline_ns"]), row["slot"]))
        return found

    def open_with(self, balances: Mapping[str, int]) -> None:
        """Write down the balances that the books begin with, unless they have begun."""
        if self._rows("SELECT 1 FROM opening LIMIT 1"):
            return
        for asset, amount in balances.items():
            self._write("INSERT INTO opening VALUES (?, ?)", asset, str(amount))

    def balances(self) -> dict[str, int]:
        """Return what there must be."""
        found = {row["asset"]: int(row["amount"]) for row in self._rows("SELECT * FROM opening")}
        for asset, amount in self._moved.items():
            found[asset] = found.get(asset, 0) + amount
        return found

    def position_lots(self, symbol: str) -> int:
        """Return lots bought less lots sold."""
        return self._positions.get(symbol, 0)

    def latest_fill_ns(self) -> int:
        """Return the time of the latest fill, 0 without one."""
        return int(self._rows("SELECT coalesce(max(time_ns), 0) AS latest FROM fills")[0]["latest"])

    def latest_word_ns(self) -> int:
        """Return when anything was last written of an order, 0 without one."""
        return int(self._rows("SELECT coalesce(max(told_ns), 0) AS latest FROM orders")[0]["latest"])

    def orders(self, limit: int = 50) -> list[OrderReport]:
        """Return the latest orders, newest first."""
        return [_report(row) for row in self._rows("SELECT * FROM orders ORDER BY intended_ns DESC LIMIT ?", limit)]

    def fills(self) -> list[Fill]:
        """Return every fill, oldest first."""
        return [_fill(row) for row in self._rows("SELECT * FROM fills ORDER BY time_ns, exec_id")]

    def _count(self, fill: Fill, base: int) -> None:
        name, _, quote = fill.symbol.partition("/")
        sign = fill.side.sign
        for asset, amount in ((name, base * sign), (quote, -fill.cost * sign), (fill.fee_asset, -fill.fee)):
            self._moved[asset] = self._moved.get(asset, 0) + amount
        self._positions[fill.symbol] = self._positions.get(fill.symbol, 0) + fill.lots * sign

    def _write(self, statement: str, *values: Any) -> int:
        return self._run(lambda: self._db.execute(statement, values).rowcount)

    def _rows(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        return self._run(lambda: self._db.execute(statement, values).fetchall())

    def _run(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except sqlite3.OperationalError as error:
            raise StorageError(f"{self.path}: the ledger cannot be written ({error}); nothing was sent") from error
        except sqlite3.DatabaseError as error:
            raise DataError(f"{self.path}: {error}; move it away and start from the exchange's records") from error


def _report(row: sqlite3.Row) -> OrderReport:
    return OrderReport(
        *(row["client_id"], row["symbol"], Side(row["side"]), OrderStatus(row["status"]), row["lots"]),
        *(row["price_ticks"], row["filled_lots"], row["order_id"], row["reason"]),
    )


def _fill(row: sqlite3.Row) -> Fill:
    return Fill(
        *(row["exec_id"], row["client_id"], row["order_id"], row["symbol"], Side(row["side"]), row["lots"]),
        *(row["price_ticks"], int(row["cost"]), int(row["fee"]), row["fee_asset"], bool(row["is_maker"])),
        row["time_ns"],
    )
