"""Parts of the exchange server without sockets: who may enter, tokens, and books spoilt on purpose."""

from __future__ import annotations

import numpy as np
import pytest

from mycelial.adapters.exchanges.kraken_server.keyring import BAD_KEYS, LOCKOUT_NS, Keyring, Tokens
from mycelial.adapters.exchanges.kraken_server.spoiling import Spoiler
from mycelial.kraken.errors import Refused
from mycelial.kraken.signing import Secret
from mycelial.simulation.exchange.accounts import ApiKey, make_keys
from mycelial.simulation.exchange.reports import BookUpdate
from mycelial.simulation.scenarios import FeedFault

PATH, SECOND = "/0/private/Balance", 10**9
KEYS = make_keys(1)


def enter(ring: Keyring, nonce: object, key: ApiKey = KEYS[0], *, now_s: int = 0, signed: bool = True) -> ApiKey:
    """Try to enter with a nonce."""
    body = f"nonce={nonce}".encode()
    signature = Secret(key.secret).signature(PATH, str(nonce), body) if signed else "AAAA"
    return ring.admit(key.key, signature, PATH, nonce, body, "127.0.0.1", now_s * SECOND)  # type: ignore[arg-type]


def test_a_signed_request_opens_its_account_once() -> None:
    ring = Keyring(KEYS)

    assert enter(ring, 5) == KEYS[0]
    assert enter(ring, "1700000000000000000", KEYS[1]) == KEYS[1]  # each key has nonces of its own
    for nonce in (5, 4, None, True, [], "5.5"):
        with pytest.raises(Refused, match="EAPI:Invalid nonce"):
            enter(ring, nonce)


def test_a_nonce_window_lets_late_requests_in_once() -> None:
    ring = Keyring(KEYS, nonce_window=10)

    assert [enter(ring, nonce).name for nonce in (100, 95, 101)] == ["pro-1"] * 3
    for nonce in (95, 90):
        with pytest.raises(Refused, match="EAPI:Invalid nonce"):
            enter(ring, nonce)


def test_a_refused_signature_does_not_use_up_its_nonce() -> None:
    ring = Keyring(KEYS)

    with pytest.raises(Refused, match="EAPI:Invalid signature"):
        enter(ring, 9, signed=False)

    assert enter(ring, 9) == KEYS[0]


def test_each_try_during_a_lockout_begins_it_anew() -> None:
    ring = Keyring(KEYS)

    for _ in range(BAD_KEYS):
        with pytest.raises(Refused, match="EAPI:Invalid signature"):
            enter(ring, 1, signed=False)
    minutes = LOCKOUT_NS // SECOND
    for now_s in (1, minutes - 1, 2 * minutes - 3):  # the last try is late for the first ban only
        with pytest.raises(Refused, match="EGeneral:Temporary lockout"):
            enter(ring, 2, now_s=now_s, signed=now_s > 1)

    assert enter(ring, 3, KEYS[1]) == KEYS[1]
    assert enter(ring, 2, now_s=3 * minutes) == KEYS[0]


def test_tokens_are_good_for_a_while_and_for_good_where_they_were_used() -> None:
    now = [0]
    tokens = Tokens(900 * SECOND, lambda: now[0])
    token = tokens.issue(KEYS[2])

    now[0] = 900 * SECOND
    assert tokens.key_of(token, {}) == KEYS[2]
    now[0] += 1
    with pytest.raises(Refused, match="EAPI:Invalid token"):
        tokens.key_of(token, {})
    assert tokens.key_of(token, {token: KEYS[2]}) == KEYS[2]
    for none in (None, ""):
        with pytest.raises(Refused, match="ESession:Invalid session"):
            tokens.key_of(none, {})


def update(seq: int) -> BookUpdate:
    """Return an update of one bid and one ask."""
    bids, asks = np.array([[1000, 5]]), np.array([[1001, 7]])
    return BookUpdate("BTC/USD", 10, seq, 50 * SECOND, bids, asks, 1234, False)


@pytest.mark.parametrize(
    ("fault", "arrives"),
    [("gap", []), ("freeze", []), ("duplicate", [0, 0, 1, 1]), ("reorder", [1, 0])],
)
def test_spoilt_books_lose_repeat_and_swap_messages(fault: str, arrives: list[int]) -> None:
    faults = (FeedFault(start_ns=0, duration_ns=SECOND, target="*", fault=fault),)  # type: ignore[arg-type]
    spoiler = Spoiler(seed=1)

    delivered = [one.seq for seq in (0, 1) for one in spoiler.deliver(update(seq), faults)]

    assert delivered == arrives


def test_spoilt_books_tell_untruths() -> None:
    def spoilt(fault: str, **more: int) -> BookUpdate:
        faults = (FeedFault(start_ns=0, duration_ns=SECOND, target="*", fault=fault, **more),)  # type: ignore[arg-type]
        (one,) = Spoiler(seed=1).deliver(update(3), faults)
        return one

    assert spoilt("checksum").checksum == 1235
    assert spoilt("skew", skew_ns=-SECOND).time_ns == 49 * SECOND
    assert spoilt("crossed").bids[0, 0] > spoilt("crossed").asks[0, 0]
    assert spoilt("negative_price").asks.tolist() == [[-1001, 7]]


def test_a_share_of_messages_is_hit_alike_for_everybody() -> None:
    faults = (FeedFault(start_ns=0, duration_ns=SECOND, target="*", fault="gap", share_ppm=300_000),)

    runs = [[bool(Spoiler(seed=4).deliver(update(seq), faults)) for seq in range(400)] for _ in range(2)]

    assert runs[0] == runs[1]
    assert 220 < sum(runs[0]) < 340
