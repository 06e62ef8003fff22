"""REST: for what the WebSocket cannot answer, above all for finding out what happened.

One request of a key at a time: signed and sent under one lock, because the exchange refuses a nonce that arrives after
a higher one. The call counter is mirrored, and a request waits rather than being refused. Three ends are told apart:
answered (`Answered` if with an error), nothing was sent (`NotSent`), else the fate is unknown (`NoAnswer`).
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import aiohttp

from mycelial.adapters.exchanges.kraken.credentials import Credentials
from mycelial.adapters.exchanges.kraken.nonce_floor import StoredNonces
from mycelial.domain.errors import ExchangeError
from mycelial.domain.ports import Clock
from mycelial.kraken.client.budget import Budget
from mycelial.kraken.client.keeping import SECOND, Backoff
from mycelial.kraken.errors import Reaction
from mycelial.kraken.rest.envelope import Answered, NoAnswer, result_of
from mycelial.kraken.rest.methods import Request
from mycelial.kraken.rest.queries import Query
from mycelial.kraken.rest.signing_requests import HttpRequest, private_request, public_request
from mycelial.market.rate_counters import Cost
from mycelial.market.venues.rules import RestRules

log = logging.getLogger(__name__)
MOST_BODY = 32 << 20
MOST_TRIES = 4
_POINT = 1_000_000  # micro-points
_PASSING = (Reaction.WAIT_DECAY, Reaction.BACK_OFF, Reaction.RECONCILE)  # what time alone may cure


class NotSent(ExchangeError):
    """There was no connection: nothing left this machine."""


class Rest:
    """Requests to one exchange with one key, or none.

    Parameters
    ----------
    budget : mirror of the key's call counter.
    rules : what calls cost.
    """

    def __init__(
        self,
        base: str,
        session: aiohttp.ClientSession,
        clock: Clock,
        budget: Budget,
        rules: RestRules,
        *,
        credentials: Credentials | None = None,
        nonces: StoredNonces | None = None,
        answer_ns: int,
    ) -> None:
        self._base, self._session, self._clock = base.rstrip("/"), session, clock
        self._budget, self._rules = budget, rules
        self._credentials, self._nonces = credentials, nonces or StoredNonces(None)
        self._timeout = aiohttp.ClientTimeout(total=answer_ns / 1e9)
        self._lock = asyncio.Lock()

    async def ask(self, query: Query) -> Any:
        """Return the result of a public method."""
        request = public_request(query)
        return result_of(request.method, *await self._send(request))

    async def ask_patiently(self, query: Query) -> Any:
        """Return the result of a public method, trying again where no answer came or calls were too many."""
        backoff = Backoff(0, "rest", query.__class__.__name__, base_ns=SECOND, most_ns=4 * SECOND, at_once=0)
        while True:
            try:
                return await self.ask(query)
            except (Answered, NoAnswer) as error:
                hopeless = isinstance(error, Answered) and error.meaning.reaction not in _PASSING
                if hopeless or backoff.failures == MOST_TRIES:
                    raise
                await self._clock.sleep_until(self._clock.now_ns() + backoff.next_ns())

    async def ask_private(self, request: Request) -> Any:
        """Return the result of a private method.

        A request that the exchange refused for its nonce is sent once more; one refused for its rate (somebody else
        used the key, or a former run) waits until the counter has decayed. Neither was carried out.
        """
        for last in (False, False, True):
            try:
                return await self._ask_private(request)
            except Answered as error:
                reaction = error.meaning.reaction
                if last or reaction not in (Reaction.FRESH_NONCE, Reaction.WAIT_DECAY):
                    raise
                log.warning("%s: refused (%s), trying again: is this key shared?", error.method, error.errors[0])
        raise AssertionError("the loop returns or raises")

    async def _ask_private(self, request: Request) -> Any:
        if self._credentials is None:
            raise ExchangeError("a private request needs an API key; none was given")
        async with self._lock:
            cost = Cost(self._rules.cost(type(request).__name__) * _POINT)
            await self._wait_for_room(cost)
            nonce = self._nonces.next(self._clock.now_ns())
            signed = private_request(request, self._credentials.key, self._credentials.secret, nonce)
            ticket = self._budget.sending("calls", cost)
            try:
                status, body = await self._send(signed)
            finally:
                self._budget.answered(ticket, self._clock.now_ns(), carried_out=True)
        try:
            return result_of(signed.method, status, body)
        except Answered as error:
            if error.meaning.reaction is Reaction.WAIT_DECAY:
                self._budget.refused_for_rate("calls", self._clock.now_ns())
            raise

    async def _wait_for_room(self, cost: Cost) -> None:
        while True:
            now = self._clock.now_ns()
            wait = self._budget.wait_ns("calls", now, cost, is_cancel=True)
            if wait is None:
                raise ExchangeError("the call counter can never hold this request; choose a higher tier")
            if wait == 0:
                return
            await self._clock.sleep_until(now + wait)

    async def _send(self, request: HttpRequest) -> tuple[int, bytes]:
        method = "GET" if request.body is None else "POST"
        try:
            async with self._session.request(
                method,
                self._base + request.path,
                data=request.body,
                headers=request.headers,
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                body = await response.content.read(MOST_BODY)
                if not response.content.at_eof():
                    raise NoAnswer(f"{request.method}: the answer is longer than {MOST_BODY} bytes")
                return response.status, body
        except aiohttp.ClientConnectorError as error:
            raise NotSent(
                f"{request.method}: no connection to {self._base} ({_why(error)}); nothing was sent"
            ) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NoAnswer(
                f"{request.method}: no answer ({_why(error)}); whether it was carried out is unknown"
            ) from None


def _why(error: BaseException) -> str:
    return str(error) or type(error).__name__
