"""Answers to the public methods of REST, from the state of the exchange."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from mycelial.adapters.exchanges.kraken_server.amounts import ASSET_DECIMALS, DEFAULT_ASSET_DECIMALS
from mycelial.adapters.exchanges.kraken_server.desk import MODE_NAMES, Desk
from mycelial.kraken.errors import invalid_argument
from mycelial.kraken.numbers import decimal
from mycelial.kraken.rest import market_answers as answers
from mycelial.kraken.rest import queries
from mycelial.kraken.rest.queries import Query
from mycelial.kraken.times import SECOND, epoch_seconds, rfc1123, rfc3339
from mycelial.market.venues.rules import Pair
from mycelial.simulation.exchange.commands import Side
from mycelial.simulation.exchange.reports import Candle

LEAST_DECIMALS = 5  # of public prices
LOT_DECIMALS = 3  # of lots in Depth and Ticker
_FIRST_NS = 10**15  # a `since` below this is seconds, above it nanoseconds


def answer(desk: Desk, query: Query) -> Any:
    """Return the result of a public query.

    Raises
    ------
    Refused
        With the error string.
    """
    match query:
        case queries.Time():
            now = desk.now()
            return answers.ServerTime(now // SECOND, rfc1123(now))
        case queries.SystemStatus():
            return answers.Status(system(desk), rfc3339(desk.now(), 0))
        case queries.Assets():
            return _assets(desk, query)
        case queries.AssetPairs():
            return _pairs(desk, query)
        case queries.Ticker():
            return {key: _ticker(desk, pair) for key, pair in _wanted(desk, query.pair)}
        case queries.OHLC():
            return _candles(desk, query)
        case queries.Depth():
            return _depth(desk, query)
        case queries.Trades():
            return _trades(desk, query)
        case queries.Spread():
            return _spread(desk, query)
    raise TypeError(f"{type(query).__name__} is not public")


def system(desk: Desk) -> str:
    """Return the mode of the whole exchange."""
    return "maintenance" if desk.unavailable else MODE_NAMES[desk.exchange.mode]


def pair_status(desk: Desk, symbol: str) -> str:
    """Return the mode of a pair."""
    return MODE_NAMES[desk.exchange.pair_mode(symbol)]


def vwap(candle: Candle, pair: Pair) -> int:
    """Return the average price of a candle in units of the last price decimal; an empty one's is its close."""
    return (2 * candle.turnover + candle.volume) // (2 * candle.volume) if candle.volume else candle.close


def _wanted(desk: Desk, names: tuple[str, ...] | None) -> Iterable[tuple[str, Pair]]:
    """Return (key of the answer, pair) of each pair asked for; all when none is named."""
    if names is None:
        return [(pair.key, pair) for pair in desk.table.pairs.values()]
    pairs = [(name, desk.table.pair(name)) for name in names]
    return [(desk.table.answer_key(name, pair), pair) for name, pair in pairs]


def _assets(desk: Desk, query: queries.Assets) -> dict[str, answers.AssetRow]:
    if query.aclass not in (None, "currency"):
        raise invalid_argument("aclass")
    names = query.asset
    assets = desk.table.assets.values() if names is None else [desk.table.asset(name) for name in names]
    rows = {}
    for asset in assets:
        decimals = ASSET_DECIMALS.get(asset.name, DEFAULT_ASSET_DECIMALS)
        rows[asset.id] = answers.AssetRow(altname=asset.altname, decimals=decimals, display_decimals=decimals // 2)
    return rows


def _pairs(desk: Desk, query: queries.AssetPairs) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, pair in _wanted(desk, query.pair):
        row = pair_row(desk, pair)
        match query.info:
            case "info":
                found[key] = row
            case "fees":
                found[key] = _fees(row)
            case "leverage":
                found[key] = {"leverage_buy": row.leverage_buy, "leverage_sell": row.leverage_sell}
            case "margin":
                found[key] = {"margin_call": row.margin_call, "margin_level": row.margin_stop}
    return found


def _fees(row: answers.PairRow) -> dict[str, Any]:
    def bare(rows: tuple[tuple[Decimal, Decimal], ...]) -> list[list[float]]:
        return [[int(volume), float(percent)] for volume, percent in rows]

    return {
        "fees": bare(row.fees),
        "fees_maker": bare(row.fees_maker),
        "fee_volume_currency": row.fee_volume_currency,
    }


def pair_row(desk: Desk, pair: Pair) -> answers.PairRow:
    """Return a pair of AssetPairs."""
    tiers = desk.venue.fee_schedules[pair.fees].tiers
    base, quote = desk.table.assets[pair.base], desk.table.assets[pair.quote]
    return answers.PairRow(
        altname=pair.altname,
        wsname=pair.wsname,
        base=base.id,
        quote=quote.id,
        cost_decimals=pair.cost_decimals,
        pair_decimals=pair.price_decimals,
        lot_decimals=pair.lot_decimals,
        lot_multiplier=1,
        fees=tuple((Decimal(tier.volume), _percent(tier.taker_ppm)) for tier in tiers),
        fees_maker=tuple((Decimal(tier.volume), _percent(tier.maker_ppm)) for tier in tiers),
        fee_volume_currency=desk.table.asset(desk.venue.fee_volume_currency).id
        if desk.venue.fee_volume_currency in desk.table.assets
        else "ZUSD",
        margin_call=80,
        margin_stop=40,
        ordermin=pair.min_quantity,
        costmin=pair.min_cost,
        tick_size=pair.tick_size,
        status=pair_status(desk, pair.symbol),
        execution_venue="international",
    )


def _percent(ppm: int) -> Decimal:
    return Decimal(f"{ppm / 10_000:.4f}".rstrip("0").rstrip("."))


def _ticker(desk: Desk, pair: Pair) -> answers.TickerRow:
    one = desk.exchange.ticker(pair.symbol)

    def both(values: tuple[int, int]) -> tuple[Decimal, Decimal]:
        return _price(values[0], pair), _price(values[1], pair)

    def touch(price: int, qty: int) -> tuple[Decimal, Decimal, Decimal]:
        lots = decimal(qty, pair.lot_decimals)
        return _price(price, pair), answers.truncated(lots, 0), answers.truncated(lots, LOT_DECIMALS)

    def average(n: int) -> Decimal:
        volume = one.volume[n]
        mean = (2 * one.turnover[n] + volume) // (2 * volume) if volume else one.last
        return _price(mean, pair)

    return answers.TickerRow(
        a=touch(one.ask, one.ask_qty),
        b=touch(one.bid, one.bid_qty),
        c=(_price(one.last, pair), decimal(one.last_qty, pair.lot_decimals)),
        v=(decimal(one.volume[0], pair.lot_decimals), decimal(one.volume[1], pair.lot_decimals)),
        p=(average(0), average(1)),
        t=one.trades,
        l=both(one.low),
        h=both(one.high),
        o=_price(one.open[0], pair),
    )


def _candles(desk: Desk, query: queries.OHLC) -> dict[str, object]:
    pair = desk.table.pair(query.pair)
    found = desk.exchange.candles(pair.symbol, query.interval)
    since = -1 if query.since is None else int(query.since)
    last = found[-2].start_ns // SECOND if len(found) > 1 else found[-1].start_ns // SECOND

    def price(units: int) -> Decimal:
        return decimal(units, pair.price_decimals)

    rows = tuple(
        answers.CandleRow(
            *(one.start_ns // SECOND, price(one.open), price(one.high), price(one.low), price(one.close)),
            price(vwap(one, pair)) if one.volume else price(0),
            decimal(one.volume, pair.lot_decimals),
            one.trades,
        )
        for one in found
        if one.start_ns // SECOND > since
    )
    return answers.series_fields(answers.Series(desk.table.answer_key(query.pair, pair), rows, last))


def _depth(desk: Desk, query: queries.Depth) -> dict[str, answers.Levels]:
    pair = desk.table.pair(query.pair)
    if not 1 <= query.count <= 500:
        raise invalid_argument("count")
    book = desk.exchange.depth(pair.symbol, query.count)
    now = desk.exchange.now // SECOND

    def rows(levels: Any) -> tuple[answers.LevelRow, ...]:
        return tuple(
            answers.LevelRow(_price(price, pair), answers.truncated(decimal(qty, pair.lot_decimals), LOT_DECIMALS), now)
            for price, qty in levels.tolist()
        )

    return {desk.table.answer_key(query.pair, pair): answers.Levels(asks=rows(book.asks), bids=rows(book.bids))}


def _trades(desk: Desk, query: queries.Trades) -> dict[str, object]:
    pair = desk.table.pair(query.pair)
    if not 1 <= query.count <= 1000:
        raise invalid_argument("count")
    since = -1
    if query.since is not None:
        if not 0 <= query.since < 2**63:
            raise invalid_argument("since")
        since = int(query.since) if query.since >= _FIRST_NS else int(query.since * SECOND)
    found = desk.exchange.trades(pair.symbol, query.count, since)
    rows = tuple(
        answers.PublicTradeRow(
            _price(one.price, pair),
            decimal(one.qty, pair.lot_decimals),
            epoch_seconds(one.time_ns, 7),
            "b" if one.side is Side.BUY else "s",
            "m" if one.market else "l",
            "",
            one.number,
        )
        for one in found
    )
    last = found[-1].time_ns if found else max(since, 0) or desk.exchange.now
    series = answers.Series(desk.table.answer_key(query.pair, pair), rows, last)
    return answers.series_fields(series, quotes_last=True)


def _spread(desk: Desk, query: queries.Spread) -> dict[str, object]:
    pair = desk.table.pair(query.pair)
    since = -1 if query.since is None else int(query.since) * SECOND
    found = desk.exchange.spreads(pair.symbol, since)
    rows = tuple(answers.SpreadRow(at // SECOND, _price(bid, pair), _price(ask, pair)) for at, bid, ask in found)
    last = found[-1][0] // SECOND if found else desk.exchange.now // SECOND
    return answers.series_fields(answers.Series(desk.table.answer_key(query.pair, pair), rows, last))


def _price(units: int, pair: Pair) -> Decimal:
    finer = max(0, LEAST_DECIMALS - pair.price_decimals)
    return decimal(units * 10**finer, pair.price_decimals + finer)
