"""Orders from placing to leaving: what is reported, in which order, and what becomes of the money."""

from __future__ import annotations

import pytest
from tests.support.exchanges import CROSS, ETH, QTY, entries, held, kinds, limit, market, owned, reports, small_exchange

from mycelial.market.book import Mode
from mycelial.simulation.exchange.commands import (
    UNITS,
    AddBatch,
    Added,
    AddedBatch,
    AddOrder,
    Amend,
    Amended,
    Cancel,
    CancelAll,
    CancelAllAfter,
    CancelBatch,
    Canceled,
    Close,
    Edit,
    Edited,
    OrderType,
    Price,
    PriceKind,
    Refused,
    Reject,
    Side,
    Stp,
    SwitchSet,
    TimeInForce,
)
from mycelial.simulation.exchange.exchange import SECOND_NS, SimulatedExchange
from mycelial.simulation.exchange.reports import ModeChanged, OrderStatus

FAR = 50_000  # cents below or above the market where nobody trades


@pytest.fixture
def exchange() -> SimulatedExchange:
    return small_exchange()


def place(exchange: SimulatedExchange, command: AddOrder, account: int = 0) -> str:
    outcome = exchange.submit(account, command)
    assert isinstance(outcome, Added), outcome
    return outcome.order_id


def refused(exchange: SimulatedExchange, command: object, account: int = 0) -> Reject:
    outcome = exchange.submit(account, command)  # type: ignore[arg-type]
    assert isinstance(outcome, Refused), outcome
    return outcome.reason


def test_trades_before_the_opening_trigger_nothing():
    exchange = SimulatedExchange([ETH], 3, warm_up_ns=20 * SECOND_NS, history=False)
    last, low = exchange.ticker(ETH).last, min(trade.price for trade in exchange.trades(ETH, 1_000))
    stop = AddOrder(symbol=ETH, side=Side.SELL, type=OrderType.STOP_LOSS, qty=QTY, trigger=Price(low))

    order = place(exchange, stop)

    assert low < last
    assert kinds(exchange.drain(), order) == ["pending_new", "new"]


def test_market_order_is_pending_then_new_then_trades_then_filled(exchange):
    order = place(exchange, market(Side.BUY, QTY))

    told = exchange.drain()
    sequence = kinds(told, order)
    assert sequence[:2] == ["pending_new", "new"]
    assert sequence[-1] == "filled"
    assert set(sequence[2:-1]) == {"trade"}
    trades = [one.trade for one in reports(told) if one.trade is not None]
    assert sum(trade.qty for trade in trades) == QTY
    assert not any(trade.maker for trade in trades)


def test_fill_moves_cost_and_fee_and_nothing_else(exchange):
    usd, eth = owned(exchange, 0, "USD"), owned(exchange, 0, "ETH")

    place(exchange, market(Side.BUY, QTY // 2))

    trades = [one.trade for one in reports(exchange.drain()) if one.trade is not None]
    cost, fee = sum(trade.cost for trade in trades), sum(trade.fee for trade in trades)
    assert owned(exchange, 0, "USD") == usd - cost - fee
    assert owned(exchange, 0, "ETH") == eth + UNITS // 2
    assert cost == sum(trade.price * trade.qty for trade in trades) * UNITS // 10**10
    assert fee == sum((trade.cost * 4 // 1_000 + UNITS // 200_000) // 10**9 * 10**9 for trade in trades)
    assert held(exchange, 0, "USD") == 0


def test_each_fill_makes_two_ledger_entries_with_one_reference(exchange):
    place(exchange, market(Side.SELL, QTY // 10))

    told = exchange.drain()
    trades = [one.trade for one in reports(told) if one.trade is not None]
    for trade in trades:
        pair = [entry for entry in entries(told) if entry.ref_id == trade.trade_id]
        assert {entry.asset for entry in pair} == {"ETH", "USD"}
        assert [entry.ledger_id for entry in pair] == list(trade.ledger_ids)
    assert exchange.ledger(0, kind="trade").whole == 2 * len(trades)
    for balance in exchange.balances(0):
        rows = exchange.ledger(0, assets=[balance.asset], most=1_000).rows
        assert sum(row.amount - row.fee for row in rows) == rows[0].balance == balance.total


def test_resting_buy_holds_price_times_quantity_and_the_fee_until_it_is_cancelled(exchange):
    price = exchange.ticker(ETH).bid - FAR

    order = place(exchange, limit(Side.BUY, 2 * QTY, price))

    cost = price * 2 * UNITS // 100
    assert held(exchange, 0, "USD") == cost + cost * 4 // 1_000
    assert exchange.submit(0, Cancel(order_id=order)) == Canceled((order,))
    assert held(exchange, 0, "USD") == 0
    assert kinds(exchange.drain(), order) == ["pending_new", "new", "canceled"]
    assert exchange.orders(0, [order])[order].reason == "User requested"


def test_maker_pays_the_maker_rate_and_hears_of_its_fill(exchange):
    ticker = exchange.ticker(ETH)
    price = (ticker.bid + ticker.ask) // 2 if ticker.ask - ticker.bid > 1 else ticker.bid
    resting = place(exchange, limit(Side.BUY, QTY // 100, price + 0, post_only=True))
    exchange.drain()

    place(exchange, market(Side.SELL, 200 * QTY // 1), account=1)

    told = [one for one in reports(exchange.drain()) if one.order_id == resting and one.trade is not None]
    trade = told[0].trade
    assert trade is not None
    assert trade.maker
    assert trade.fee == (trade.cost * 25 // 10_000 + UNITS // 200_000) // 10**9 * 10**9


def test_orders_that_cost_too_much_are_refused_and_change_nothing(exchange):
    bid = exchange.ticker(ETH).bid
    before = exchange.balances(0)

    assert refused(exchange, limit(Side.BUY, 400 * QTY, bid - FAR)) is Reject.INSUFFICIENT_FUNDS
    assert refused(exchange, limit(Side.SELL, 201 * QTY, bid + FAR)) is Reject.INSUFFICIENT_FUNDS
    assert exchange.balances(0) == before
    assert kinds(exchange.drain()) == []


def test_one_wallet_pays_for_orders_on_all_pairs(exchange):
    place(exchange, limit(Side.SELL, 150 * QTY, exchange.ticker(ETH).ask + FAR))

    cross = limit(Side.SELL, 51 * QTY, exchange.ticker(CROSS).ask + 1_000, CROSS)

    assert refused(exchange, cross) is Reject.INSUFFICIENT_FUNDS
    place(exchange, limit(Side.SELL, 50 * QTY, exchange.ticker(CROSS).ask + 1_000, CROSS))
    assert held(exchange, 0, "ETH") == 200 * UNITS


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (limit(Side.BUY, QTY // 2_000, 300_000), Reject.ORDER_MINIMUM),
        (limit(Side.BUY, QTY // 100, 10), Reject.COST_MINIMUM),
        (limit(Side.BUY, QTY, 0), Reject.INVALID_PRICE),
        (limit(Side.BUY, QTY, 10**9), Reject.INVALID_PRICE),
        (limit(Side.BUY, QTY, 300_000, symbol="XMR/USD"), Reject.UNKNOWN_PAIR),
        (limit(Side.BUY, QTY, 300_000, display=QTY), Reject.INVALID_ARGUMENTS),
        (limit(Side.BUY, QTY, 300_000, margin=True), Reject.MARGIN_ALLOWANCE),
        (limit(Side.BUY, QTY, 300_000, reduce_only=True), Reject.NO_POSITION),
        (limit(Side.BUY, QTY, 300_000, cl_ord_id="a", userref=1), Reject.INVALID_ARGUMENTS),
        (limit(Side.BUY, QTY, 300_000, time_in_force=TimeInForce.GTD), Reject.INVALID_ARGUMENTS),
        (limit(Side.BUY, QTY, 300_000, post_only=True, time_in_force=TimeInForce.IOC), Reject.INVALID_ARGUMENTS),
        (limit(Side.BUY, QTY, 300_000, deadline_ns=1), Reject.DEADLINE_ELAPSED),
        (market(Side.BUY, QTY, time_in_force=TimeInForce.FOK), Reject.INVALID_ARGUMENTS),
        (AddOrder(symbol=ETH, side=Side.BUY, type=OrderType.SETTLE_POSITION, qty=QTY), Reject.NO_POSITION),
        (AddOrder(symbol=ETH, side=Side.BUY, type=OrderType.LIMIT, qty=QTY), Reject.INVALID_ARGUMENTS),
        (AddOrder(symbol=ETH, side=Side.SELL, type=OrderType.MARKET, cash_qty=UNITS), Reject.INVALID_ARGUMENTS),
    ],
)
def test_orders_that_cannot_be_are_refused_by_name(exchange, command, reason):
    assert refused(exchange, command) is reason
    assert exchange.open_orders(0) == ()


def test_post_only_order_that_would_take_is_refused(exchange):
    ask = exchange.ticker(ETH).ask

    assert refused(exchange, limit(Side.BUY, QTY, ask, post_only=True)) is Reject.POST_ONLY
    place(exchange, limit(Side.BUY, QTY, ask - FAR, post_only=True))


def test_ioc_cancels_the_rest_and_fok_trades_all_or_nothing(exchange):
    ticker = exchange.ticker(ETH)
    much = ticker.ask_qty + 10 * QTY

    ioc = place(exchange, limit(Side.BUY, much, ticker.ask, time_in_force=TimeInForce.IOC))
    told = exchange.drain()
    assert kinds(told, ioc)[-1] == "canceled"
    assert reports(told)[-1].cum_qty == ticker.ask_qty
    ticker = exchange.ticker(ETH)
    fok = place(exchange, limit(Side.BUY, much, ticker.ask, time_in_force=TimeInForce.FOK))
    assert kinds(exchange.drain(), fok) == ["pending_new", "new", "canceled"]
    assert held(exchange, 0, "USD") == 0


def test_market_buy_by_cash_spends_what_it_was_given(exchange):
    before = owned(exchange, 0, "USD")
    order = place(exchange, AddOrder(symbol=ETH, side=Side.BUY, type=OrderType.MARKET, cash_qty=5_000 * UNITS))

    state = exchange.orders(0, [order])[order]
    assert state.status is OrderStatus.FILLED
    assert 0 <= 5_000 * UNITS - state.cum_cost < UNITS // 100  # less than one more lot would cost
    assert before - owned(exchange, 0, "USD") == state.cum_cost + state.cum_fee


def test_fee_in_base_is_taken_from_what_is_bought(exchange):
    before = owned(exchange, 0, "ETH")

    order = place(exchange, market(Side.BUY, QTY, fee_in_base=True))

    state = exchange.orders(0, [order])[order]
    assert state.fee_asset == "ETH"
    assert owned(exchange, 0, "ETH") == before + UNITS - state.cum_fee
    assert state.cum_fee == pytest.approx(UNITS * 0.004, rel=1e-4)


def test_gtd_order_expires_on_time(exchange):
    until = exchange.now + 3 * SECOND_NS
    price = exchange.ticker(ETH).bid - FAR
    order = place(exchange, limit(Side.BUY, QTY, price, time_in_force=TimeInForce.GTD, expires_ns=until))

    exchange.advance(until - 1)
    assert exchange.orders(0, [order])[order].status is OrderStatus.NEW
    exchange.advance(until)

    state = exchange.orders(0, [order])[order]
    assert state.status is OrderStatus.EXPIRED
    assert state.closed_ns == until
    assert held(exchange, 0, "USD") == 0


def test_order_with_a_start_time_waits_for_it(exchange):
    starts = exchange.now + 2 * SECOND_NS
    order = place(exchange, limit(Side.BUY, QTY, exchange.ticker(ETH).bid - FAR, starts_ns=starts))

    assert kinds(exchange.drain(), order) == ["pending_new"]
    assert exchange.open_orders(0)[0].waits_to_start
    exchange.advance(starts)
    assert kinds(exchange.drain(), order) == ["new"]
    assert exchange.open_orders(0)[0].status is OrderStatus.NEW


def test_iceberg_reports_its_refills(exchange):
    ticker = exchange.ticker(ETH)
    price = ticker.bid + 1 if ticker.ask - ticker.bid > 1 else ticker.bid
    order = place(
        exchange,
        AddOrder(symbol=ETH, side=Side.BUY, type=OrderType.ICEBERG, qty=6 * QTY, limit=Price(price), display=2 * QTY),
    )
    exchange.drain()

    place(exchange, market(Side.SELL, 150 * QTY), account=1)

    sequence = kinds(exchange.drain(), order)
    assert sequence.count("iceberg_refill") == 2
    assert sequence[-1] == "filled"


def test_self_trade_is_prevented_as_the_taker_says(exchange):
    ticker = exchange.ticker(ETH)
    inside = ticker.bid + 1 if ticker.ask - ticker.bid > 1 else ticker.bid
    other = ticker.ask - 1 if ticker.ask - ticker.bid > 1 else ticker.ask
    resting = place(exchange, limit(Side.SELL, QTY, other))
    exchange.drain()

    taker = place(exchange, limit(Side.BUY, 300 * QTY // 2, inside + FAR // 50, stp=Stp.CANCEL_OLDEST))

    told = exchange.drain()
    assert kinds(told, resting) == ["canceled"]
    assert exchange.orders(0, [resting])[resting].reason == "Self trade prevention"
    assert "canceled" not in kinds(told, taker)


def test_stop_loss_waits_fires_and_sells(exchange):
    bid = exchange.ticker(ETH).bid
    order = place(
        exchange, AddOrder(symbol=ETH, side=Side.SELL, type=OrderType.STOP_LOSS, qty=QTY, trigger=Price(bid - 4))
    )
    assert held(exchange, 0, "ETH") == UNITS
    assert kinds(exchange.drain(), order) == ["pending_new", "new"]

    told = []
    while "status" not in kinds(told, order):
        place(exchange, market(Side.SELL, 5 * QTY), account=1)
        told += exchange.drain()

    sequence = kinds(told, order)
    assert sequence[0] == "status"
    assert sequence[-1] == "filled"
    assert exchange.orders(0, [order])[order].trigger_fired
    assert held(exchange, 0, "ETH") == 0


def test_take_profit_limit_and_trailing_stop_keep_to_their_prices(exchange):
    ticker = exchange.ticker(ETH)
    profit = place(
        exchange,
        AddOrder(
            symbol=ETH,
            side=Side.SELL,
            type=OrderType.TAKE_PROFIT_LIMIT,
            qty=QTY,
            trigger=Price(ticker.ask + FAR),
            limit=Price(ticker.ask + FAR - 10),
        ),
    )
    trail = place(
        exchange,
        AddOrder(
            symbol=ETH,
            side=Side.SELL,
            type=OrderType.TRAILING_STOP,
            qty=QTY,
            trigger=Price(10_000, PriceKind.PERCENT),
        ),
    )

    terms = {one.order_id: one.terms for one in exchange.open_orders(0)}
    assert terms[profit].limit == ticker.ask + FAR - 10
    last = exchange.ticker(ETH).last
    assert terms[trail].trigger == last - -(-last // 100)


def test_relative_price_is_an_offset_from_the_last_trade(exchange):
    last = exchange.ticker(ETH).last
    order = place(
        exchange,
        AddOrder(symbol=ETH, side=Side.BUY, type=OrderType.LIMIT, qty=QTY, limit=Price(-5_000, PriceKind.QUOTE)),
    )

    assert exchange.orders(0, [order])[order].terms.limit == last - 5_000


def test_each_fill_makes_a_conditional_close_of_its_size(exchange):
    ask = exchange.ticker(ETH).ask
    primary = place(exchange, market(Side.BUY, QTY, close=Close(OrderType.LIMIT, limit=Price(ask + FAR))))

    fills = exchange.own_trades(0).rows
    closes = exchange.open_orders(0)
    assert sorted(one.terms.qty for one in closes) == sorted(trade.qty for trade in fills if trade.qty >= QTY // 1_000)
    assert all(one.terms.side is Side.SELL and one.parent_id == primary for one in closes)


def test_amend_keeps_the_id_changes_the_hold_and_is_reported(exchange):
    price = exchange.ticker(ETH).bid - FAR
    order = place(exchange, limit(Side.BUY, 2 * QTY, price, cl_ord_id="mine"))
    exchange.drain()

    outcome = exchange.submit(0, Amend(cl_ord_id="mine", qty=QTY, limit=Price(price - 100)))

    assert isinstance(outcome, Amended)
    assert outcome.order_id == order
    assert kinds(exchange.drain(), order) == ["amended"]
    cost = (price - 100) * UNITS // 100
    assert held(exchange, 0, "USD") == cost + cost * 4 // 1_000
    assert exchange.open_orders(0)[0].amended
    versions = exchange.amends(0, order)
    assert [(one.kind, one.terms.qty, one.terms.limit) for one in versions] == [
        ("original", 2 * QTY, price),
        ("user", QTY, price - 100),
    ]
    assert versions[1].amend_id == outcome.amend_id
    assert exchange.amends(1, order) == ()


def test_amend_that_changes_nothing_or_costs_too_much_leaves_the_order_as_it_was(exchange):
    price = exchange.ticker(ETH).bid - FAR
    order = place(exchange, limit(Side.BUY, QTY, price))
    before = exchange.open_orders(0), exchange.balances(0)

    assert refused(exchange, Amend(order_id=order)) is Reject.NO_CHANGE
    assert refused(exchange, Amend(order_id=order, qty=1_000 * QTY)) is Reject.INSUFFICIENT_FUNDS
    assert refused(exchange, Amend(order_id=order, limit=Price(exchange.ticker(ETH).ask), post_only=True)) is (
        Reject.POST_ONLY
    )
    assert (exchange.open_orders(0), exchange.balances(0)) == before


def test_amend_across_the_spread_trades(exchange):
    ticker = exchange.ticker(ETH)
    order = place(exchange, limit(Side.BUY, QTY // 100, ticker.bid - FAR))
    exchange.drain()

    exchange.submit(0, Amend(order_id=order, limit=Price(ticker.ask + 100)))

    assert kinds(exchange.drain(), order) == ["amended", "trade", "filled"]


def test_edit_gives_a_new_id_and_loses_the_client_id(exchange):
    price = exchange.ticker(ETH).bid - FAR
    old = place(exchange, limit(Side.BUY, 100 * QTY, price, userref=7))
    exchange.drain()

    outcome = exchange.submit(0, Edit(order_id=old, symbol=ETH, limit=Price(price - 1)))

    assert isinstance(outcome, Edited)
    assert outcome.original_id == old
    assert outcome.original_userref == 7
    told = exchange.drain()
    assert kinds(told, old) == ["canceled"]
    assert kinds(told, outcome.order_id) == ["pending_new", "new"]
    assert [one.order_id for one in exchange.open_orders(0)] == [outcome.order_id]
    assert exchange.open_orders(0)[0].userref is None


def test_edit_of_an_order_that_is_not_there_costs_its_fixed_point(exchange):
    assert refused(exchange, Edit(order_id="OGONE", symbol=ETH, qty=QTY)) is Reject.UNKNOWN_ORDER
    assert exchange.counter(0, ETH) == 10**15


def test_batch_refuses_all_for_a_bad_row_and_one_for_a_poor_one(exchange):
    price = exchange.ticker(ETH).bid - FAR
    good, poor = limit(Side.BUY, QTY, price), limit(Side.BUY, 10_000 * QTY, price)

    assert refused(exchange, AddBatch(orders=(good, limit(Side.BUY, 1, price)))) is Reject.ORDER_MINIMUM
    assert exchange.open_orders(0) == ()
    outcome = exchange.submit(0, AddBatch(orders=(good, poor, good)))
    assert isinstance(outcome, AddedBatch)
    assert [type(row) for row in outcome.rows] == [Added, Refused, Added]
    assert len(exchange.open_orders(0)) == 2


def test_cancels_by_client_id_userref_batch_and_all(exchange):
    price = exchange.ticker(ETH).bid - FAR
    first = place(exchange, limit(Side.BUY, QTY, price, cl_ord_id="one"))
    refs = [place(exchange, limit(Side.BUY, QTY, price, userref=5)) for _ in range(2)]
    batch = [place(exchange, limit(Side.BUY, QTY, price)) for _ in range(2)]
    rest = [place(exchange, limit(Side.SELL, QTY, price + 3 * FAR)) for _ in range(2)]

    assert exchange.submit(0, Cancel(cl_ord_id="one")) == Canceled((first,))
    assert exchange.submit(0, Cancel(userref=5)) == Canceled(tuple(refs))
    wanted = (*(Cancel(order_id=one) for one in batch), Cancel(order_id="OGONE"))
    assert exchange.submit(0, CancelBatch(orders=wanted)) == Canceled(tuple(batch))
    assert exchange.submit(0, CancelAll()) == Canceled(tuple(rest))
    assert refused(exchange, Cancel(order_id=first)) is Reject.UNKNOWN_ORDER
    assert exchange.open_orders(0) == ()


def test_nobody_can_touch_or_see_the_orders_of_another(exchange):
    order = place(exchange, limit(Side.BUY, QTY, exchange.ticker(ETH).bid - FAR, cl_ord_id="secret"))

    for command in (Cancel(order_id=order), Cancel(cl_ord_id="secret"), Amend(order_id=order, qty=2 * QTY)):
        assert refused(exchange, command, account=1) is Reject.UNKNOWN_ORDER
    assert exchange.orders(1, [order]) == {}
    assert exchange.open_orders(1) == ()


def test_client_id_is_unique_among_open_orders_only(exchange):
    price = exchange.ticker(ETH).bid - FAR
    place(exchange, limit(Side.BUY, QTY, price, cl_ord_id="again"))

    assert refused(exchange, limit(Side.BUY, QTY, price, cl_ord_id="again")) is Reject.DUPLICATE_CLIENT_ID
    exchange.submit(0, Cancel(cl_ord_id="again"))
    place(exchange, limit(Side.BUY, QTY, price, cl_ord_id="again"))


def test_dead_mans_switch_cancels_everything_once(exchange):
    price = exchange.ticker(ETH).bid - FAR
    order = place(exchange, limit(Side.BUY, QTY, price))

    outcome = exchange.submit(0, CancelAllAfter(5))
    assert outcome == SwitchSet(exchange.now, exchange.now + 5 * SECOND_NS)
    exchange.advance(exchange.now + 3 * SECOND_NS)
    exchange.submit(0, CancelAllAfter(5))
    exchange.advance(exchange.now + 4 * SECOND_NS)
    assert exchange.open_orders(0)[0].order_id == order
    exchange.advance(exchange.now + SECOND_NS)
    assert exchange.open_orders(0) == ()
    assert exchange.counter(0, ETH) == 10**15 * 1  # one point for the pair that was swept
    later = place(exchange, limit(Side.BUY, QTY, price))
    exchange.advance(exchange.now + 10 * SECOND_NS)
    assert exchange.open_orders(0)[0].order_id == later


@pytest.mark.parametrize(
    ("mode", "new", "post", "cancel"),
    [
        (Mode.MAINTENANCE, Reject.UNAVAILABLE, Reject.UNAVAILABLE, Reject.UNAVAILABLE),
        (Mode.CANCEL_ONLY, Reject.MARKET_CANCEL_ONLY, Reject.MARKET_CANCEL_ONLY, None),
        (Mode.POST_ONLY, Reject.MARKET_POST_ONLY, None, None),
        (Mode.REDUCE_ONLY, Reject.MARKET_REDUCE_ONLY, Reject.MARKET_REDUCE_ONLY, None),
    ],
)
def test_modes_let_in_what_they_should(exchange, mode, new, post, cancel):
    price = exchange.ticker(ETH).bid - FAR
    order = place(exchange, limit(Side.BUY, QTY, price))

    exchange.set_mode(mode)

    for command, reason in (
        (limit(Side.BUY, QTY, price), new),
        (limit(Side.BUY, QTY, price, post_only=True), post),
        (Cancel(order_id=order), cancel),
    ):
        outcome = exchange.submit(0, command)
        assert (outcome.reason if isinstance(outcome, Refused) else None) is reason
    exchange.set_mode(Mode.ONLINE)
    place(exchange, limit(Side.BUY, QTY, price))


def test_one_pair_can_stand_in_a_mode_of_its_own(exchange):
    exchange.set_mode(Mode.LIMIT_ONLY, CROSS)

    assert refused(exchange, market(Side.SELL, QTY, CROSS)) is Reject.MARKET_LIMIT_ONLY
    place(exchange, market(Side.SELL, QTY))
    told = [event for event in exchange.drain() if isinstance(event, ModeChanged)]
    assert [(one.symbol, one.mode) for one in told] == [(CROSS, Mode.LIMIT_ONLY)]


def test_validation_places_nothing(exchange):
    outcome = exchange.submit(0, limit(Side.BUY, QTY, exchange.ticker(ETH).bid - FAR, validate=True))

    assert isinstance(outcome, Added)
    assert outcome.order_id == ""
    assert exchange.open_orders(0) == ()
    assert exchange.counter(0, ETH) == 0


def test_open_orders_are_capped_by_tier(exchange):
    price = exchange.ticker(ETH).bid - FAR
    starter = 4
    for _ in range(60):
        outcome = exchange.submit(starter, limit(Side.BUY, QTY // 100, price))
        exchange.advance(exchange.now + 2 * SECOND_NS)
        assert isinstance(outcome, Added)

    assert refused(exchange, limit(Side.BUY, QTY // 100, price), starter) is Reject.ORDERS_LIMIT


def test_every_refused_order_of_a_flood_is_counted():
    exchange, starter = small_exchange(), 4
    too_small = limit(Side.BUY, 1, 300_000)

    refusals = [refused(exchange, too_small, starter) for _ in range(200)]

    assert refusals == [Reject.ORDER_MINIMUM] * 60 + [Reject.RATE_LIMIT] * 140
    assert exchange.counter(starter, ETH) == 200 * 10**15
    exchange.advance(exchange.now + 141 * SECOND_NS)  # one point a second
    assert refused(exchange, too_small, starter) is Reject.ORDER_MINIMUM


def test_volume_of_thirty_days_lowers_the_fee_with_the_next_fill(exchange):
    assert exchange.fee_rates(0, ETH) == (2_500, 4_000)
    for _ in range(10):
        place(exchange, market(Side.BUY, QTY // 2))

    assert exchange.volume(0) > 10_000 * 10**6
    assert exchange.fee_rates(0, ETH) == (2_000, 3_500)
    exchange.drain()
    place(exchange, market(Side.SELL, QTY // 10))
    trade = next(one.trade for one in reports(exchange.drain()) if one.trade is not None)
    assert trade.fee == (trade.cost * 35 // 10_000 + UNITS // 200_000) // 10**9 * 10**9


def test_histories_are_paged_newest_first(exchange):
    price = exchange.ticker(ETH).bid - FAR
    made = []
    for _ in range(7):
        made.append(place(exchange, limit(Side.BUY, QTY, price)))
        exchange.submit(0, Cancel(order_id=made[-1]))
        exchange.advance(exchange.now + 20 * SECOND_NS)

    page = exchange.closed_orders(0, offset=2, most=3)
    assert page.whole == 7
    assert [one.order_id for one in page.rows] == made[4:1:-1]
    middle = exchange.orders(0, [made[3]])[made[3]].closed_ns
    assert [one.order_id for one in exchange.closed_orders(0, start_ns=middle, by="close").rows] == made[:3:-1]
