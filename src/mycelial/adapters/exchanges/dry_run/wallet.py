"""The money of a dry run: balances of its own, with what open orders hold; never summed with real ones."""

from __future__ import annotations

from collections.abc import Mapping

from mycelial.domain.orders import Fill, NewOrder, Side
from mycelial.domain.trading_rules import TradingRules

PPM = 1_000_000


class PaperWallet:
    """Amounts by asset.

    Parameters
    ----------
    balances : opening amounts.
    taker_ppm : the dearer fee rate, held besides the price of buy orders.
    """

    def __init__(self, balances: Mapping[str, int], taker_ppm: int) -> None:
        self.total = dict(balances)
        self._taker_ppm = taker_ppm
        self._holds: dict[str, tuple[str, int]] = {}  # client id: (asset, amount)

    def free(self, asset: str) -> int:
        """Return what new orders may spend."""
        return self.total.get(asset, 0) - sum(held for name, held in self._holds.values() if name == asset)

    def hold(self, order: NewOrder, rules: TradingRules, price_ticks: int) -> bool:
        """Set aside what an order may cost at most; False if there is not enough."""
        asset, need = self._need(order.side, rules, price_ticks, order.lots)
        self._holds.pop(order.client_id, None)
        if need > self.free(asset):
            return False
        self._holds[order.client_id] = asset, need
        return True

    def change(self, client_id: str, side: Side, rules: TradingRules, price_ticks: int, open_lots: int) -> bool:
        """Set aside what an order needs after a fill or an amendment; False (and unchanged) if there is too little."""
        before = self._holds.pop(client_id, None)
        asset, need = self._need(side, rules, price_ticks, open_lots)
        if need > self.free(asset):
            if before is not None:
                self._holds[client_id] = before
            return False
        if need:
            self._holds[client_id] = asset, need
        return True

    def release(self, client_id: str) -> None:
        """Set nothing aside for an order any more."""
        self._holds.pop(client_id, None)

    def book(self, fill: Fill, rules: TradingRules) -> None:
        """Move what a fill moves."""
        base = rules.base_amount(fill.lots) * fill.side.sign
        self.total[rules.base] = self.total.get(rules.base, 0) + base
        self.total[rules.quote] = self.total.get(rules.quote, 0) - fill.cost * fill.side.sign
        self.total[fill.fee_asset] = self.total.get(fill.fee_asset, 0) - fill.fee

    def _need(self, side: Side, rules: TradingRules, price_ticks: int, lots: int) -> tuple[str, int]:
        if side is Side.SELL:
            return rules.base, rules.base_amount(lots)
        cost = rules.cost(price_ticks, lots)
        return rules.quote, cost + -(-cost * self._taker_ppm // PPM)
