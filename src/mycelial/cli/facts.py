"""Commands of `mycelial facts`: measure a panel, compare a run with a real one, store reference figures, report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mycelial.cli import intraday_facts
from mycelial.cli.output import note, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mycelial.facts import Check, Distance, Panel, PreparedStatistics, ReferenceFigures, Summary

app = typer.Typer(no_args_is_help=True, help="What a realistic market looks like: compute and compare.")

SetName = Annotated[
    str | None, typer.Option("--set-name", help="Window of the candles, e.g. W (September 2018 to September 2022).")
]
Quote = Annotated[str | None, typer.Option("--quote", help="Keep symbols priced in this currency, e.g. BTC.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Seed = Annotated[int, typer.Option("--seed", help="Root seed of the random splits and the bootstrap.")]
RunPath = Annotated[Path, typer.Argument(help="Run directory (or candle file) to judge.")]
PanelPath = Annotated[
    str,
    typer.Argument(
        help="Candle file, reference JSON, or packaged name (binance-btc-2018-2022; of order books binance-2024-08-08)."
    ),
]


@app.command()
def compute(
    path: Annotated[Path, typer.Argument(help="Run directory, candle file (parquet, CSV), or recorded feed.")],
    set_name: SetName = None,
    quote: Quote = None,
    bootstrap: Annotated[int, typer.Option("--bootstrap", min=0, help="Order books: replicates for intervals.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Measure the stylised facts of data or of a run, daily or of an order book."""
    if intraday_facts.is_order_book(path):
        intraday_facts.compute_books(path, as_json=as_json, bootstrap=bootstrap)
        return
    from mycelial.facts import summarise

    summary = summarise(_panel(path, set_name, quote))
    if as_json:
        print_json(summary.to_dict())
    else:
        _show_summaries([summary])
    note(f"next: mycelial facts compare {path} binance-btc-2018-2022{_options(set_name, quote)}")


@app.command()
def compare(
    run: RunPath,
    panel: PanelPath,
    set_name: SetName = None,
    quote: Quote = None,
    as_json: AsJson = False,
    with_zeros: Annotated[
        bool, typer.Option("--with-zeros", help="Keep the reference program's artificial zeros in the samples.")
    ] = False,
    bootstrap: Annotated[
        int, typer.Option("--bootstrap", min=0, help="Replicates for the intervals of KS; 0 gives none.")
    ] = 200,
    seed: Seed = 0,
) -> None:
    """Compare a run with a real panel: distances with intervals, summaries, and the acceptance checks.

    The run of an intraday market, or a recorded feed, is held beside recorded order books (binance-2024-08-08).
    """
    if intraday_facts.is_order_book(run):
        intraday_facts.compare_books(run, panel, as_json=as_json, bootstrap=bootstrap)
        return
    from mycelial import facts

    simulated = _panel(run, set_name, quote)
    real, real_summary, baseline = _real_side(panel, set_name, quote, with_zeros=with_zeros, seed=seed)
    found = facts.compare(simulated, real, replicates=bootstrap, seed=seed)
    summary = facts.summarise(simulated)
    checks = facts.check(summary, real_summary, found, baseline)
    if as_json:
        print_json(comparison_document(found, summary, real_summary, checks, with_zeros=with_zeros))
    else:
        _show_summaries([summary, real_summary])
        _show_distances(found, baseline)
        _show_checks(checks)
    note(f"next: mycelial facts report {run} {panel}{_options(set_name, quote)} --out report.html")


@app.command()
def reference(
    panel: Annotated[Path, typer.Argument(help="Candle file (parquet, CSV).")],
    out: Annotated[Path, typer.Option("--out", help="JSON file to write.")],
    set_name: SetName = None,
    quote: Quote = None,
    label: Annotated[str | None, typer.Option("--label", help="What figures call this market.")] = None,
    provenance: Annotated[str, typer.Option("--provenance", help="Where the data came from.")] = "",
    seed: Seed = 0,
) -> None:
    """Store derived statistics of a real panel, no prices, for comparisons where the panel is absent."""
    from dataclasses import replace

    from mycelial.facts.reference import build_reference, to_json

    measured = _panel(panel, set_name, quote)
    origin = provenance or f"{panel.name}, set {set_name or 'all'}, quote {quote or 'any'}"
    figures = build_reference(replace(measured, label=label or measured.label), origin, seed=seed)
    _write_text(out, to_json(figures))
    note(f"wrote {out}\nnext: mycelial facts compare RUN {out}")


@app.command()
def report(
    run: RunPath,
    panel: PanelPath,
    out: Annotated[Path, typer.Option("--out", help="HTML file to write.")] = Path("report.html"),
    against: Annotated[
        Path | None, typer.Option("--against", help="A second run for figure 6, usually of zero-intelligence minds.")
    ] = None,
    set_name: SetName = None,
    quote: Quote = None,
    bootstrap: Annotated[int, typer.Option("--bootstrap", min=0, help="Order books: replicates for intervals.")] = 100,
    seed: Seed = 0,
) -> None:
    """Write one self-contained HTML page: every figure, simulated over real, and the checks.

    Of the run of an intraday market, or of a recorded feed, beside recorded order books (binance-2024-08-08).
    """
    if intraday_facts.is_order_book(run):
        intraday_facts.report_books(run, panel, out, bootstrap=bootstrap)
        return
    from mycelial.facts.reference import build_reference
    from mycelial.lab.report import market_report, write_report

    real = _reference_figures(panel)
    if real is None:
        measured = _panel(Path(panel), set_name, quote)
        real = build_reference(
            measured, f"{Path(panel).name}, set {set_name or 'all'}, quote {quote or 'any'}", seed=seed
        )
    sample, curves = _extras_of_runs(run, against)
    write_report(out, market_report(_panel(run, set_name, quote), real, sample=sample, curves=curves))
    note(f"wrote {out}\nnext: open {out} in a browser")


def comparison_document(
    found: Mapping[str, Distance], simulated: Summary, real: Summary, checks: list[Check], *, with_zeros: bool
) -> dict[str, Any]:
    """Return the document that `mycelial facts compare --json` prints."""
    return {
        "distances": {
            key: {"ks": one.ks, "w1": one.w1, "ci": None if one.ci is None else list(one.ci)}
            for key, one in found.items()
        },
        "simulated": simulated.to_dict(),
        "real": real.to_dict(),
        "checks": [one.to_dict() for one in checks],
        "with_zeros": with_zeros,
    }


def _extras_of_runs(run: Path, against: Path | None) -> tuple[Any, list[Any]]:
    """Return what only runs have: a price beside its fundamental value, and learning curves."""
    if not (run / "manifest.json").is_file():
        return None, []
    from mycelial.compose import market_run

    found = [market_run(folder) for folder in (run, *([against] if against else []))]
    return found[0].sample, [(f"{one.minds.replace('_', ' ')} agents", one.curves) for one in found]


def _options(set_name: str | None, quote: str | None) -> str:
    """Return the options that choose these candles again, for the command we suggest next."""
    return "".join(f" {flag} {value}" for flag, value in (("--set-name", set_name), ("--quote", quote)) if value)


def _panel(path: Path, set_name: str | None, quote: str | None) -> Panel:
    """Load a panel; a run has neither calendar nor quote, so these apply to candles only."""
    from mycelial.adapters.data.panels import load_panel

    is_run = path.name == "series.parquet" or (path / "series.parquet").is_file()
    return load_panel(path) if is_run else load_panel(path, set_name=set_name, quote=quote)


def _real_side(
    panel: str, set_name: str | None, quote: str | None, *, with_zeros: bool, seed: int
) -> tuple[PreparedStatistics, Summary, dict[str, Distance]]:
    from mycelial import facts
    from mycelial.domain.errors import DataError

    figures = _reference_figures(panel)
    if figures is not None:
        if with_zeros:
            raise DataError(f"reference figures {panel} hold no samples with zeros; give the candle file instead")
        return figures.prepared(), figures.summary, figures.baseline
    real = _panel(Path(panel), set_name, quote)
    baseline = facts.real_versus_real(real, seed, with_zeros=with_zeros) if real.n_series > 1 else {}
    return facts.prepare(real, with_zeros=with_zeros), facts.summarise(real), baseline


def _reference_figures(panel: str) -> ReferenceFigures | None:
    """Return reference figures if `panel` names some: a JSON file, or packaged ones; None means a candle file."""
    from mycelial.domain.errors import NotFound
    from mycelial.facts.packaged import packaged_reference
    from mycelial.facts.reference import from_json

    path = Path(panel)
    if path.suffix == ".json":
        if not path.is_file():
            raise NotFound(f"reference figures {panel} do not exist; make them with `mycelial facts reference`")
        return from_json(path.read_text(encoding="utf-8"), panel)
    return None if path.exists() or path.suffix else packaged_reference(panel)


def _write_text(path: Path, text: str) -> None:
    from mycelial.domain.errors import StorageError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}; choose another place with --out") from error


def _show_summaries(summaries: list[Summary]) -> None:
    rows: list[tuple[str, list[float]]] = [
        ("series", [float(one.n_series) for one in summaries]),
        ("days", [float(one.n_days) for one in summaries]),
        ("std of r", [one.returns.std for one in summaries]),
        ("skew of r, median coin", [one.returns.skew_median for one in summaries]),
        ("excess kurtosis, median coin", [one.returns.excess_kurtosis_median for one in summaries]),
        ("Hill index of |r|", [one.returns.hill for one in summaries]),
        ("unchanged closes", [one.returns.unchanged for one in summaries]),
        ("ACF of r, lag 1", [one.acf_r[0] for one in summaries]),
        ("ACF of |r|, mean of lags 1-20", [one.mean_acf_abs_r for one in summaries]),
        ("ACF of volume, lag 1", [one.acf_volume[0] for one in summaries]),
        ("leverage, lag 1", [one.leverage[0] for one in summaries]),
        ("correlation between coins", [one.coin_correlation for one in summaries]),
    ]
    _table("Stylised facts", ["fact", *(one.label for one in summaries)], [[n, *map(_number, v)] for n, v in rows])


def _show_distances(found: Mapping[str, Distance], baseline: Mapping[str, Distance]) -> None:
    def row(key: str, one: Distance) -> list[str]:
        interval = "" if one.ci is None else f"{one.ci[0]:.3f} to {one.ci[1]:.3f}"
        unit = _number(baseline[key].ks) if key in baseline else ""
        return [key, _number(one.ks), interval, unit, _number(one.w1)]

    header = ["statistic", "KS", "95 % interval", "KS real vs real", "W1"]
    _table("Distance, simulated to real", header, [row(key, one) for key, one in found.items()])


def _show_checks(checks: list[Check]) -> None:
    rows = [["passed" if one.passed else "FAILED", one.name, _number(one.value), one.target] for one in checks]
    _table("Checks", ["verdict", "check", "value", "target"], rows)


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.4g}"


def _table(title: str, header: list[str], rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    for position, name in enumerate(header):
        table.add_column(name, justify="right" if position and rows and _is_number(rows[0][position]) else "left")
    for row in rows:
        table.add_row(*row)
    Console(stderr=True).print(table)


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(".", "", 1).replace("-", "").replace("e", "").isdigit()
