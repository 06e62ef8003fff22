"""Manipulative agents; simulation only."""
