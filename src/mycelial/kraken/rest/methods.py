"""Every method of REST: whether it is public, what it needs, and how its fields become a request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from mycelial.kraken.errors import FEATURE_DISABLED, UNKNOWN_METHOD, Refused
from mycelial.kraken.orders import Command
from mycelial.kraken.permissions import Permission
from mycelial.kraken.rest import order_forms, queries
from mycelial.kraken.rest.bodies import Fields
from mycelial.kraken.rest.converting import converted
from mycelial.kraken.rest.queries import Query

Request = Query | Command
PUBLIC, PRIVATE = "public", "private"
ROOT = "/0"


@dataclass(frozen=True, slots=True)
class Method:
    """One method.

    Attributes
    ----------
    read : turns the fields of a request into a struct; raises `Refused`.
    needs : rights of which the key must have one; empty for public methods.
    """

    name: str
    is_public: bool
    read: Callable[[Fields], Request]
    needs: tuple[Permission, ...] = ()

    @property
    def path(self) -> str:
        """What is asked for and signed: ``/0/private/AddOrder``."""
        return f"{ROOT}/{PUBLIC if self.is_public else PRIVATE}/{self.name}"


def method(name: str, *, is_public: bool) -> Method:
    """Return a method.

    Raises
    ------
    Refused
        ``EGeneral:Unknown method``.
    """
    found = METHODS.get(name)
    if found is None or found.is_public != is_public:
        raise Refused(UNKNOWN_METHOD)
    return found


def query_fields(query: Query) -> tuple[str, Fields]:
    """Return the method and the fields that ask a query; what has its default value is left out."""
    kind = type(query)
    fields = {}
    for name, attribute in zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True):
        value = getattr(query, attribute)
        if value is not None and value != _defaults(kind).get(attribute):
            fields[name] = value
    return kind.__name__, fields


def _defaults(kind: type[Struct]) -> dict[str, Any]:
    given = kind.__struct_defaults__
    return dict(zip(kind.__struct_fields__[-len(given) :], given, strict=True)) if given else {}


def _query(kind: type[Query], *needs: Permission) -> Method:
    return Method(kind.__name__, not needs, lambda fields: converted(fields, kind), needs)


def _order(name: str, read: Callable[[Fields], Command], *needs: Permission) -> Method:
    return Method(name, False, read, needs)


def _disabled(name: str, *needs: Permission) -> Method:
    def refuse(fields: Fields) -> Request:
        raise Refused(FEATURE_DISABLED)

    return Method(name, False, refuse, needs)


_P = Permission
_CANCELS = (_P.CANCEL_ORDERS, _P.MODIFY_ORDERS)
METHODS = {
    one.name: one
    for one in (
        _query(queries.Time),
        _query(queries.SystemStatus),
        _query(queries.Assets),
        _query(queries.AssetPairs),
        _query(queries.Ticker),
        _query(queries.OHLC),
        _query(queries.Depth),
        _query(queries.Trades),
        _query(queries.Spread),
        _query(queries.Balance, _P.QUERY_FUNDS),
        _query(queries.BalanceEx, _P.QUERY_FUNDS),
        _query(queries.TradeBalance, _P.QUERY_FUNDS),
        _query(queries.OpenOrders, _P.QUERY_OPEN_ORDERS),
        _query(queries.ClosedOrders, _P.QUERY_CLOSED_ORDERS),
        _query(queries.QueryOrders, _P.QUERY_OPEN_ORDERS, _P.QUERY_CLOSED_ORDERS),
        _query(queries.OrderAmends, _P.QUERY_OPEN_ORDERS, _P.QUERY_CLOSED_ORDERS),
        _query(queries.TradesHistory, _P.QUERY_CLOSED_ORDERS),
        _query(queries.QueryTrades, _P.QUERY_CLOSED_ORDERS),
        _query(queries.OpenPositions, _P.QUERY_OPEN_ORDERS),
        _query(queries.Ledgers, _P.QUERY_LEDGER),
        _query(queries.QueryLedgers, _P.QUERY_LEDGER),
        _query(queries.TradeVolume, _P.QUERY_FUNDS),
        _query(queries.GetWebSocketsToken, _P.ACCESS_WEBSOCKETS),
        _order("AddOrder", order_forms.add_order, _P.MODIFY_ORDERS),
        _order("AddOrderBatch", order_forms.add_batch, _P.MODIFY_ORDERS),
        _order("AmendOrder", order_forms.amend_order, _P.MODIFY_ORDERS),
        _order("EditOrder", order_forms.edit_order, _P.MODIFY_ORDERS),
        _order("CancelOrder", order_forms.cancel_order, *_CANCELS),
        _order("CancelOrderBatch", order_forms.cancel_batch, *_CANCELS),
        _order("CancelAll", order_forms.cancel_all, *_CANCELS),
        _order("CancelAllOrdersAfter", order_forms.cancel_all_after, *_CANCELS),
        # Money never leaves this exchange: the right is checked, then the method says that it is switched off.
        _disabled("DepositMethods", _P.QUERY_FUNDS),
        _disabled("DepositAddresses", _P.QUERY_FUNDS),
        _disabled("DepositStatus", _P.QUERY_FUNDS),
        _disabled("WithdrawInfo", _P.WITHDRAW_FUNDS),
        _disabled("WithdrawStatus", _P.WITHDRAW_FUNDS),
        _disabled("Withdraw", _P.WITHDRAW_FUNDS),
        _disabled("WithdrawCancel", _P.WITHDRAW_FUNDS),
        _disabled("WalletTransfer", _P.WITHDRAW_FUNDS),
    )
}
