"""How do I simulate a market and see how real it looks? Run: python examples/measure_a_simulated_market.py"""

from __future__ import annotations

import mycelial as my


def main(**size: int) -> None:
    """Simulate a small market and print how far its returns are from Binance's; `size` overrides any parameter."""
    run = my.simulate(seed=7, **{"assets": 8, "agents": 100, **size})
    print(f"{run.prices.shape[0]} coins, {run.prices.shape[1]} days, fingerprint {run.fingerprint}")

    summary = my.facts.summarise(run.panel())
    print(f"kurtosis {summary.returns.excess_kurtosis_median:.1f}, memory of |r| {summary.mean_acf_abs_r:.2f}")

    real = my.facts.packaged_reference("binance-btc-2018-2022")
    found = my.facts.distances(my.facts.prepare(run.panel()), real.prepared())
    print(f"KS distance of daily returns to {real.label}: {found['returns'].ks:.3f}")
    print("Simulated market. No promise of returns.")


if __name__ == "__main__":
    main()
