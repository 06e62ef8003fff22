"""What the private channels carry: execution reports and balances.

Reports are sparse: each tells what changed. `qty` and prices are exact. **Completion is the report `filled`**; a report
`trade` may say ``partially_filled`` although that trade completed the order, so use `cum_qty`, never the status.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

ExecType = Literal[
    "pending_new",
    "new",
    "trade",
    "filled",
    "iceberg_refill",
    "canceled",
    "expired",
    "amended",
    "restated",
    "status",
]
OrderStatus = Literal["pending_new", "new", "partially_filled", "filled", "canceled", "expired"]
FINISHED = frozenset({"filled", "canceled", "expired"})


class Fee(Struct, frozen=True):
    """A fee in one asset."""

    asset: str
    qty: Decimal


class Triggers(Struct, frozen=True, kw_only=True):
    """What wakes an order, and its state."""

    reference: str = "last"
    price: Decimal
    price_type: str = "static"
    actual_price: Decimal | None = None
    peak_price: Decimal | None = None
    last_price: Decimal | None = None
    status: str | None = None
    timestamp: str | None = None


class Contingent(Struct, frozen=True, kw_only=True):
    """The conditional close of an order."""

    order_type: str
    limit_price: Decimal | None = None
    limit_price_type: str | None = None
    trigger_price: Decimal | None = None
    trigger_price_type: str | None = None


class Execution(Struct, frozen=True, kw_only=True):
    """One execution report."""

    order_id: str
    exec_type: str
    order_status: str | None = None
    cl_ord_id: str | None = None
    order_userref: int | None = None
    ord_ref_id: str | None = None
    symbol: str | None = None
    side: str | None = None
    order_type: str | None = None
    order_qty: Decimal | None = None
    cash_order_qty: Decimal | None = None
    limit_price: Decimal | None = None
    limit_price_type: str | None = None
    triggers: Triggers | None = None
    contingent: Contingent | None = None
    time_in_force: str | None = None
    effective_time: str | None = None
    expire_time: str | None = None
    post_only: bool | None = None
    reduce_only: bool | None = None
    margin: bool | None = None
    no_mpp: bool | None = None
    display_qty: Decimal | None = None
    display_qty_remain: Decimal | None = None
    exec_id: str | None = None
    trade_id: int | None = None
    last_qty: Decimal | None = None
    last_price: Decimal | None = None
    liquidity_ind: str | None = None
    cost: Decimal | None = None
    cum_qty: Decimal | None = None
    cum_cost: Decimal | None = None
    avg_price: Decimal | None = None
    fees: tuple[Fee, ...] | None = None
    fee_usd_equiv: Decimal | None = None
    fee_ccy_pref: str | None = None
    amended: bool | None = None
    reason: str | None = None
    cancel_reason: str | None = None
    ratecount: Decimal | None = None
    timestamp: str | None = None


class Wallet(Struct, frozen=True, kw_only=True):
    """One wallet of an asset."""

    type: str = "spot"
    id: str = "main"
    balance: Decimal


class BalanceRow(Struct, frozen=True, kw_only=True):
    """One asset of a snapshot (`wallets`), or one ledger entry of an update (all else). Balances are totals."""

    asset: str
    asset_class: str = "currency"
    balance: Decimal
    wallets: tuple[Wallet, ...] | None = None
    ledger_id: str | None = None
    ref_id: str | None = None
    type: str | None = None
    subtype: str | None = None
    category: str | None = None
    wallet_type: str | None = None
    wallet_id: str | None = None
    amount: Decimal | None = None
    fee: Decimal | None = None
    timestamp: str | None = None
