"""Where simulated markets start, and what their quotes are worth."""

from __future__ import annotations

# Round prices near which the pairs traded in 2025; where a market starts, and nothing else depends on them.
REFERENCE_PRICES = {
    "BTC/USD": "100000",
    "BTC/USDT": "100000",
    "ETH/USD": "3500",
    "ETH/BTC": "0.035",
    "SOL/USD": "180",
    "DOGE/USD": "0.2",
    "XRP/USD": "2.5",
    "ADA/USD": "0.8",
    "LTC/USD": "100",
    "LINK/USD": "18",
    "DOT/USD": "5",
    "AVAX/USD": "25",
    "ACA/EUR": "0.05",
}
# In USD: for the thresholds of fee tiers, and wherever no market says better.
QUOTE_VALUES = {"EUR": "1.1", "BTC": "100000"}
