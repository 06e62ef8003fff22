"""What a run directory holds.

    manifest.json      what was run, when, and whether it is complete
    config.lock.toml   the complete configuration, which gives the same run again
    series.parquet     prices, volumes, spreads and fundamentals of each day after the learning phase
    learning.parquet   the same of the learning phase
    days.parquet       figures of a whole world, day by day, learning phase included
    curves.parquet     net asset value of each agent at the end of each accounting year

The run of an intraday market has a manifest of another schema beside its two logs (`adapters.market_logs`) and what a
probe saw of it (samples.parquet).

Runs, assets, agents and years count from 0, days from the first of the learning phase.
"""

from __future__ import annotations

import pyarrow as pa

from mycelial.adapters.data.run_series import RUN_SERIES

SCHEMA = "mycelial-run/1"  # of everything below; another one is refused
SCHEMA_FAMILY = "mycelial-run/"
MARKET_SCHEMA = "mycelial-run/market-1"  # of an intraday market: manifest, inputs.log, events.log, samples.parquet

MANIFEST, LOCK = "manifest.json", "config.lock.toml"
SERIES, LEARNING, DAYS, CURVES = RUN_SERIES, "learning.parquet", "days.parquet", "curves.parquet"

_SERIES_SCHEMA = pa.schema(
    [
        ("run", pa.int32()),
        ("t", pa.int32()),
        ("asset", pa.int32()),
        ("price", pa.float64()),  # close, quote currency
        ("volume", pa.float64()),  # coins
        ("spread", pa.float64()),  # quote currency
        ("fundamental", pa.float64()),  # quote currency
    ]
)
TABLES: dict[str, pa.Schema] = {
    SERIES: _SERIES_SCHEMA,
    LEARNING: _SERIES_SCHEMA,
    DAYS: pa.schema(
        [
            ("run", pa.int32()),
            ("t", pa.int32()),
            ("bankrupt_pct", pa.float64()),  # of agents
            ("nav_ratio_pct", pa.float64()),
            ("bias_pct", pa.float64()),  # mean over assets
        ]
    ),
    CURVES: pa.schema(
        [
            ("run", pa.int32()),
            ("year", pa.int32()),
            ("agent", pa.int32()),
            ("nav_pct", pa.float64()),  # of the year's opening; NaN for who was bankrupt all year
        ]
    ),
}
COUNTED = ("run", "t", "asset", "year", "agent")  # columns of few distinct values
