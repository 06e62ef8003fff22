"""Strategies that draw order commands both transports can carry, and recorded messages to compare with."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import strategies as st

from mycelial.kraken import orders
from mycelial.kraken.orders import LIMIT_PRICED, TRAILING, TRIGGERED, Close, Moment, NewOrder, Price

SECOND = 10**9
DAY_2026 = 20_454 * 86_400

amounts = st.builds(lambda units, places: Decimal(units).scaleb(-places), st.integers(1, 10**12), st.integers(0, 8))
plain_prices = st.builds(Price, amounts)
moments = st.builds(lambda s: DAY_2026 * SECOND + s * SECOND, st.integers(0, 10**7))
client_ids = st.text("abcXYZ019-_", min_size=1, max_size=18)
order_ids = st.from_regex(r"O[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{6}", fullmatch=True)
userrefs = st.integers(-(2**31), 2**31 - 1)


def offsets(towards: str = "+-") -> st.SearchStrategy[Price]:
    """Return offsets of either kind."""
    return st.builds(Price, amounts, st.sampled_from(["quote", "pct"]), st.sampled_from(towards))


@st.composite
def new_orders(draw: st.DrawFn, *, pair: str = "XBTUSD") -> NewOrder:
    """Draw an order that passes `checked`, with what both transports can say."""
    kind = draw(st.sampled_from([one for one in orders.ORDER_TYPES if one != "settle-position"]))
    side = draw(st.sampled_from(["buy", "sell"]))
    priced, triggered = kind in LIMIT_PRICED, kind in TRIGGERED
    trailing = offsets("+") if kind in TRAILING else plain_prices
    limits = offsets("+-") if kind == "trailing-stop-limit" else plain_prices
    tifs = ["gtc", "ioc", "gtd", *(["fok"] if priced else [])]
    tif = draw(st.sampled_from(tifs))
    named = draw(st.sampled_from(["cl_ord_id", "userref", "close", "none"]))
    close_kind = draw(st.sampled_from(["limit", "stop-loss", "take-profit-limit"]))
    close = Close(
        order_type=close_kind,
        limit_price=draw(plain_prices) if close_kind in LIMIT_PRICED else None,
        trigger_price=draw(plain_prices) if close_kind in TRIGGERED else None,
    )
    return orders.checked(
        NewOrder(
            pair=pair,
            side=side,
            order_type=kind,
            volume=draw(amounts),
            limit_price=draw(limits) if priced else None,
            trigger_price=draw(trailing) if triggered else None,
            reference=draw(st.sampled_from(["last", "index"])) if triggered else "last",
            display_volume=draw(amounts) if kind == "iceberg" else None,
            time_in_force=tif,
            starts=draw(st.none() | st.builds(Moment, moments)),
            expires=Moment(draw(moments)) if tif == "gtd" else None,
            cl_ord_id=draw(client_ids) if named == "cl_ord_id" else None,
            userref=draw(userrefs) if named == "userref" else None,
            post_only=kind in ("limit", "iceberg") and tif in ("gtc", "gtd") and draw(st.booleans()),
            reduce_only=draw(st.booleans()),
            fee_in=draw(st.sampled_from([None, "base", "quote"])),
            volume_in_quote=kind == "market" and side == "buy" and draw(st.booleans()),
            self_trade=draw(st.sampled_from(orders.SELF_TRADES)),
            close=close if named == "close" else None,
        )
    )


def batches() -> st.SearchStrategy[orders.AddBatch]:
    """Return batches of 2 to 4 orders with different client ids."""
    rows = st.lists(new_orders(), min_size=2, max_size=4, unique_by=lambda one: one.cl_ord_id or id(one))
    return st.builds(
        orders.AddBatch, pair=st.just("XBTUSD"), orders=rows.map(tuple), deadline_ns=st.none() | moments,
        validate=st.booleans(),
    )  # fmt: skip


def amends() -> st.SearchStrategy[orders.AmendOrder]:
    """Return amendments that change something."""
    maybe = st.none() | amounts
    limit, trigger = st.none() | plain_prices | offsets("+-"), st.none() | plain_prices | offsets("+-")
    return st.builds(
        lambda by_id, one, other, volume, **rest: orders.AmendOrder(
            order_id=one if by_id else None, cl_ord_id=None if by_id else other, volume=volume, **rest
        ),
        st.booleans(), order_ids, client_ids, amounts, display_volume=maybe, limit_price=limit, trigger_price=trigger,
        post_only=st.booleans(), deadline_ns=st.none() | moments,
    )  # fmt: skip


def recorded_examples(shared_data: Path) -> dict[str, Any]:
    """Return the example messages by name, each as the bytes of its JSON."""
    with gzip.open(shared_data / "kraken_message_examples.jsonl.gz") as file:
        rows = [msgspec.json.decode(line, type=dict[str, msgspec.Raw]) for line in file]
    return {msgspec.json.decode(row["name"]): bytes(row["message"]) for row in rows}
