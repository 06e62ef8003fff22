"""How near is a calibrated market to the real one, on worlds it was not fitted on? And what do agents contribute?

    python -m benchmarks.realism --preset binance-btc-2018-2022 --assets 54 --seeds 10
    python -m benchmarks.realism --preset binance-btc-2018-2022 --controls --assets 20 --seeds 10
    python -m benchmarks.realism --preset binance-btc-2018-2022 --ablations --assets 8 --seeds 5
    python -m benchmarks.realism --emergence --assets 8 --seeds 10

Compares with packaged figures of real coins, or, with `--panel FILE --half validation`, with half of its coins.
Seeds are 1001, 1002, ... unless `--first-seed` says otherwise; `emergence` was chosen on those, so give it 2001.
`--ablations` switches the named parts of the preset off, one at a time (8 assets and 5 seeds are enough for that).
`--controls` repeats every world with frozen and with random minds on the same fundamentals. `--emergence` lets value
move by Gaussian steps only.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from mycelial import facts
from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.agents.symba.presets import preset
from mycelial.domain.seeds import generator
from mycelial.simulation.run import simulate_world

FIRST_SEED = 1001
SPLIT_SEED = 7  # of the calibration whose validation coins `--half validation` takes

# The parts of docs/concepts/realism.md, and what is set to do without each.
ABLATIONS: dict[str, dict[str, object]] = {
    "everything on": {},
    "valuation quoting": {"quoting": 0.0},
    "gestures in volatility": {"gesture_unit": "spread"},
    "volume-weighted close": {"price_rule": "last"},
    "divisible lots": {"lot": 1.0, "sizing": "all"},
    "size by attention": {"fraction_attention": 0.0},
    "attention": {"attention": False},
    "news in attention": {"attention_sd": 0.0},
    "market factor": {"market_sigma": 0.0},
    "crises": {"crisis_rate": 0.0},
    "changing volatility": {"volatility_own": 0.0, "volatility_market": 0.0},
    "jumps": {"jump_rate": 0.0},
    "drift": {"drift_sd": 0.0, "drift_mean": 0.0},
    "typical market history": {"market_candidates": 1},
    "daily signal": {"estimate": "leash"},
    "turnover": {"turnover": 0.0, "reentry": 0.0},
    "balanced newcomers": {"balanced_entry": False},
    "tick": {"tick": 0.0},
    "forecasts (own value only)": {"reflexivity_power": 20.0},
}
SHOWN = ("ks_returns", "ks_vol_10", "ks_vol_252", "acf1_r", "mean_acf_abs_r", "unchanged", "skew_median")
SHOWN += ("coin_correlation",)


def interquartile_mean(values: list[float]) -> float:
    """Return the mean of the middle half."""
    ordered = np.sort(np.asarray(values))
    cut = len(ordered) // 4
    return float(ordered[cut : len(ordered) - cut].mean())


def interval(values: list[float]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the interquartile mean."""
    rng = generator(0, "realism", "bootstrap")
    means = [interquartile_mean(list(rng.choice(values, len(values)))) for _ in range(2000)]
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def figure(values: list[float]) -> str:
    """Return 'IQM [low, high]'."""
    low, high = interval(values)
    return f"{interquartile_mean(values):.3f} [{low:.3f}, {high:.3f}]"


class Real:
    """The side to compare with: packaged figures, or half of the coins of a panel."""

    def __init__(self, quote: str, panel: Path | None, half: str) -> None:
        if panel is None:
            figures = facts.packaged_reference(f"binance-{quote.lower()}-2018-2022")
            self.name = f"packaged figures, {quote}"
            self.prepared, self.summary, self.baseline = figures.prepared(), figures.summary, figures.baseline
            return
        from mycelial.adapters.data.panels import load_panel
        from mycelial.simulation.calibrate.split import split_coins

        coins = load_panel(panel, "W", quote)
        fit, validation = split_coins(coins, SPLIT_SEED).panels(coins)
        side = validation if half == "validation" else fit
        self.name = f"{half} coins of {panel.name}: {', '.join(side.names)}"
        self.prepared, self.summary = facts.prepare(side), facts.summarise(side)
        self.baseline = facts.real_versus_real(coins)


def measure(params: SymbaParameters, assets: int, seed: int, real: Real) -> tuple[float, dict[str, tuple[float, bool]]]:
    """Simulate one world; return its normalised distance and every check."""
    panel = simulate_world(params, assets, seed).panel()
    distances = facts.distances(panel, real.prepared)
    checks = facts.check(facts.summarise(panel), real.summary, distances, real.baseline)
    found = {one.name: (one.value, one.passed) for one in checks}
    return facts.normalised_distance(distances, real.baseline), found


def realism(params: SymbaParameters, assets: int, seeds: list[int], real: Real, workers: int) -> list[float]:
    """Print every check over seeds; return the normalised distances."""
    with ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(lambda seed: measure(params, assets, seed, real), seeds))
    names = list(results[0][1])
    print(f"{'check':24} {'IQM [95 %]':28} passed")
    for name in names:
        values = [checks[name][0] for _, checks in results]
        passed = sum(checks[name][1] for _, checks in results)
        print(f"{name:24} {figure(values):28} {passed}/{len(seeds)}")
    whole = sum(all(ok for _, ok in checks.values()) for _, checks in results)
    failed = [sum(not ok for _, ok in checks.values()) for _, checks in results]
    distances = [distance for distance, _ in results]
    print(f"normalised distance {figure(distances)}; worlds that pass everything {whole}/{len(seeds)}; failed {failed}")
    return distances


def ablations(params: SymbaParameters, assets: int, seeds: list[int], real: Real, workers: int) -> None:
    """Print a row of a table for every part switched off: distance, checks failed, figures that move."""
    print(f"| without | distance | failed of 33 | {' | '.join(SHOWN)} |\n|{'---|' * (3 + len(SHOWN))}")
    for part, off in ABLATIONS.items():
        changed = params.replace(**off)
        if off and changed == params:
            continue  # this preset does without it
        with ThreadPoolExecutor(workers) as pool:
            results = list(pool.map(lambda seed, p=changed: measure(p, assets, seed, real), seeds))
        failed = [float(sum(not ok for _, ok in checks.values())) for _, checks in results]
        shown = [f"{interquartile_mean([checks[name][0] for _, checks in results]):.3f}" for name in SHOWN]
        distance = figure([value for value, _ in results])
        print(f"| {part} | {distance} | {np.mean(failed):.1f} | {' | '.join(shown)} |", flush=True)


def emergence(assets: int, seeds: list[int], workers: int) -> None:
    """Print what learning and random agents make of a Gaussian fundamental."""
    for minds in ("learning", "frozen", "zero_intelligence"):
        params = preset("emergence").replace(minds=minds)
        with ThreadPoolExecutor(workers) as pool:
            panels = list(pool.map(lambda seed, p=params: simulate_world(p, assets, seed).panel(), seeds))
        found = [facts.summarise(panel) for panel in panels]
        print(
            f"{minds:18} excess kurtosis {figure([one.returns.excess_kurtosis for one in found])}   "
            f"mean ACF |r| {figure([one.mean_acf_abs_r for one in found])}   "
            f"ACF1 {figure([one.acf_r[0] for one in found])}   std {figure([one.returns.std for one in found])}",
            flush=True,
        )


def main() -> None:
    """Read options and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--preset", default="binance-btc-2018-2022")
    options.add_argument("--assets", type=int, default=54)
    options.add_argument("--seeds", type=int, default=10)
    options.add_argument("--first-seed", type=int, default=FIRST_SEED)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="switch a part: an ablation")
    options.add_argument("--panel", type=Path)
    options.add_argument("--half", choices=["fit", "validation"], default="validation")
    options.add_argument("--controls", action="store_true")
    options.add_argument("--ablations", action="store_true")
    options.add_argument("--emergence", action="store_true")
    given = options.parse_args()
    seeds = list(range(given.first_seed, given.first_seed + given.seeds))
    if given.emergence:
        emergence(given.assets, seeds, given.workers)
        return
    quote = "USDT" if "usdt" in given.preset else "BTC"
    real = Real(quote, given.panel, given.half)
    what = " ".join([given.preset, *given.set])
    print(f"{what}, {given.assets} assets of one world, seeds {seeds[0]}..{seeds[-1]}, against {real.name}")
    params = preset(given.preset).replace(**dict(part.split("=", 1) for part in given.set))
    if given.ablations:
        ablations(params, given.assets, seeds, real, given.workers)
        return
    base = realism(params, given.assets, seeds, real, given.workers)
    for minds in ("frozen", "zero_intelligence") if given.controls else ():
        print(f"\ncontrol: {minds}")
        control = realism(params.replace(minds=minds), given.assets, seeds, real, given.workers)
        ratios = [one / other for one, other in zip(control, base, strict=True)]
        print(f"normalised distance, {minds} over learning: {figure(ratios)}")


if __name__ == "__main__":
    main()
