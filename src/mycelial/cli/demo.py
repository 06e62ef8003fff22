"""`mycelial demo`: simulate the calibrated market, hold its facts beside the real ones, train a swarm, report it all.

Offline and seeded; the project's configuration is not consulted, so that everybody sees the same market.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mycelial.cli.options import Json
from mycelial.cli.output import COMPILING, NOTICE, note, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from mycelial.compose import MarketRun
    from mycelial.facts import Check, ReferenceFigures, Summary
    from mycelial.lab.trading.demonstration import Demonstration

# Sizes that take well under a minute on two cores once kernels are compiled, which `make demo` does on installing.
DEMO_PRESET = "binance-btc-2018-2022"
DEMO_ASSETS = 16
DEMO_AGENTS = 500
DEMO_SEED = 7
DEMO_SWARM_STEPS = 81_920
REFERENCE = "binance-btc-2018-2022"
BASELINE = "zero_intelligence"
WIDTH_OF_A_FILE = 120  # characters of a line that no terminal limits
WIDE = 110  # characters that the table with explanations needs
HEADINGS = {
    "ks_returns": "distance: daily returns",
    "ks_vol_10": "distance: volatility, 2 weeks",
    "ks_vol_63": "distance: volatility, 3 months",
    "ks_vol_252": "distance: volatility, 1 year",
    "acf1_r": "return autocorrelation",
    "mean_acf_abs_r": "volatility clustering",
    "acf1_volume": "volume clustering",
    "unchanged": "unchanged closes",
    "hill": "fat tails (Hill index)",
    "skew_median": "skew of returns",
    "coin_correlation": "coins move together",
}


def demo(
    seed: Annotated[int, typer.Option(min=0, help="Root seed.")] = DEMO_SEED,
    out: Annotated[Path | None, typer.Option(help="Run directory; replaced. [default: runs/demo-SEED]")] = None,
    assets: Annotated[int, typer.Option(min=2, help="Coins of the market.")] = DEMO_ASSETS,
    agents: Annotated[int, typer.Option(min=2, help="Agents who trade all of them.")] = DEMO_AGENTS,
    swarm_steps: Annotated[int, typer.Option(min=0, help="Steps each group of the swarm learns; 0: no swarm.")] = (
        DEMO_SWARM_STEPS
    ),
    json: Json = False,
) -> None:
    """Simulate the calibrated market, compare it with the real one, write report.html; about a minute."""
    from rich.console import Console

    from mycelial import facts
    from mycelial.compose import market_run

    console = Console(stderr=True, width=None if sys.stderr.isatty() else WIDTH_OF_A_FILE, highlight=False)
    directory = out or Path("runs") / f"demo-{seed}"
    baseline_directory = directory.with_name(f"{directory.name}-{BASELINE.replace('_', '-')}")
    days = _config(seed, assets, agents, "learning").population.symba.parameters().days

    console.print("\n[bold]mycelial demo[/]  a living market of learning agents, beside the real one")
    console.print(f"[yellow]{NOTICE}[/]\n")
    console.print(
        f"  [bold]market[/]    {assets} coins, {agents} agents who learn while they trade, {days:,} days\n"
        f"            preset {DEMO_PRESET}, seed {seed}"
    )
    learners = _simulate(_config(seed, assets, agents, "learning"), directory, waiting=f"            {COMPILING}")
    console.print("  [bold]baseline[/]  the same market, agents acting at random after the learning phase")
    _simulate(_config(seed, assets, agents, BASELINE), baseline_directory)

    ours, baseline = market_run(directory), market_run(baseline_directory)
    real = facts.packaged_reference(REFERENCE)
    summary = facts.summarise(ours.panel)
    found = facts.distances(facts.prepare(ours.panel), real.prepared())
    checks = facts.check(summary, real.summary, found, real.baseline)
    _print_facts(console, summary, real, checks)
    _print_learning(console, ours, baseline)
    swarm = _learn(console, seed, swarm_steps) if swarm_steps else None
    contagion = _spread(console, seed) if swarm_steps else None
    report = _write_report(directory, ours, baseline, real, swarm, contagion)
    if report is None:
        console.print("  [bold]report[/]    left out: it needs plotly; run: pip install 'mycelial[report]'")
    else:
        console.print(f"  [bold]report[/]    {report}  (opens in any browser, offline)")
    if json:
        print_json(
            {
                "run": str(directory),
                "baseline": str(baseline_directory),
                "report": str(report) if report else None,
                "fingerprint": learners["fingerprint"],
                "checks": [one.to_dict() for one in checks],
                "swarm": swarm.to_dict() if swarm else None,
                "contagion": contagion,
                "notice": NOTICE,
            }
        )
    note(f"\nnext: mycelial facts compare {directory} {REFERENCE}")


def _config(seed: int, assets: int, agents: int, minds: str) -> Any:
    from mycelial.config import load

    chosen = {
        "seed": seed,
        "simulation.assets": assets,
        "population.symba.preset": DEMO_PRESET,
        "population.symba.agents": agents,
        "population.symba.minds": minds,
    }
    return load(options={key: ("demo", value) for key, value in chosen.items()}).config


def _simulate(config: Any, directory: Path, *, waiting: str | None = None) -> dict[str, Any]:
    from mycelial.cli.sim import record_with_progress

    return record_with_progress(config, directory, overwrite=True, title="            days", waiting=waiting).manifest


def _print_facts(console: Console, summary: Summary, real: ReferenceFigures, checks: list[Check]) -> None:
    """Print what was measured, check by check; the many on correlations in one line."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=True, title_justify="left")
    for name, justify in (("", "left"), ("fact", "left"), ("simulated", "right"), ("real", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("asked for", justify="right", style="dim")
    in_words = console.width >= WIDE  # the narrow table still says what was measured and asked for
    if in_words:
        table.add_column("in words", style="dim")
    shape = {
        "acf1_r": real.summary.acf_r[0],
        "mean_acf_abs_r": real.summary.mean_acf_abs_r,
        "acf1_volume": real.summary.acf_volume[0],
        "unchanged": real.summary.returns.unchanged,
        "hill": real.summary.returns.hill,
        "skew_median": real.summary.returns.skew_median,
        "coin_correlation": real.summary.coin_correlation,
    }
    main = [one for one in checks if one.name in HEADINGS]
    for one in sorted(main, key=lambda one: one.name.startswith("ks_")):
        is_distance = one.name.startswith("ks_")
        reference = real.baseline[one.name.removeprefix("ks_")].ks if is_distance else shape[one.name]
        table.add_row(
            "[green]✔[/]" if one.passed else "[red]✘[/]",
            HEADINGS[one.name],
            _number(one.value),
            _number(reference),
            one.target.replace("<=", "≤").replace(">=", "≥").replace("+-", "±"),
            *([one.meaning] if in_words else []),
        )
    rest = [one for one in checks if one.name not in HEADINGS]
    if rest:
        met = sum(one.passed for one in rest)
        sign = "[green]✔[/]" if met == len(rest) else "[red]✘[/]"
        table.add_row(
            sign, "memory (figures 9-14)", f"{met} of {len(rest)}", "", "all", *(["see the report"] if in_words else [])
        )
    passed = sum(one.passed for one in checks)
    console.print(
        f"\n  [bold]facts[/]     {passed} of {len(checks)} checks met, beside {real.label} "
        f"({real.summary.n_series} coins)"
    )
    console.print(table)
    console.print(
        '  [dim]Distances are Kolmogorov-Smirnov, 0 to 1; "real": between halves of the coins.\n'
        "  A demo-sized market scatters more than the full one (54 coins, 500 agents).[/]\n"
    )


def _print_learning(console: Console, ours: MarketRun, baseline: MarketRun) -> None:
    """Print what a year after the learning phase brings to either population."""
    texts = []
    for name, run in (("learning agents", ours), ("random agents", baseline)):
        mean, half_width = run.curves.mean_judged
        texts.append(f"            {name:<16} {mean:.1f} ± {half_width:.1f} %")
    console.print("  [bold]learning[/]  a year ends at, of its opening (95 % interval):\n" + "\n".join(texts))


def _learn(console: Console, seed: int, steps: int) -> Demonstration:
    """Train a small swarm of makers and print what it earns beside the baselines."""
    from rich import box
    from rich.table import Table

    from mycelial.cli.progress import fraction_bar
    from mycelial.lab.trading.demonstration import GROUPS, UNIT, demonstrate, gain_text

    with fraction_bar("            steps") as progress:
        found = demonstrate(seed, progress, steps=steps)
    told = "gossip" if found.adopted else "no gossip (it needs: pip install 'mycelial[swarm]')"
    console.print(
        f"  [bold]swarm[/]     {found.agents} agents in {len(GROUPS)} groups, value decomposition, {told}; each seat "
        f"pays the exchange's fees\n            profit in {UNIT}, held-out worlds"
    )
    for group in GROUPS:
        values = " ".join(f"{point[group.name]:.0f}" for point in found.curve)
        console.print(f"            {group.regime:<7} learning curve: {values}")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=True)
    for name, justify in (("market", "left"), ("policy", "left"), ("profit", "right"), ("95 % interval", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("swarm earns more by", justify="right")
    for row in found.rows:
        interval = f"{row.profit.low:.0f} to {row.profit.high:.0f}"
        table.add_row(row.regime, row.policy, f"{row.profit.value:.0f}", interval, gain_text(row))
    console.print(table)
    return found


def _spread(console: Console, seed: int) -> dict[str, Any] | None:
    """Let a toxic policy loose on a swarm, without and with the defence; nothing where nobody can sign."""
    from importlib.util import find_spec

    if find_spec("cryptography") is None:
        console.print("  [bold]contagion[/] left out: it needs: pip install 'mycelial[swarm]'")
        return None
    from mycelial.lab.contagion import contagion_demo
    from mycelial.lab.contagion_page import contagion_line

    found = contagion_demo(seed=seed)
    console.print(f"  [bold]contagion[/] {contagion_line(found)}")
    return found


def _write_report(
    directory: Path,
    ours: MarketRun,
    baseline: MarketRun,
    real: ReferenceFigures,
    swarm: Demonstration | None,
    contagion: dict[str, Any] | None,
) -> Path | None:
    """Write the page with every figure, or return None when the optional plotting package is absent."""
    from dataclasses import replace

    from mycelial.domain.errors import MissingExtra
    from mycelial.lab.contagion_page import contagion_section
    from mycelial.lab.report import market_report, write_report
    from mycelial.lab.trading.demonstration import section

    path = directory / "report.html"
    curves = [("learning agents", ours.curves), ("zero-intelligence agents", baseline.curves)]
    try:
        report = market_report(ours.panel, real, sample=ours.sample, curves=curves)
        more = [section(swarm)] if swarm is not None else []
        more += [contagion_section(contagion)] if contagion is not None else []
        report = replace(report, sections=(*report.sections, *more))
        write_report(path, report)
    except MissingExtra:
        return None
    return path


def _number(value: float) -> str:
    return "undefined" if value != value else f"{value:.3f}"
