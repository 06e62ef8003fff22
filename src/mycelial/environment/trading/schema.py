"""What the figures of a trading observation mean, in their order. Prices count in half spreads of the regime."""

from __future__ import annotations

import json
from hashlib import blake2b

VERSION = 1
LAGS = (1, 2, 4, 8, 16)
FEATURES = (
    "spread of others, in two half spreads",
    "imbalance of the best level",
    "imbalance of all levels shown",
    *(f"move of the mid in {lag} steps" for lag in LAGS),
    "volatility of a step",
    "flow of the last step, typical orders",
    "flow, slow average",
    "log(1 + trades a step, slow average)",
    "mid above its slow average",
    "maker fee",
    "taker fee",
    "log of the half spread over 10 bp",
    "part of the episode that is left",
    "own inventory, part of its limit",
    "inventory of the team, part of all limits",
    "message counter, part of its threshold",
    "own bid stands",
    "own bid below the mid",
    "log size of the own bid",
    "log size ahead of the own bid",
    "own ask stands",
    "own ask above the mid",
    "log size of the own ask",
    "log size ahead of the own ask",
    "filled in the last step, typical orders",
    "best bid of team mates below the mid",
    "best ask of team mates above the mid",
    "place in the team",
    "what the asset will be worth above the mid (tests only)",
)
SIZE = len(FEATURES)


def digest() -> str:
    """Return the fingerprint of names, order and version."""
    return blake2b(json.dumps([VERSION, FEATURES]).encode(), digest_size=8).hexdigest()
