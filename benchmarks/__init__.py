"""Measured speed, each figure beside a named peer; run `python -m benchmarks`."""
