"""Kraken's protocol as a pure codec: used by client, server and tests alike."""
