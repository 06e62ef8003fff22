"""Read the rules of an exchange: those that ship with mycelial, or text and tables that a caller has read.

The only files opened here are the package's own.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError

from mycelial.domain.complaints import first_problem
from mycelial.domain.errors import ConfigError
from mycelial.domain.packaged import packaged_names, packaged_text
from mycelial.market.rate_counters import Charge, Limits, Tariff, Transaction
from mycelial.market.venues import schema
from mycelial.market.venues.rules import (
    Asset,
    BatchRules,
    DeadManSwitch,
    FeeSchedule,
    FeeTier,
    OrderRules,
    Pair,
    RestRules,
    Source,
    Venue,
    WebsocketRules,
)

_PACKAGE = "mycelial.market.venues"
_SECOND = 10**9
_MILLISECOND = 10**6
_DAY = 86_400 * _SECOND


def venue_names() -> tuple[str, ...]:
    """Return the names of the packaged exchanges."""
    return packaged_names(_PACKAGE, ".toml")


def packaged_venue(name: str) -> Venue:
    """Return the rules that ship under this name, e.g. ``kraken``.

    Raises
    ------
    NotFound
        If none has this name; the message lists those that exist.
    """
    return venue_from_text(packaged_text(_PACKAGE, name, ".toml", "packaged rules of"), f"{name}.toml")


def venue_from_text(text: str, origin: str = "venue file") -> Venue:
    """Read the rules from TOML; `origin` names the file in messages. See `venue_from_mapping`."""
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin}: is not TOML: {error}; correct that line") from None
    return venue_from_mapping(document, origin)


def venue_from_mapping(document: Mapping[str, Any], origin: str = "venue rules") -> Venue:
    """Check tables of rules and turn them into integers.

    Fractions must be `Decimal` or text (``parse_float=Decimal`` when reading TOML).

    Raises
    ------
    ConfigError
        If a key is unknown, missing or impossible; the message names origin, key, value and what to do.
    """
    try:
        checked = schema.VenueFile.model_validate(dict(document))
    except ValidationError as error:
        raise ConfigError(first_problem(error.errors(), document, origin, _known())) from None
    try:
        return _venue(checked)
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error}") from None


def _venue(file: schema.VenueFile) -> Venue:
    charges = file.trading.charges
    return Venue(
        name=file.name,
        title=file.title,
        assets=MappingProxyType({name: Asset(name, room.id, room.altname) for name, room in file.names.assets.items()}),
        pairs=MappingProxyType({symbol: _pair(symbol, room) for symbol, room in file.pairs.items()}),
        fee_schedules=MappingProxyType({name: _schedule(name, room) for name, room in file.fees.schedules.items()}),
        fee_volume_currency=file.fees.volume_currency,
        fee_at_par=tuple(file.fees.at_par),
        fee_window_days=file.fees.window_days,
        tariff=Tariff(
            tuple(edge * _SECOND for edge in charges.age_edges_s),
            MappingProxyType({one: _charge(getattr(charges, one.name.lower())) for one in Transaction}),
        ),
        trading=MappingProxyType({name: _limits(room, room.open_orders) for name, room in file.trading.tiers.items()}),
        trading_source=_source(file.trading.source),
        rest=RestRules(
            tiers=MappingProxyType({name: _limits(room, None) for name, room in file.rest.tiers.items()}),
            costs=MappingProxyType(dict(file.rest.costs)),
            default=file.rest.default,
            public_per_s=file.rest.public_per_s,
            source=_source(file.rest.source),
        ),
        orders=_orders(file.orders),
        batches=BatchRules(**_plain(file.batches)),
        dead_man_switch=DeadManSwitch(
            least_ns=file.dead_man_switch.least_s * _SECOND,
            most_ns=file.dead_man_switch.most_s * _SECOND,
            advised_ns=file.dead_man_switch.advised_s * _SECOND,
            refresh_ns=(file.dead_man_switch.refresh_s[0] * _SECOND, file.dead_man_switch.refresh_s[1] * _SECOND),
            source=_source(file.dead_man_switch.source),
        ),
        websocket=_websocket(file.websocket),
    )


def _pair(symbol: str, room: schema.PairRoom) -> Pair:
    return Pair(symbol=symbol, **_plain(room))


def _schedule(name: str, room: schema.ScheduleRoom) -> FeeSchedule:
    tiers = tuple(FeeTier(volume, int(maker * 10_000), int(taker * 10_000)) for volume, maker, taker in room.tiers)
    return FeeSchedule(name, tiers, room.counts, _source(room.source))


def _limits(room: schema.LimitsRoom, open_orders: int | None) -> Limits:
    return Limits(_micro(room.threshold), _micro(room.decay_per_s), open_orders)


def _charge(room: schema.ChargeRoom) -> Charge:
    return Charge(_micro(room.fixed), _micro(room.fixed_each), tuple(_micro(points) for points in room.aged))


def _orders(room: schema.OrdersRoom) -> OrderRules:
    return OrderRules(
        types=tuple(room.types),
        flags=tuple(room.flags),
        time_in_force=tuple(room.time_in_force),
        self_trade_prevention=tuple(room.self_trade_prevention),
        triggers=tuple(room.triggers),
        iceberg_parts=room.iceberg_parts,
        gtd_most_ns=room.gtd_most_days * _DAY,
        client_id_characters=room.client_id_characters,
        deadline_default_ns=room.deadline_default_ms * _MILLISECOND,
        deadline_least_ns=room.deadline_least_ms * _MILLISECOND,
        deadline_most_ns=room.deadline_most_ms * _MILLISECOND,
        protection_ppm=int(room.market_protection.percent * 10_000),
        source=_source(room.source),
        protection_source=_source(room.market_protection.source),
    )


def _websocket(room: schema.WebsocketRoom) -> WebsocketRules:
    return WebsocketRules(
        connects=room.connects,
        connects_within_ns=room.connects_within_s * _SECOND,
        ban_ns=room.ban_s * _SECOND,
        token_valid_ns=room.token_valid_s * _SECOND,
        reconnect_after_maintenance_ns=room.reconnect_after_maintenance_s * _SECOND,
        subscribes_per_s=room.subscribes_per_s,
        orders_per_s=room.orders_per_s,
        book_depths=tuple(room.book_depths),
        level3_depths=tuple(room.level3_depths),
        level3_costs=tuple(room.level3_costs),
        level3_per_s=MappingProxyType(dict(room.level3_per_s)),
        level3_symbols=room.level3_symbols,
        source=_source(room.source),
    )


def _plain(room: BaseModel) -> dict[str, Any]:
    """Return the fields of a table, its source converted."""
    return {name: _source(value) if isinstance(value, schema.SourceRoom) else value for name, value in room}


def _source(room: schema.SourceRoom) -> Source:
    return Source(room.mark, room.read, room.note)


def _micro(points: Decimal) -> int:
    micro = points * 1_000_000
    if micro % 1:
        raise ConfigError(f"{points} points are not a whole number of micro-points; give at most six decimals")
    return int(micro)


def _known() -> set[str]:
    rooms = [value for value in vars(schema).values() if isinstance(value, type) and issubclass(value, BaseModel)]
    return {name for room in rooms for name in room.model_fields}
