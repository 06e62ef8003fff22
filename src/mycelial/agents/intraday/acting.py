"""One agent's turn: by its kind, at a wake-up or when it hears of its own trades; and what becomes of its orders."""

from __future__ import annotations

from mycelial.agents.intraday.executor import act_executor
from mycelial.agents.intraday.learner import act_learner
from mycelial.agents.intraday.maker import act_maker, learn_of_fill
from mycelial.agents.intraday.noise import act_called, act_noise
from mycelial.agents.intraday.state import (
    ARBITRAGEUR,
    CHARTIST,
    EXECUTOR,
    LEARNER,
    MAKER,
    NOISE,
    STOP_HOLDER,
    VALUE,
    Crowd,
    agent_of,
)
from mycelial.agents.intraday.traders import act_arbitrageur, act_chartist, act_stop_holder, act_value
from mycelial.domain.kernels import helper
from mycelial.market.book.state import Book

# Why an agent is woken, when not by the clock of its kind (a reason >= 0).
CALLED_BUY, CALLED_SELL, STOPPED, TOLD, GAPING = -1, -2, -3, -4, -5


@helper
def act(crowd: Crowd, book: Book, i: int, why: int, now: int) -> None:
    """Let agent `i` decide at `now`; what it sends is in the outbox."""
    kind = agent_of(crowd, i).kind
    if kind == NOISE:
        if why in (CALLED_BUY, CALLED_SELL):
            act_called(crowd, book, i, CALLED_BUY - why, now)
        else:
            act_noise(crowd, book, i, now)
    elif kind == VALUE:
        act_value(crowd, book, i, now)
    elif kind == CHARTIST:
        act_chartist(crowd, book, i, now)
    elif kind == MAKER:
        act_maker(crowd, book, i, why == GAPING, now)
    elif kind == ARBITRAGEUR:
        act_arbitrageur(crowd, book, i, now)
    elif kind == STOP_HOLDER:
        act_stop_holder(crowd, book, i, why == STOPPED, now)
    elif kind == EXECUTOR:
        act_executor(crowd, book, i, now)
    elif kind == LEARNER:
        act_learner(crowd, book, i, now)


@helper
def hear(crowd: Crowd, book: Book, i: int, signed_lots: int, now: int) -> None:
    """Tell agent `i` of its own fill (lots positive when it bought) and let it react."""
    if agent_of(crowd, i).kind == MAKER:
        learn_of_fill(crowd, i, signed_lots, now)
        act_maker(crowd, book, i, False, now)
