"""WebSocket v2 of Kraken Spot (and the subset of v1 that old clients speak), read and written."""
