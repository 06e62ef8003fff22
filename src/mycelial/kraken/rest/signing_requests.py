"""Requests as a client sends them: path, headers and body of a query or an order command."""

from __future__ import annotations

from dataclasses import dataclass, field

from mycelial.kraken.orders import AddBatch, CancelOrders
from mycelial.kraken.rest.bodies import FORM, JSON, Fields, encode_form, encode_json
from mycelial.kraken.rest.methods import METHODS, Request, query_fields
from mycelial.kraken.rest.order_writing import fields_of
from mycelial.kraken.rest.queries import Query
from mycelial.kraken.signing import Secret


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What to send: GET without a body, POST with one."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


def public_request(query: Query) -> HttpRequest:
    """Return the request of a public method."""
    name, fields = query_fields(query)
    text = encode_form(fields).decode()
    return HttpRequest(name, METHODS[name].path + (f"?{text}" if text else ""))


def private_request(request: Request, key: str, secret: Secret, nonce: int, *, otp: str | None = None) -> HttpRequest:
    """Return the signed request of a private method; send requests of one key in the order of their nonces."""
    name, fields = query_fields(request) if isinstance(request, Query) else fields_of(request)
    nested = isinstance(request, AddBatch) or (isinstance(request, CancelOrders) and request.batch)
    return signed_request(name, fields, key, secret, nonce, otp=otp, as_json=nested)


def signed_request(
    name: str, fields: Fields, key: str, secret: Secret, nonce: int, *, otp: str | None = None, as_json: bool = False
) -> HttpRequest:
    """Return a signed request of any fields, as form or JSON."""
    path = METHODS[name].path
    full = {"nonce": str(nonce), **({"otp": otp} if otp else {}), **fields}
    body = encode_json(full) if as_json else encode_form(full)
    headers = {
        "API-Key": key,
        "API-Sign": secret.signature(path, str(nonce), body),
        "Content-Type": JSON if as_json else FORM,
    }
    return HttpRequest(name, path, headers, body)
