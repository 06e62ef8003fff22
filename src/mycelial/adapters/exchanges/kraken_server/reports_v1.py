"""Orders and trades of the simulated exchange as WebSocket v1 shows them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mycelial.adapters.exchanges.kraken_server.order_words import flags, side_text
from mycelial.adapters.exchanges.kraken_server.rest_rows import STATUS, RestRows
from mycelial.kraken.numbers import decimal, text
from mycelial.simulation.exchange.reports import ExecType, OrderReport, OrderState, OwnTrade


class ReportsV1:
    """Prints rows of openOrders and ownTrades, in the words of REST."""

    def __init__(self, rows: RestRows) -> None:
        self.rows, self.table, self.amounts, self.words = rows, rows.table, rows.amounts, rows.words

    def order(self, report: OrderReport) -> dict[str, Any]:
        """Return a change of an order as v1's openOrders shows it: everything when new, then what changed."""
        status = STATUS[report.status]
        changed = {"status": status, "userref": report.userref or 0, "vol_exec": Decimal(0)}
        pair = self.table.pairs[report.terms.symbol]
        changed["vol_exec"] = decimal(report.cum_qty, pair.lot_decimals)
        if report.cl_ord_id:
            changed["cl_ord_id"] = report.cl_ord_id
        if report.kind is not ExecType.PENDING_NEW:
            progress = {
                "cost": self.amounts.cost(report.cum_cost, pair),
                "fee": self.amounts.fee(report.cum_fee, report.fee_asset, pair),
            }
            average = self.amounts.average(report.cum_cost, report.cum_qty, pair)
            ended = {"cancel_reason": report.reason} if report.reason and not report.status.is_open else {}
            stamp = {"lastupdated": text(report.time_ns // 1000, 6)}
            return {**changed, **progress, "avg_price": average, **stamp, **ended}
        first, second = self.words.prices(report.terms, pair)
        descr = {
            "pair": pair.wsname,
            "type": side_text(report.terms.side),
            "ordertype": report.terms.type.value,
            "price": first,
            "price2": second,
            "leverage": None,
            "position": None,
            "order": self.words.sentence(report.terms),
            "close": self.words.close_sentence(report.terms.close, pair) or None,
        }
        return {
            **changed,
            "descr": descr,
            "vol": decimal(report.terms.qty, pair.lot_decimals),
            "cost": self.amounts.cost(0, pair),
            "fee": self.amounts.cost(0, pair),
            "avg_price": self.amounts.price(0, pair),
            "oflags": flags(report.terms),
            "misc": "",
            "refid": None,
            "opentm": text(report.time_ns // 1000, 6),
            "starttm": None,
            "expiretm": None,
            "timeinforce": report.terms.time_in_force.value,
        }

    def open_order(self, state: OrderState) -> dict[str, Any]:
        """Return an open order as the snapshot of v1's openOrders shows it."""
        row = self.rows.order_row(state)
        pair = self.table.pairs[state.terms.symbol]
        descr = {name: getattr(row.descr, name) for name in row.descr.__struct_fields__} | {"pair": pair.wsname}
        return {
            "status": row.status,
            "userref": row.userref or 0,
            "descr": descr,
            "vol": row.vol,
            "vol_exec": row.vol_exec,
            "cost": row.cost,
            "fee": row.fee,
            "avg_price": row.price,
            "oflags": row.oflags,
            "misc": row.misc,
            "refid": row.refid,
            "cl_ord_id": row.cl_ord_id,
            "opentm": text(state.opened_ns // 1000, 6),
            "starttm": None,
            "expiretm": None,
        }

    def trade(self, trade: OwnTrade) -> dict[str, Any]:
        """Return a trade as v1's ownTrades shows it."""
        pair = self.table.pairs[trade.symbol]
        return {
            "ordertxid": trade.order_id,
            "postxid": "",
            "pair": pair.wsname,
            "userref": trade.userref or 0,
            "time": text(trade.time_ns // 1000, 6),
            "type": side_text(trade.side),
            "ordertype": trade.type.value,
            "price": self.amounts.price(trade.price, pair),
            "cost": self.amounts.cost(trade.cost, pair),
            "fee": self.amounts.fee(trade.fee, trade.fee_asset, pair),
            "vol": decimal(trade.qty, pair.lot_decimals),
            "margin": self.amounts.cost(0, pair),
        }
