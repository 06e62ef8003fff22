"""Set Freqtrade up at a running exchange: a configuration, a strategy to begin with, and the command to run.

Freqtrade itself stays as its users install it. It finds the exchange through ``exchange.ccxt_config.urls``; in dry-run
it reads prices only, otherwise its orders trade in the living market with the play money of a key.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mycelial.adapters.bots.addresses import Addresses, Key
from mycelial.adapters.data import atomic
from mycelial.domain.errors import NotFound

SAMPLE = "EveryMinute"
SAMPLE_TEXT = '''"""The smallest strategy that trades: buy whenever there is no position, sell a little later."""

from datetime import timedelta

from freqtrade.strategy import IStrategy


class EveryMinute(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1m"
    minimal_roi = {"0": 10.0}
    stoploss = -0.5
    startup_candle_count = 30
    process_only_new_candles = False
    hold = timedelta(seconds=5)

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe["exit_long"] = 0
        return dataframe

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        return "held long enough" if current_time - trade.open_date_utc > self.hold else None
'''


@dataclass(frozen=True)
class Setup:
    """What was written, and how Freqtrade is started."""

    config: Path
    command: tuple[str, ...]


def freqtrade_config(
    exchange: Addresses, key: Key | None, pairs: tuple[str, ...], *, stake: float, wallet: float
) -> dict[str, Any]:
    """Return a configuration; without a key it is a dry-run."""
    quotes = {pair.split("/")[1] for pair in pairs}
    return {
        "max_open_trades": len(pairs),
        "stake_currency": sorted(quotes)[0],
        "stake_amount": stake,
        "tradable_balance_ratio": 0.99,
        "trading_mode": "spot",
        "dry_run": key is None,
        "dry_run_wallet": wallet,
        "cancel_open_orders_on_exit": True,
        "unfilledtimeout": {"entry": 1, "exit": 1, "unit": "minutes"},
        "entry_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
        "exit_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
        "order_types": {"entry": "market", "exit": "market", "stoploss": "market", "stoploss_on_exchange": False},
        "exchange": {
            "name": "kraken",
            "key": "" if key is None else key.key,
            "secret": "" if key is None else key.secret,
            "ccxt_config": {"urls": exchange.ccxt_urls()},
            "pair_whitelist": list(pairs),
        },
        "pairlists": [{"method": "StaticPairList"}],
        "internals": {"process_throttle_secs": 1},
        "initial_state": "running",
    }


def set_up_freqtrade(
    exchange: Addresses,
    folder: Path,
    *,
    program: str,
    pairs: tuple[str, ...],
    strategy: str | None,
    live: bool,
    nth_key: int = 2,
    stake: float = 500.0,
    wallet: float = 10_000.0,
    overlays: tuple[Path, ...] = (),
) -> Setup:
    """Write ``config.json``, and the sample strategy when none is named, into a user folder of Freqtrade.

    Raises
    ------
    NotFound
        If Freqtrade is not installed, or the exchange has no key to give.
    StorageError
        If the disk refuses.
    """
    found = shutil.which(program)
    if found is None:
        raise NotFound(f"no program {program!r}; pip install freqtrade, or name it with --freqtrade PATH")
    key = exchange.trading_key(nth_key) if live else None
    config = folder / "config.json"
    document = freqtrade_config(exchange, key, pairs, stake=stake, wallet=wallet)
    atomic.write_atomically(config, (json.dumps(document, indent=2) + "\n").encode())
    if strategy is None:
        atomic.write_atomically(folder / "strategies" / f"{SAMPLE}.py", SAMPLE_TEXT.encode())
    database = folder / ("live.sqlite" if live else "dry-run.sqlite")
    configs = [word for path in (config, *overlays) for word in ("--config", str(path))]
    options = ("--userdir", str(folder), "--strategy", strategy or SAMPLE, "--db-url", f"sqlite:///{database}")
    return Setup(config, (found, "trade", *configs, *options))
