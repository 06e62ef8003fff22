"""Orders, trades and balances of the simulated exchange as WebSocket v2 reports them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mycelial.adapters.exchanges.kraken_server.amounts import Amounts
from mycelial.adapters.exchanges.kraken_server.order_words import side_text
from mycelial.kraken.numbers import decimal
from mycelial.kraken.symbols import SymbolTable
from mycelial.kraken.times import rfc3339
from mycelial.kraken.ws import account_data as ws
from mycelial.market.venues.rules import Pair
from mycelial.simulation.exchange.commands import Close, Price, PriceKind
from mycelial.simulation.exchange.reports import ExecType, LedgerEntry, OrderReport, OrderState, OwnTrade, Terms

_ZERO: dict[str, Any] = {"cum_cost": Decimal(0), "cum_qty": Decimal(0), "fee_usd_equiv": Decimal(0)}


class Reports:
    """Prints execution reports and balances."""

    def __init__(self, table: SymbolTable, amounts: Amounts) -> None:
        self.table, self.amounts = table, amounts

    def execution(self, report: OrderReport, *, ratecounter: bool) -> ws.Execution:
        """Return an execution report, with the fields of its kind."""
        pair = self.table.pairs[report.terms.symbol]
        common: dict[str, Any] = {
            "order_id": report.order_id,
            "exec_type": report.kind.value,
            "order_status": report.status.value,
            "cl_ord_id": report.cl_ord_id or None,
            "order_userref": report.userref,
            "timestamp": rfc3339(report.time_ns),
        }
        if ratecounter:
            common["ratecount"] = decimal(report.counter, 6)
        match report.kind:
            case ExecType.NEW:
                return ws.Execution(**common)
            case ExecType.PENDING_NEW:
                return ws.Execution(**common, **self._full(report.terms, pair), **_ZERO)
            case ExecType.TRADE:
                assert report.trade is not None
                return ws.Execution(**common, **self._fill(report.trade, pair), **self._progress(report, pair))
            case ExecType.AMENDED | ExecType.RESTATED:
                reason = report.reason or None
                return ws.Execution(**common, **self._full(report.terms, pair), amended=True, reason=reason)
            case ExecType.STATUS:
                triggers = self._triggers(report.terms, pair, report.trigger_fired, report.last_price, report.time_ns)
                return ws.Execution(**common, symbol=pair.symbol, triggers=triggers)
            case ExecType.ICEBERG_REFILL:
                shown = decimal(report.terms.display, pair.lot_decimals)
                return ws.Execution(**common, symbol=pair.symbol, display_qty=shown)
        reason = report.reason or None if report.kind is not ExecType.FILLED else None
        return ws.Execution(
            **common,
            **self._progress(report, pair),
            reason=reason,
            cancel_reason=reason if report.kind is ExecType.CANCELED else None,
        )

    def snapshot_order(self, state: OrderState) -> ws.Execution:
        """Return an open order as a snapshot shows it: all its fields."""
        pair = self.table.pairs[state.terms.symbol]
        return ws.Execution(
            order_id=state.order_id,
            exec_type="pending_new" if state.waits_to_start else "new",
            order_status=state.status.value,
            cl_ord_id=state.cl_ord_id or None,
            order_userref=state.userref,
            **self._full(state.terms, pair),
            cum_qty=decimal(state.cum_qty, pair.lot_decimals),
            cum_cost=self.amounts.cost(state.cum_cost, pair),
            avg_price=self.amounts.average(state.cum_cost, state.cum_qty, pair),
            fee_usd_equiv=self.amounts.usd(state.cum_fee, state.fee_asset),
            amended=state.amended or None,
            timestamp=rfc3339(state.opened_ns),
        )

    def snapshot_trade(self, trade: OwnTrade) -> ws.Execution:
        """Return a past trade as a snapshot shows it."""
        pair = self.table.pairs[trade.symbol]
        return ws.Execution(
            order_id=trade.order_id,
            exec_type="trade",
            cl_ord_id=trade.cl_ord_id or None,
            order_userref=trade.userref,
            **self._fill(trade, pair),
            timestamp=rfc3339(trade.time_ns),
        )

    def balance_change(self, entry: LedgerEntry) -> ws.BalanceRow:
        """Return a ledger entry as an update of balances."""
        return ws.BalanceRow(
            asset=entry.asset,
            balance=self.amounts.money(entry.balance, entry.asset),
            ledger_id=entry.ledger_id,
            ref_id=entry.ref_id,
            timestamp=rfc3339(entry.time_ns),
            type=entry.type,
            category=entry.type,
            wallet_type="spot",
            wallet_id="main",
            amount=self.amounts.money(entry.amount, entry.asset),
            fee=self.amounts.money(entry.fee, entry.asset),
        )

    def _full(self, terms: Terms, pair: Pair) -> dict[str, Any]:
        """Return what an order asks for."""
        fields: dict[str, Any] = {
            "symbol": pair.symbol,
            "side": side_text(terms.side),
            "order_type": terms.type.value,
            "order_qty": decimal(terms.qty, pair.lot_decimals),
            "time_in_force": terms.time_in_force.value,
            "post_only": terms.post_only,
            "reduce_only": terms.reduce_only,
            "margin": False,
            "fee_ccy_pref": "fcib" if terms.fee_in_base else "fciq",
        }
        if terms.type.has_limit and terms.limit:
            fields["limit_price"] = decimal(terms.limit, pair.price_decimals)
            fields["limit_price_type"] = "static"
        if terms.cash_qty:
            fields["cash_order_qty"] = self.amounts.cost(terms.cash_qty, pair)
        if terms.display:
            fields["display_qty"] = decimal(terms.display, pair.lot_decimals)
        if terms.type.waits:
            fields["triggers"] = self._triggers(terms, pair, False, 0, 0)
        if terms.starts_ns:
            fields["effective_time"] = rfc3339(terms.starts_ns)
        if terms.expires_ns:
            fields["expire_time"] = rfc3339(terms.expires_ns)
        if terms.close is not None:
            fields["contingent"] = self._contingent(terms.close, pair)
        return fields

    def _fill(self, trade: OwnTrade, pair: Pair) -> dict[str, Any]:
        """Return what one trade did."""
        return {
            "exec_id": trade.trade_id,
            "trade_id": trade.number,
            "symbol": pair.symbol,
            "side": side_text(trade.side),
            "order_type": trade.type.value,
            "last_qty": decimal(trade.qty, pair.lot_decimals),
            "last_price": decimal(trade.price, pair.price_decimals),
            "liquidity_ind": "m" if trade.maker else "t",
            "cost": self.amounts.cost(trade.cost, pair),
            "fees": (ws.Fee(trade.fee_asset, self.amounts.fee(trade.fee, trade.fee_asset, pair)),),
        }

    def _progress(self, report: OrderReport, pair: Pair) -> dict[str, Any]:
        """Return how much of an order is done."""
        return {
            "cum_qty": decimal(report.cum_qty, pair.lot_decimals),
            "cum_cost": self.amounts.cost(report.cum_cost, pair),
            "avg_price": self.amounts.average(report.cum_cost, report.cum_qty, pair),
            "fee_usd_equiv": self.amounts.usd(report.cum_fee, report.fee_asset),
        }

    def _triggers(self, terms: Terms, pair: Pair, fired: bool, last_price: int, at_ns: int) -> ws.Triggers:
        kind, price = "static", decimal(terms.trigger, pair.price_decimals)
        if terms.offset_ppm:
            kind, price = "pct", decimal(terms.offset_ppm, 4)
        elif terms.offset:
            kind, price = "quote", decimal(terms.offset, pair.price_decimals)
        actual = decimal(terms.trigger, pair.price_decimals) if terms.trigger else None
        return ws.Triggers(
            reference=terms.reference.name.lower(),
            price=price,
            price_type=kind,
            actual_price=actual,
            last_price=decimal(last_price, pair.price_decimals) if last_price else None,
            status="triggered" if fired else "untriggered",
            timestamp=rfc3339(at_ns) if at_ns else None,
        )

    def _contingent(self, close: Close, pair: Pair) -> ws.Contingent:
        def of(price: Price | None) -> tuple[Decimal | None, str | None]:
            if price is None:
                return None, None
            ppm = price.kind is PriceKind.PERCENT
            return decimal(price.value, 4 if ppm else pair.price_decimals), price.kind.value

        (limit, limit_type), (trigger, trigger_type) = of(close.limit), of(close.trigger)
        return ws.Contingent(
            order_type=close.type.value,
            limit_price=limit,
            limit_price_type=limit_type,
            trigger_price=trigger,
            trigger_price_type=trigger_type,
        )
