"""Who trades: market state in, orders out, for one agent or ten thousand."""
