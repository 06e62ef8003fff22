"""Which order books the tests of behaviour run against: the plain-Python one and the kernel."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from tests.support.oracle_book import OracleBook

Kernel: Any = getattr(importlib.import_module("mycelial.market.book"), "OrderBook", None)
needs_kernel = pytest.mark.skipif(Kernel is None, reason="mycelial.market.book has no OrderBook yet")

EVERY_BOOK = [pytest.param(OracleBook, id="oracle"), pytest.param(Kernel, id="kernel", marks=needs_kernel)]
