"""The state of a trading task between steps: a record for each book and one for each seat.

B = books, N = seats of a book, S = B N with seat n of book b in row b N + n. Money is in cash units, doubled where a
mid in half ticks is involved, so that it stays whole.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mycelial.environment.trading.config import MOST_MARKOUT, WISH_COLUMNS, TradingConfig

MIDS = 32  # mids kept of every book
EMAS = 5
VOLATILITY, FLOW, INTENSITY, SLOW_MID, FLOW_NOW = range(EMAS)

# Counts of an episode, by seat.
ADDS, AMENDS, CANCELS, TAKES, WITHHELD = range(5)
MAKER_FILLS, TAKER_FILLS, MAKER_LOTS, TAKER_LOTS, OWN_LOTS, FEES, POINTS = range(5, 12)
COUNTS = (
    "adds",
    "amends",
    "cancels",
    "takes",
    "withheld",  # messages the counter had no room for
    "maker_fills",
    "taker_fills",
    "maker_lots",
    "taker_lots",
    "own_lots",  # lots traded with the own team
    "fees",  # cash units
    "points",  # message counter, micro-points
)

BOOK_ROW = np.dtype(
    [
        ("tape_seen", "<i8"),  # trades accounted for
        ("step", "<i8"),  # of the episode
        ("length", "<i8"),
        ("best", "<i8", 2),  # best bid and ask of others, ticks
        ("team_best", "<i8", 2),  # of the team, 0 none
        ("mids", "<f8", MIDS),  # ring, ticks
        ("emas", "<f8", EMAS),
    ]
)
SEAT_ROW = np.dtype(
    [
        ("start_cash", "<i8"),
        ("start_lots", "<i8"),
        ("cash", "<i8"),
        ("lots", "<i8"),
        ("value", "<i8"),  # doubled gain since the start
        ("filled", "<i8"),  # signed lots of the last step
        ("markout", "<i8"),  # doubled gain of maker fills against the mid some steps later
        ("marked", "<i8"),  # notional of those fills
        ("order_tick", "<i8", 2),  # standing bid and ask
        ("order_lots", "<i8", 2),  # what is left of them, 0 none
        ("order_ahead", "<i8", 2),  # lots queued ahead
        ("touched", "<i8", 2),  # when the order was placed or amended, ns
        ("wait_lots", "<i8", MOST_MARKOUT),  # maker fills waiting for their markout: signed lots,
        ("wait_money", "<i8", MOST_MARKOUT),  # doubled signed notional,
        ("wait_size", "<i8", MOST_MARKOUT),  # and notional
        ("counts", "<i8", len(COUNTS)),
        ("wish", "<f8", WISH_COLUMNS),
    ]
)


class Rules(NamedTuple):
    """Constants of a task, as kernels see them."""

    seats: int
    unit_ticks: float  # half spread
    typical_lots: float
    most_lots: float
    tolerance_ticks: float
    skew_ticks: float  # shift of chosen quotes against inventory at its limit
    slack_ticks: int  # how far a taking order may walk
    scale: float  # reward per cash unit
    seat_charge: float
    team_charge: float
    room: int  # micro-points a counter may hold for other messages than cancels
    threshold: int
    markout_steps: int
    foresight_ns: int


class Floor(NamedTuple):
    """What changes from step to step."""

    books: NDArray[np.void]  # BOOK_ROW[B]
    seats: NDArray[np.void]  # SEAT_ROW[S]


def new_floor(config: TradingConfig, books: int) -> Floor:
    """Return the state of a task that has not begun."""
    floor = Floor(np.zeros(books, BOOK_ROW), np.zeros(books * config.seats, SEAT_ROW))
    floor.books["length"] = config.steps
    return floor
