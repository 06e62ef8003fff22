"""Logs and snapshots of markets on disk; their format is `mycelial.market.log`."""

from mycelial.adapters.market_logs.reading import LogReader as LogReader
from mycelial.adapters.market_logs.snapshots import read_snapshot as read_snapshot
from mycelial.adapters.market_logs.snapshots import write_snapshot as write_snapshot
from mycelial.adapters.market_logs.writing import LogWriter as LogWriter
