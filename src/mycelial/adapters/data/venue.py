"""One venue's public candles through ccxt, with its errors sorted into two kinds: try again, and give up.

ccxt answers a reply it cannot parse with an empty list, which looks like the end of the history; such a reply is
recognised here and is an error.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import pyarrow as pa

from mycelial.adapters.data.candles import Candles
from mycelial.adapters.data.trade_files import DECIMAL, trade_table
from mycelial.domain.errors import ConfigError, ExchangeError, MissingExtra, NotFound


class Unavailable(ExchangeError):
    """The venue or the network failed in a way that may pass."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class Market:
    """A market of the venue."""

    symbol: str  # ccxt's spelling, BTC/USDT
    quote: str


class Venue:
    """Candles of one venue, page by page.

    Parameters
    ----------
    name : str
        A ccxt exchange id ("binance", "kraken").
    base_url : str, optional
        Talk to this server (http://127.0.0.1:8000) in place of the venue's; paths stay the same.
    request_gap_ms : float, optional
        Shortest time between requests; what ccxt knows about the venue when not given.
    """

    def __init__(self, name: str, *, base_url: str | None = None, request_gap_ms: float | None = None) -> None:
        try:
            import ccxt
        except ImportError as error:
            raise MissingExtra("ccxt", "data", "downloading candles") from error
        if name not in ccxt.exchanges:
            near = get_close_matches(name.lower(), ccxt.exchanges, n=3) or ["binance", "kraken"]
            raise NotFound(f"no venue {name!r}; did you mean {', '.join(near)}?")
        self.name = name
        self._ccxt = ccxt
        self._exchange = getattr(ccxt, name)({"enableRateLimit": True, "timeout": 20_000})
        self._exchange.enableLastJsonResponse = True
        if name == "binance":
            self._exchange.options["fetchMarkets"] = {"types": ["spot"]}
        if name == "kraken":
            # Times of trades have nine decimals after ten digits, which a float cannot hold.
            self._exchange.on_json_response = lambda text: json.loads(text, parse_float=str)
        if request_gap_ms is not None:
            self._exchange.rateLimit = request_gap_ms
        if base_url is not None:
            self._exchange.urls["api"] = _moved(self._exchange.urls["api"], base_url)
        if not self._exchange.has["fetchOHLCV"]:
            raise NotFound(f"{name} offers no candles; choose another venue")

    def market(self, symbol: str) -> Market:
        """Return the market of that name ("BTC/USDT" or "BTCUSDT"), or raise `NotFound` with near names."""
        if self._exchange.markets is None:
            self._call(self._exchange.load_markets)
        wanted = symbol.upper().replace("-", "/").replace("_", "/")
        spellings = {name.replace("/", ""): name for name in self._exchange.markets if ":" not in name}
        name = spellings.get(wanted.replace("/", ""))
        if name is None:
            near = get_close_matches(wanted, spellings.values(), n=3)
            hint = f"; did you mean {', '.join(near)}?" if near else "; write it like BTC/USDT"
            raise NotFound(f"{self.name} has no market {symbol!r}{hint}")
        return Market(name, self._exchange.markets[name]["quote"])

    def refuse_interval(self, interval: str) -> None:
        """Raise `ConfigError` when the venue has no candles of that length."""
        known = self._exchange.timeframes or {}
        if interval not in known:
            raise ConfigError(f"{self.name} has no {interval} candles; choose --interval from {', '.join(known)}")

    def page(self, market: Market, interval: str, since_ms: int) -> Candles:
        """Fetch one page of candles that open at `since_ms` or later; may be empty, may hold the open candle.

        Raises
        ------
        Unavailable
            Network trouble, rate limit, server error or a garbled reply: trying again may help.
        ExchangeError
            Anything else the venue refuses.
        """
        rows = self._call(self._exchange.fetch_ohlcv, market.symbol, interval, since_ms)
        table = np.array([[np.nan if v is None else v for v in row[:6]] for row in rows], np.float64).reshape(-1, 6)
        return Candles(
            symbols=(market.symbol,),
            quotes=(market.quote,),
            symbol=np.zeros(len(table), np.int32),
            time_ms=table[:, 0].astype(np.int64),
            open=table[:, 1],
            high=table[:, 2],
            low=table[:, 3],
            close=table[:, 4],
            volume=table[:, 5],
        )

    def trades_page(self, market: Market, since_ns: int) -> tuple[pa.Table, int]:
        """Fetch trades after `since_ns`, oldest first, as the venue numbers them, and the moment from which to go on.

        Raises
        ------
        Unavailable, ExchangeError
            As `page`; also when the venue is not Kraken, whose history of trades is whole.
        """
        if self.name != "kraken":
            raise ConfigError(f"{self.name}: only Kraken's trades can be fetched from any time on; download candles")
        key = self._exchange.market(market.symbol)["id"]
        answer = self._call(self._exchange.publicGetTrades, {"pair": key, "since": str(max(0, since_ns))})
        try:
            rows = answer["result"][key]
            # Kraken prints times as seconds with up to nine decimals.
            time = np.array([int(Decimal(str(row[2])).scaleb(9)) for row in rows], np.int64)
            price, volume = (pa.array([Decimal(str(row[column])) for row in rows], DECIMAL) for column in (0, 1))
            table = trade_table(
                time,
                price,
                volume,
                side=[{"b": "buy", "s": "sell"}[row[3]] for row in rows],
                order_type=[{"m": "market", "l": "limit"}[row[4]] for row in rows],
                trade_id=[int(row[6]) if len(row) > 6 else None for row in rows],
            )
            return table, int(answer["result"]["last"])
        except (KeyError, IndexError, TypeError, ValueError, ArithmeticError, pa.ArrowException) as error:
            raise self._garbled() from error

    def _call(self, request: Any, *arguments: Any) -> Any:
        # Forget the reply before this one: ccxt keeps it when a request fails without any reply.
        self._exchange.last_json_response, self._exchange.last_response_headers = {}, {}
        try:
            answer = request(*arguments)
        except self._ccxt.OperationFailed as error:
            raise Unavailable(f"{self.name}: {_first_line(error)}", self._retry_after_s()) from error
        except self._ccxt.BaseError as error:
            if self._exchange.last_json_response is None:
                raise self._garbled() from error
            raise ExchangeError(f"{self.name} refused: {_first_line(error)}; check symbol and interval") from error
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise self._garbled() from error
        if self._exchange.last_json_response is None:
            raise self._garbled()
        return answer

    def _garbled(self) -> Unavailable:
        return Unavailable(f"{self.name}: the reply is not the JSON it should be")

    def _retry_after_s(self) -> float | None:
        headers = self._exchange.last_response_headers or {}
        try:
            return max(0.0, float(headers.get("Retry-After", "")))
        except ValueError:  # absent, or a date, which no venue known to us sends
            return None


def _moved(urls: Any, base_url: str) -> Any:
    """Replace scheme and host of every address, keeping the paths."""
    if isinstance(urls, dict):
        return {key: _moved(value, base_url) for key, value in urls.items()}
    target = urlsplit(base_url)
    if target.scheme not in ("http", "https") or not target.netloc:
        raise ConfigError(f"--base-url {base_url!r} is no address; write it like http://127.0.0.1:8000")
    return urlunsplit((target.scheme, target.netloc, target.path.rstrip("/") + urlsplit(urls).path, "", ""))


def _first_line(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text if len(text) <= 200 else text[:200] + "…"
