"""How long does an order take inside the exchange, and how many orders does it carry a second, without any protocol?"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from benchmarks.measuring import heading
from mycelial.simulation.exchange import Account, SimulatedExchange
from mycelial.simulation.exchange.accounts import FUNDS
from mycelial.simulation.exchange.commands import Added, AddOrder, Amend, Cancel, Command, OrderType, Price, Side
from mycelial.simulation.exchange.exchange import PAIRS, SECOND_NS

GOAL_US, GOAL_ORDERS_S = 100.0, 10_000
CUSTOMERS = 10
SLICE_NS = 10_000_000


def opened() -> SimulatedExchange:
    """Return the usual exchange with customers whom nobody counts."""
    accounts = [Account(f"load-{n}", "pro", FUNDS, limited=False) for n in range(CUSTOMERS)]
    return SimulatedExchange(accounts=accounts, keys=(), history=False)


def main(*, quick: bool = False) -> None:
    """Measure and print."""
    heading(f"exchange in process: {', '.join(PAIRS)}, residents at work, {CUSTOMERS} customers")
    count = 1_000 if quick else 5_000
    exchange = opened()
    resting: list[str] = []

    def one(make: Callable[[int], Command]) -> np.ndarray:
        taken = np.empty((2, count))
        for n in range(count):
            command = make(n)
            before, cpu_before = time.perf_counter_ns(), time.thread_time_ns()
            outcome = exchange.submit(n % CUSTOMERS, command)
            told = exchange.drain()
            taken[:, n] = time.perf_counter_ns() - before, time.thread_time_ns() - cpu_before
            assert told, outcome
            if isinstance(outcome, Added):
                resting.append(outcome.order_id)
            if n % 10 == 0:
                exchange.advance(exchange.now + SLICE_NS)
                exchange.drain()
        return taken / 1e3

    def passive(n: int) -> Command:
        symbol = PAIRS[n % len(PAIRS)]
        price = Price(exchange.ticker(symbol).bid * 9 // 10 + n % 50)
        return AddOrder(symbol=symbol, side=Side.BUY, type=OrderType.LIMIT, qty=6_000_000, limit=price)

    def taking(n: int) -> Command:
        symbol = PAIRS[n % len(PAIRS)]
        return AddOrder(symbol=symbol, side=Side((n // CUSTOMERS) % 2), type=OrderType.MARKET, qty=6_000_000)

    print(_line("place a limit order that rests", one(passive)))
    amended = iter(resting[:count])
    print(_line("amend its price", one(lambda n: Amend(order_id=next(amended), limit=Price(1_700 + n % 9)))))
    gone = iter(resting[:count])
    print(_line("cancel it", one(lambda n: Cancel(order_id=next(gone)))))
    print(_line("market order with its fills", one(taking)))
    print(_throughput(count))


def _throughput(count: int) -> str:
    """Quote and cancel in turn, with the residents' market going on and books at two depths of every pair made."""
    exchange = opened()
    for symbol in PAIRS:
        exchange.watch_levels(symbol, 10)
        exchange.watch_levels(symbol, 100)
    prices = {symbol: exchange.ticker(symbol).bid * 9 // 10 for symbol in PAIRS}
    ids: list[tuple[int, str]] = []
    wall, cpu, orders = time.perf_counter(), time.process_time(), 0
    start = exchange.now
    for n in range(2 * count):
        account, symbol = n % CUSTOMERS, PAIRS[n % len(PAIRS)]
        order = AddOrder(
            symbol=symbol, side=Side.BUY, type=OrderType.LIMIT, qty=6_000_000, limit=Price(prices[symbol] + n % 50)
        )
        outcome = exchange.submit(account, order)
        assert isinstance(outcome, Added), outcome
        ids.append((account, outcome.order_id))
        orders += 1
        if n % 2:
            who, order_id = ids.pop(0)
            exchange.submit(who, Cancel(order_id=order_id))
            orders += 1
        if n % 60 == 0:  # about 9,000 orders in a second of market time
            exchange.advance(exchange.now + SLICE_NS)
            exchange.drain()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    lived = (exchange.now - start) / SECOND_NS
    return (
        f"   {orders / cpu:,.0f} orders a CPU-second ({orders / wall:,.0f} a second of this machine), "
        f"while {lived:.1f} s of market passed; goal {GOAL_ORDERS_S:,}"
    )


def _line(what: str, taken_us: np.ndarray) -> str:
    (p50, p99), (cpu_p50, cpu_p99) = (np.percentile(row, [50, 99]) for row in taken_us)
    return (
        f"   {what:<34} p50 {p50:6.1f} us, p99 {p99:7.1f} us (CPU time: {cpu_p50:.1f}, {cpu_p99:.1f}); "
        f"goal {GOAL_US:.0f} us"
    )
