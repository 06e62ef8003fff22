"""Orders, trades and ledger entries of the simulated exchange as Kraken shows them, over REST and both WebSockets."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from mycelial.kraken.descriptions import Description, describe
from mycelial.kraken.numbers import decimal, plain, text
from mycelial.kraken.rest import account_answers as rest
from mycelial.kraken.symbols import SymbolTable
from mycelial.kraken.times import epoch_seconds, rfc3339
from mycelial.kraken.ws import account_data as ws
from mycelial.market.venues.rules import Pair
from mycelial.simulation.exchange.commands import MONEY_DECIMALS, AddOrder, Close, OrderType, Price, PriceKind, Side
from mycelial.simulation.exchange.reports import (
    ExecType,
    LedgerEntry,
    OrderReport,
    OrderState,
    OrderStatus,
    OwnTrade,
    Terms,
)

LEAST_PRICE_DECIMALS = 5  # of averages and of prices that are zero
_TIME_DECIMALS = 7
# Decimals with which balances of an asset are printed at least; more where an amount needs them, none is cut.
ASSET_DECIMALS = {
    **dict.fromkeys(("USD", "EUR"), 4),
    **dict.fromkeys(("USDT", "DOGE", "XRP", "ADA"), 8),
}
DEFAULT_ASSET_DECIMALS = 10
_REST_STATUS = {
    OrderStatus.PENDING_NEW: "pending",
    OrderStatus.NEW: "open",
    OrderStatus.PARTIALLY_FILLED: "open",
    OrderStatus.FILLED: "closed",
    OrderStatus.CANCELED: "canceled",
    OrderStatus.EXPIRED: "expired",
}


class Shown:
    """Prints what belongs to accounts.

    Parameters
    ----------
    table : names of pairs and assets.
    usd_values : worth of one unit of each asset in USD; looked at when a fee is shown.
    """

    def __init__(self, table: SymbolTable, usd_values: Mapping[str, Decimal]) -> None:
        self.table, self.usd_values = table, usd_values

    # ---------------------------------------------------------------------------------------------------- numbers

    def money(self, amount: int, asset: str) -> Decimal:
        """Return an amount of an asset, all of it, with at least the decimals the asset has."""
        least = ASSET_DECIMALS.get(asset, DEFAULT_ASSET_DECIMALS)
        decimals = MONEY_DECIMALS
        while decimals > least and amount % 10 == 0:
            amount //= 10
            decimals -= 1
        return decimal(amount, decimals)

    def cost(self, amount: int, pair: Pair) -> Decimal:
        """Return an amount of the quote asset rounded to the decimals of a cost."""
        step: int = 10 ** (MONEY_DECIMALS - pair.cost_decimals)
        return decimal((amount + step // 2) // step, pair.cost_decimals)

    def fee(self, amount: int, asset: str, pair: Pair) -> Decimal:
        """Return a fee in the asset it is taken in."""
        return self.cost(amount, pair) if asset == pair.quote else self.money(amount, asset)

    def average(self, cum_cost: int, cum_qty: int, pair: Pair) -> Decimal:
        """Return the average price of what was filled."""
        decimals = max(LEAST_PRICE_DECIMALS, pair.price_decimals)
        if not cum_qty:
            return decimal(0, decimals)
        scaled: int = cum_cost * 10 ** (decimals + pair.lot_decimals)
        whole: int = cum_qty * 10**MONEY_DECIMALS
        return decimal((scaled + whole // 2) // whole, decimals)

    def usd(self, amount: int, asset: str) -> Decimal:
        """Return the worth of an amount in USD, four decimals."""
        return round(decimal(amount, MONEY_DECIMALS) * self.usd_values.get(asset, Decimal(0)), 4)

    # ------------------------------------------------------------------------------------------------------ orders

    def sentence(self, terms: Terms) -> str:
        """Return the description of an order."""
        pair = self.table.pairs[terms.symbol]
        first, second = self._prices(terms, pair)
        return describe(
            Description(
                terms.type.value,
                side_text(terms.side),
                text(terms.qty, pair.lot_decimals),
                pair.altname,
                first,
                second if second != "0" else "",
            )
        )

    def command_sentence(self, command: AddOrder, pair: Pair, limit: int, trigger: int) -> str:
        """Return the description of an order just placed; prices as the exchange understood them."""
        first, second = self.command_prices(command, pair, limit, trigger)
        volume = text(command.qty, pair.lot_decimals) if command.qty else plain(self.cost(command.cash_qty, pair))
        return describe(Description(command.type.value, side_text(command.side), volume, pair.altname, first, second))

    def command_prices(self, command: AddOrder, pair: Pair, limit: int, trigger: int) -> tuple[str, str]:
        """Return `price` and `price2` of an order just placed; empty where it has none."""
        if command.type.trails:
            return self._price_text(command.trigger, pair), self._price_text(command.limit, pair)
        at_limit = text(limit, pair.price_decimals) if command.type.has_limit else ""
        if command.type.waits:
            return text(trigger, pair.price_decimals), at_limit
        return at_limit, ""

    def close_sentence(self, close: Close | None, pair: Pair) -> str:
        """Return the description of a conditional close, empty if there is none."""
        if close is None:
            return ""
        limit, trigger = self._price_text(close.limit, pair), self._price_text(close.trigger, pair)
        first, second = (trigger, limit) if trigger else (limit, "")
        return describe(Description(close.type.value, price=first, price2=second))

    def order_row(self, state: OrderState, *, trades: bool = False) -> rest.OrderRow:
        """Return an order as REST shows it."""
        terms = state.terms
        pair = self.table.pairs[terms.symbol]
        first, second = self._prices(terms, pair)
        over = not state.status.is_open
        decimals = max(LEAST_PRICE_DECIMALS, pair.price_decimals)
        stop = terms.trigger if terms.type.waits else 0
        fired_limit = terms.limit if terms.type.waits and state.trigger_fired else 0
        misc = [
            *(["stopped"] if state.trigger_fired and not terms.type.takes_profit else []),
            *(["touched"] if state.trigger_fired and terms.type.takes_profit else []),
            *(["partial"] if over and 0 < state.cum_qty < terms.qty else []),
            *(["amended"] if state.amended else []),
        ]
        return rest.OrderRow(
            refid=state.parent_id or None,
            userref=0 if state.userref is None else state.userref,
            cl_ord_id=state.cl_ord_id or None,
            status="pending" if state.waits_to_start else _REST_STATUS[state.status],
            opentm=epoch_seconds(state.opened_ns, _TIME_DECIMALS),
            starttm=epoch_seconds(terms.starts_ns, 0),
            expiretm=epoch_seconds(terms.expires_ns, 0),
            descr=rest.OrderDescription(
                pair=pair.altname,
                type=side_text(terms.side),
                ordertype=terms.type.value,
                price=first,
                price2=second,
                order=self.sentence(terms),
                close=self.close_sentence(terms.close, pair),
            ),
            vol=decimal(terms.qty, pair.lot_decimals),
            vol_exec=decimal(state.cum_qty, pair.lot_decimals),
            cost=self.cost(state.cum_cost, pair),
            fee=self.fee(state.cum_fee, state.fee_asset, pair),
            price=self.average(state.cum_cost, state.cum_qty, pair),
            stopprice=decimal(stop * 10 ** (decimals - pair.price_decimals), decimals),
            limitprice=decimal(fired_limit * 10 ** (decimals - pair.price_decimals), decimals),
            trigger=terms.reference.name.lower() if terms.type.waits else None,
            misc=",".join(misc),
            oflags=_flags(terms),
            time_in_force=terms.time_in_force.value if terms.time_in_force.value != "GTC" else None,
            trades=state.trade_ids if trades and state.trade_ids else None,
            closetm=epoch_seconds(state.closed_ns, _TIME_DECIMALS) if over else None,
            reason=(state.reason or None) if over else None,
        )

    def trade_row(self, trade: OwnTrade, *, ledgers: bool = False) -> rest.OwnTradeRow:
        """Return one of one's own trades as REST shows it."""
        pair = self.table.pairs[trade.symbol]
        return rest.OwnTradeRow(
            ordertxid=trade.order_id,
            postxid="",
            pair=pair.key,
            aclass="forex",
            time=epoch_seconds(trade.time_ns, _TIME_DECIMALS),
            type=side_text(trade.side),
            ordertype=trade.type.value,
            price=self._padded(trade.price, pair),
            cost=self.cost(trade.cost, pair),
            fee=self.fee(trade.fee, trade.fee_asset, pair),
            vol=decimal(trade.qty, pair.lot_decimals),
            leverage="0",
            misc="",
            trade_id=trade.number,
            maker=trade.maker,
            ledgers=trade.ledger_ids if ledgers else None,
        )

    def ledger_row(self, entry: LedgerEntry) -> rest.LedgerRow:
        """Return a ledger entry as REST shows it."""
        asset = self.table.asset(entry.asset)
        return rest.LedgerRow(
            refid=entry.ref_id,
            time=epoch_seconds(entry.time_ns, _TIME_DECIMALS),
            type=entry.type,
            asset=asset.id,
            wallet="spot / main",
            amount=self.money(entry.amount, entry.asset),
            fee=self.money(entry.fee, entry.asset),
            balance=self.money(entry.balance, entry.asset),
        )

    # ------------------------------------------------------------------------------------------------- WebSocket v2

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
            cum_cost=self.cost(state.cum_cost, pair),
            avg_price=self.average(state.cum_cost, state.cum_qty, pair),
            fee_usd_equiv=self.usd(state.cum_fee, state.fee_asset),
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
            balance=self.money(entry.balance, entry.asset),
            ledger_id=entry.ledger_id,
            ref_id=entry.ref_id,
            timestamp=rfc3339(entry.time_ns),
            type=entry.type,
            category=entry.type,
            wallet_type="spot",
            wallet_id="main",
            amount=self.money(entry.amount, entry.asset),
            fee=self.money(entry.fee, entry.asset),
        )

    # ------------------------------------------------------------------------------------------------- WebSocket v1

    def v1_order(self, report: OrderReport) -> dict[str, Any]:
        """Return a change of an order as v1's openOrders shows it: everything when new, then what changed."""
        status = _REST_STATUS[report.status]
        changed = {"status": status, "userref": report.userref or 0, "vol_exec": Decimal(0)}
        pair = self.table.pairs[report.terms.symbol]
        changed["vol_exec"] = decimal(report.cum_qty, pair.lot_decimals)
        if report.cl_ord_id:
            changed["cl_ord_id"] = report.cl_ord_id
        if report.kind is not ExecType.PENDING_NEW:
            progress = {
                "cost": self.cost(report.cum_cost, pair),
                "fee": self.fee(report.cum_fee, report.fee_asset, pair),
            }
            average = self.average(report.cum_cost, report.cum_qty, pair)
            ended = {"cancel_reason": report.reason} if report.reason and not report.status.is_open else {}
            stamp = {"lastupdated": text(report.time_ns // 1000, 6)}
            return {**changed, **progress, "avg_price": average, **stamp, **ended}
        first, second = self._prices(report.terms, pair)
        descr = {
            "pair": pair.wsname,
            "type": side_text(report.terms.side),
            "ordertype": report.terms.type.value,
            "price": first,
            "price2": second,
            "leverage": None,
            "position": None,
            "order": self.sentence(report.terms),
            "close": self.close_sentence(report.terms.close, pair) or None,
        }
        return {
            **changed,
            "descr": descr,
            "vol": decimal(report.terms.qty, pair.lot_decimals),
            "cost": self.cost(0, pair),
            "fee": self.cost(0, pair),
            "avg_price": self._padded(0, pair),
            "oflags": _flags(report.terms),
            "misc": "",
            "refid": None,
            "opentm": text(report.time_ns // 1000, 6),
            "starttm": None,
            "expiretm": None,
            "timeinforce": report.terms.time_in_force.value,
        }

    def v1_open_order(self, state: OrderState) -> dict[str, Any]:
        """Return an open order as the snapshot of v1's openOrders shows it."""
        row = self.order_row(state)
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

    def v1_trade(self, trade: OwnTrade) -> dict[str, Any]:
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
            "price": self._padded(trade.price, pair),
            "cost": self.cost(trade.cost, pair),
            "fee": self.fee(trade.fee, trade.fee_asset, pair),
            "vol": decimal(trade.qty, pair.lot_decimals),
            "margin": self.cost(0, pair),
        }

    # ------------------------------------------------------------------------------------------------------ pieces

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
            fields["cash_order_qty"] = self.cost(terms.cash_qty, pair)
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
            "cost": self.cost(trade.cost, pair),
            "fees": (ws.Fee(trade.fee_asset, self.fee(trade.fee, trade.fee_asset, pair)),),
        }

    def _progress(self, report: OrderReport, pair: Pair) -> dict[str, Any]:
        """Return how much of an order is done."""
        return {
            "cum_qty": decimal(report.cum_qty, pair.lot_decimals),
            "cum_cost": self.cost(report.cum_cost, pair),
            "avg_price": self.average(report.cum_cost, report.cum_qty, pair),
            "fee_usd_equiv": self.usd(report.cum_fee, report.fee_asset),
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

    def _prices(self, terms: Terms, pair: Pair) -> tuple[str, str]:
        """Return `price` and `price2` of an order in REST."""
        limit = text(terms.limit, pair.price_decimals) if terms.limit else "0"
        if terms.type is OrderType.MARKET:
            return "0", "0"
        if not terms.type.waits:
            return limit, "0"
        trigger = text(terms.trigger, pair.price_decimals)
        if terms.type.trails:
            distance = plain(decimal(terms.offset_ppm, 4)) + "%" if terms.offset_ppm else ""
            trigger = "+" + (distance or text(terms.offset, pair.price_decimals))
            offset = terms.limit_offset
            limit = f"{'+' if offset >= 0 else '-'}{text(abs(offset), pair.price_decimals)}"
        return trigger, limit if terms.type.has_limit else "0"

    def _price_text(self, price: Price | None, pair: Pair) -> str:
        if price is None:
            return ""
        if price.kind is PriceKind.STATIC:
            return text(price.value, pair.price_decimals)
        sign = "#" if price.by_side else "-" if price.value < 0 else "+"
        if price.kind is PriceKind.PERCENT:
            return f"{sign}{text(abs(price.value), 4)}%"
        return f"{sign}{text(abs(price.value), pair.price_decimals)}"

    def _padded(self, price: int, pair: Pair) -> Decimal:
        decimals = max(LEAST_PRICE_DECIMALS, pair.price_decimals)
        return decimal(price * 10 ** (decimals - pair.price_decimals), decimals)


_ZERO: dict[str, Any] = {"cum_cost": Decimal(0), "cum_qty": Decimal(0), "fee_usd_equiv": Decimal(0)}


def side_text(side: Side) -> str:
    """Return ``buy`` or ``sell``."""
    return "buy" if side is Side.BUY else "sell"


def _flags(terms: Terms) -> str:
    flags = [
        *(["post"] if terms.post_only else []),
        "fcib" if terms.fee_in_base else "fciq",
        *(["viqc"] if terms.cash_qty else []),
    ]
    return ",".join(flags)
