"""Ready populations with the instrument each was made for."""

from __future__ import annotations

from decimal import Decimal

from mycelial.agents.intraday.config import KINDS, PopulationConfig
from mycelial.domain.errors import NotFound
from mycelial.domain.instrument import Instrument

PRESETS = ("default", "kraken-btcusd", "leaning", "rmsc04")


def preset(name: str) -> tuple[Instrument, PopulationConfig]:
    """Return instrument and population of a preset.

    ========= ======================================================================================================
    default        A thousand agents of every kind in a market with a spread of some ticks: quick, good for learning.
    kraken-btcusd  BTC/USD with a tick of 0.1: a spread of one tick and deep queues; fitted by hand to recorded books.
    leaning        The default people leaning on the book so far that a spoofer earns, in a quiet hour: for detectors.
    rmsc04         Counts and arrival rates of a reference configuration of ABIDES (1,000 noise, 102 value, 12
                   momentum agents, 2 market makers), to compare speeds with.
    ========= ======================================================================================================

    Raises
    ------
    NotFound
        If there is no preset of that name.
    """
    if name == "default":
        return _DEFAULT, PopulationConfig()
    if name == "leaning":
        return _DEFAULT, _leaning()
    if name == "kraken-btcusd":
        return _KRAKEN, _kraken()
    if name == "rmsc04":
        return _RMSC, _rmsc04()
    raise NotFound(f"there is no intraday preset {name!r}; there are {', '.join(PRESETS)}")


_DEFAULT = Instrument(
    "BTC/USD", Decimal("0.1"), Decimal("0.0001"), max_lots=10**7, ladder_ticks=2**18, max_orders=2**17
)
_KRAKEN = Instrument(
    "BTC/USD", Decimal("0.1"), Decimal("0.00001"), max_lots=10**8, ladder_ticks=2**20, max_orders=2**16
)
_RMSC = Instrument("ABM", Decimal("0.01"), Decimal("1"), max_lots=10**6, ladder_ticks=2**18, max_orders=2**14)


def _leaning() -> PopulationConfig:
    """The default people, but their orders follow the heavier side three times as far."""
    return PopulationConfig(drift_bps=15.0).replace(
        noise={"lean": 8.0, "market_share": 0.2}, maker={"lean_ticks": 12.0}
    )


def _kraken() -> PopulationConfig:
    """Quotes move with the reference many times a second; most of what leaves the book was cancelled, not traded."""
    return PopulationConfig(
        price_ticks=300000.0,
        typical_lots=40,
        size_sigma=2.5,
        drift_bps=72.0,
        news_share=0.8,
        news_hz=0.15,
        fundamental_bps=2.0,
        fundamental_s=300.0,
        reference_bps=0.1,
        reference_s=2.0,
        wealth_orders=20000.0,
        near_levels=3,
    ).replace(
        noise={
            "count": 1000,
            "rate_hz": 0.008,
            "market_share": 0.06,
            "cancel_share": 0.44,
            "depth_ticks": 120.0,
            "depth_tail": 1.0,
            "inside_share": 0.02,
            "touch_share": 0.4,
            "lean": 0.9,
            "excitation": 0.6,
            "excitation_s": 0.006,
            "herding": 0.97,
        },
        maker={
            "count": 24,
            "rate_hz": 20.0,
            "levels": 12,
            "half_spread_ticks": 0.0,
            "spacing_ticks": 26.0,
            "size": 10.0,
            "size_sigma": 2.0,
            "growth": 1.12,
            "anchor": 1.0,
            "view_sd_bps": 0.04,
            "widen": 0.0,
            "close_ticks": 1.0,
            "skew_ticks": 5.0,
            "lean_ticks": 6.0,
            "fear_ticks": 0.0,
            "patience_ticks": 2.0,
            "most_inventory": 8000.0,
        },
        arbitrageur={
            "count": 4,
            "rate_hz": 5.0,
            "cost_bps": 0.5,
            "error_bps": 0.05,
            "size": 120.0,
        },
        executor={
            "count": 8,
            "rate_hz": 1.0,
            "start_share": 0.03,
            "least": 40.0,
            "most": 8000.0,
            "passive_share": 0.1,
            "tail": 1.3,
        },
        value={
            "count": 60,
            "rate_hz": 0.006,
            "view_sd_bps": 3.0,
            "noise_sd_bps": 1.0,
            "threshold_bps": 1.0,
            "margin_bps": 1.0,
        },
        chartist={
            "count": 40,
            "rate_hz": 0.01,
        },
        learner={
            "count": 40,
            "rate_hz": 0.03,
        },
        latency={
            "fast_us": 200.0,
        },
    )


def _rmsc04() -> PopulationConfig:
    """Noise agents wake once in seven hours, value agents every 175 s, momentum every 37 s, makers every minute."""
    nobody = {name: {"count": 0} for name in KINDS if name not in ("noise", "value", "chartist", "maker")}
    return PopulationConfig(typical_lots=30.0, size_sigma=0.6, step_s=1.0, drift_bps=20.0, news_share=0.0).replace(
        noise={
            "count": 1_000,
            "rate_hz": 1.0 / 25_200.0,
            "market_share": 1.0,
            "cancel_share": 0.0,
            "excitation": 0.0,
        },
        value={"count": 102, "rate_hz": 0.0057, "view_sd_bps": 5.0},
        chartist={"count": 12, "rate_hz": 1.0 / 37.0},
        maker={
            "count": 2,
            "rate_hz": 1.0 / 60.0,
            "levels": 10,
            "spacing_ticks": 5.0,
            "growth": 1.0,
            "heed_fills": False,
            "close_ticks": 0.0,
        },
        **nobody,
    )
