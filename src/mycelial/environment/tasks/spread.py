"""Spreading out over landmarks, compiled and many at once: the physics of mpe2 1.1.1 `simple_spread`, step for step.

N agents accelerate on a plane and should cover N landmarks without touching. Each is paid, at every step, half of minus
the sum over landmarks of the distance to the nearest agent, and half of minus the number of others it touches (local
ratio 0.5). The team's reward is the sum over its members, which is the scale JaxMARL reports; a third of it is the
scale of mpe2 (Lowe et al. 2017, arXiv:1706.02275). Episodes are cut after 25 steps; the world knows no end. What
members see is what the package shows them, or (``encoded``) with the distances that follow from it: see `encode`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.draws import uniform
from mycelial.domain.kernels import entry, helper
from mycelial.domain.seeds import stream_key
from mycelial.learning.task import Actions, Arrays, Floats, Observation, TeamStep

ACTIONS = 5  # stay, left, right, down, up
STEPS = 25
LOCAL_RATIO = 0.5
_DT, _DAMPING, _PUSH, _SIZE = 0.1, 0.25, 5.0, 0.15
_CONTACT_FORCE, _CONTACT_MARGIN = 1e2, 1e-3


class Spread:
    """B planes as a `TeamTask`.

    Parameters
    ----------
    team : int
        N, agents and landmarks.
    books : int
    encoded : bool
        Tell members distances too.
    spread_clocks : bool
        Let first episodes end at different times, so that a learner's books are not all of one age.
    """

    actions = ACTIONS

    def __init__(self, team: int, books: int, *, encoded: bool = True, spread_clocks: bool = False) -> None:
        self.agents, self.books, self.encoded, self.spread_clocks = team, books, encoded, spread_clocks
        self.observation_size = encoded_size(team) if encoded else raw_size(team)
        self._body: NDArray[np.float64] = np.zeros((books, team, 4))  # x, y, speed along x, along y
        self._mark: NDArray[np.float64] = np.zeros((books, team, 2))
        self._clock: NDArray[np.int64] = np.zeros(books, np.int64)
        self._keys: NDArray[np.uint64] = np.zeros(books, np.uint64)
        self._draws: NDArray[np.uint64] = np.zeros(books, np.uint64)
        self._force: NDArray[np.float64] = np.zeros((team, 2))
        self._obs = np.zeros((books, team, raw_size(team)), np.float32)
        self._final = np.zeros_like(self._obs)
        self._paid: NDArray[np.float64] = np.zeros((books, team))
        self._mask = np.ones((books, team, ACTIONS), np.bool_)
        self._never = np.zeros(books, np.bool_)
        self._cost = np.zeros((books, team), np.float32)

    def reset(self, seed: int) -> Observation:
        """Begin an episode in every book."""
        self._keys = np.array([stream_key(seed, "spread", b) for b in range(self.books)], np.uint64)
        self._draws = np.zeros(self.books, np.uint64)
        _begin_all(self._body, self._mark, self._clock, self._keys, self._draws)
        if self.spread_clocks:
            self._clock[:] = np.arange(self.books) % STEPS
        return self._shown()

    def step(self, actions: Actions) -> TeamStep:
        """Let every member of every book act."""
        _step_all(
            self._body, self._mark, self._clock, self._keys, self._draws, np.ascontiguousarray(actions, np.int32),
            self._force, self._obs, self._final, self._paid,
        )  # fmt: skip
        reward = self._paid.sum(1).astype(np.float32)
        obs, final = self._told(self._obs), self._told(self._final)
        return TeamStep(obs, self._mask, reward, self._never, self._clock == 0, final, self._cost)

    def paid(self) -> NDArray[np.float64]:
        """Return what each member was paid at the last step: float64[B, N]."""
        return self._paid

    def state(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """Return bodies (x, y, speeds) [B, N, 4], landmarks [B, N, 2], and steps lived [B]."""
        return self._body, self._mark, self._clock

    def snapshot(self) -> Arrays:
        """Return copies of everything the future depends on."""
        return {
            "body": self._body.copy(),
            "mark": self._mark.copy(),
            "clock": self._clock.copy(),
            "keys": self._keys.copy(),
            "draws": self._draws.copy(),
        }

    def restore(self, state: Arrays) -> Observation:
        """Take up a snapshot."""
        self._body, self._mark, self._clock, self._keys, self._draws = (
            state[name].copy() for name in ("body", "mark", "clock", "keys", "draws")
        )
        return self._shown()

    def _shown(self) -> Observation:
        _show_all(self._body, self._mark, self._obs)
        return Observation(self._told(self._obs), self._mask)

    def _told(self, raw: Floats) -> Floats:
        return encode(self.agents, raw) if self.encoded else raw


def raw_size(team: int) -> int:
    """Return the figures the package shows each agent."""
    return 4 + 2 * team + 4 * (team - 1)


def encoded_size(team: int) -> int:
    """Return the figures of `encode`."""
    return 4 + 2 * team + 2 * (team - 1) + (team - 1) + team * (team + 1)


def encode(team: int, raw: Floats) -> Floats:
    """Tell what the package shows ``[..., raw_size]`` with distances: ``[..., encoded_size]``.

    Behind speed, place, landmarks and others come the distances to the others, and for every landmark one's own
    distance, that of every other, and whether one is nearest. Silence is left out. Nothing is added that the package
    does not show.
    """
    told = np.zeros((*raw.shape[:-1], encoded_size(team)), np.float32)
    rows = np.ascontiguousarray(raw, np.float32).reshape(-1, raw_size(team))
    _encode(team, rows, told.reshape(len(rows), -1))
    return told


@entry
def _encode(team: int, raw: Any, told: Any) -> None:
    shown = 4 + 2 * team + 2 * (team - 1)
    for row in range(raw.shape[0]):
        for i in range(shown):
            told[row, i] = raw[row, i]
        at = shown
        for other in range(team - 1):
            x, y = raw[row, 4 + 2 * team + 2 * other], raw[row, 5 + 2 * team + 2 * other]
            told[row, at] = math.sqrt(x * x + y * y)
            at += 1
        for mark in range(team):
            x, y = raw[row, 4 + 2 * mark], raw[row, 5 + 2 * mark]
            own = math.sqrt(x * x + y * y)
            nearest = own
            told[row, at] = own
            for other in range(team - 1):
                right, up = x - raw[row, 4 + 2 * team + 2 * other], y - raw[row, 5 + 2 * team + 2 * other]
                apart = math.sqrt(right * right + up * up)
                nearest = min(nearest, apart)
                told[row, at + 1 + other] = apart
            told[row, at + team] = 1.0 if nearest >= own else 0.0
            at += team + 1


@helper
def _place(keys: Any, draws: Any, book: int) -> float:
    draws[book] += np.uint64(1)
    return 2.0 * uniform(keys[book], draws[book]) - 1.0


@helper
def _begin(body: Any, mark: Any, clock: Any, keys: Any, draws: Any, book: int) -> None:
    for n in range(body.shape[1]):
        for axis in range(2):
            body[book, n, axis], body[book, n, 2 + axis] = _place(keys, draws, book), 0.0
    for n in range(mark.shape[1]):
        for axis in range(2):
            mark[book, n, axis] = _place(keys, draws, book)
    clock[book] = 0


@helper
def _apart(one: Any, other: Any) -> float:
    return math.sqrt((one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2)


@helper
def _move(body: Any, actions: Any, force: Any) -> None:
    """Push, collide and integrate one book; soft contact forces as in the package."""
    team = body.shape[0]
    for n in range(team):
        action = actions[n]
        force[n, 0] = _PUSH * ((action == 2) - (action == 1))
        force[n, 1] = _PUSH * ((action == 4) - (action == 3))
    for a in range(team):
        for b in range(a + 1, team):
            apart = _apart(body[a], body[b])
            into = -(apart - 2.0 * _SIZE) / _CONTACT_MARGIN
            depth = (max(into, 0.0) + math.log1p(math.exp(-abs(into)))) * _CONTACT_MARGIN
            for axis in range(2):
                push = _CONTACT_FORCE * (body[a, axis] - body[b, axis]) / apart * depth
                force[a, axis] += push
                force[b, axis] -= push
    for n in range(team):
        for axis in range(2):
            body[n, axis] += body[n, 2 + axis] * _DT
            body[n, 2 + axis] = body[n, 2 + axis] * (1.0 - _DAMPING) + force[n, axis] * _DT


@helper
def _pay(body: Any, mark: Any, paid: Any) -> None:
    team, shared = body.shape[0], 0.0
    for m in range(team):
        nearest = _apart(body[0], mark[m])
        for n in range(1, team):
            nearest = min(nearest, _apart(body[n], mark[m]))
        shared -= nearest
    for n in range(team):
        touched = 0
        for other in range(team):
            touched += other != n and _apart(body[n], body[other]) < 2.0 * _SIZE
        paid[n] = shared * (1.0 - LOCAL_RATIO) - LOCAL_RATIO * touched


@helper
def _show(body: Any, mark: Any, obs: Any) -> None:
    """Write for every agent: speed, place, landmarks and others relative to it; the rest (silence) stays zero."""
    team = body.shape[0]
    for n in range(team):
        for axis in range(2):
            obs[n, axis], obs[n, 2 + axis] = body[n, 2 + axis], body[n, axis]
            for m in range(team):
                obs[n, 4 + 2 * m + axis] = mark[m, axis] - body[n, axis]
            for m in range(team - 1):
                other = m if m < n else m + 1
                obs[n, 4 + 2 * team + 2 * m + axis] = body[other, axis] - body[n, axis]


@entry
def _show_all(body: Any, mark: Any, obs: Any) -> None:
    for book in range(body.shape[0]):
        _show(body[book], mark[book], obs[book])


@entry
def _begin_all(body: Any, mark: Any, clock: Any, keys: Any, draws: Any) -> None:
    for book in range(body.shape[0]):
        _begin(body, mark, clock, keys, draws, book)


@entry
def _step_all(
    body: Any,
    mark: Any,
    clock: Any,
    keys: Any,
    draws: Any,
    actions: Any,
    force: Any,
    obs: Any,
    final: Any,
    paid: Any,
) -> None:
    """Move every book; a clock of 0 afterwards says that its episode was cut and a new one begun."""
    for book in range(body.shape[0]):
        _move(body[book], actions[book], force)
        _pay(body[book], mark[book], paid[book])
        clock[book] += 1
        _show(body[book], mark[book], final[book])
        if clock[book] >= STEPS:
            _begin(body, mark, clock, keys, draws, book)
        _show(body[book], mark[book], obs[book])
