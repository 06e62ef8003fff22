"""Ready populations with the instrument each was made for."""

from __future__ import annotations

from decimal import Decimal

from mycelial.agents.intraday.config import KINDS, PopulationConfig
from mycelial.domain.errors import NotFound
from mycelial.domain.instrument import Instrument

PRESETS = ("default", "kraken-btcusd", "rmsc04")


def preset(name: str) -> tuple[Instrument, PopulationConfig]:
    """Return instrument and population of a preset.

    ========= ======================================================================================================
    default        A thousand agents of every kind in a market with a spread of some ticks: quick, good for learning.
    kraken-btcusd  BTC/USD with a tick of 0.1: a spread of one tick and deep queues; fitted by hand to recorded books.
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


def _kraken() -> PopulationConfig:
    return PopulationConfig()


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
        maker={"count": 2, "rate_hz": 1.0 / 60.0, "levels": 10, "spacing_ticks": 5.0, "growth": 1.0},
        **nobody,
    )
