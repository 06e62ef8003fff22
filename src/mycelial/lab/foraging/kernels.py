"""The rules of level-based foraging as kernels over B books (Papoudakis et al. 2021; package `lbforaging` 2.0.0).

A field of S x S cells holds food of some level; players of some level step about, and those who load beside a food
together need its level in sum. Rewards are shares of all food levels, so that a perfect episode adds up to 1.
Transitions and observations are those of the package, state by state; layouts are drawn by our own counters from the
same distribution.

State, by book: `field` int64[B, S, S] food levels; `place` int64[B, N, 2] row and column; `level` int64[B, N];
`spawned` int64[B] sum of food levels at the start; `clock` int64[B] steps made.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.draws import bits
from mycelial.domain.kernels import entry, helper

NONE, NORTH, SOUTH, WEST, EAST, LOAD = range(6)
ACTIONS = 6
_TRIES = 1_000


class Books(NamedTuple):
    """What the books are in; see the module for shapes."""

    field: NDArray[np.int64]
    place: NDArray[np.int64]
    level: NDArray[np.int64]
    spawned: NDArray[np.int64]
    clock: NDArray[np.int64]


@helper
def _below(key: np.uint64, counter: int, bound: int) -> int:
    """Return a whole number in [0, bound); the bias of the remainder is below 2^-50."""
    return int((bits(key, np.uint64(counter)) >> np.uint64(8)) % np.uint64(bound))


@helper
def _is_free(field: NDArray[np.int64], place: NDArray[np.int64], placed: int, row: int, column: int) -> bool:
    if field[row, column] != 0:
        return False
    for n in range(placed):  # noqa: SIM110
        if place[n, 0] == row and place[n, 1] == column:
            return False
    return True


@helper
def _is_crowded(field: NDArray[np.int64], row: int, column: int) -> bool:
    """Return whether food lies in the 3 x 3 around, or two cells away in a straight line."""
    size = field.shape[0]
    for r in range(max(row - 1, 0), min(row + 2, size)):
        for c in range(max(column - 1, 0), min(column + 2, size)):
            if field[r, c] > 0:
                return True
    for step in (-2, 2):
        if 0 <= row + step < size and field[row + step, column] > 0:
            return True
        if 0 <= column + step < size and field[row, column + step] > 0:
            return True
    return False


@helper
def _lay_out(
    books: Books, b: int, key: np.uint64, foods: int, lowest: int, highest: int, forced_row: int, forced_column: int
) -> None:
    """Begin an episode: players of levels `lowest` to `highest` anywhere, foods that need all of them."""
    field, place, level = books.field[b], books.place[b], books.level[b]
    size, players = field.shape[0], place.shape[0]
    field[:, :] = 0
    draw = 0
    for n in range(players):
        for _ in range(_TRIES):
            row, column = _below(key, draw, size), _below(key, draw + 1, size)
            draw += 2
            if _is_free(field, place, n, row, column) and (row != forced_row or column != forced_column):
                place[n, 0], place[n, 1] = row, column
                break
        level[n] = lowest + _below(key, draw, highest - lowest + 1)
        draw += 1
    needed = 0  # the three lowest levels together
    for n in range(players):
        lower = 0
        for m in range(players):
            if level[m] < level[n] or (level[m] == level[n] and m < n):
                lower += 1
        if lower < 3:
            needed += level[n]
    laid = 0
    if forced_row >= 0:
        field[forced_row, forced_column] = needed
        laid = 1
    for _ in range(_TRIES):
        if laid == foods:
            break
        row, column = 1 + _below(key, draw, size - 2), 1 + _below(key, draw + 1, size - 2)
        draw += 2
        if not _is_crowded(field, row, column) and _is_free(field, place, players, row, column):
            field[row, column] = needed
            laid += 1
    books.spawned[b] = field.sum()
    books.clock[b] = 0


@entry
def lay_out(
    books: Books,
    which: NDArray[np.bool_],
    keys: NDArray[np.uint64],
    foods: int,
    lowest: int,
    highest: int,
    forced: NDArray[np.int64],
) -> None:
    """Begin an episode in the books `which`, each from its key. **`books` is mutated.**

    Parameters
    ----------
    books : Books
    which : bool[B]
    keys : uint64[B]
    foods, lowest, highest : int
        Number of foods; range of player levels.
    forced : int64[B, 2]
        Cell in which the first food must lie; -1 leaves it to chance.
    """
    for b in range(len(which)):
        if which[b]:
            _lay_out(books, b, keys[b], foods, lowest, highest, forced[b, 0], forced[b, 1])


@helper
def _food_beside(field: NDArray[np.int64], row: int, column: int) -> int:
    """Return the cell of the food beside a cell as row * S + column, or -1. There is never more than one."""
    size = field.shape[0]
    if row > 0 and field[row - 1, column] > 0:
        return (row - 1) * size + column
    if row < size - 1 and field[row + 1, column] > 0:
        return (row + 1) * size + column
    if column > 0 and field[row, column - 1] > 0:
        return row * size + column - 1
    if column < size - 1 and field[row, column + 1] > 0:
        return row * size + column + 1
    return -1


@helper
def _can(field: NDArray[np.int64], row: int, column: int, action: int) -> bool:
    size = field.shape[0]
    if action == NORTH:
        return row > 0 and field[row - 1, column] == 0
    if action == SOUTH:
        return row < size - 1 and field[row + 1, column] == 0
    if action == WEST:
        return column > 0 and field[row, column - 1] == 0
    if action == EAST:
        return column < size - 1 and field[row, column + 1] == 0
    if action == LOAD:
        return _food_beside(field, row, column) >= 0
    return True


@entry
def step_books(
    books: Books,
    actions: NDArray[np.int32],
    penalty: float,
    wanted: NDArray[np.int64],
    reward: NDArray[np.float64],
) -> None:
    """Let every player of every book act. **`books`, `wanted` and `reward` are mutated.**

    Parameters
    ----------
    books : Books
    actions : int32[B, N]
        What is not possible becomes NONE.
    penalty : float
        Taken from everybody who loads in vain.
    wanted : int64[N, 3]
        Scratch: the cell each player wants, and whether it loads.
    reward : float64[B, N]
        Of each player; their sum is the team's.
    """
    players = books.place.shape[1]
    for b in range(actions.shape[0]):
        field, place, level = books.field[b], books.place[b], books.level[b]
        size = field.shape[0]
        books.clock[b] += 1
        for n in range(players):
            reward[b, n] = 0.0
            row, column, action = place[n, 0], place[n, 1], int(actions[b, n])
            if not _can(field, row, column, action):
                action = NONE
            wanted[n, 0] = row + (action == SOUTH) - (action == NORTH)
            wanted[n, 1] = column + (action == EAST) - (action == WEST)
            wanted[n, 2] = action == LOAD
        for n in range(players):
            alone = True
            for m in range(players):
                if m != n and wanted[m, 0] == wanted[n, 0] and wanted[m, 1] == wanted[n, 1]:
                    alone = False
            if alone:
                place[n, 0], place[n, 1] = wanted[n, 0], wanted[n, 1]
        for n in range(players):
            if not wanted[n, 2]:
                continue
            cell = _food_beside(field, place[n, 0], place[n, 1])
            strength = 0
            for m in range(n, players):
                if wanted[m, 2] and _food_beside(field, place[m, 0], place[m, 1]) == cell:
                    strength += level[m]
            food = field[cell // size, cell % size]
            for m in range(n, players):
                if wanted[m, 2] and _food_beside(field, place[m, 0], place[m, 1]) == cell:
                    if strength < food:
                        reward[b, m] -= penalty
                    else:
                        reward[b, m] = level[m] * food / (strength * books.spawned[b])
                    if m != n:
                        wanted[m, 2] = 0
            wanted[n, 2] = 0
            if strength >= food:
                field[cell // size, cell % size] = 0


@entry
def observe(books: Books, foods: int, sight: int, obs: NDArray[np.float32], mask: NDArray[np.bool_]) -> None:
    """Write what every player sees and may do. **`obs` and `mask` are mutated.**

    Parameters
    ----------
    books : Books
    foods : int
    sight : int
        Cells seen to each side; S or more sees all.
    obs : float32[B, N, 3 foods + 3 N]
        (row, column, level) of each food in view, then of the players, oneself first; -1, -1, 0 for none.
    mask : bool[B, N, 6]
        Actions that change something; NONE always may.
    """
    players, size = books.place.shape[1], books.field.shape[1]
    for b in range(books.field.shape[0]):
        field, place, level = books.field[b], books.place[b], books.level[b]
        for n in range(players):
            row, column = place[n, 0], place[n, 1]
            top, left = row - min(sight, row), column - min(sight, column)
            seen = obs[b, n]
            for k in range(foods + players):
                seen[3 * k] = seen[3 * k + 1] = -1.0
                seen[3 * k + 2] = 0.0
            at = 0
            for r in range(top, min(row + sight + 1, size)):
                for c in range(left, min(column + sight + 1, size)):
                    if field[r, c] > 0:
                        seen[at], seen[at + 1], seen[at + 2] = r - top, c - left, field[r, c]
                        at += 3
            at = 3 * foods
            for k in range(players):
                m = n if k == 0 else (k - 1 if k <= n else k)
                r, c = place[m, 0] - top, place[m, 1] - left
                if min(r, c) >= 0 and max(r, c) <= 2 * sight:
                    seen[at], seen[at + 1], seen[at + 2] = r, c, level[m]
                    at += 3
            for action in range(ACTIONS):
                mask[b, n, action] = _can(field, row, column, action)
