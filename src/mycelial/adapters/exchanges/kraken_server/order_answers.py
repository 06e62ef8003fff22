"""Answers to the order methods of REST."""

from __future__ import annotations

from typing import Any

from mycelial.adapters.exchanges.kraken_server.desk import Desk
from mycelial.adapters.exchanges.kraken_server.translating import error_text
from mycelial.kraken import errors, orders
from mycelial.kraken.errors import Refused
from mycelial.kraken.numbers import decimal
from mycelial.kraken.rest import account_answers as answers
from mycelial.kraken.times import rfc3339
from mycelial.market.venues.rules import Pair
from mycelial.simulation.exchange import commands as own


def answer(desk: Desk, account: int, command: orders.Command) -> Any:
    """Carry out an order command and return its result.

    Raises
    ------
    Refused
        With the error string.
    """
    if isinstance(command, orders.CancelOrders) and not command.batch:
        return _cancelled(desk, account, command)
    outcome = desk.carry_out(account, command, desk.table.pair)
    match outcome:
        case own.Refused():
            raise Refused(error_text(outcome))
        case own.Added():
            placed = (outcome.order_id,) if outcome.order_id else None
            return answers.PlacedOrder(descr=_described(desk, outcome), txid=placed)
        case own.AddedBatch():
            return answers.PlacedBatch(tuple(_row(desk, one) for one in outcome.rows))
        case own.Amended():
            return answers.Amended(outcome.amend_id)
        case own.Edited():
            assert isinstance(command, orders.EditOrder)
            return _edited(desk, outcome, command)
        case own.Canceled():
            return answers.Cancelled(count=len(outcome.order_ids))
        case own.SwitchSet():
            fires = rfc3339(outcome.triggers_ns, 0) if outcome.triggers_ns else "0"
            return answers.SwitchArmed(rfc3339(outcome.now_ns, 0), fires)
    raise TypeError(f"{type(outcome).__name__} is no outcome")


def _cancelled(desk: Desk, account: int, command: orders.CancelOrders) -> answers.Cancelled:
    outcomes = [outcome for _, outcome in desk.cancel_each(account, command)]
    count = sum(len(one.order_ids) for one in outcomes if isinstance(one, own.Canceled))
    if not count:
        refused = next((one for one in outcomes if isinstance(one, own.Refused)), None)
        raise Refused(errors.UNKNOWN_ORDER if refused is None else error_text(refused))
    return answers.Cancelled(count=count)


def _row(desk: Desk, outcome: own.Added | own.Refused) -> answers.BatchRow:
    if isinstance(outcome, own.Refused):
        return answers.BatchRow(error=error_text(outcome))
    return answers.BatchRow(
        txid=outcome.order_id or None,
        descr=_described(desk, outcome),
        cl_ord_id=outcome.command.cl_ord_id or None,
    )


def _described(desk: Desk, added: own.Added | own.Edited) -> answers.PlacedDescription:
    pair = desk.table.pairs[added.command.symbol]
    close = desk.words.close_sentence(added.command.close, pair)
    return answers.PlacedDescription(order=_sentence(desk, added, pair), close=close or None)


def _sentence(desk: Desk, added: own.Added | own.Edited, pair: Pair) -> str:
    """Describe an order as it was understood, without asking the exchange for it again."""
    return desk.words.command_sentence(added.command, pair, added.limit, added.trigger)


def _edited(desk: Desk, outcome: own.Edited, command: orders.EditOrder) -> answers.EditedOrder:
    pair = desk.table.pairs[outcome.command.symbol]
    first, second = desk.words.command_prices(outcome.command, pair, outcome.limit, outcome.trigger)
    old = outcome.original_userref
    return answers.EditedOrder(
        txid=outcome.order_id,
        originaltxid=outcome.original_id,
        volume=decimal(outcome.command.qty, pair.lot_decimals),
        price=first,
        price2=second or "0",
        orders_cancelled=0 if command.validate else 1,
        descr=_described(desk, outcome),
        newuserref=None if command.userref is None else str(command.userref),
        olduserref=None if old is None else str(old),
    )
