"""Names, numbers, times, signatures, nonces and error strings of Kraken's protocol."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mycelial.domain.errors import ConfigError
from mycelial.kraken import errors, numbers, times
from mycelial.kraken.errors import ProtocolError, Reaction, Refused, meaning
from mycelial.kraken.nonces import MOST_NONCE, NonceGuard, NonceSource, read_nonce
from mycelial.kraken.signing import Secret
from mycelial.kraken.symbols import SymbolTable, modern_symbol
from mycelial.market.venues.loading import packaged_venue

TABLE = SymbolTable.of_venue(packaged_venue("kraken"))

# The example of docs.kraken.com, then two of our own with the bytes 0 to 63 as secret.
DOCUMENTED = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
COUNTING = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="
SIGNED = [
    (
        *(DOCUMENTED, "/0/private/AddOrder", "1616492376594"),
        b"nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25",
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ==",
    ),
    (
        *(COUNTING, "/0/private/AddOrder", "1700000000000"),
        b"nonce=1700000000000&ordertype=limit&pair=XBTUSD&price=37500.5&type=buy&volume=1.25",
        "V0/j0SiUR9rk3fNS5okbvtc34nPmYxkrD71Cyo87Fg301KUVE04uC7pCnf/uEddEGcO0z0eZRoq+feMyN1JLRw==",
    ),
    (
        *(COUNTING, "/0/private/CancelOrderBatch", "1700000000000"),
        b'{"nonce":"1700000000000","orders":["OAAAAA-BBBBB-CCCCCC","ODDDDD-EEEEE-FFFFFF"]}',
        "I91WTcmHqGugrtTzMuAJ49XzuWqq9pn74NHP/E8knMmCaoj0vD61wI/C/GDiqWvEqUqPgNI8QeQkYUSKnIRmbg==",
    ),
]


@pytest.mark.parametrize(("secret", "path", "nonce", "body", "signature"), SIGNED)
def test_published_signatures_are_reproduced(secret: str, path: str, nonce: str, body: bytes, signature: str) -> None:
    key = Secret(secret)

    assert key.signature(path, nonce, body) == signature
    assert key.verifies(signature, path, nonce, body)
    assert not key.verifies(signature, path, nonce, body + b" ")
    assert not key.verifies("not base64!", path, nonce, body)


def test_secret_is_never_shown() -> None:
    assert COUNTING[:8] not in repr(Secret(COUNTING))
    with pytest.raises(ConfigError) as refused:
        Secret("hunter2 hunter2")
    assert "hunter2" not in str(refused.value)


@given(units=st.integers(-(10**24), 10**24), decimals=st.integers(0, 18))
def test_units_survive_printing(units: int, decimals: int) -> None:
    printed = numbers.text(units, decimals)

    assert numbers.units(printed, decimals) == units
    assert numbers.plain(numbers.decimal(units, decimals)) == printed
    assert printed == f"{Decimal(units).scaleb(-decimals):.{decimals}f}" or abs(units) > 10**20


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [("5e-05", 8, 5000), ("1E+3", 0, 1000), ("0.10", 1, 1), ("-0.5", 2, -50), (7, 2, 700)],
)
def test_numbers_of_any_form_are_read_exactly(value: str, decimals: int, expected: int) -> None:
    assert numbers.units(value, decimals) == expected


@pytest.mark.parametrize(
    "value", ["", "1,5", "NaN", "Infinity", "1e999999", "1e-999999", "0x10", "1" * 50, "0.123456789"]
)
def test_numbers_that_cannot_be_are_refused(value: str) -> None:
    with pytest.raises(ProtocolError):
        numbers.units(value, 8)


@given(lots=st.integers(1, 10**12), factor=st.integers(1, 50))
def test_the_noise_of_doubles_is_forgiven_and_real_digits_are_not(lots: int, factor: int) -> None:
    computed = lots / 10**8 * factor  # what a bot sends that multiplies in floats

    assert numbers.forgiving_units(Decimal(repr(computed)), 8) == lots * factor
    with pytest.raises(ProtocolError):
        numbers.forgiving_units(Decimal(f"{min(lots, 10**5)}.123456789"), 8)


@given(at_ns=st.integers(0, times.LAST_NS), decimals=st.integers(0, 9))
def test_moments_survive_printing(at_ns: int, decimals: int) -> None:
    step = 10 ** (9 - decimals)

    assert times.from_rfc3339(times.rfc3339(at_ns, decimals)) == at_ns // step * step
    assert times.from_epoch_seconds(times.epoch_seconds(at_ns, decimals)) == at_ns // step * step


def test_moments_are_printed_as_recorded() -> None:
    assert times.rfc3339(1_690_730_998_343_415_000) == "2023-07-30T15:29:58.343415Z"
    assert times.rfc3339(1_762_820_230 * times.SECOND, 0) == "2025-11-11T00:17:10Z"
    assert times.rfc1123(1_616_336_594 * times.SECOND) == "Sun, 21 Mar 21 14:23:14 +0000"
    assert times.from_rfc3339("2026-08-16T23:37:03+02:00") == times.from_rfc3339("2026-08-16T21:37:03Z")


@pytest.mark.parametrize(
    "moment", ["", "2026-02-30T00:00:00Z", "2026-01-01T25:00:00Z", "yesterday", "1960-01-01T00:00:00Z"]
)
def test_moments_that_cannot_be_are_refused(moment: str) -> None:
    with pytest.raises(ProtocolError):
        times.from_rfc3339(moment)


@given(now=st.lists(st.integers(0, MOST_NONCE // 2), min_size=1), window=st.integers(0, 1000))
def test_client_nonces_are_always_accepted(now: list[int], window: int) -> None:
    source, guard = NonceSource(), NonceGuard(window)

    for at in now:
        guard.accept(source.next(at))

    assert guard.highest == source.floor


@given(nonces=st.lists(st.integers(0, 60), max_size=60), window=st.integers(0, 20))
def test_nonce_window_lets_late_ones_pass_once(nonces: list[int], window: int) -> None:
    guard, used = NonceGuard(window), set[int]()

    for nonce in nonces:
        late = bool(used) and nonce <= max(used) - (window + 1 if window else 0)
        if nonce in used or late:
            with pytest.raises(Refused, match="EAPI:Invalid nonce"):
                guard.accept(nonce)
        else:
            guard.accept(nonce)
            used.add(nonce)


def test_nonce_memory_is_bounded() -> None:
    guard = NonceGuard(window=10**9)

    for nonce in range(25_000):
        guard.accept(nonce)

    assert len(guard._seen) <= 10_000
    for nonce in (0, 12_345, 24_999):
        with pytest.raises(Refused):
            guard.accept(nonce)


@pytest.mark.parametrize("nonce", ["", "-1", "1.5", "٣", "99999999999999999999", "1e9", True])
def test_nonces_that_cannot_be_are_refused(nonce: str) -> None:
    with pytest.raises(Refused, match="EAPI:Invalid nonce"):
        read_nonce(nonce)


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        *(("XXBTZUSD", "BTC/USD"), ("xbtusd", "BTC/USD"), ("XBT/USD", "BTC/USD"), ("btc/usd", "BTC/USD")),
        *(("XETHXXBT", "ETH/BTC"), ("XDGUSD", "DOGE/USD"), ("SOL/USD", "SOL/USD")),
    ],
)
def test_every_name_of_a_pair_finds_it(name: str, symbol: str) -> None:
    assert TABLE.pair(name).symbol == symbol


def test_results_are_keyed_by_id_or_by_the_slash_name_asked_for() -> None:
    bitcoin = TABLE.pair("XBTUSD")

    assert [TABLE.answer_key(name, bitcoin) for name in ("XBTUSD", "xxbtzusd", "BTC/USD", "XBT/USD")] == [
        *("XXBTZUSD", "XXBTZUSD", "BTC/USD", "XBT/USD")
    ]


def test_websocket_names_are_exact() -> None:
    assert TABLE.by_symbol("XBT/USD") is None
    assert TABLE.by_symbol("btc/usd") is None
    found = TABLE.by_wsname("XBT/USD")
    assert found is not None
    assert found.symbol == "BTC/USD"


def test_asset_names_are_looked_up_never_stripped() -> None:
    assert [TABLE.asset(name).name for name in ("XXBT", "XBT", "btc", "ZUSD", "USD")] == [
        "BTC",
        "BTC",
        "BTC",
        "USD",
        "USD",
    ]
    assert [TABLE.modern(name) for name in ("XXBT", "XBT.F", "XTZ", "ZEUS", "SOL.S")] == [
        *("BTC", "BTC.F", "XTZ", "ZEUS", "SOL.S")
    ]
    with pytest.raises(Refused, match=r"EQuery:Unknown asset$"):
        TABLE.asset("EUSD")


def test_recorded_wsnames_have_modern_symbols(shared_data: Path) -> None:
    with gzip.open(shared_data / "kraken_rest_AssetPairs_20210417.json.gz") as file:
        rows = json.load(file)["result"]

    ours = {pair.key: pair for pair in TABLE.pairs.values()}
    both = [key for key in rows if key in ours and "wsname" in rows[key]]

    assert len(both) >= 10
    for key in both:
        assert rows[key]["altname"] == ours[key].altname
        assert rows[key]["wsname"] == ours[key].wsname
        assert modern_symbol(rows[key]["wsname"]) == ours[key].symbol


@pytest.mark.parametrize(
    ("error", "reaction", "detail"),
    [
        ("EAPI:Invalid nonce", Reaction.FRESH_NONCE, ""),
        ("EGeneral:Invalid arguments:volume", Reaction.CORRECT, "volume"),
        ("EGeneral:Invalid arguments:volume minimum not met", Reaction.REFRESH_RULES, ""),
        ("EGeneral:Internal error:E1", Reaction.RECONCILE, "E1"),
        ("EOrder:Insufficient funds (insufficient user funds)", Reaction.NOT_AFFORDABLE, "(insufficient user funds)"),
        ("EService:Throttled: 1700000000", Reaction.BACK_OFF, "1700000000"),
        ("EService:Market in post_only mode", Reaction.WAIT_STATUS, ""),
        ("EOrder:Unknown order", Reaction.TREAT_AS_GONE, ""),
        ("EOrder:Invalid order", Reaction.TREAT_AS_GONE, ""),
        ("EOrder:Something new", Reaction.CORRECT, ""),
        ("EBlackMagic:Boo", Reaction.RECONCILE, ""),
        ("<html>", Reaction.RECONCILE, ""),
    ],
)
def test_errors_say_what_to_do(error: str, reaction: Reaction, detail: str) -> None:
    found = meaning(error)

    assert (found.reaction, found.detail) == (reaction, detail)
    assert found.known == (error.startswith(errors.KNOWN_ERRORS))


def test_every_known_error_is_found_by_itself() -> None:
    assert all(meaning(error).known and not meaning(error).detail for error in errors.KNOWN_ERRORS)
    assert str(errors.price_too_fine("XBTUSD", 1)) == (
        "EOrder:Invalid price:XBTUSD price can only be specified up to 1 decimals."
    )
