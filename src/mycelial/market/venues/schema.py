"""The form of a venue file: every key, its type and its range. Unknown keys are errors, nothing is guessed."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


def _exact(value: Any) -> Any:
    """Accept a decimal, a whole number or text; a binary float has already lost what it was."""
    if isinstance(value, bool | float) or not isinstance(value, Decimal | int | str):
        raise ValueError(f"must be an exact decimal, like 0.5 in TOML or '0.5' in Python, not {type(value).__name__}")
    try:
        exact = Decimal(value)
    except ArithmeticError:
        raise ValueError("is not a number; write it like 0.5") from None
    if not exact.is_finite():
        raise ValueError("must be finite")
    return exact


Exact = Annotated[Decimal, BeforeValidator(_exact)]
Percent = Annotated[Decimal, BeforeValidator(_exact), Field(ge=-100, le=100)]
Positive = Annotated[Decimal, BeforeValidator(_exact), Field(gt=0)]
Whole = Annotated[int, Field(ge=1)]
Word = Annotated[str, Field(min_length=1)]
Tier = Annotated[
    tuple[Annotated[int, Field(ge=0)], Percent, Percent],
    BeforeValidator(lambda row: tuple(row) if isinstance(row, list) else row),  # TOML has lists only
]
Status = Literal[
    "online", "maintenance", "cancel_only", "post_only", "limit_only", "reduce_only", "work_in_progress", "delisted"
]


class Room(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SourceRoom(Room):
    """Where the figures of a table come from."""

    mark: Literal["D", "K", "R", "C", "?"]
    read: Annotated[str, Field(pattern=r"^\d{4}(-\d{2}){0,2}$")]
    note: Word


class AssetRoom(Room):
    """Names of one asset."""

    id: Word
    altname: Word


class NamesRoom(Room):
    """All assets."""

    assets: dict[str, AssetRoom]
    source: SourceRoom


class PairRoom(Room):
    """One pair."""

    key: Word
    altname: Word
    wsname: Word
    base: Word
    quote: Word
    tick_size: Positive
    price_decimals: Annotated[int, Field(ge=0, le=18)]
    lot_decimals: Annotated[int, Field(ge=0, le=18)]
    cost_decimals: Annotated[int, Field(ge=0, le=18)]
    min_quantity: Positive
    min_cost: Annotated[Exact, Field(ge=0)]
    status: Status
    fees: Word
    source: SourceRoom

    @model_validator(mode="after")
    def _fits(self) -> PairRoom:
        if self.tick_size % Decimal(1).scaleb(-self.price_decimals):
            raise ValueError(f"tick_size {self.tick_size} needs more than price_decimals = {self.price_decimals}")
        if self.min_quantity % Decimal(1).scaleb(-self.lot_decimals):
            raise ValueError(f"min_quantity {self.min_quantity} needs more than lot_decimals = {self.lot_decimals}")
        return self


class ScheduleRoom(Room):
    """One fee ladder: [volume from, maker percent, taker percent]."""

    counts: bool
    tiers: Annotated[list[Tier], Field(min_length=1)]
    source: SourceRoom

    @model_validator(mode="after")
    def _rises(self) -> ScheduleRoom:
        volumes = [tier[0] for tier in self.tiers]
        if volumes[0] != 0 or volumes != sorted(set(volumes)):
            raise ValueError(f"tiers must begin at volume 0 and rise, not {volumes}")
        for volume, *percents in self.tiers:
            for percent in percents:
                if percent * 10_000 % 1:
                    raise ValueError(f"the rate {percent} % from volume {volume} is not a whole number of ppm")
        return self


class FeesRoom(Room):
    """All fee ladders."""

    volume_currency: Word
    at_par: list[Word]
    window_days: Whole
    schedules: dict[str, ScheduleRoom]


class LimitsRoom(Room):
    """A counter of one account tier, in points."""

    threshold: Annotated[Exact, Field(gt=0, le=1000)]
    decay_per_s: Annotated[Exact, Field(gt=0, le=1000)]


class TradingLimitsRoom(LimitsRoom):
    """The trading counter of one tier."""

    open_orders: Whole


class ChargeRoom(Room):
    """Price of one transaction, in points."""

    fixed: Annotated[Exact, Field(ge=0)] = Decimal(0)
    fixed_each: Annotated[Exact, Field(ge=0)] = Decimal(0)
    aged: list[Annotated[Exact, Field(ge=0)]] = Field(default_factory=list)


class ChargesRoom(Room):
    """The price list."""

    age_edges_s: list[Whole]
    add: ChargeRoom
    amend: ChargeRoom
    edit: ChargeRoom
    cancel: ChargeRoom
    batch_add: ChargeRoom
    batch_cancel: ChargeRoom
    cancel_all: ChargeRoom

    @model_validator(mode="after")
    def _one_price_for_each_bracket(self) -> ChargesRoom:
        if self.age_edges_s != sorted(set(self.age_edges_s)):
            raise ValueError(f"age_edges_s {self.age_edges_s} must rise")
        for name, charge in self:
            if isinstance(charge, ChargeRoom) and len(charge.aged) not in (0, len(self.age_edges_s)):
                raise ValueError(
                    f"{name}.aged has {len(charge.aged)} prices for {len(self.age_edges_s)} age brackets; give one each"
                )
        return self


class TradingRoom(Room):
    """The trading counter."""

    tiers: dict[str, TradingLimitsRoom]
    charges: ChargesRoom
    source: SourceRoom


class RestRoom(Room):
    """The call counter."""

    default: Annotated[int, Field(ge=0)]
    public_per_s: Whole
    tiers: dict[str, LimitsRoom]
    costs: dict[str, Annotated[int, Field(ge=0)]]
    source: SourceRoom


class ProtectionRoom(Room):
    """How far a market order may walk."""

    percent: Annotated[Exact, Field(ge=0, le=100)]
    source: SourceRoom


class OrdersRoom(Room):
    """Accepted orders."""

    types: list[Word]
    flags: list[Word]
    time_in_force: list[Word]
    self_trade_prevention: list[Word]
    triggers: list[Word]
    iceberg_parts: Whole
    gtd_most_days: Whole
    client_id_characters: Whole
    deadline_default_ms: Whole
    deadline_least_ms: Whole
    deadline_most_ms: Whole
    market_protection: ProtectionRoom
    source: SourceRoom

    @model_validator(mode="after")
    def _rises(self) -> OrdersRoom:
        if not self.deadline_least_ms <= self.deadline_default_ms <= self.deadline_most_ms:
            raise ValueError(
                f"deadline_default_ms {self.deadline_default_ms} must lie from deadline_least_ms "
                f"{self.deadline_least_ms} to deadline_most_ms {self.deadline_most_ms}"
            )
        return self


class BatchesRoom(Room):
    """Batch sizes."""

    add_least: Whole
    add_most: Whole
    cancel_least: Whole
    cancel_most: Whole
    query_most: Whole
    source: SourceRoom


class DeadManSwitchRoom(Room):
    """Bounds of the timer."""

    least_s: Whole
    most_s: Whole
    advised_s: Whole
    refresh_s: Annotated[list[Whole], Field(min_length=2, max_length=2)]
    source: SourceRoom


class WebsocketRoom(Room):
    """Connections."""

    connects: Whole
    connects_within_s: Whole
    ban_s: Whole
    token_valid_s: Whole
    reconnect_after_maintenance_s: Whole
    subscribes_per_s: Whole
    orders_per_s: Whole
    book_depths: list[Whole]
    level3_depths: list[Whole]
    level3_costs: list[Whole]
    level3_per_s: dict[str, Whole]
    level3_symbols: Whole
    source: SourceRoom


class VenueFile(Room):
    """A whole venue file."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: Word
    names: NamesRoom
    pairs: Annotated[dict[str, PairRoom], Field(min_length=1)]
    fees: FeesRoom
    trading: TradingRoom
    rest: RestRoom
    orders: OrdersRoom
    batches: BatchesRoom
    dead_man_switch: DeadManSwitchRoom
    websocket: WebsocketRoom

    @model_validator(mode="after")
    def _hangs_together(self) -> VenueFile:
        for symbol, pair in self.pairs.items():
            if symbol != f"{pair.base}/{pair.quote}":
                raise ValueError(f"pairs.{symbol} trades {pair.base}/{pair.quote}; name it so")
            for asset in (pair.base, pair.quote):
                if asset not in self.names.assets:
                    raise ValueError(f"pairs.{symbol} trades {asset}, which names.assets does not hold; add it there")
            if pair.fees not in self.fees.schedules:
                raise ValueError(
                    f"pairs.{symbol}.fees = {pair.fees!r} is no fee schedule; "
                    f"choose one of: {', '.join(self.fees.schedules)}"
                )
        if set(self.rest.tiers) != set(self.trading.tiers):
            raise ValueError("rest.tiers and trading.tiers must have the same tiers")
        return self
