"""Exchanges and what connects to them."""
