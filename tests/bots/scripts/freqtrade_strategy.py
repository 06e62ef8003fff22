"""The smallest strategy that trades: buy on every candle, sell after a few seconds."""

from __future__ import annotations

from datetime import datetime, timedelta

from freqtrade.strategy import IStrategy
from pandas import DataFrame


class EveryCandle(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1m"
    minimal_roi = {"0": 10.0}  # noqa: RUF012
    stoploss = -0.5
    startup_candle_count = 30
    process_only_new_candles = False

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["exit_long"] = 0
        return dataframe

    def custom_exit(self, pair, trade, current_time: datetime, current_rate, current_profit, **kwargs):
        return "long enough" if current_time - trade.open_date_utc > timedelta(seconds=3) else None
