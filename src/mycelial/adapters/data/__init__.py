"""Candle data on disk and from venues: import, catalogue, verify, download, load as a panel."""
