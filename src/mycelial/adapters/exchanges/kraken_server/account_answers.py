"""Answers to the private queries of REST, from the state of one account."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from mycelial.adapters.exchanges.kraken_server.desk import Desk
from mycelial.kraken import errors
from mycelial.kraken.errors import ProtocolError, Refused, invalid_argument
from mycelial.kraken.numbers import decimal
from mycelial.kraken.rest import account_answers as answers
from mycelial.kraken.rest import queries
from mycelial.kraken.rest.order_forms import is_order_id
from mycelial.kraken.rest.queries import Query
from mycelial.kraken.times import SECOND, from_epoch_seconds
from mycelial.market.venues.rules import FeeTier, Pair
from mycelial.simulation.exchange.accounts import ApiKey

MOST_OFFSET = 10**9
MOST_TRADES_ASKED = 20
_NUMBER = re.compile(r"\d{1,10}(?:\.\d{1,9})?", re.ASCII)


def answer(desk: Desk, key: ApiKey, query: Query) -> Any:
    """Return the result of a private query.

    Raises
    ------
    Refused
        With the error string.
    """
    account = key.account
    match query:
        case queries.Balance():
            return {
                desk.table.asset(one.asset).id: desk.amounts.money(one.total, one.asset)
                for one in desk.exchange.balances(account)
                if one.total and one.asset in desk.table.assets
            }
        case queries.BalanceEx():
            return {
                desk.table.asset(one.asset).id: answers.ExtendedBalance(
                    balance=desk.amounts.money(one.total, one.asset), hold_trade=desk.amounts.money(one.held, one.asset)
                )
                for one in desk.exchange.balances(account)
                if one.total and one.asset in desk.table.assets
            }
        case queries.TradeBalance():
            return _trade_balance(desk, account, query)
        case queries.OpenOrders():
            found = desk.exchange.open_orders(account, userref=query.userref, cl_ord_id=query.cl_ord_id or "")
            newest_first = reversed(found)
            rows = {one.order_id: desk.rows.order_row(one, trades=query.trades) for one in newest_first}
            return answers.OpenOrdersAnswer(rows)
        case queries.ClosedOrders():
            return _closed(desk, account, query)
        case queries.QueryOrders():
            return _orders(desk, account, query)
        case queries.OrderAmends():
            return _amends(desk, account, query)
        case queries.TradesHistory():
            return _trades(desk, account, query)
        case queries.QueryTrades():
            return _trades_by_id(desk, account, query)
        case queries.Ledgers():
            return _ledgers(desk, account, query)
        case queries.QueryLedgers():
            page = desk.exchange.ledger(account, ids=query.id, most=len(query.id))
            return {one.ledger_id: desk.rows.ledger_row(one) for one in page.rows}
        case queries.OpenPositions():
            return {}
        case queries.TradeVolume():
            return _volume(desk, account, query)
        case queries.GetWebSocketsToken():
            return answers.Token(desk.tokens.issue(key), desk.tokens.valid_ns // SECOND)
    raise TypeError(f"{type(query).__name__} is not private")


def _amends(desk: Desk, account: int, query: queries.OrderAmends) -> answers.AmendsAnswer:
    """Return an order as it was placed and as each amend left it."""
    if not desk.exchange.orders(account, [query.order_id]):
        raise Refused(errors.UNKNOWN_ORDER)
    rows = []
    for note in desk.exchange.amends(account, query.order_id):
        pair = desk.table.pairs[note.terms.symbol]
        display, limit, trigger = note.terms.display, note.terms.limit, note.terms.trigger
        rows.append(
            answers.AmendRow(
                amend_id=note.amend_id,
                amend_type=note.kind,
                order_qty=decimal(note.terms.qty, pair.lot_decimals),
                display_qty=decimal(display, pair.lot_decimals) if display else None,
                remaining_qty=decimal(note.remaining, pair.lot_decimals),
                limit_price=decimal(limit, pair.price_decimals) if limit else None,
                trigger_price=decimal(trigger, pair.price_decimals) if trigger else None,
                reason=note.reason or None,
                post_only=note.terms.post_only,
                timestamp=note.time_ns // 1_000_000,
            )
        )
    return answers.AmendsAnswer(tuple(rows), len(rows))


def _trade_balance(desk: Desk, account: int, query: queries.TradeBalance) -> answers.TradeBalanceRow:
    asset = desk.table.asset(query.asset) if query.asset != "ZUSD" else None
    desk.value_assets()
    name = desk.venue.fee_volume_currency if asset is None else asset.name
    worth = sum((desk.amounts.usd(one.total, one.asset) for one in desk.exchange.balances(account)), Decimal(0))
    total = round(worth / desk.usd_values.get(name, Decimal(1)), 4)
    zero = Decimal("0.0000")
    return answers.TradeBalanceRow(eb=total, tb=total, m=zero, uv=zero, n=zero, c=zero, v=zero, e=total, mf=total)


def _closed(desk: Desk, account: int, query: queries.ClosedOrders) -> answers.ClosedOrdersAnswer:
    page = desk.exchange.closed_orders(
        account,
        userref=query.userref,
        cl_ord_id=query.cl_ord_id or "",
        start_ns=_moment(desk, account, query.start, "start"),
        end_ns=_moment(desk, account, query.end, "end"),
        by=query.closetime,
        offset=_offset(query.ofs),
    )
    rows = {one.order_id: desk.rows.order_row(one, trades=query.trades) for one in page.rows}
    return answers.ClosedOrdersAnswer(rows, None if query.without_count else page.whole)


def _orders(desk: Desk, account: int, query: queries.QueryOrders) -> dict[str, answers.OrderRow]:
    if not 1 <= len(query.txid) <= desk.venue.batches.query_most:
        raise invalid_argument("txid")
    found = desk.exchange.orders(account, query.txid)
    if len(found) < len(set(query.txid)):
        malformed = any(not is_order_id(one) for one in query.txid)
        raise Refused(errors.INVALID_ORDER if malformed else errors.UNKNOWN_ORDER)
    return {
        one: desk.rows.order_row(found[one], trades=query.trades)
        for one in query.txid
        if query.userref is None or found[one].userref == query.userref
    }


def _trades(desk: Desk, account: int, query: queries.TradesHistory) -> answers.TradesAnswer:
    page = desk.exchange.own_trades(
        account,
        start_ns=_moment(desk, account, query.start, "start"),
        end_ns=_moment(desk, account, query.end, "end"),
        offset=_offset(query.ofs),
    )
    rows = {one.trade_id: desk.rows.trade_row(one, ledgers=query.ledgers) for one in page.rows}
    return answers.TradesAnswer(rows, None if query.without_count else page.whole)


def _trades_by_id(desk: Desk, account: int, query: queries.QueryTrades) -> dict[str, answers.OwnTradeRow]:
    if not 1 <= len(query.txid) <= MOST_TRADES_ASKED:
        raise invalid_argument("txid")
    page = desk.exchange.own_trades(account, ids=query.txid, most=1_000)
    if not page.rows and not desk.exchange.orders(account, query.txid):
        raise invalid_argument("txid")
    return {one.trade_id: desk.rows.trade_row(one, ledgers=True) for one in page.rows}


def _ledgers(desk: Desk, account: int, query: queries.Ledgers) -> answers.LedgersAnswer:
    names = None if query.asset in (None, ("all",)) else query.asset
    page = desk.exchange.ledger(
        account,
        assets=None if names is None else [desk.table.asset(one).name for one in names],
        kind=query.type,
        start_ns=_moment(desk, account, query.start, "start"),
        end_ns=_moment(desk, account, query.end, "end"),
        offset=_offset(query.ofs),
    )
    rows = {one.ledger_id: desk.rows.ledger_row(one) for one in page.rows}
    return answers.LedgersAnswer(rows, None if query.without_count else page.whole)


def _volume(desk: Desk, account: int, query: queries.TradeVolume) -> answers.VolumeAnswer:
    volume = decimal(desk.exchange.volume(account) // 100, 4)
    fees = makers = None
    if query.pair is not None:
        pairs = [desk.table.pair(name) for name in query.pair]
        fees = {pair.key: _fee_row(desk, account, pair, volume, taker=True) for pair in pairs}
        makers = {pair.key: _fee_row(desk, account, pair, volume, taker=False) for pair in pairs}
    return answers.VolumeAnswer(currency="ZUSD", volume=volume, fees=fees, fees_maker=makers)


def _fee_row(desk: Desk, account: int, pair: Pair, volume: Decimal, *, taker: bool) -> answers.FeeRow:
    tiers = desk.venue.fee_schedules[pair.fees].tiers
    rate = desk.exchange.fee_rates(account, pair.symbol)[1 if taker else 0]

    def percent(tier: FeeTier) -> Decimal:
        return decimal(tier.taker_ppm if taker else tier.maker_ppm, 4)

    at = desk.venue.fee_schedules[pair.fees].at(volume)
    above = [tier for tier in tiers if tier.volume > at.volume]
    return answers.FeeRow(
        fee=decimal(rate, 4),
        minfee=percent(tiers[-1]),
        maxfee=percent(tiers[0]),
        nextfee=percent(above[0]) if above else None,
        tiervolume=decimal(at.volume * 10_000, 4),
        nextvolume=decimal(above[0].volume * 10_000, 4) if above else None,
    )


def _moment(desk: Desk, account: int, text: str | None, field: str) -> int:
    """Return a bound of a history in ns: seconds, or the id of an order, trade or ledger entry; 0 if not given."""
    if text is None:
        return 0
    if _NUMBER.fullmatch(text):
        try:
            return from_epoch_seconds(Decimal(text))
        except ProtocolError:
            raise invalid_argument(field) from None
    state = desk.exchange.orders(account, [text]).get(text)
    if state is not None:
        return state.opened_ns
    for trade in desk.exchange.own_trades(account, ids=[text]).rows:
        return trade.time_ns
    for entry in desk.exchange.ledger(account, ids=[text]).rows:
        return entry.time_ns
    raise invalid_argument(field)


def _offset(offset: int) -> int:
    if not 0 <= offset <= MOST_OFFSET:
        raise invalid_argument("ofs")
    return offset
