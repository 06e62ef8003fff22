"""Which order books the tests of behaviour run against: the plain-Python one and the kernel."""

from __future__ import annotations

import pytest
from tests.support.oracle_book import OracleBook

from mycelial.market.book import OrderBook

EVERY_BOOK = [pytest.param(OracleBook, id="oracle"), pytest.param(OrderBook, id="kernel")]
