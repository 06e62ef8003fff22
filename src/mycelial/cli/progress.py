"""Progress of long work on stderr: a bar with the time left on a terminal, a line every 5 % elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mycelial.cli.output import note

LINE_EVERY = 0.05


@contextmanager
def fraction_bar(title: str, *, waiting: str | None = None) -> Iterator[Callable[[float, int], None]]:
    """Give a function that takes the fraction done (0..1) and a count of things so far.

    `waiting` is shown until it is first called, for work that cannot tell how far it is.
    """
    if sys.stderr.isatty():
        yield from _bar(title, waiting)
    else:
        if waiting is not None:
            note(f"{waiting} …")
        yield _lines(title)


def _bar(title: str, waiting: str | None) -> Iterator[Callable[[float, int], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[count]}"))
    times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, *times, console=Console(file=sys.stderr)) as bars:
        task = bars.add_task(waiting or title, total=None if waiting else 1.0, count="")
        yield lambda fraction, count: bars.update(
            task, description=title, total=1.0, completed=fraction, count=f"{count:,}"
        )


def _lines(title: str) -> Callable[[float, int], None]:
    said = 0.0

    def progress(fraction: float, count: int) -> None:
        nonlocal said
        if fraction >= said + LINE_EVERY or (fraction >= 1.0 > said):
            said = fraction
            note(f"{title}: {fraction:.0%}, {count:,} so far")

    return progress
