"""What can be done to a market on purpose: eleven kinds of timed injection, as data.

Times are nanoseconds from the start of the scenario, factors and shares parts per million (1,000,000 = unchanged or
all). An instant has duration 0. `target` is a pair, an asset for a depeg, or ``*`` for all. How a simulation applies
them is its own affair; here they are only described and checked.

In a scenario file the same fields are written in seconds and plain numbers: ``start_ns`` as ``start_s = 60``,
``depth_ppm`` as ``depth = 0.1``.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, ClassVar, Literal, get_args, get_type_hints

from mycelial.domain.errors import ConfigError

ONE = 1_000_000  # ppm
EVERYTHING = "*"
_FOREVER = 2**62


def _at(low: int, high: int, *, default: Any = MISSING) -> Any:
    if default is MISSING:
        return field(metadata={"low": low, "high": high})
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """One thing that happens: when, for how long, to what."""

    kind: ClassVar[str] = ""
    instant: ClassVar[bool] = False  # has no duration
    exclusive: ClassVar[bool] = False  # sets a dial, so that two at once on one target contradict each other

    start_ns: int = _at(0, _FOREVER)
    duration_ns: int = _at(0, _FOREVER, default=0)
    target: str = EVERYTHING

    def __post_init__(self) -> None:
        for one in fields(self):
            _check(self, one)
        if self.instant and self.duration_ns:
            raise ConfigError(f"{self.kind}: duration {_seconds(self.duration_ns)} s; it is an instant, leave it out")
        if not self.instant and not self.duration_ns:
            raise ConfigError(f"{self.kind}: duration 0 s; give duration_s, how long it lasts")

    @property
    def end_ns(self) -> int:
        """First moment at which it is over."""
        return self.start_ns + self.duration_ns

    def is_active(self, now_ns: int) -> bool:
        """Tell whether it is going on; an instant never is."""
        return self.start_ns <= now_ns < self.end_ns

    def meets(self, other: Injection) -> bool:
        """Tell whether both happen to a common target with a common moment."""
        same_target = EVERYTHING in (self.target, other.target) or self.target == other.target
        return same_target and self.start_ns < max(other.end_ns, other.start_ns + 1) and (
            other.start_ns < max(self.end_ns, self.start_ns + 1)
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep(Injection):
    """One market order of `size_ppm` times the mean order size, without price protection."""

    kind: ClassVar[str] = "sweep"
    instant: ClassVar[bool] = True

    side: Literal["buy", "sell"] = "sell"
    size_ppm: int = _at(1, 10_000 * ONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeShareSeller(Injection):
    """A trader who keeps to a share of the volume of the last `window_ns`, whatever the price."""

    kind: ClassVar[str] = "volume_share_seller"

    side: Literal["buy", "sell"] = "sell"
    share_ppm: int = _at(1, ONE)
    window_ns: int = _at(1, _FOREVER, default=60 * 10**9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drought(Injection):
    """Background depth times `depth_ppm`, quoted spread times `spread_ppm`."""

    kind: ClassVar[str] = "drought"
    exclusive: ClassVar[bool] = True

    depth_ppm: int = _at(0, ONE, default=ONE)
    spread_ppm: int = _at(ONE, 1_000 * ONE, default=ONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForcedLiquidation(Injection):
    """A share of all long positions is sold at market in equal slices over the duration, largest leverage first."""

    kind: ClassVar[str] = "forced_liquidation"

    share_ppm: int = _at(1, ONE)
    slices: int = _at(1, 100_000, default=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage(Injection):
    """The gateway answers with errors or not at all; trading resumes `reopen_gap_ppm` away (0 = where it stopped).

    `order_state_unknown`: orders sent just before may or may not be in the book; `cancel_resting`: the book is empty
    when it opens again.
    """

    kind: ClassVar[str] = "outage"
    exclusive: ClassVar[bool] = True

    answers: Literal["errors", "timeouts"] = "errors"
    reopen_gap_ppm: int = _at(-900_000, 9 * ONE, default=0)
    order_state_unknown: bool = True
    cancel_resting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedFault(Injection):
    """Market data is wrong for those who listen; the market itself is sound.

    `share_ppm` of messages are hit (a freeze and a skew hit all); `skew_ns` moves their timestamps.
    """

    kind: ClassVar[str] = "feed_fault"

    fault: Literal["gap", "checksum", "duplicate", "reorder", "freeze", "crossed", "negative_price", "skew"]
    share_ppm: int = _at(1, ONE, default=ONE)
    skew_ns: int = _at(-3_600 * 10**9, 3_600 * 10**9, default=0)

    def __post_init__(self) -> None:
        # Not super(): a dataclass with slots is another class than the one this function closes over.
        Injection.__post_init__(self)
        if (self.fault == "skew") != (self.skew_ns != 0):
            raise ConfigError(
                f"feed_fault: fault {self.fault!r} with skew {_seconds(self.skew_ns)} s; skew_s and only skew needs one"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class FatFinger(Injection):
    """One order with a misplaced digit: `size_ppm` times the mean size, at `price_ppm` times the mid price."""

    kind: ClassVar[str] = "fat_finger"
    instant: ClassVar[bool] = True

    who: Literal["own", "other"] = "other"
    side: Literal["buy", "sell"] = "sell"
    size_ppm: int = _at(1, 10_000 * ONE, default=ONE)
    price_ppm: int = _at(1, 1_000 * ONE, default=ONE)

    def __post_init__(self) -> None:
        Injection.__post_init__(self)
        if self.size_ppm == ONE and self.price_ppm == ONE:
            raise ConfigError("fat_finger: size 1 and price 1; give the factor by which one of them is wrong")


@dataclass(frozen=True, slots=True, kw_only=True)
class Depeg(Injection):
    """An asset that should be worth 1 is worth `price_ppm`, reached over `ramp_ns`; here only, or everywhere."""

    kind: ClassVar[str] = "depeg"
    exclusive: ClassVar[bool] = True

    price_ppm: int = _at(1, 2 * ONE)
    ramp_ns: int = _at(0, _FOREVER, default=0)
    scope: Literal["venue", "world"] = "world"

    def __post_init__(self) -> None:
        Injection.__post_init__(self)
        if self.ramp_ns > self.duration_ns:
            raise ConfigError(
                f"depeg: ramp {_seconds(self.ramp_ns)} s is longer than duration {_seconds(self.duration_ns)} s; "
                "shorten ramp_s"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeSwitch(Injection):
    """The world changes: volatility times a factor, drift of the other sign, correlations drawn towards 1."""

    kind: ClassVar[str] = "regime_switch"
    exclusive: ClassVar[bool] = True

    volatility_ppm: int = _at(1, 1_000 * ONE, default=ONE)
    drift_flip: bool = False
    towards_one_ppm: int = _at(0, ONE, default=0)  # of the way from each correlation to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyStorm(Injection):
    """Latency times a factor, messages lost, acknowledgements of cancels late."""

    kind: ClassVar[str] = "latency_storm"
    exclusive: ClassVar[bool] = True

    latency_ppm: int = _at(ONE, 100_000 * ONE, default=ONE)
    loss_ppm: int = _at(0, ONE, default=0)
    cancel_ack_delay_ns: int = _at(0, 3_600 * 10**9, default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitExhaustion(Injection):
    """Rate limits times `limits_ppm`, told to nobody; counters start at `used_ppm` of what is then the threshold."""

    kind: ClassVar[str] = "limit_exhaustion"
    exclusive: ClassVar[bool] = True

    limits_ppm: int = _at(1, ONE, default=ONE)
    used_ppm: int = _at(0, ONE, default=0)


KINDS: dict[str, type[Injection]] = {
    one.kind: one
    for one in (
        Sweep,
        VolumeShareSeller,
        Drought,
        ForcedLiquidation,
        Outage,
        FeedFault,
        FatFinger,
        Depeg,
        RegimeSwitch,
        LatencyStorm,
        LimitExhaustion,
    )
}

_TYPES = {kind: get_type_hints(one) for kind, one in KINDS.items()}


def file_key(name: str) -> str:
    """Return what a field is called in a scenario file: seconds and plain factors instead of ns and ppm."""
    if name.endswith("_ns"):
        return f"{name.removesuffix('_ns')}_s"
    return name.removesuffix("_ppm")


def _check(injection: Injection, one: Field[Any]) -> None:
    value, key = getattr(injection, one.name), file_key(one.name)
    hint = _TYPES[injection.kind][one.name]
    choices = get_args(hint)
    if choices:
        if value not in choices:
            raise ConfigError(f"{injection.kind}: {key} {value!r} must be one of {', '.join(choices)}")
    elif not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{injection.kind}: {one.name} {value!r} must be {hint.__name__}")
    elif "low" in one.metadata and not one.metadata["low"] <= value <= one.metadata["high"]:
        unit = 10**9 if one.name.endswith("_ns") else ONE if one.name.endswith("_ppm") else 1
        low, high = one.metadata["low"] / unit, one.metadata["high"] / unit
        raise ConfigError(f"{injection.kind}: {key} {value / unit:g} must be from {low:g} to {high:g}")


def _seconds(time_ns: int) -> str:
    return f"{time_ns / 10**9:g}"
