"""Shared fixtures: hypothesis profile and the real data beside a checkout, where there is some."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# The first call of a kernel compiles it, which no deadline survives.
settings.register_profile("mycelial", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("mycelial")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real market data; tests that need it skip where it is absent."""
    if not (SHARED_DATA / "MANIFEST.md").is_file():
        pytest.skip("real market data is not beside this checkout (../shared/data)")
    return SHARED_DATA
