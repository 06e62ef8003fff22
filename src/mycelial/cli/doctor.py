"""`mycelial doctor`: is this machine ready, and if not, what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import typer

from mycelial.cli.options import Json
from mycelial.cli.output import note, print_json

LEAST_FREE_MB = 200
EXTRAS = {"report": "plotly", "calibrate": "optuna", "data": "ccxt", "mesa": "mesa"}


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `severity` is ok, missing (optional) or error."""

    name: str
    severity: str
    found: str
    fix: str = ""


def doctor(json: Json = False) -> None:
    """Check Python, Numba, caches, optional packages and free disk; exit code 1 when something must be mended."""
    from mycelial.domain.errors import MycelialError

    findings = examine()
    errors = [finding for finding in findings if finding.severity == "error"]
    if json:
        print_json({"ok": not errors, "findings": [asdict(finding) for finding in findings]})
    else:
        signs = {"ok": "✔", "missing": "·", "error": "✘"}
        for finding in findings:
            fix = f"  → {finding.fix}" if finding.fix else ""
            typer.echo(f"{signs[finding.severity]} {finding.name:<14} {finding.found}{fix}")
    if errors:
        raise MycelialError(f"{len(errors)} thing(s) to mend: {'; '.join(one.fix for one in errors)}")
    note("next: mycelial demo")


def examine() -> list[Finding]:
    """Look at everything a simulation needs."""
    import os
    import platform
    import shutil
    import sys
    from importlib.util import find_spec
    from pathlib import Path

    import numba

    from mycelial import __version__

    python = platform.python_version()
    findings = [
        Finding("mycelial", "ok", __version__),
        Finding("python", "ok", python)
        if sys.version_info >= (3, 11)
        else Finding("python", "error", python, "install Python 3.11 or newer"),
        Finding("numba", "ok", f"{numba.__version__}, {os.cpu_count()} core(s)"),
        _cache_finding(),
    ]
    free_mb = shutil.disk_usage(Path.cwd()).free // 2**20
    enough = free_mb >= LEAST_FREE_MB
    findings.append(
        Finding(
            "free disk",
            "ok" if enough else "error",
            f"{free_mb:,} MB in {Path.cwd()}",
            "" if enough else f"free at least {LEAST_FREE_MB} MB here",
        )
    )
    for extra, package in EXTRAS.items():
        found = find_spec(package) is not None
        findings.append(
            Finding(
                f"extra {extra}",
                "ok" if found else "missing",
                f"{package} {'is installed' if found else 'is not installed'}",
                "" if found else f"pip install 'mycelial[{extra}]' if you want it",
            )
        )
    return findings


def _cache_finding() -> Finding:
    """Find out whether compiled kernels can be kept, in the place Numba chooses."""
    import os
    from pathlib import Path

    from mycelial.simulation.daily import live_compiled

    folder = Path(live_compiled.stats.cache_path)
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if os.access(existing, os.W_OK):
        return Finding("kernel cache", "ok", str(folder))
    return Finding(
        "kernel cache",
        "error",
        f"{folder} cannot be written",
        "set NUMBA_CACHE_DIR to a folder you may write to; otherwise every command compiles anew",
    )
