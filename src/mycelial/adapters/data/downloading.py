"""Download candles of one symbol into the catalogue: only what it lacks, only closed candles, surviving bad networks.

Time and sleep are arguments, so the whole loop runs in tests without waiting. Pages are written in batches; whatever
ends the download, an error or Ctrl-C, the pages fetched so far are stored first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from mycelial.adapters.data.candles import Candles, time_text
from mycelial.adapters.data.catalogue import Entry, canonical_symbol, is_catalogue, load, read_entries, store
from mycelial.adapters.data.intervals import interval_ms
from mycelial.adapters.data.merging import joined
from mycelial.adapters.data.venue import Market, Unavailable
from mycelial.domain.errors import ExchangeError, Interrupted

T = TypeVar("T")

MAX_ATTEMPTS = 6
FIRST_BACKOFF_S = 1.0
LONGEST_WAIT_S = 300.0  # a venue that wants more than this wants us gone
PAGES_PER_WRITE = 20
EMPTY_STEP = 1000  # candles to move on after an empty page: some venues answer only within a window
MAX_EMPTY_PAGES = 20


class CandleSource(Protocol):
    """What a download needs from a venue."""

    name: str

    def market(self, symbol: str) -> Market:
        """Return the market of that name."""
        ...

    def page(self, market: Market, interval: str, since_ms: int) -> Candles:
        """Fetch candles from `since_ms` on."""
        ...


@dataclass(frozen=True)
class Shell:
    """The outside world a download touches besides the venue."""

    now_ms: Callable[[], int]
    sleep_s: Callable[[float], None]
    progress: Callable[[float, int], None]  # fraction done 0..1, candles fetched so far
    warn: Callable[[str], None]


@dataclass(frozen=True)
class Downloaded:
    """What downloading one symbol did."""

    symbol: str
    n_added: int
    rows: int
    first: str | None
    last: str | None


def download(
    source: CandleSource,
    symbol: str,
    interval: str,
    folder: Path,
    *,
    since_ms: int,
    until_ms: int | None,
    shell: Shell,
) -> Downloaded:
    """Fetch the closed candles of [since, until) that the catalogue lacks, and store them.

    Parameters
    ----------
    source : CandleSource
    symbol : str
        "BTC/USDT" or "BTCUSDT".
    interval : str
        A key of `intervals.INTERVAL_MS`.
    folder : Path
        The catalogue; created when absent.
    since_ms, until_ms : int
        Milliseconds since 1970, UTC; `until_ms` None means now.
    shell : Shell

    Raises
    ------
    Interrupted
        On Ctrl-C; the pages fetched are stored, and the same command resumes.
    ExchangeError
        When the venue refuses, or keeps failing; the pages fetched are stored too.
    """
    market = patiently(lambda: source.market(symbol), shell)
    name = canonical_symbol(market.symbol)
    path = f"{source.name}/{interval}/{name}.parquet"
    length = interval_ms(interval)
    # A candle is closed once the next one may open; the open one would change until then.
    last_closed_end = shell.now_ms() - length + 1
    end = last_closed_end if until_ms is None else min(until_ms, last_closed_end)

    inbox = _Inbox(folder, source.name, interval, shell)
    ranges = _missing_ranges(folder, path, since_ms, end, length)
    wanted_ms = max(1, sum(last - first for first, last in ranges))
    done_ms = 0
    try:
        for first, last in ranges:
            for candles, cursor in _pages(source, market, interval, first, last, shell):
                inbox.add(candles)
                shell.progress(min(1.0, (done_ms + min(cursor, last) - first) / wanted_ms), inbox.n_fetched)
            done_ms += last - first
    except KeyboardInterrupt:
        inbox.flush()
        raise Interrupted(
            f"{name}: interrupted; {inbox.n_added} new candle(s) are stored, the same command resumes"
        ) from None
    except ExchangeError:
        inbox.flush()
        raise
    inbox.flush()
    shell.progress(1.0, inbox.n_fetched)
    entry = next((e for e in _entries(folder) if e.path == path), None)
    if entry is None:
        return Downloaded(name, 0, 0, None, None)
    return Downloaded(name, inbox.n_added, entry.rows, entry.first, entry.last)


class _Inbox:
    """Collects pages and stores them in batches, since storing rewrites the symbol's file."""

    def __init__(self, folder: Path, venue: str, interval: str, shell: Shell) -> None:
        self._folder, self._venue, self._interval, self._shell = folder, venue, interval, shell
        self._pages: list[Candles] = []
        self.n_fetched = 0
        self.n_added = 0

    def add(self, candles: Candles) -> None:
        if len(candles):
            self._pages.append(candles)
            self.n_fetched += len(candles)
        if len(self._pages) >= PAGES_PER_WRITE:
            self.flush()

    def flush(self) -> None:
        if not self._pages:
            return
        stored = store(
            self._folder,
            joined(self._pages),
            venue=self._venue,
            interval=self._interval,
            source=f"{self._venue} public API",
            imported_at=time_text(self._shell.now_ms() // 60_000 * 60_000),
        )
        self._pages = []
        self.n_added += sum(result.n_added for result in stored)


def _pages(
    source: CandleSource, market: Market, interval: str, first_ms: int, end_ms: int, shell: Shell
) -> Iterator[tuple[Candles, int]]:
    """Yield pages of [first, end) and the time up to which everything is known."""
    length = interval_ms(interval)
    cursor, empty_pages = first_ms, 0
    while cursor < end_ms:
        page = patiently(lambda since=cursor: source.page(market, interval, since), shell)  # type: ignore[misc]
        later = page.take(page.time_ms >= cursor)
        if len(later):
            begins_ms = min(int(later.time_ms.min()), end_ms)
            if begins_ms > cursor:
                # Not listed yet, a halt, or a venue that keeps only the latest candles (Kraken keeps 720).
                shell.warn(f"{market.symbol}: no candles from {time_text(cursor)} until {time_text(begins_ms)} there")
            cursor, empty_pages = int(later.time_ms.max()) + length, 0
        else:
            cursor, empty_pages = cursor + EMPTY_STEP * length, empty_pages + 1
        yield later.take(later.time_ms < end_ms), cursor
        if empty_pages == MAX_EMPTY_PAGES:
            shell.warn(
                f"{market.symbol}: no candles between {time_text(first_ms)} and {time_text(cursor)}; stopped there"
            )
            return


def patiently(request: Callable[[], T], shell: Shell) -> T:
    """Ask again after failures that may pass, waiting as long as the venue says or twice as long each time."""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return request()
        except Unavailable as error:
            wait_s = error.retry_after_s if error.retry_after_s is not None else FIRST_BACKOFF_S * 2 ** (attempt - 1)
            if attempt == MAX_ATTEMPTS or wait_s > LONGEST_WAIT_S:
                raise ExchangeError(
                    f"{error}; gave up after {attempt} attempt(s) (next wait {wait_s:g} s); "
                    "the same command resumes later"
                ) from error
            shell.warn(f"{error}; attempt {attempt} of {MAX_ATTEMPTS}, waiting {wait_s:g} s")
            shell.sleep_s(wait_s)
    raise AssertionError("the last attempt returns or raises")


def _missing_ranges(folder: Path, path: str, since_ms: int, end_ms: int, length: int) -> list[tuple[int, int]]:
    """Return what to fetch: before the first and after the last stored candle (holes inside are `verify`'s matter)."""
    entry = next((e for e in _entries(folder) if e.path == path), None)
    if entry is None:
        ranges = [(since_ms, end_ms)]
    else:
        time_ms = load(folder, entry).time_ms
        ranges = [(since_ms, min(int(time_ms[0]), end_ms)), (max(int(time_ms[-1]) + length, since_ms), end_ms)]
    return [(first, last) for first, last in ranges if first < last]


def _entries(folder: Path) -> tuple[Entry, ...]:
    return read_entries(folder) if is_catalogue(folder) else ()
