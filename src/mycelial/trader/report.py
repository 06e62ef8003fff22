"""Report: what the node says of itself, as one document that other processes read (`mycelial trade status`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mycelial.domain.amounts import text_of
from mycelial.domain.ports import Clock, Exchange, Ledger
from mycelial.kraken.client.scheduler import Scheduler
from mycelial.market.rate_counters import POINT
from mycelial.trader.observe import Observer
from mycelial.trader.reconcile import Reconciler
from mycelial.trader.settle import Settler
from mycelial.trader.submit import Submitter


@dataclass
class Reporter:
    """Gathers the document and hands it to `write`."""

    exchange: Exchange
    ledger: Ledger
    observer: Observer
    submitter: Submitter
    settler: Settler
    scheduler: Scheduler
    reconciler: Reconciler
    clock: Clock
    symbols: tuple[str, ...]
    write: Callable[[dict[str, Any]], None]

    def publish(self, state: str, reason: str = "") -> None:
        """Write the present state."""
        self.write(self.document(state, reason))

    def document(self, state: str, reason: str = "") -> dict[str, Any]:
        """Return the present state."""
        now = self.clock.now_ns()
        return {
            "state": state,
            "reason": reason,
            "time_ns": now,
            "link": self.observer.link_is_up,
            "ready": self.exchange.is_ready(),
            "system": self.observer.system,
            "pairs": {symbol: self._pair(symbol, now) for symbol in self.symbols},
            "balances": {asset: text_of(amount) for asset, amount in sorted(self.ledger.balances().items())},
            "orders": [
                {
                    "client_id": one.client_id,
                    "order_id": one.order_id,
                    "symbol": one.symbol,
                    "side": one.side.value,
                    "status": one.status.value,
                    "open_lots": one.open_lots,
                    "price_ticks": one.price_ticks,
                }
                for one in self.submitter.orders.values()
            ],
            "messages": self.submitter.sent,
            "refused": self.submitter.refused,
            "fills": self.settler.fills,
            "reconciled": {
                "checks": self.reconciler.checks,
                "differences": sorted(str(one) for one in self.reconciler.standing),
            },
        }

    def _pair(self, symbol: str, now_ns: int) -> dict[str, Any]:
        book, budget = self.exchange.book(symbol), self.scheduler.budget
        return {
            "bid_ticks": book.bids[0][0] if book.bids else None,
            "ask_ticks": book.asks[0][0] if book.asks else None,
            "verified": book.is_verified,
            "position_lots": self.ledger.position_lots(symbol),
            "counter_points": budget.level(symbol, now_ns) / POINT,
            "counter_threshold": budget.limits.threshold / 1e6,
        }
