"""The ledger on disk, the comparison with the exchange, the gate and the maker: pieces of a trader, one by one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.exchange_ports import SYMBOL, simulated_account
from tests.support.served import command_environment

from mycelial.adapters.state import SqliteLedger
from mycelial.domain.amounts import ONE
from mycelial.domain.errors import ConfigError, DataError, GateRefused, StorageError, VerificationFailed
from mycelial.domain.orders import Fill, NewOrder, OrderReport, OrderStatus, Side
from mycelial.domain.ports import AccountState, BookView
from mycelial.domain.trading_rules import TradingRules
from mycelial.kraken.client.scheduler import Scheduler
from mycelial.simulation.exchange import commands as wish
from mycelial.trader.decide import Maker
from mycelial.trader.gate import check_gate, is_loopback
from mycelial.trader.node import Node
from mycelial.trader.observe import Picture
from mycelial.trader.reconcile import Reconciler, differences

LOT = 10**8  # amount of a lot: 1e-8 of the base


def ledger_in(folder: Path) -> SqliteLedger:
    return SqliteLedger(folder, lambda symbol, lots: lots * LOT)


def fill(exec_id: str = "T1", side: Side = Side.BUY, lots: int = 5, cost: int = 100, fee: int = 3) -> Fill:
    return Fill(exec_id, "a", "O1", SYMBOL, side, lots, 20, cost, fee, "USD", True, 7)


def report(status: OrderStatus, filled: int = 0, client_id: str = "a", order_id: str = "O1") -> OrderReport:
    return OrderReport(client_id, SYMBOL, Side.BUY, status, 10, 20, filled, order_id)


def test_a_fill_told_twice_is_booked_once_and_moves_both_assets(tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path)
    ledger.open_with({"USD": 1_000, "BTC": 0})

    assert ledger.fill(fill())
    assert not ledger.fill(fill())
    assert ledger.fill(fill("T2", Side.SELL, lots=2, cost=50, fee=1))

    assert ledger.balances() == {"USD": 1_000 - 100 - 3 + 50 - 1, "BTC": 3 * LOT}
    assert ledger.position_lots(SYMBOL) == 3
    assert ledger.latest_fill_ns() == 7


def test_what_was_written_is_there_again_after_opening_anew(tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path)
    ledger.open_with({"USD": ONE})
    ledger.intend(NewOrder("a", SYMBOL, Side.BUY, 10, 20), "maker/bid", deadline_ns=99, now_ns=5)
    ledger.fill(fill())
    ledger.report(report(OrderStatus.OPEN, 5), now_ns=6)
    ledger.close()

    again = ledger_in(tmp_path)
    again.open_with({"USD": 5})  # the books have begun: this changes nothing

    ((memory, slot),) = again.unfinished()
    assert slot == "maker/bid"
    assert (memory.report.client_id, memory.report.order_id, memory.deadline_ns) == ("a", "O1", 99)
    assert (memory.filled_lots, memory.exec_ids) == (5, ("T1",))
    assert again.balances()["USD"] == ONE - 103


def test_an_order_is_unfinished_until_it_ended_and_its_fills_are_all_here(tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path)
    ledger.intend(NewOrder("a", SYMBOL, Side.BUY, 10, 20), "s", deadline_ns=9, now_ns=5)
    assert len(ledger.unfinished()) == 1

    ledger.report(report(OrderStatus.FILLED, 5), now_ns=6)
    assert len(ledger.unfinished()) == 1  # five lots traded and nobody told of them
    ledger.fill(fill())

    assert ledger.unfinished() == []


def test_a_killed_process_loses_nothing_that_it_was_told_is_written(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from mycelial.adapters.state import SqliteLedger\n"
        "from mycelial.domain.orders import NewOrder, Side\n"
        "ledger = SqliteLedger(Path(sys.argv[1]), lambda symbol, lots: lots)\n"
        "for n in range(10**6):\n"
        "    ledger.intend(NewOrder(f'c{n}', 'BTC/USD', Side.BUY, 1, 1), 's', 1, n)\n"
        "    print(n, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, env=command_environment()
    )
    assert process.stdout is not None
    for _ in range(20):
        last = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    rest = process.stdout.read().split()
    process.stdout.close()
    last = int(rest[-1]) if rest else last

    assert {memory.report.client_id for memory, _ in ledger_in(tmp_path).unfinished()} >= {
        f"c{n}" for n in range(last + 1)
    }


def test_a_file_that_is_no_ledger_or_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(DataError, match="move it away"):
        ledger_in(tmp_path)

    other = tmp_path / "other"
    ledger = ledger_in(other)
    ledger._db.execute("PRAGMA user_version=99")
    ledger.close()
    with pytest.raises(DataError, match="version 99"):
        ledger_in(other)


def test_a_state_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageError, match="choose another state folder"):
        ledger_in(tmp_path / "file" / "below")


def test_books_that_agree_within_what_is_printed_are_equal() -> None:
    account = AccountState({"USD": 10**16 + 5 * 10**11, "BTC": 5}, [report(OrderStatus.OPEN)], 0, 1)

    assert differences(account, {"USD": 10**16, "BTC": 0}, [report(OrderStatus.OPEN)]) == frozenset()


@given(st.integers(2 * 10**12, 10**20), st.booleans())
def test_any_other_money_and_any_order_on_one_side_only_differs(amount: int, more: bool) -> None:
    account = AccountState({"USD": 10**18}, [], 0, 1)
    ours = {"USD": 10**18 + (amount if more else -amount)}

    found = differences(account, ours, [report(OrderStatus.OPEN)])

    assert {one.what for one in found} == {"balance of USD", "order a"}


def test_a_difference_counts_only_when_it_stays() -> None:
    account = AccountState({"USD": 0}, [], 0, 1)
    once = differences(account, {"USD": ONE}, [])
    other = differences(account, {"USD": 2 * ONE}, [])
    judge = Reconciler()

    assert judge.compare(once) == frozenset()
    assert judge.compare(other) == frozenset()
    assert judge.compare(other) == other


def test_a_trader_stops_when_money_is_missing_that_no_fill_explains(tmp_path: Path) -> None:
    account = simulated_account()
    ledger = SqliteLedger(tmp_path, lambda symbol, lots: account.rules[symbol].base_amount(lots))
    end = account.now_ns() + 60 * 10**9
    stolen: list[int] = []

    def somebody_else_trades() -> bool:
        if account.now_ns() > end - 40 * 10**9 and not stolen:
            # Another program sells from the same account, and its fill is never told to this one.
            account.exchange.submit(
                0, wish.AddOrder(symbol=SYMBOL, side=wish.Side.SELL, type=wish.OrderType.MARKET, qty=10**7)
            )
            account.exchange.drain()
            stolen.append(1)
        return account.now_ns() > end

    node = Node(
        account,
        ledger,
        account,
        Scheduler(account.budget),
        {"maker": (SYMBOL, Maker(100_000, 1_000_000, half_spread_ppm=200.0))},
        {SYMBOL: 2_000_000},
        should_stop=somebody_else_trades,
    )

    with pytest.raises(VerificationFailed, match="balance of BTC"):
        asyncio.run(node.run())
    assert account.exchange.open_orders(0) == ()


def test_a_pair_without_a_limit_is_not_traded(tmp_path: Path) -> None:
    account = simulated_account()
    ledger = SqliteLedger(tmp_path, lambda symbol, lots: account.rules[symbol].base_amount(lots))
    end = account.now_ns() + 5 * 10**9
    maker = Maker(100_000, 1_000_000)
    node = Node(
        account,
        ledger,
        account,
        Scheduler(account.budget),
        {"maker": (SYMBOL, maker)},
        {},
        should_stop=lambda: account.now_ns() > end,
    )

    asyncio.run(node.run())

    assert ledger.orders() == []


def picture(position: int) -> Picture:
    book = BookView(SYMBOL, ((999_990, 5),), ((1_000_010, 5),), 0, True)
    return Picture(book, 1_000_000.0, 10.0, position, 0)


@given(st.integers(-1_000_000, 1_000_000))
def test_a_maker_never_crosses_never_exceeds_its_position_and_leans_against_it(position: int) -> None:
    maker, rules = Maker(100_000, 1_000_000), simulated_rules()

    bid, ask = maker.quotes(picture(position), rules)
    flat_bid, flat_ask = maker.quotes(picture(0), rules)

    assert bid.price_ticks < 1_000_010
    assert ask.price_ticks > 999_990
    assert bid.price_ticks < ask.price_ticks
    assert position + bid.lots <= 1_000_000
    assert position - ask.lots >= -1_000_000
    if position > 0:
        assert bid.price_ticks <= flat_bid.price_ticks
        assert ask.price_ticks <= flat_ask.price_ticks


def simulated_rules() -> TradingRules:
    return TradingRules(SYMBOL, Decimal("0.1"), Decimal("1e-8"), 1, 8, 5, 5_000, ONE // 2)


def test_a_maker_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="quotes of 0 lots"):
        Maker(0, 10)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "ws://[::1]:9", "http://localhost:80", "ws://127.8.8.8"])
def test_this_machine_is_known_by_its_addresses(address: str) -> None:
    assert is_loopback(address)
    check_gate("sim", [address])


@pytest.mark.parametrize(
    "address",
    [
        "https://api.kraken.com",
        "http://127.0.0.1.evil.example",
        "ws://10.0.0.1",
        "http://localhost.evil",
        "",
        "nonsense",
    ],
)
def test_everything_else_is_outside(address: str) -> None:
    assert not is_loopback(address)
    with pytest.raises(GateRefused, match="on this machine only"):
        check_gate("sim", ["http://127.0.0.1:1", address])


@pytest.mark.parametrize("mode", ["dry-run", "live"])
def test_no_address_opens_the_other_modes(mode: str) -> None:
    with pytest.raises(GateRefused, match="certificate C-DRY"):
        check_gate(mode, ["http://127.0.0.1:1"])  # type: ignore[arg-type]
