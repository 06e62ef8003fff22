"""Between the structs of Kraken's protocol and the integers of a trader.

A sparse report does not name its pair, so whoever translates one says how to find the rules of an order's pair. What
cannot be told apart, or is no multiple of a step, is a `DataError`: never rounded, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from mycelial.domain.amounts import DECIMALS, amount_of
from mycelial.domain.errors import DataError
from mycelial.domain.orders import Amendment, Fill, NewOrder, Side
from mycelial.domain.trading_rules import TradingRules
from mycelial.kraken import orders as wire
from mycelial.kraken.client.tracker import ExecType, Execution
from mycelial.kraken.rest.account_answers import OrderRow, OwnTradeRow
from mycelial.kraken.rest.market_answers import PairRow
from mycelial.kraken.symbols import modern_symbol
from mycelial.kraken.times import from_epoch_seconds, from_rfc3339
from mycelial.kraken.ws import account_data
from mycelial.kraken.ws.market_data import InstrumentPair, Level

RulesOf = Callable[[str, str, str], TradingRules | None]  # (symbol, order id, client id)

_STATUS_OF_REST = {
    "pending": ExecType.PENDING_NEW,
    "open": ExecType.NEW,
    "closed": ExecType.FILLED,
    "canceled": ExecType.CANCELED,
    "expired": ExecType.EXPIRED,
}


def rules_of_pair(row: PairRow) -> TradingRules | None:
    """Return the rules that a row of `AssetPairs` states; None for a row without a slash name (dark pools)."""
    if not row.wsname:
        return None
    tick = row.tick_size if row.tick_size is not None else Decimal(1).scaleb(-row.pair_decimals)
    lot = Decimal(1).scaleb(-row.lot_decimals)
    return _rules(
        modern_symbol(row.wsname),
        tick,
        lot,
        row.pair_decimals,
        row.lot_decimals,
        row.cost_decimals if row.cost_decimals is not None else row.pair_decimals + row.lot_decimals,
        row.ordermin or Decimal(0),
        row.costmin or Decimal(0),
        row.status or "online",
    )


def rules_of_instrument(pair: InstrumentPair) -> TradingRules:
    """Return the rules that a row of the channel ``instrument`` states."""
    return _rules(
        pair.symbol,
        pair.price_increment,
        pair.qty_increment,
        pair.price_precision,
        pair.qty_precision,
        pair.cost_precision,
        pair.qty_min,
        pair.cost_min,
        pair.status,
    )


def _rules(
    symbol: str,
    tick: Decimal,
    lot: Decimal,
    price_decimals: int,
    lot_decimals: int,
    cost_decimals: int,
    least: Decimal,
    least_cost: Decimal,
    status: str,
) -> TradingRules:
    (a, b), (c, d) = least.as_integer_ratio(), lot.as_integer_ratio()
    min_lots = max(1, -(-a * d // (b * c)))
    return TradingRules(
        symbol,
        tick,
        lot,
        price_decimals,
        lot_decimals,
        cost_decimals,
        min_lots,
        amount_of(least_cost, f"{symbol} minimum cost"),
        status,
    )


def levels(rules: TradingRules, told: tuple[Level, ...]) -> list[tuple[int, int]]:
    """Return levels of a book in ticks and lots."""
    return [(rules.ticks(one.price), rules.lots(one.qty)) for one in told]


def execution(report: account_data.Execution, rules_of: RulesOf) -> Execution:
    """Return a report of the executions channel in integers.

    Raises
    ------
    DataError
        If it tells quantities of an order whose pair is not known, or of an unknown kind.
    """
    client_id = report.cl_ord_id or ""
    rules = rules_of(report.symbol or "", report.order_id, client_id)
    try:
        kind = ExecType(report.exec_type)
    except ValueError:
        raise DataError(f"order {report.order_id}: unknown report {report.exec_type!r}") from None
    if rules is None:
        return Execution(kind, report.order_id, _moment(report.timestamp), client_id, reason=_reason(report))
    side = None if report.side is None else Side(report.side)
    price = report.limit_price if report.limit_price_type in (None, "static") else None
    return Execution(
        kind,
        report.order_id,
        _moment(report.timestamp),
        client_id,
        rules.symbol,
        side,
        None if report.order_qty is None else rules.lots(report.order_qty),
        None if price is None else rules.ticks(price),
        None if report.cum_qty is None else rules.lots(report.cum_qty),
        _reason(report),
        _fill(report, rules, client_id, side) if kind is ExecType.TRADE else None,
    )


def _fill(report: account_data.Execution, rules: TradingRules, client_id: str, side: Side | None) -> Fill:
    if report.exec_id is None or report.last_qty is None or report.last_price is None or side is None:
        raise DataError(f"order {report.order_id}: a trade without id, quantity, price or side")
    fee = report.fees[0] if report.fees else None
    lots, ticks = rules.lots(report.last_qty), rules.ticks(report.last_price)
    return Fill(
        report.exec_id,
        client_id,
        report.order_id,
        rules.symbol,
        side,
        lots,
        ticks,
        _cost(rules, ticks, lots, report.cost),
        0 if fee is None else amount_of(fee.qty, "fee"),
        rules.quote if fee is None else fee.asset,
        report.liquidity_ind == "m",
        _moment(report.timestamp),
    )


def _cost(rules: TradingRules, ticks: int, lots: int, printed: Decimal | None) -> int:
    """Return what a fill cost: exactly price times quantity, unless the exchange says something else than that rounded.

    Costs are printed with fewer decimals than they have, and the sum of roundings would drift away from the balance.
    """
    exact = rules.cost(ticks, lots)
    if printed is None or abs(amount_of(printed, "cost") - exact) <= 10 ** (DECIMALS - rules.cost_decimals):
        return exact
    return amount_of(printed, "cost")


def _reason(report: account_data.Execution) -> str:
    return report.reason or report.cancel_reason or ""


def _moment(text: str | None) -> int:
    return 0 if text is None else from_rfc3339(text)


def order_row(order_id: str, row: OrderRow, rules: TradingRules) -> Execution:
    """Return an order of OpenOrders, ClosedOrders or QueryOrders as what a look-up found."""
    kind = _STATUS_OF_REST.get(row.status)
    if kind is None:
        raise DataError(f"order {order_id} has the unknown status {row.status!r}")
    price = row.descr.price
    ended = row.closetm if row.closetm is not None else row.opentm
    return Execution(
        kind,
        order_id,
        from_epoch_seconds(ended),
        row.cl_ord_id or "",
        rules.symbol,
        Side(row.descr.type),
        rules.lots(row.vol),
        rules.ticks(price) if row.descr.ordertype in ("limit", "iceberg") else None,
        rules.lots(row.vol_exec),
        row.reason or "",
    )


def trade_row(exec_id: str, row: OwnTradeRow, rules: TradingRules, client_id: str) -> Fill:
    """Return an own trade of TradesHistory or QueryTrades; its fee is in the quote asset."""
    lots, ticks = rules.lots(row.vol), rules.ticks(row.price)
    return Fill(
        exec_id,
        client_id,
        row.ordertxid,
        rules.symbol,
        Side(row.type),
        lots,
        ticks,
        _cost(rules, ticks, lots, row.cost),
        amount_of(row.fee, "fee"),
        rules.quote,
        bool(row.maker),
        from_epoch_seconds(row.time),
    )


def told_fill(fill: Fill) -> Execution:
    """Return a fill that a look-up found as a report for the tracker."""
    return Execution(ExecType.TRADE, fill.order_id, fill.time_ns, fill.client_id, fill=fill)


def add_order(order: NewOrder, rules: TradingRules, deadline_ns: int | None) -> wire.AddOrder:
    """Return the request that places an order; fees in the quote asset, own orders never meet."""
    price = None if order.price_ticks is None else wire.Price(Decimal(rules.price_text(order.price_ticks)))
    return wire.AddOrder(
        order=wire.NewOrder(
            pair=order.symbol,
            side=order.side.value,
            order_type="market" if price is None else "limit",
            volume=Decimal(rules.quantity_text(order.lots)),
            limit_price=price,
            time_in_force=order.time_in_force.value,
            expires=None if order.expires_ns is None else wire.Moment(order.expires_ns),
            cl_ord_id=order.client_id,
            post_only=order.post_only,
            fee_in="quote",
        ),
        deadline_ns=deadline_ns,
    )


def amend_order(change: Amendment, rules: TradingRules, deadline_ns: int | None) -> wire.AmendOrder:
    """Return the request that changes an order."""
    return wire.AmendOrder(
        cl_ord_id=change.client_id,
        volume=None if change.lots is None else Decimal(rules.quantity_text(change.lots)),
        limit_price=None if change.price_ticks is None else wire.Price(Decimal(rules.price_text(change.price_ticks))),
        post_only=change.post_only,
        deadline_ns=deadline_ns,
    )


def modern_balances(balances: Mapping[str, Decimal], modern: Callable[[str], str]) -> dict[str, int]:
    """Return balances as amounts by modern name; what earns (suffix ``.F``) is added to its asset [Kraken: Balance]."""
    amounts: dict[str, int] = {}
    for key, value in balances.items():
        name = modern(key)
        head, dot, suffix = name.partition(".")
        name = head if dot and suffix == "F" else name
        amounts[name] = amounts.get(name, 0) + amount_of(value, f"balance of {key}")
    return amounts
