"""Figures as JSON, which knows neither NaN nor how many digits mean something."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def rounded(value: Any, digits: int) -> Any:
    """Return a document with its floats cut to significant `digits`, and null for what is not finite."""
    if isinstance(value, Mapping):
        return {str(key): rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item, digits) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else None
    return value


def with_nan(value: Any) -> Any:
    """Return a document with NaN for every null."""
    if isinstance(value, dict):
        return {key: with_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_nan(item) for item in value]
    return math.nan if value is None else value
