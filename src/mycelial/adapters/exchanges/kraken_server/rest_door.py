"""The door of REST: one HTTP request in, one envelope out; a page of HTML only where that is the fault asked for."""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import unquote

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_request import BaseRequest

from mycelial.adapters.exchanges.kraken_server import account_answers, order_answers, public_answers
from mycelial.adapters.exchanges.kraken_server.desk import Desk
from mycelial.adapters.exchanges.kraken_server.faults import Faults
from mycelial.kraken import errors
from mycelial.kraken.errors import ProtocolError, Refused
from mycelial.kraken.rest.bodies import Fields, decode_body, decode_form
from mycelial.kraken.rest.envelope import failed, succeeded
from mycelial.kraken.rest.methods import PRIVATE, PUBLIC, method
from mycelial.kraken.rest.queries import Query

MOST_BODY = 2**18  # bytes; a batch of 15 orders takes about 5 kB
BODY_TIMEOUT_S = 15.0
_HTML = b"<html><head><title>520: Web server is returning an unknown error</title></head><body></body></html>"

log = logging.getLogger(__name__)


class RestDoor:
    """Answers HTTP requests.

    Parameters
    ----------
    body_timeout_s : how long a body may take to arrive.
    """

    def __init__(self, desk: Desk, faults: Faults, *, body_timeout_s: float = BODY_TIMEOUT_S) -> None:
        self.desk, self.faults, self.body_timeout_s = desk, faults, body_timeout_s

    async def __call__(self, request: BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        faults = self.faults
        if faults.delay_ns:
            await asyncio.sleep(faults.delay_ns * 1e-9)
        body = await _read(request, self.body_timeout_s)
        if faults.take("bad_gateway"):
            return web.Response(status=520, body=_HTML, content_type="text/html")
        if body is None:
            refusal = _answer(failed(errors.BAD_REQUEST), status=413)
            refusal.force_close()
            return refusal
        private, seed = request.path.startswith(f"/0/{PRIVATE}/"), self.desk.exchange.seed
        if private and (faults.silent or faults.loses(seed)):
            return _hang_up(request)
        payload = self.answer(request, body)
        if private and (faults.take("lose_reply") or faults.loses(seed)):
            return _hang_up(request)
        if faults.delay_ns:
            await asyncio.sleep(faults.delay_ns * 1e-9)
        return _answer(payload)

    def answer(self, request: BaseRequest, body: bytes) -> bytes:
        """Return the envelope that answers a request."""
        path = request.raw_path.partition("?")[0]
        try:
            match path.split("/"):
                case ["", "0", kind, name] if kind == PUBLIC:
                    return self._public(request, unquote(name), body)
                case ["", "0", kind, name] if kind == PRIVATE:
                    return self._private(request, unquote(name), path, body)
            raise Refused(errors.UNKNOWN_METHOD)
        except Refused as refused:
            return failed(refused)
        except ProtocolError:
            return failed(errors.INVALID_ARGUMENTS)
        except Exception:
            log.exception("a REST request failed: %s", path)
            return failed(errors.INTERNAL_ERROR)

    def _public(self, request: BaseRequest, name: str, body: bytes) -> bytes:
        found = method(name, is_public=True)
        fields: Fields = decode_form(request.raw_path.partition("?")[2])
        if body:
            fields |= decode_body(body, request.content_type)
        pair = fields.get("pair")
        self.desk.public_call(request.remote or "", name, pair[:100] if isinstance(pair, str) else "")
        query = found.read(fields)
        assert isinstance(query, Query)
        return succeeded(public_answers.answer(self.desk, query))

    def _private(self, request: BaseRequest, name: str, path: str, body: bytes) -> bytes:
        found = method(name, is_public=False)
        if request.method != "POST":
            raise Refused(errors.BAD_REQUEST)
        fields = decode_body(body, request.content_type)
        headers = request.headers
        key = self.desk.keyring.admit(
            *(headers.get("API-Key", ""), headers.get("API-Sign", ""), path, fields.pop("nonce", None), body),
            *(request.remote or "", self.desk.wall_ns()),
        )
        if not self.desk.exchange.charge_call(key, name):
            raise Refused(errors.CALL_RATE_LIMIT)
        self.desk.check(key, found.needs)
        asked = found.read(fields)
        if isinstance(asked, Query):
            return succeeded(account_answers.answer(self.desk, key, asked))
        try:
            return succeeded(order_answers.answer(self.desk, key.account, asked))
        finally:
            self.desk.pump()


async def _read(request: BaseRequest, timeout_s: float) -> bytes | None:
    """Return the body, None if it is too large or too slow."""
    if not request.can_read_body:
        return b""
    if (request.content_length or 0) > MOST_BODY:
        return None
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout_s):
            while chunk := await request.content.readany():
                size += len(chunk)
                if size > MOST_BODY:
                    return None
                parts.append(chunk)
    except (TimeoutError, HttpProcessingError, ConnectionError, ValueError):
        return None
    return b"".join(parts)


def _hang_up(request: BaseRequest) -> web.StreamResponse:
    """Cut the connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    raise asyncio.CancelledError


def _answer(payload: bytes, status: int = 200) -> web.Response:
    return web.Response(body=payload, status=status, content_type="application/json")
