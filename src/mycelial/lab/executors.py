"""Where independent work runs: here, in a pool of processes, or on Ray. Same results, in order, from each.

Processes are spawned, never forked, so that nothing depends on what the parent had loaded; they end with their parent,
however that ends.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from mycelial.domain.errors import MissingExtra, MycelialError

Item = TypeVar("Item")
Result = TypeVar("Result")


class Executor(Protocol):
    """Runs a function over items; results come in the order of the items, each once it and those before are done."""

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` for each item."""
        ...

    def __enter__(self) -> Self:
        """Start the workers."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the workers; unfinished work is dropped."""
        ...


class Serial:
    """One item after the other, in this process."""

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` for each item."""
        return (function(item) for item in items)

    def __enter__(self) -> Self:
        """Nothing to start."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to stop."""


class Processes:
    """A pool of spawned processes."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` for each item; `function` and items must be importable by name."""
        if self._pool is None:
            raise RuntimeError("use the pool in a `with` block")
        futures = [self._pool.submit(function, item) for item in items]
        return (_result(future) for future in futures)

    def __enter__(self) -> Self:
        """Prepare the pool; processes start with the first item."""
        import multiprocessing

        self._pool = ProcessPoolExecutor(
            self._workers, mp_context=multiprocessing.get_context("spawn"), initializer=_settle_in
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Stop the processes, at once if something went wrong."""
        if self._pool is None:
            return
        processes = list((getattr(self._pool, "_processes", None) or {}).values())
        self._pool.shutdown(wait=kind is None, cancel_futures=True)
        if kind is not None:
            for process in processes:
                process.terminate()


class Ray:
    """Tasks on a Ray cluster, or on this machine when none is running."""

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` for each item."""
        ray = _import_ray()
        task = ray.remote(function)
        pending = [task.remote(item) for item in items]
        return (ray.get(one) for one in pending)

    def __enter__(self) -> Self:
        """Connect, unless connected already."""
        ray = _import_ray()
        if not ray.is_initialized():
            ray.init(log_to_driver=False)
        return self

    def __exit__(self, *_: object) -> None:
        """Stay connected: the cluster belongs to the user."""


def executor_named(name: str, workers: int) -> Executor:
    """Return the executor called `name` (``processes`` or ``ray``); one worker needs no pool."""
    if name == "ray":
        _import_ray()
        return Ray()
    return Processes(workers) if workers > 1 else Serial()


def _result(future: Future[Result]) -> Result:
    try:
        return future.result()
    except BrokenProcessPool:
        raise MycelialError(
            "a worker ended unexpectedly, most likely for want of memory; what is finished is saved, so go on with "
            "fewer --workers"
        ) from None


def _import_ray() -> Any:
    try:
        import ray
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise MissingExtra("ray", "ray", "the executor 'ray'") from error
    return ray


def _settle_in() -> None:
    """Leave Ctrl-C to the parent, and end when the parent does."""
    import multiprocessing
    from multiprocessing.connection import wait

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            wait([parent.sentinel])
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
