"""Two agents, tables, and recursive reasoning between them: the smallest team that can be wrong about each other.

Learns matrix games (`payoffs [S, U, U]`, `following [S, U, U]`, -1 ends) from the team's reward alone, many runs at
once. The team value is ``Q_0 + Q_1 + P_ij`` (specification 5.1), where i leads and j follows; who leads rotates by a
hash of the round. At depth 0 there is no P: plain value decomposition, with its known failures. What an agent knows of
the other it has seen: its answers, and the utilities it publishes.

Answers are learnt as the follower means them: an answer it explored weighs nothing, one it meant is weighed by one over
its chance, at most 4. Where leaders are silent, a follower works out what a leader would do that expects it to answer
well, and answers are learnt from where it was right.

Rules that keep leaders from chasing their followers (after Gerstgrasser and Parkes 2023, arXiv:2210.11942): models of
followers learn at three times the rate of values, a leader reasons at depth 0 until a model has seen 500 answers, and
what leading has learnt stands still while the held-out surprise of the model has risen for three rounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.draws import bits, uniform
from mycelial.domain.errors import ConfigError
from mycelial.domain.kernels import allocating_entry, helper
from mycelial.domain.seeds import stream_key
from mycelial.learning.recursion import MOST_DEPTH, follow, lead, softmax

Floats64 = NDArray[np.float64]
_ROUND = 100  # plays between two looks at the held-out surprise
_PATIENCE = 3  # rounds in which it may rise
_HELD_OUT = 10  # every tenth answer is not learnt from
_RISE = 1e-3


@dataclass(frozen=True)
class Reasoning:
    """How the two reason about each other.

    Parameters
    ----------
    depth : int
        0 .. 3.
    announced : bool
        Leaders tell their action before followers answer; else followers work it out.
    mixed : bool
        Leaders expect followers of all lower depths, Poisson(1.5) of them each.
    radius : float
        Kullback-Leibler radius of the worst case guarded against; 0 trusts the model.
    placebo : bool
        Two teams play side by side and everybody takes the other team's member for its peer.
    credit : ``vdn`` or ``none``
        One error for the team, or independent Q-learning.
    """

    depth: int = 1
    announced: bool = True
    mixed: bool = False
    radius: float = 0.0
    placebo: bool = False
    credit: str = "vdn"
    plays: int = 3_000
    rate: float = 0.05
    gamma: float = 0.99
    first_epsilon: float = 1.0
    last_epsilon: float = 0.05
    temperature: float = 0.5
    least_answers: int = 500

    def __post_init__(self) -> None:
        if not 0 <= self.depth <= MOST_DEPTH:
            raise ConfigError(f"swarm.learning.best_response.depth = {self.depth} must be 0 to {MOST_DEPTH}")
        if self.credit == "none" and self.depth:
            raise ConfigError("best responses correct a decomposed value; independent learners have depth 0")


@dataclass(frozen=True)
class Played:
    """What R runs came to.

    Parameters
    ----------
    scores : float64[R]
        Joint return of the greedy final policies, averaged over who leads.
    returns : float64[R, plays]
        While learning.
    surprise : float64[R]
        Mean negative log-likelihood of the last round's held-out answers; nan at depth 0.
    """

    scores: Floats64
    returns: Floats64
    surprise: Floats64


class Tables(NamedTuple):
    """What the members of G groups know; agent i of group g at ``[g, i]``. S = states, U = actions."""

    own: Floats64  # [G, 2, S, U]     Q of each agent
    others: Floats64  # [G, 2, S, U]     what each agent takes the other's Q to be
    dyadic: Floats64  # [G, 2, S, U, U]  P when agent i leads, [its action, the answer]
    answers: Floats64  # [G, 2, S, U, U]  logits of the answers each agent expects when it leads


class _Game(NamedTuple):
    """The game and how it is played, as kernels take it."""

    payoffs: Floats64
    following: NDArray[np.int64]
    depth: int
    announced: bool
    mixed: bool
    team: bool
    plays: int
    least_answers: int
    rate: float
    gamma: float
    first_epsilon: float
    last_epsilon: float
    temperature: float
    radius: float


def play(payoffs: Floats64, following: NDArray[np.int64], reasoning: Reasoning, seeds: NDArray[np.int64]) -> Played:
    """Let a fresh team learn the game once for each seed."""
    states, actions, _ = payoffs.shape
    groups = 2 if reasoning.placebo else 1
    game = _Game(
        payoffs,
        following,
        reasoning.depth,
        reasoning.announced,
        reasoning.mixed,
        reasoning.credit == "vdn",
        reasoning.plays,
        reasoning.least_answers,
        reasoning.rate,
        reasoning.gamma,
        reasoning.first_epsilon,
        reasoning.last_epsilon,
        reasoning.temperature,
        reasoning.radius,
    )
    small, large = (groups, 2, states, actions), (groups, 2, states, actions, actions)
    scores, surprise = np.zeros(len(seeds)), np.full(len(seeds), np.nan)
    returns = np.zeros((len(seeds), reasoning.plays))
    room, acts = np.zeros((4 + actions, actions)), np.zeros((groups, N_ACTS), np.int64)
    for run, seed in enumerate(seeds):
        tables = Tables(np.zeros(small), np.zeros(small), np.zeros(large), np.zeros(large))
        key = stream_key(int(seed), "tabular")
        surprise[run] = _learn_game(game, tables, key, room, acts, returns[run])
        scores[run] = _final_score(game, tables, key, room, acts)
    return Played(scores, returns, surprise)


# Columns of `acts`: the leader's action and its follower's answer, as the two took each other for peers.
ACTION, ANSWER, CHANCE, STATE, N_ACTS = range(5)
_PER_MIL = 1000  # unit of CHANCE: the chance with which the answer was meant, 0 if it was explored or misjudged


@helper
def _expected(answers: Any, chances: Any) -> None:
    """Write the softmax of each row of ``answers [U, U]`` into `chances`."""
    for action in range(answers.shape[0]):
        softmax(answers[action], 1.0, chances[action])


@helper
def _any(key: np.uint64, counter: int, actions: int) -> int:
    return int((bits(key, np.uint64(counter)) >> np.uint64(33)) % np.uint64(actions))


@helper
def _pair(
    game: Any, tables: Any, g: int, peer: int, leader: int, state: int, depth: int, epsilon: float, key: np.uint64,
    counter: int, room: Any, acts: Any,
) -> None:  # fmt: skip
    """Let the leader of group g act and the follower of group `peer` answer it; write both into ``acts[g]``."""
    follower, count = 1 - leader, game.payoffs.shape[1]
    own, dyadic, chances = tables.own, tables.dyadic[g, leader, state], room[4:]
    _expected(tables.answers[g, leader, state], chances)
    action = lead(
        depth, game.mixed, game.radius, own[g, leader, state], dyadic, tables.others[g, leader, state], chances,
        game.temperature, room[:3], room[3],
    )  # fmt: skip
    if uniform(key, np.uint64(counter)) < epsilon:
        action = _any(key, counter + 1, count)
    believed = action
    if depth > 0 and not game.announced:  # the follower puts itself into the leader's place
        believed = lead(
            2, False, 0.0, tables.others[peer, follower, state], dyadic, own[peer, follower, state], chances,
            game.temperature, room[:3], room[3],
        )  # fmt: skip
    for a in range(count):
        room[3, a] = 1.0 if a == believed and depth > 0 else 0.0
    answer = follow(own[peer, follower, state], dyadic, room[3])
    meant = believed == action
    if uniform(key, np.uint64(counter + 2)) < epsilon:
        explored = _any(key, counter + 3, count)
        meant = meant and explored == answer
        answer = explored
    acts[g, ACTION], acts[g, ANSWER] = action, answer
    acts[g, CHANCE] = int(_PER_MIL * (1.0 - epsilon + epsilon / count)) if meant else 0


@helper
def _ahead(
    game: Any, tables: Any, g: int, leader: int, state: int, depth: int, room: Any, acts: Any, parts: Any
) -> None:
    """Write what the greedy joint action of a state is worth: to agent 0, to agent 1, and as their correction."""
    parts[0], parts[1], parts[2] = 0.0, 0.0, 0.0
    if state < 0:
        return
    kept = acts[g, ACTION], acts[g, ANSWER], acts[g, CHANCE]
    _pair(game, tables, g, g, leader, state, depth, -1.0, np.uint64(0), 0, room, acts)
    action, answer = acts[g, ACTION], acts[g, ANSWER]
    parts[leader] = tables.own[g, leader, state, action]
    parts[1 - leader] = tables.own[g, 1 - leader, state, answer]
    if depth > 0:
        parts[2] = tables.dyadic[g, leader, state, action, answer]
    acts[g, ACTION], acts[g, ANSWER], acts[g, CHANCE] = kept


@helper
def _learn_values(
    game: Any, tables: Any, g: int, leader: int, answer: int, reward: float, parts: Any, leads: bool, acts: Any
) -> float:
    """Move the values of group g towards what it got; return the error. `answer` is its own follower's."""
    follower, state, action, told = 1 - leader, acts[g, STATE], acts[g, ACTION], acts[g, ANSWER]
    of_leader, of_follower = tables.own[g, leader, state], tables.own[g, follower, state]
    correction = tables.dyadic[g, leader, state, action, told] if game.depth > 0 else 0.0
    value = of_leader[action] + of_follower[answer] + correction
    error = reward + game.gamma * (parts[0] + parts[1] + parts[2]) - value
    if game.team:
        of_leader[action] += game.rate * error
        of_follower[answer] += game.rate * error
    else:
        of_leader[action] += game.rate * (reward + game.gamma * parts[leader] - of_leader[action])
        of_follower[answer] += game.rate * (reward + game.gamma * parts[follower] - of_follower[answer])
    if leads:
        tables.dyadic[g, leader, state, action, told] += game.rate * error
    return float(error)


@helper
def _learn_peer(game: Any, tables: Any, g: int, peer: int, leader: int, pull: float, room: Any, acts: Any) -> None:
    """Learn of each other: published utilities, and what the follower answers (specification 5.2)."""
    follower, state, action, told = 1 - leader, acts[g, STATE], acts[g, ACTION], acts[g, ANSWER]
    of_leader, of_follower = tables.others[g, leader, state], tables.others[peer, follower, state]
    of_leader[told] += 3.0 * game.rate * (tables.own[peer, follower, state, told] - of_leader[told])
    of_follower[action] += 3.0 * game.rate * (tables.own[g, leader, state, action] - of_follower[action])
    logits, count = tables.answers[g, leader, state, action], game.payoffs.shape[1]
    weight = min(4.0, _PER_MIL / acts[g, CHANCE]) if acts[g, CHANCE] > 0 else 0.0
    for a in range(count):
        room[0, a] = tables.dyadic[g, leader, state, action, a] + of_leader[a]
    softmax(room[0], game.temperature, room[1])  # the best answer to be expected
    softmax(logits, 1.0, room[2])
    for a in range(count):
        seen = 1.0 if a == told else 0.0
        logits[a] += 3.0 * game.rate * (weight * (seen - room[2, a]) + pull * (room[1, a] - room[2, a]))


@allocating_entry
def _learn_game(game: Any, tables: Any, key: np.uint64, room: Any, acts: Any, returns: Any) -> float:
    """Learn one run; return the surprise of the last round that was held out."""
    groups = tables.own.shape[0]
    parts = np.zeros(3)
    counter, known, risen, held, total, last = 0, 0, 0, 0, 0.0, math.nan
    error_square, reward_mean, reward_square = 0.0, 0.0, 1e-9
    for turn in range(game.plays):
        epsilon = game.first_epsilon + (game.last_epsilon - game.first_epsilon) * turn / max(1, game.plays - 1)
        leader = int(bits(key ^ np.uint64(0x5EED), np.uint64(turn)) & np.uint64(1))
        depth = game.depth if known >= game.least_answers else 0
        acts[:, STATE] = 0
        while acts[:, STATE].min() >= 0:
            for g in range(groups):
                _pair(game, tables, g, groups - 1 - g, leader, acts[g, STATE], depth, epsilon, key, counter, room, acts)
                counter += 4
            known += 1
            if game.depth > 0 and known % _HELD_OUT == 0 and acts[0, CHANCE] > 0:
                softmax(tables.answers[0, leader, acts[0, STATE], acts[0, ACTION]], 1.0, room[0])
                total -= math.log(max(room[0, acts[0, ANSWER]], 1e-12))
                held += 1
            elif game.depth > 0:
                pull = 1.0 if error_square < 0.5 * reward_square else 0.1
                for g in range(groups):
                    _learn_peer(game, tables, g, groups - 1 - g, leader, pull, room, acts)
            for g in range(groups):
                state, action, answer = acts[g, STATE], acts[g, ACTION], acts[groups - 1 - g, ANSWER]
                first, second = (action, answer) if leader == 0 else (answer, action)
                reward, after = game.payoffs[state, first, second], game.following[state, first, second]
                _ahead(game, tables, g, leader, after, depth, room, acts, parts)
                leads = game.depth > 0 and risen < _PATIENCE
                error = _learn_values(game, tables, g, leader, answer, reward, parts, leads, acts)
                if g == 0:
                    returns[turn] += reward
                    error_square += 0.02 * (error * error - error_square)
                    reward_mean += 0.02 * (reward - reward_mean)
                    reward_square += 0.02 * ((reward - reward_mean) ** 2 - reward_square)
                acts[g, STATE] = after
        if (turn + 1) % _ROUND == 0 and held > 0:
            surprise = total / held
            risen = risen + 1 if surprise > last + _RISE else 0
            last, total, held = surprise, 0.0, 0
    return last


@allocating_entry
def _final_score(game: Any, tables: Any, key: np.uint64, room: Any, acts: Any) -> float:
    """Return the joint return of group 0 without exploration, averaged over who leads."""
    groups, total = tables.own.shape[0], 0.0
    for leader in range(2):
        acts[:, STATE] = 0
        while acts[0, STATE] >= 0:
            for g in range(groups):
                state = max(acts[g, STATE], 0)
                _pair(game, tables, g, groups - 1 - g, leader, state, game.depth, -1.0, key, 0, room, acts)
            for g in range(groups):
                state, action, answer = max(acts[g, STATE], 0), acts[g, ACTION], acts[groups - 1 - g, ANSWER]
                first, second = (action, answer) if leader == 0 else (answer, action)
                total += game.payoffs[state, first, second] if g == 0 else 0.0
                acts[g, STATE] = game.following[state, first, second]
    return total / 2.0
