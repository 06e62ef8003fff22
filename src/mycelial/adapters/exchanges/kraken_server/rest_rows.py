"""Orders, trades and ledger entries of the simulated exchange as REST shows them."""

from __future__ import annotations

from mycelial.adapters.exchanges.kraken_server.amounts import LEAST_PRICE_DECIMALS, Amounts
from mycelial.adapters.exchanges.kraken_server.order_words import OrderWords, flags, side_text
from mycelial.kraken.numbers import decimal
from mycelial.kraken.rest import account_answers as rest
from mycelial.kraken.symbols import SymbolTable
from mycelial.kraken.times import epoch_seconds
from mycelial.simulation.exchange.reports import LedgerEntry, OrderState, OrderStatus, OwnTrade

TIME_DECIMALS = 7
STATUS = {
    OrderStatus.PENDING_NEW: "pending",
    OrderStatus.NEW: "open",
    OrderStatus.PARTIALLY_FILLED: "open",
    OrderStatus.FILLED: "closed",
    OrderStatus.CANCELED: "canceled",
    OrderStatus.EXPIRED: "expired",
}


class RestRows:
    """Prints what belongs to accounts for REST."""

    def __init__(self, table: SymbolTable, amounts: Amounts, words: OrderWords) -> None:
        self.table, self.amounts, self.words = table, amounts, words

    def order_row(self, state: OrderState, *, trades: bool = False) -> rest.OrderRow:
        """Return an order as REST shows it."""
        terms = state.terms
        pair = self.table.pairs[terms.symbol]
        first, second = self.words.prices(terms, pair)
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
            status="pending" if state.waits_to_start else STATUS[state.status],
            opentm=epoch_seconds(state.opened_ns, TIME_DECIMALS),
            starttm=epoch_seconds(terms.starts_ns, 0),
            expiretm=epoch_seconds(terms.expires_ns, 0),
            descr=rest.OrderDescription(
                pair=pair.altname,
                type=side_text(terms.side),
                ordertype=terms.type.value,
                price=first,
                price2=second,
                order=self.words.sentence(terms),
                close=self.words.close_sentence(terms.close, pair),
            ),
            vol=decimal(terms.qty, pair.lot_decimals),
            vol_exec=decimal(state.cum_qty, pair.lot_decimals),
            cost=self.amounts.cost(state.cum_cost, pair),
            fee=self.amounts.fee(state.cum_fee, state.fee_asset, pair),
            price=self.amounts.average(state.cum_cost, state.cum_qty, pair),
            stopprice=decimal(stop * 10 ** (decimals - pair.price_decimals), decimals),
            limitprice=decimal(fired_limit * 10 ** (decimals - pair.price_decimals), decimals),
            trigger=terms.reference.name.lower() if terms.type.waits else None,
            misc=",".join(misc),
            oflags=flags(terms),
            time_in_force=terms.time_in_force.value if terms.time_in_force.value != "GTC" else None,
            trades=state.trade_ids if trades and state.trade_ids else None,
            closetm=epoch_seconds(state.closed_ns, TIME_DECIMALS) if over else None,
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
            time=epoch_seconds(trade.time_ns, TIME_DECIMALS),
            type=side_text(trade.side),
            ordertype=trade.type.value,
            price=self.amounts.price(trade.price, pair),
            cost=self.amounts.cost(trade.cost, pair),
            fee=self.amounts.fee(trade.fee, trade.fee_asset, pair),
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
            time=epoch_seconds(entry.time_ns, TIME_DECIMALS),
            type=entry.type,
            asset=asset.id,
            wallet="spot / main",
            amount=self.amounts.money(entry.amount, entry.asset),
            fee=self.amounts.money(entry.fee, entry.asset),
            balance=self.amounts.money(entry.balance, entry.asset),
        )
