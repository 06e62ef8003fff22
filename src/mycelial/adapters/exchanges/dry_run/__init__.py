"""Dry-run: the real feed in, our matching core fills, nothing ever sent."""

from .exchange import DryRunExchange as DryRunExchange
