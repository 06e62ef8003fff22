"""Progress of long work on stderr: a bar with the time left on a terminal, a line every 5 % elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mycelial.cli.output import note

LINE_EVERY = 0.05


@contextmanager
def fraction_bar(title: str) -> Iterator[Callable[[float, int], None]]:
    """Give a function that takes the fraction done (0..1) and a count of things so far."""
    if sys.stderr.isatty():
        yield from _bar(title)
    else:
        yield _lines(title)


def _bar(title: str) -> Iterator[Callable[[float, int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn(title), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[count]:,}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(file=sys.stderr)) as bars:
        task = bars.add_task(title, total=1.0, count=0)
        yield lambda fraction, count: bars.update(task, completed=fraction, count=count)


def _lines(title: str) -> Callable[[float, int], None]:
    said = 0.0

    def progress(fraction: float, count: int) -> None:
        nonlocal said
        if fraction >= said + LINE_EVERY or (fraction >= 1.0 > said):
            said = fraction
            note(f"{title}: {fraction:.0%}, {count:,} so far")

    return progress
