"""Orders that are there already: amended in place, replaced, cancelled, or all swept away."""

from __future__ import annotations

from mycelial.market.book import Mode
from mycelial.market.rate_counters import Transaction
from mycelial.simulation.exchange import entering
from mycelial.simulation.exchange.checking import mode_allows, terms_of, would_take
from mycelial.simulation.exchange.commands import (
    AddOrder,
    Amend,
    Amended,
    Cancel,
    CancelAllAfter,
    CancelBatch,
    Canceled,
    Edit,
    Edited,
    OrderType,
    Price,
    PriceKind,
    Refused,
    Reject,
    SwitchSet,
    TimeInForce,
)
from mycelial.simulation.exchange.house import House, Order
from mycelial.simulation.exchange.reports import AmendRecord, ExecType, OrderStatus, Terms
from mycelial.simulation.exchange.settling import USER_REQUESTED, absorb, was_rejected
from mycelial.simulation.exchange.triggering import stop_waiting

_SECOND = 10**9


def amend(house: House, account: int, command: Amend) -> Amended | Refused:
    """Change an order in place: same ids, and its place in the queue where the engine keeps it."""
    if command.deadline_ns and house.now > command.deadline_ns:
        return Refused(Reject.DEADLINE_ELAPSED)
    order = _named(house, account, command.order_id, command.cl_ord_id)
    if order is None:
        return Refused(Reject.UNKNOWN_ORDER)
    symbol = order.terms.symbol
    over = house.charge(account, symbol, Transaction.AMEND, (house.now - order.aged_ns,))
    if over is not None:
        return Refused(over)
    terms = _amended_terms(house, account, order, command)
    if isinstance(terms, Refused):
        return terms
    if terms == order.terms:
        return Refused(Reject.NO_CHANGE)
    refused = mode_allows(house, terms)
    if refused is not None:
        return refused
    former, held = order.terms, order.held
    order.terms = terms
    left, listed = terms.qty - order.qty_filled, house.listings[symbol]
    if left > 0:
        in_book = order.handle >= 0
        hold = house.needed(order, left, terms.limit) if in_book else entering.waiting_hold(house, account, order)
        if not house.hold(order, hold):
            order.terms = former
            return Refused(Reject.INSUFFICIENT_FUNDS)
    if terms.qty // listed.lot_step > listed.instrument.max_lots:
        order.terms = former
        house.hold(order, held)
        return Refused(Reject.INVALID_ARGUMENTS, "order_qty")
    refused = _carry_out(house, order, former)
    if refused is not None:
        order.terms = former
        house.hold(order, held)
        return refused
    if not order.amends:
        order.amends.append(AmendRecord(house.ids.next("T"), "original", order.opened_ns, former, former.qty, ""))
    made = AmendRecord(house.ids.next("T"), "user", house.now, terms, max(0, left), USER_REQUESTED)
    order.amends.append(made)
    order.amended, order.aged_ns = True, house.now
    return Amended(made.amend_id, order.id, order.cl_ord_id)


def _carry_out(house: House, order: Order, former: Terms) -> Refused | None:
    """Tell engine or triggers of an order's new terms."""
    terms = order.terms
    floor, listed = house.floors[terms.symbol], house.listings[terms.symbol]
    if order.handle >= 0:
        order.amended = True
        relevant = floor.amend(
            order.account,
            order.handle,
            -1 if terms.limit == former.limit else terms.limit // listed.tick_step,
            -1 if terms.qty == former.qty else terms.qty // listed.lot_step,
            -1 if terms.display == former.display else terms.display // listed.lot_step,
        )
        why = was_rejected(relevant)
        if why:
            order.amended = False
            return entering.refusal_of(why)
        absorb(house, floor, relevant)
        return None
    order.amended = True
    house.report(order, ExecType.AMENDED, house.now, reason=USER_REQUESTED)
    if order.waiting >= 0 and terms.trigger != former.trigger:
        house.triggers[terms.symbol].amend(order.waiting, price=terms.trigger // listed.tick_step)
    return None


def _amended_terms(house: House, account: int, order: Order, command: Amend) -> Terms | Refused:
    """Return an order's terms after an amend, checked like those of a new order."""
    terms = order.terms
    if command.trigger is not None and order.fired:
        return Refused(Reject.ALREADY_TRIGGERED)
    if command.trigger is not None and not terms.type.waits:
        return Refused(Reject.INVALID_ARGUMENTS, "trigger_price")
    if command.display is not None and terms.type is not OrderType.ICEBERG:
        return Refused(Reject.INVALID_ARGUMENTS, "display_qty")
    if command.limit is not None and not terms.type.has_limit:
        return Refused(Reject.INVALID_ARGUMENTS, "limit_price")
    if terms.type.trails and (command.trigger is not None or command.limit is not None):
        return Refused(Reject.INVALID_ARGUMENTS, "trigger_price")
    qty = terms.qty if command.qty is None else command.qty
    display = terms.display if command.display is None else command.display
    limit = Price(terms.limit) if command.limit is None else command.limit
    trigger = Price(terms.trigger) if command.trigger is None else command.trigger
    if terms.type.trails:
        limit, trigger = Price(terms.limit_offset, PriceKind.QUOTE), _offset(terms)
    probe = AddOrder(
        symbol=terms.symbol,
        side=terms.side,
        type=terms.type,
        qty=qty,
        limit=limit if terms.type.has_limit else None,
        trigger=trigger if terms.type.waits else None,
        reference=terms.reference,
        display=min(display, qty) if display else 0,
        time_in_force=TimeInForce.GTC,
    )
    least = house.listings[terms.symbol].instrument.min_lots * house.listings[terms.symbol].lot_step
    if command.qty is not None and 0 < qty <= order.qty_filled and qty < least:
        return terms._replace(qty=order.qty_filled)  # what is filled stays, the rest goes
    made = terms_of(house, account, probe)
    if isinstance(made, Refused):
        return made
    post = command.post_only or terms.post_only
    if post and order.handle >= 0 and made.limit != terms.limit and would_take(house, made, made.limit):
        return Refused(Reject.POST_ONLY)
    return terms._replace(qty=made.qty, display=made.display, limit=made.limit, trigger=made.trigger or terms.trigger)


def _offset(terms: Terms) -> Price:
    return Price(terms.offset, PriceKind.QUOTE) if terms.offset else Price(terms.offset_ppm, PriceKind.PERCENT)


def edit(house: House, account: int, command: Edit) -> Edited | Refused:
    """Cancel an order and place one like it, with a new id."""
    if command.deadline_ns and house.now > command.deadline_ns:
        return Refused(Reject.DEADLINE_ELAPSED)
    if command.symbol not in house.floors:
        return Refused(Reject.UNKNOWN_PAIR)
    order = _named(house, account, command.order_id, "")
    if order is not None and order.terms.symbol != command.symbol:
        order = None
    if not command.validate:
        ages = () if order is None else (house.now - order.aged_ns,)
        over = house.charge(account, command.symbol, Transaction.EDIT, ages)
        if over is not None:
            return Refused(over)
    if order is None:
        return Refused(Reject.UNKNOWN_ORDER)
    terms = order.terms
    if order.fired or terms.close is not None:
        return Refused(Reject.INVALID_ORDER)
    limit, trigger = Price(terms.limit), Price(terms.trigger)
    if terms.type.trails:
        limit, trigger = Price(terms.limit_offset, PriceKind.QUOTE), _offset(terms)
    left = terms.qty - order.qty_filled
    anew = AddOrder(
        symbol=terms.symbol,
        side=terms.side,
        type=terms.type,
        qty=left if command.qty is None else command.qty,
        limit=(command.limit or limit) if terms.type.has_limit else None,
        trigger=(command.trigger or trigger) if terms.type.waits else None,
        reference=terms.reference,
        display=terms.display if command.display is None else command.display,
        time_in_force=terms.time_in_force,
        post_only=command.post_only,
        fee_in_base=terms.fee_in_base if command.fee_in_base is None else command.fee_in_base,
        starts_ns=terms.starts_ns,
        expires_ns=terms.expires_ns,
        userref=command.userref,
        stp=terms.stp,
        validate=command.validate,
    )
    made = terms_of(house, account, anew)
    if isinstance(made, Refused):
        return made
    refused = mode_allows(house, made)
    if refused is None and made.post_only and would_take(house, made, made.limit):
        refused = Refused(Reject.POST_ONLY)
    if refused is not None:
        return refused
    if command.validate:
        return Edited("", order.id, anew, made.limit, made.trigger, order.userref)
    if not _affords(house, order, made):
        return Refused(Reject.INSUFFICIENT_FUNDS)
    _remove(house, order, "Order replaced")
    added = entering.admit(house, account, anew, made)
    if isinstance(added, Refused):
        return added
    return Edited(added.order_id, order.id, anew, made.limit, made.trigger, order.userref)


def _affords(house: House, order: Order, terms: Terms) -> bool:
    """Tell whether the funds that an order holds and what is free pay for one that replaces it."""
    probe = Order(0, order.account, "", "", None, terms, house.now)
    waits = terms.starts_ns or terms.type.waits
    need = entering.waiting_hold(house, order.account, probe) if waits else house.needed(probe, terms.qty, terms.limit)
    return need <= house.wallets[order.account].free(house.held_asset(terms)) + order.held


def cancel(house: House, account: int, command: Cancel) -> Canceled | Refused:
    """Cancel one order, or all with a userref."""
    orders = _meant(house, account, command)
    if not orders:
        return Refused(Reject.UNKNOWN_ORDER)
    gone: list[str] = []
    for order in orders:
        over = house.charge(account, order.terms.symbol, Transaction.CANCEL, (house.now - order.aged_ns,))
        if over is not None:
            return Canceled(tuple(gone)) if gone else Refused(over)
        refused = _closed(house, order)
        if refused is not None:
            return refused
        _remove(house, order, USER_REQUESTED)
        gone.append(order.id)
    return Canceled(tuple(gone))


def cancel_batch(house: House, account: int, command: CancelBatch) -> Canceled | Refused:
    """Cancel several orders; those not open are passed over."""
    if not 1 <= len(command.orders) <= house.venue.batches.cancel_most:
        return Refused(Reject.INVALID_ARGUMENTS, "orders")
    found: dict[str, Order] = {}
    for one in command.orders:
        found |= {order.id: order for order in _meant(house, account, one)}
    if not found:
        return Refused(Reject.UNKNOWN_ORDER)
    by_symbol: dict[str, list[Order]] = {}
    for order in found.values():
        by_symbol.setdefault(order.terms.symbol, []).append(order)
    gone: list[str] = []
    for symbol, orders in by_symbol.items():
        ages = [house.now - order.aged_ns for order in orders]
        over = house.charge(account, symbol, Transaction.BATCH_CANCEL, ages)
        refused = Refused(over) if over is not None else _closed(house, orders[0])
        if refused is not None:
            return Canceled(tuple(gone)) if gone else refused
        for order in orders:
            _remove(house, order, USER_REQUESTED)
            gone.append(order.id)
    return Canceled(tuple(gone))


def cancel_all(house: House, account: int) -> Canceled | Refused:
    """Cancel every order of an account; each pair touched is charged one point."""
    symbols = {order.terms.symbol: order for order in house.open[account].values()}
    gone: tuple[str, ...] = ()
    for symbol, order in symbols.items():
        over = house.charge(account, symbol, Transaction.CANCEL_ALL)
        refused = Refused(over) if over is not None else _closed(house, order)
        if refused is not None:
            return Canceled(gone) if gone else refused
        gone += cancel_everything(house, account, USER_REQUESTED, symbol)
    return Canceled(gone)


def cancel_all_after(house: House, account: int, command: CancelAllAfter) -> SwitchSet | Refused:
    """Arm the dead man's switch anew, or disarm it."""
    rules, wait = house.venue.dead_man_switch, command.timeout_s * _SECOND
    if wait != 0 and not rules.least_ns <= wait <= rules.most_ns:
        return Refused(Reject.INVALID_ARGUMENTS, "timeout")
    fires = house.now + wait if wait else 0
    house.switches[account] = fires
    if fires:
        house.at(fires, "switch", account)
    return SwitchSet(house.now, fires)


def cancel_everything(house: House, account: int, reason: str, symbol: str = "") -> tuple[str, ...]:
    """Cancel every order of an account (of one pair) without a charge; return their ids."""
    orders = [one for one in house.open[account].values() if not symbol or one.terms.symbol == symbol]
    gone = []
    for order in orders:
        if _closed(house, order) is None:
            _remove(house, order, reason)
            gone.append(order.id)
    return tuple(gone)


def _remove(house: House, order: Order, reason: str) -> None:
    if order.handle >= 0:
        floor = house.floors[order.terms.symbol]
        house.cancel_reason = reason
        absorb(house, floor, floor.cancel(order.account, order.handle))
        house.cancel_reason = ""
    else:
        stop_waiting(house, order)
        house.finish(order, OrderStatus.CANCELED, house.now, reason)


def _closed(house: House, order: Order) -> Refused | None:
    """Return why the market takes no cancel, if it does not."""
    mode = house.floors[order.terms.symbol].mode
    return Refused(Reject.UNAVAILABLE) if mode in (Mode.MAINTENANCE, Mode.CLOSED) else None


def _named(house: House, account: int, order_id: str, cl_ord_id: str) -> Order | None:
    """Return an open order of the account."""
    return house.open[account].get(order_id) if order_id else house.by_client[account].get(cl_ord_id)


def _meant(house: House, account: int, command: Cancel) -> list[Order]:
    if command.userref is not None:
        return [order for order in house.open[account].values() if order.userref == command.userref]
    order = _named(house, account, command.order_id, command.cl_ord_id)
    return [] if order is None else [order]
