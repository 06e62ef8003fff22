"""Level-based foraging, compiled and many at once: the rules of lbforaging 2.0.0, transition for transition.

Players of levels 1 and 2 gather food on a square field. A food is taken when the levels of those who load it, standing
next to it, add up to its own; in the cooperative variant every food needs the (up to three lowest) players together.
The team's return is the share of the food taken within 50 steps (Albrecht and Ramamoorthy 2013; Papoudakis et al. 2021,
arXiv:2006.07869). Python steps this world about 10,000 times a second, this module some millions of times.

The package ends an episode alike when all food is gone and when time is up; here the latter truncates. What members see
is what the package shows them, or (``encoded``) the same figures told relatively: see `encode`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.draws import bits
from mycelial.domain.errors import NotFound
from mycelial.domain.kernels import entry, helper, shared_kernel
from mycelial.domain.seeds import stream_key
from mycelial.learning.task import Actions, Arrays, Floats, Observation, TeamStep

ACTIONS = 6
STAY, NORTH, SOUTH, WEST, EAST, LOAD = range(ACTIONS)
STEPS = 50
MOST_LEVEL = 2  # of a player
ATTEMPTS = 1000
_TOLD_OF_SELF, _TOLD_OF_OTHER, _TOLD_OF_PAIR = 8, 13, 5
_LEVELS = 6  # of food, told one by one; higher ones as the highest
_TOLD_OF_FOOD = _LEVELS + 5  # without the offset
_NAME = re.compile(r"lbf-(?P<size>\d+)x(?P=size)-(?P<players>\d+)p-(?P<foods>\d+)f(?P<coop>-coop)?$")


@dataclass(frozen=True)
class Field:
    """A variant of the game.

    Parameters
    ----------
    size, players, foods : int
    coop : bool
        Every food needs everybody (at most three).
    sight : int
        Cells seen in each direction; the whole field by default.
    levels : tuple of float
        Chances of a player's level 1, 2, ...; the package draws 1 and 2 alike.
    """

    size: int
    players: int
    foods: int
    coop: bool = False
    sight: int = 0
    levels: tuple[float, ...] = (0.5, 0.5)

    @property
    def seen(self) -> int:
        """Cells seen in each direction."""
        return self.sight or self.size

    @property
    def raw_size(self) -> int:
        """Figures the package shows each player."""
        return 3 * (self.foods + self.players)

    @property
    def encoded_size(self) -> int:
        """Figures of `encode`."""
        of_food = _TOLD_OF_FOOD + 2 * (2 * self.size - 1) + _TOLD_OF_PAIR * (self.players - 1)
        return _TOLD_OF_SELF + self.foods * of_food + (self.players - 1) * _TOLD_OF_OTHER

    @property
    def package_id(self) -> str:
        """Name under which lbforaging registers it."""
        size, sight = self.size, "-2s" if self.sight == 2 else ""
        return f"Foraging{sight}-{size}x{size}-{self.players}p-{self.foods}f{'-coop' if self.coop else ''}-v3"


def field_named(name: str) -> Field:
    """Return the variant of a task name such as ``lbf-8x8-2p-2f-coop``."""
    found = _NAME.match(name)
    if found is None:
        raise NotFound(f"{name!r} is no foraging task; write for example lbf-8x8-2p-2f-coop")
    return Field(int(found["size"]), int(found["players"]), int(found["foods"]), bool(found["coop"]))


class Foraging:
    """B fields as a `TeamTask`.

    Parameters
    ----------
    field : Field
    books : int
    encoded : bool
        Tell members relative figures instead of what the package shows.
    spread_clocks : bool
        Let first episodes end at different times, so that a learner's books are not all of one age.
    """

    actions = ACTIONS

    def __init__(self, field: Field, books: int, *, encoded: bool = True, spread_clocks: bool = False) -> None:
        self.field, self.books, self.agents, self.encoded = field, books, field.players, encoded
        self.spread_clocks = spread_clocks
        self.observation_size = field.encoded_size if encoded else field.raw_size
        self._rules = np.array([field.size, field.players, field.foods, field.coop, field.seen, encoded], np.int64)
        self._chances = np.cumsum(field.levels) / np.sum(field.levels)
        self._food: NDArray[np.int64] = np.zeros((books, field.size, field.size), np.int64)
        self._player: NDArray[np.int64] = np.zeros((books, field.players, 3), np.int64)  # row, column, level
        self._clock: NDArray[np.int64] = np.zeros((books, 2), np.int64)  # steps lived, food at the start
        self._keys: NDArray[np.uint64] = np.zeros(books, np.uint64)
        self._draws: NDArray[np.uint64] = np.zeros(books, np.uint64)
        self._raw = np.zeros((books, self.agents, field.raw_size), np.float32)
        self._obs = np.zeros((books, self.agents, self.observation_size), np.float32)
        self._final = np.zeros_like(self._obs)
        self._reward = np.zeros(books, np.float32)
        self._ends = np.zeros((books, 2), np.bool_)
        self._wanted: NDArray[np.int64] = np.zeros((self.agents, 3), np.int64)
        self._mask = np.ones((books, self.agents, ACTIONS), np.bool_)
        self._cost = np.zeros((books, self.agents), np.float32)

    def reset(self, seed: int) -> Observation:
        """Begin an episode in every book."""
        self._keys = np.array([stream_key(seed, "foraging", b) for b in range(self.books)], np.uint64)
        self._draws = np.zeros(self.books, np.uint64)
        _begin_all(self._rules, self._chances, self._food, self._player, self._clock, self._keys, self._draws)
        if self.spread_clocks:
            self._clock[:, 0] = np.arange(self.books) % STEPS
        return self._shown()

    def step(self, actions: Actions) -> TeamStep:
        """Let every player of every book act."""
        _step_all(
            self._rules, self._chances, self._food, self._player, self._clock, self._keys, self._draws,
            np.ascontiguousarray(actions, np.int32), self._raw, self._obs, self._final, self._reward, self._ends,
            self._wanted,
        )  # fmt: skip
        return TeamStep(
            self._obs, self._mask, self._reward, self._ends[:, 0], self._ends[:, 1], self._final, self._cost
        )

    def state(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return the food levels [B, S, S], the players (row, column, level) [B, N, 3], and the clocks [B, 2]."""
        return self._food, self._player, self._clock

    def snapshot(self) -> Arrays:
        """Return copies of everything the future depends on."""
        return {
            "food": self._food.copy(),
            "player": self._player.copy(),
            "clock": self._clock.copy(),
            "keys": self._keys.copy(),
            "draws": self._draws.copy(),
        }

    def restore(self, state: Arrays) -> Observation:
        """Take up a snapshot."""
        self._food, self._player, self._clock, self._keys, self._draws = (
            state[name].copy() for name in ("food", "player", "clock", "keys", "draws")
        )
        return self._shown()

    def _shown(self) -> Observation:
        _show_all(self._rules, self._food, self._player, self._raw, self._obs)
        return Observation(self._obs, self._mask)


def encode(field: Field, raw: Floats) -> Floats:
    """Tell what the package shows ``[..., raw_size]`` relatively: ``[..., encoded_size]``.

    Of the player itself: row and column as a share of the field, which borders it stands at, its level. Of every
    other: offset (one-hot within +-2), whether seen, level. Of every food: whether there, level, whether the player can
    take it alone, whether those next to it can, whether the player is next to it, distance, offset (one-hot), and for
    every other player offset, distance, whether next to it and whether the two could take it. The foods nearest to all
    players together come first: whichever a team learns to fetch first, what is left takes its place. Nothing is added
    that the package does not show.
    """
    rows = np.ascontiguousarray(raw, np.float32).reshape(-1, field.raw_size)
    told = np.zeros((len(rows), field.encoded_size), np.float32)
    rules = np.array([field.size, field.players, field.foods, field.coop, field.seen, 1], np.int64)
    for row, into in zip(rows, told, strict=True):
        _encode(rules, row, into)
    return told.reshape(*raw.shape[:-1], field.encoded_size)


@helper
def _below(keys: Any, draws: Any, book: int, limit: int) -> int:
    """Return a draw of 0 .. limit - 1."""
    word = bits(keys[book], draws[book])
    draws[book] += np.uint64(1)
    return int((word >> np.uint64(33)) * np.uint64(limit) >> np.uint64(31))


@helper
def _begin(rules: Any, chances: Any, food: Any, player: Any, clock: Any, keys: Any, draws: Any, book: int) -> None:
    """Draw players, then food, as the package does."""
    size, players, foods, coop = rules[0], rules[1], rules[2], rules[3]
    for row in range(size):
        for column in range(size):
            food[book, row, column] = 0
    for n in range(players):
        player[book, n, 0] = -1
    for n in range(players):
        for _ in range(ATTEMPTS):
            row, column = _below(keys, draws, book, size), _below(keys, draws, book, size)
            if _standing(player, n, book, row, column) == 0:
                player[book, n, 0], player[book, n, 1] = row, column
                chance, level = _below(keys, draws, book, 1 << 30) / (1 << 30), 0
                while level < chances.shape[0] - 1 and chance >= chances[level]:
                    level += 1
                player[book, n, 2] = level + 1
                break
    most = _lowest_three(player, players, book)
    least = most if coop != 0 else 1
    spawned, attempts, total = 0, 0, 0
    while spawned < foods and attempts < ATTEMPTS:
        attempts += 1
        row, column = 1 + _below(keys, draws, book, size - 2), 1 + _below(keys, draws, book, size - 2)
        if not _may_grow(food, player, size, players, book, row, column):
            continue
        level = least if least == most else least + _below(keys, draws, book, most - least + 1)
        food[book, row, column] = level
        total += level
        spawned += 1
    clock[book, 0], clock[book, 1] = 0, total


@helper
def _lowest_three(player: Any, players: int, book: int) -> int:
    """Return the sum of the three lowest levels."""
    total = 0
    for n in range(players):
        before = 0  # players that come before n in the order of levels
        for other in range(players):
            lower = player[book, other, 2] < player[book, n, 2]
            if lower or (player[book, other, 2] == player[book, n, 2] and other < n):
                before += 1
        if before < 3:
            total += player[book, n, 2]
    return total


@helper
def _may_grow(food: Any, player: Any, size: int, players: int, book: int, row: int, column: int) -> bool:
    """Return whether food may stand here: nobody does, and no food is next to it or two cells straight away."""
    for y in range(max(row - 1, 0), min(row + 2, size)):
        for x in range(max(column - 1, 0), min(column + 2, size)):
            if food[book, y, x] > 0:
                return False
    for y in range(max(row - 2, 0), min(row + 3, size)):
        if food[book, y, column] > 0:
            return False
    for x in range(max(column - 2, 0), min(column + 3, size)):
        if food[book, row, x] > 0:
            return False
    return _standing(player, players, book, row, column) == 0


@helper
def _standing(player: Any, players: int, book: int, row: int, column: int) -> int:
    """Return how many of the first `players` stand on a cell."""
    found = 0
    for n in range(players):
        found += player[book, n, 0] == row and player[book, n, 1] == column
    return found


@helper
def _level_at(food: Any, size: int, book: int, row: int, column: int) -> int:
    """Return the food at a cell; none outside the field."""
    if row < 0 or column < 0 or row >= size or column >= size:
        return 0
    return int(food[book, row, column])


@helper
def _moved(action: int, row: int, column: int) -> tuple[int, int]:
    if action == NORTH:
        return row - 1, column
    if action == SOUTH:
        return row + 1, column
    if action == WEST:
        return row, column - 1
    if action == EAST:
        return row, column + 1
    return row, column


@helper
def _next_to_food(food: Any, size: int, book: int, row: int, column: int) -> tuple[int, int]:
    """Return the food next to a cell, looking north, south, west, east; (-1, -1) if there is none."""
    for action in range(NORTH, LOAD):
        y, x = _moved(action, row, column)
        if _level_at(food, size, book, y, x) > 0:
            return y, x
    return -1, -1


@helper
def _step(rules: Any, food: Any, player: Any, clock: Any, actions: Any, wanted: Any, book: int) -> float:
    """Let everybody act in one book; return the team's reward. `wanted`: int64[N, 3], overwritten."""
    size, players = rules[0], rules[1]
    clock[book, 0] += 1
    for n in range(players):
        row, column, action = player[book, n, 0], player[book, n, 1], actions[book, n]
        y, x = _moved(action, row, column)
        loads = action == LOAD and _next_to_food(food, size, book, row, column)[0] >= 0
        possible = 0 <= y < size and 0 <= x < size and food[book, y, x] == 0
        wanted[n, 0], wanted[n, 1] = (y, x) if possible else (row, column)
        wanted[n, 2] = loads
    for n in range(players):
        alone = True  # whoever wants to stand where another wants to, stays
        for other in range(players):
            if other != n and wanted[other, 0] == wanted[n, 0] and wanted[other, 1] == wanted[n, 1]:
                alone = False
        if alone:
            player[book, n, 0], player[book, n, 1] = wanted[n, 0], wanted[n, 1]
    reward = 0.0
    for n in range(players):
        if wanted[n, 2] == 0:
            continue
        y, x = _next_to_food(food, size, book, player[book, n, 0], player[book, n, 1])
        level, together = food[book, y, x], 0
        for other in range(players):
            apart = abs(player[book, other, 0] - y) + abs(player[book, other, 1] - x)
            if wanted[other, 2] != 0 and apart == 1:
                together += player[book, other, 2]
        for other in range(players):
            apart = abs(player[book, other, 0] - y) + abs(player[book, other, 1] - x)
            if wanted[other, 2] != 0 and apart == 1:
                wanted[other, 2] = 0
                if together >= level:
                    reward += float(player[book, other, 2] * level) / float(together * clock[book, 1])
        if together >= level:
            food[book, y, x] = 0
    return reward


@helper
def _show(rules: Any, food: Any, player: Any, book: int, n: int, raw: Any) -> None:
    """Write what the package shows player n."""
    size, players, foods, sight = rules[0], rules[1], rules[2], rules[4]
    row, column = player[book, n, 0], player[book, n, 1]
    top, left = max(row - sight, 0), max(column - sight, 0)
    for i in range(foods + players):
        raw[3 * i], raw[3 * i + 1], raw[3 * i + 2] = -1.0, -1.0, 0.0
    found = 0
    for y in range(top, min(row + sight + 1, size)):
        for x in range(left, min(column + sight + 1, size)):
            if food[book, y, x] > 0:
                raw[3 * found], raw[3 * found + 1], raw[3 * found + 2] = y - top, x - left, food[book, y, x]
                found += 1
    place = 3 * foods
    for turn in range(players):  # oneself first
        other = n if turn == 0 else (turn - 1 if turn <= n else turn)
        y = player[book, other, 0] - row + min(sight, row)
        x = player[book, other, 1] - column + min(sight, column)
        if min(y, x) >= 0 and max(y, x) <= 2 * sight:
            raw[place], raw[place + 1], raw[place + 2] = y, x, player[book, other, 2]
            place += 3


@shared_kernel
def _encode(rules: Any, raw: Any, told: Any) -> None:
    """Write what `encode` says of one row."""
    size, players, foods = rules[0], rules[1], rules[2]
    unit = 1.0 / size
    told[:] = 0.0
    me = 3 * foods
    row, column = int(raw[me]), int(raw[me + 1])
    told[0], told[1] = row * unit, column * unit
    told[2], told[3] = row == 0, row == size - 1
    told[4], told[5] = column == 0, column == size - 1
    told[6], told[7] = raw[me + 2] == 1.0, raw[me + 2] == 2.0
    at = _TOLD_OF_SELF
    for p in range(1, players):
        other = me + 3 * p
        if raw[other] >= 0.0:
            y, x = int(raw[other]) - row, int(raw[other + 1]) - column
            told[at], told[at + 1], told[at + 2] = 1.0, raw[other + 2] == 1.0, raw[other + 2] == 2.0
            told[at + 3 + min(max(y, -2), 2) + 2] = 1.0
            told[at + 8 + min(max(x, -2), 2) + 2] = 1.0
        at += _TOLD_OF_OTHER
    told_already = 0  # foods, one bit each
    for _ in range(foods):
        f = _next_food(raw, foods, players, told_already)
        told_already |= 1 << f
        level = raw[3 * f + 2]
        y, x = int(raw[3 * f]), int(raw[3 * f + 1])
        mine = raw[me + 2]
        if level > 0.0:
            apart = abs(y - row) + abs(x - column)
            told[at] = 1.0
            told[at + min(int(level), _LEVELS)] = 1.0
            told[at + _LEVELS + 1] = mine >= level
            told[at + _LEVELS + 2] = _levels_next_to(raw, me, players, y, x) >= level
            told[at + _LEVELS + 3], told[at + _LEVELS + 4] = apart == 1, apart * unit
            offset = at + _TOLD_OF_FOOD + size - 1
            told[offset + y - row] = 1.0
            told[offset + 2 * size - 1 + x - column] = 1.0
        at += _TOLD_OF_FOOD + 2 * (2 * size - 1)
        for p in range(1, players):
            other = me + 3 * p
            if level > 0.0 and raw[other] >= 0.0:
                down, right = y - raw[other], x - raw[other + 1]
                apart = abs(int(down)) + abs(int(right))
                told[at], told[at + 1] = down * unit, right * unit
                told[at + 2], told[at + 3] = apart == 1, apart * unit
                told[at + 4] = mine + raw[other + 2] >= level
            at += _TOLD_OF_PAIR


@helper
def _next_food(raw: Any, foods: int, players: int, told_already: int) -> int:
    """Return the food nearest to all players seen together, of those not told already; empty places come last."""
    found, least = -1, 0
    for f in range(foods):
        if (told_already >> f) & 1:
            continue
        apart = 1 << 30
        if raw[3 * f + 2] > 0.0:
            apart = 0
            for p in range(players):
                one = 3 * (foods + p)
                if raw[one] >= 0.0:
                    apart += abs(int(raw[one]) - int(raw[3 * f])) + abs(int(raw[one + 1]) - int(raw[3 * f + 1]))
        if found < 0 or apart < least:
            found, least = f, apart
    return found


@helper
def _levels_next_to(raw: Any, me: int, players: int, y: int, x: int) -> float:
    """Return the sum of levels of the players seen next to a cell."""
    total = 0.0
    for p in range(players):
        one = me + 3 * p
        if raw[one] >= 0.0 and abs(int(raw[one]) - y) + abs(int(raw[one + 1]) - x) == 1:
            total += raw[one + 2]
    return total


@helper
def _show_one(rules: Any, food: Any, player: Any, book: int, raw: Any, obs: Any) -> None:
    for n in range(rules[1]):
        if rules[5] != 0:
            _show(rules, food, player, book, n, raw[book, n])
            _encode(rules, raw[book, n], obs[book, n])
        else:
            _show(rules, food, player, book, n, obs[book, n])


@entry
def _show_all(rules: Any, food: Any, player: Any, raw: Any, obs: Any) -> None:
    for book in range(food.shape[0]):
        _show_one(rules, food, player, book, raw, obs)


@entry
def _begin_all(rules: Any, chances: Any, food: Any, player: Any, clock: Any, keys: Any, draws: Any) -> None:
    for book in range(food.shape[0]):
        _begin(rules, chances, food, player, clock, keys, draws, book)


@entry
def _step_all(
    rules: Any,
    chances: Any,
    food: Any,
    player: Any,
    clock: Any,
    keys: Any,
    draws: Any,
    actions: Any,
    raw: Any,
    obs: Any,
    final: Any,
    reward: Any,
    ends: Any,
    wanted: Any,
) -> None:
    for book in range(food.shape[0]):
        reward[book] = _step(rules, food, player, clock, actions, wanted, book)
        left = 0
        for row in range(rules[0]):
            for column in range(rules[0]):
                left += food[book, row, column]
        ends[book, 0] = left == 0
        ends[book, 1] = left > 0 and clock[book, 0] >= STEPS
        if ends[book, 0] or ends[book, 1]:
            _show_one(rules, food, player, book, raw, final)
            _begin(rules, chances, food, player, clock, keys, draws, book)
            _show_one(rules, food, player, book, raw, obs)
        else:
            _show_one(rules, food, player, book, raw, obs)
            for n in range(rules[1]):
                for i in range(obs.shape[2]):
                    final[book, n, i] = obs[book, n, i]
