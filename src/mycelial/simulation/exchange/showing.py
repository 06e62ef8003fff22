"""`Showcase`: what everybody may see of one pair: trades, books by level and by order, ticker, candles, spread."""

from __future__ import annotations

from collections import deque
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from mycelial.market.book import EventKind, Side
from mycelial.market.feeds import BookMirror, FeedSpec, MarketFeeds, Published, View
from mycelial.simulation.exchange.candles import MINUTE_NS, Candles
from mycelial.simulation.exchange.floor import Floor
from mycelial.simulation.exchange.house import House
from mycelial.simulation.exchange.reports import (
    BookUpdate,
    Candle,
    CandlesChanged,
    Event,
    OrdersUpdate,
    PublicTrade,
    PublicTrades,
    RestingOrder,
    Ticker,
    TickerChanged,
)

TRADES_KEPT = 20_000
SPREADS_KEPT = 200
_TRADE, _RESTED = int(EventKind.TRADE), int(EventKind.RESTED)
_MOST_IDS = 10_000
_HELD_BACK = 2**61  # ns: feeds gather changes until they are asked


class Showcase:
    """The public side of one pair.

    Parameters
    ----------
    house : for the ids of orders.
    floor : the market to show.
    past : candles of the time before.
    """

    def __init__(self, house: House, floor: Floor, past: dict[int, list[Candle]]) -> None:
        self._house, self._floor, self._listed = house, floor, floor.listed
        self.candles = Candles(past, house.now)
        self.trades: deque[PublicTrade] = deque(maxlen=TRADES_KEPT)
        self.spreads: deque[tuple[int, int, int]] = deque(maxlen=SPREADS_KEPT)  # (time, bid, ask)
        self._touch = (0, 0, 0, 0)
        self._levels: dict[int, _LevelFeed] = {}
        self._orders: dict[int, _OrderFeed] = {}
        self._next_trade = floor.first_trade

    def publish(self, now_ns: int) -> list[Event]:
        """Take in what happened since the last call; return what to tell everybody."""
        events = self._floor.take_shown()
        out: list[Event] = []
        trades = self._read_trades(events)
        self.candles.roll(now_ns)
        if len(events):
            if trades:
                out.append(PublicTrades(self._listed.symbol, tuple(trades)))
                out.append(CandlesChanged(self._listed.symbol))
            touch = self._look_at_touch()
            if touch != self._touch or trades:
                if touch[0] != self._touch[0] or touch[2] != self._touch[2]:
                    self.spreads.append((now_ns, touch[0], touch[2]))
                out.append(TickerChanged(self._listed.symbol, bool(trades), touch != self._touch))
                self._touch = touch
            for levels in self._levels.values():
                out += levels.publish(events, now_ns)
            for orders in self._orders.values():
                out += orders.publish(events, now_ns)
        return out

    def watch_levels(self, depth: int) -> None:
        """Make updates of the levels book at a depth from now on. Everything must be published."""
        if depth not in self._levels:
            self._levels[depth] = _LevelFeed(self._floor, depth)

    def watch_orders(self, depth: int) -> None:
        """Make updates of the orders book at a depth from now on. Everything must be published."""
        if depth not in self._orders:
            self._orders[depth] = _OrderFeed(self._house, self._floor, depth)

    def forget(self, depth: int, *, orders: bool) -> None:
        """Stop making updates at a depth."""
        (self._orders if orders else self._levels).pop(depth, None)

    def levels(self, depth: int, now_ns: int) -> BookUpdate:
        """Return the whole levels book of a watched depth, as its subscribers hold it."""
        return self._levels[depth].snapshot(now_ns)

    def orders(self, depth: int, now_ns: int) -> OrdersUpdate:
        """Return the whole orders book of a watched depth, as its subscribers hold it."""
        return self._orders[depth].snapshot(now_ns)

    def ticker(self, now_ns: int) -> Ticker:
        """Return the ticker now."""
        bid, bid_qty, ask, ask_qty = self._touch
        today, day = self.candles.day(now_ns)
        last = self.trades[-1] if self.trades else None
        return Ticker(
            self._listed.symbol,
            now_ns,
            bid,
            bid_qty,
            ask,
            ask_qty,
            last.price if last else day.close,
            last.qty if last else 0,
            (today.volume, day.volume),
            (today.turnover, day.turnover),
            (today.trades, day.trades),
            (today.low, day.low),
            (today.high, day.high),
            (today.open, day.open),
        )

    def _look_at_touch(self) -> tuple[int, int, int, int]:
        listed, found = self._listed, [0, 0, 0, 0]
        for side in (0, 1):
            best = self._floor.market.book.levels(side, 1)
            if len(best):
                found[2 * side : 2 * side + 2] = (
                    int(best[0, 0]) * listed.tick_step,
                    int(best[0, 1]) * listed.lot_step,
                )
        return found[0], found[1], found[2], found[3]

    def _read_trades(self, events: NDArray[np.void]) -> list[PublicTrade]:
        """Return the trades among events; count them in the candles."""
        kinds = events["kind"]
        trades = events[kinds == _TRADE]
        if not len(trades):
            return []
        listed, epoch = self._listed, self._house.epoch_ns
        rested = set(events["handle"][kinds == _RESTED].tolist())
        first_customer, orders = self._floor.first_customer, self._floor.market_orders
        found = []
        for n, (ts, side, price, lots, handle, owner, client) in enumerate(
            zip(
                *(trades[name].tolist() for name in ("ts", "side", "price", "lots", "handle", "owner", "client_id")),
                strict=True,
            ),
            self._next_trade,
        ):
            market = client in orders if owner >= first_customer else handle not in rested
            found.append(
                PublicTrade(
                    n,
                    listed.symbol,
                    epoch + ts,
                    price * listed.tick_step,
                    lots * listed.lot_step,
                    Side(side),
                    market,
                )
            )
        self._next_trade += len(found)
        orders.clear()
        self.trades.extend(found)
        for minute, group in groupby(found, lambda trade: trade.time_ns // MINUTE_NS * MINUTE_NS):
            rows = list(group)
            prices = [trade.price for trade in rows]
            self.candles.trade(
                Candle(
                    minute,
                    prices[0],
                    max(prices),
                    min(prices),
                    prices[-1],
                    sum(trade.qty for trade in rows),
                    sum(trade.price * trade.qty for trade in rows),
                    len(rows),
                )
            )
        return found


class _LevelFeed:
    """Updates of one depth of the levels book: all changes between two calls as one message."""

    def __init__(self, floor: Floor, depth: int) -> None:
        self._floor, self._depth, self._listed = floor, depth, floor.listed
        spec = FeedSpec(View.L2, depth, _HELD_BACK, checksum=True)
        self._feeds = MarketFeeds(floor.market.book, [spec], lot_step=self._listed.lot_step)
        self._seq = 0

    def publish(self, events: NDArray[np.void], now_ns: int) -> list[Event]:
        self._feeds.publish(events)
        (published,) = self._feeds.flush(2 * _HELD_BACK)
        if not len(published.messages):
            return []
        self._seq += 1
        return [self._message(published, now_ns, snapshot=False)]

    def snapshot(self, now_ns: int) -> BookUpdate:
        return self._message(self._feeds.snapshot(0), now_ns, snapshot=True)

    def _message(self, published: Published, now_ns: int, *, snapshot: bool) -> BookUpdate:
        rows, listed = published.rows, self._listed
        entries = np.empty((len(rows), 2), np.int64)
        np.multiply(rows["price"], listed.tick_step, out=entries[:, 0])
        np.multiply(rows["lots"], listed.lot_step, out=entries[:, 1])
        bids = rows["side"] == 0
        if not snapshot:
            # What leaves comes first: a client that cuts its book after each entry must not cut what stays.
            leaving_first = np.argsort(entries[:, 1] > 0, kind="stable")
            entries, bids = entries[leaving_first], bids[leaving_first]
        checksum = int(published.messages["checksum"][-1])
        return BookUpdate(
            listed.symbol, self._depth, self._seq, now_ns, entries[bids], entries[~bids], checksum, snapshot
        )


class _OrderFeed:
    """Updates of one depth of the orders book; it follows along, to tell what is new and what was known."""

    def __init__(self, house: House, floor: Floor, depth: int) -> None:
        self._house, self._floor, self._depth, self._listed = house, floor, depth, floor.listed
        spec = FeedSpec(View.L3, depth, _HELD_BACK, checksum=True)
        self._feeds = MarketFeeds(floor.market.book, [spec], lot_step=self._listed.lot_step)
        self._mirror = BookMirror(View.L3, depth)
        self._mirror.apply(_unchecked(self._feeds.snapshot(0)))
        self._ids: dict[int, str] = {}  # of customers' orders that are shown
        self._seq = 0
        self.snapshot(house.now)

    def publish(self, events: NDArray[np.void], now_ns: int) -> list[Event]:
        self._feeds.publish(events)
        (published,) = self._feeds.flush(2 * _HELD_BACK)
        if not len(published.messages):
            return []
        self._seq += 1
        known = {row[0] for side in (0, 1) for row in self._mirror.orders(side)}
        sides: tuple[list[RestingOrder], list[RestingOrder]] = ([], [])
        for handle, price, lots, ts, side in published.rows.tolist():
            if lots == 0:
                if handle not in known:
                    continue
                known.discard(handle)
                event = "delete"
            else:
                event = "modify" if handle in known else "add"
                known.add(handle)
            sides[side].append(self._entry(event, handle, price, lots, ts))
        self._mirror.apply(_unchecked(published))
        if len(self._ids) > _MOST_IDS:  # orders that left the view before they left the book
            shown = {row[0] for side in (0, 1) for row in self._mirror.orders(side)}
            self._ids = {handle: order_id for handle, order_id in self._ids.items() if handle in shown}
        checksum = int(published.messages["checksum"][-1])
        return [
            OrdersUpdate(
                self._listed.symbol, self._depth, self._seq, now_ns, tuple(sides[0]), tuple(sides[1]), checksum, False
            )
        ]

    def snapshot(self, now_ns: int) -> OrdersUpdate:
        published = self._feeds.snapshot(0)
        sides: tuple[list[RestingOrder], list[RestingOrder]] = ([], [])
        for handle, price, lots, ts, side in published.rows.tolist():
            sides[side].append(self._entry("", handle, price, lots, ts))
        checksum = int(published.messages["checksum"][-1])
        return OrdersUpdate(
            self._listed.symbol, self._depth, self._seq, now_ns, tuple(sides[0]), tuple(sides[1]), checksum, True
        )

    def _entry(self, event: str, handle: int, price: int, lots: int, ts: int) -> RestingOrder:
        listed, house = self._listed, self._house
        serial = self._floor.by_handle.get(handle)
        order = None if serial is None else house.orders.get(serial)
        order_id = self._ids.get(handle)
        if order is not None:
            order_id = self._ids[handle] = order.id
        elif order_id is None:
            order_id = house.resident_id(listed.symbol, handle)
        if event == "delete":
            self._ids.pop(handle, None)
        return RestingOrder(
            event, order_id, price * listed.tick_step, lots * listed.lot_step, house.epoch_ns + max(0, ts)
        )


def _unchecked(published: Published) -> Published:
    """Return messages whose checksums a mirror does not compare."""
    messages = published.messages.copy()
    messages["checksum"] = -1
    return Published(messages, published.rows)
