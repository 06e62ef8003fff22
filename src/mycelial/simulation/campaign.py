"""Several independent worlds from one root seed, on as many threads as there are.

Run r has a seed derived by name from the root, so its bytes depend neither on how many runs there are nor on who
computes it. Several runs share the threads, one world each; a single run shares its assets between them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from threading import Event

from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.domain.seeds import stream_key
from mycelial.simulation.run import Progress, WorldRun, simulate_world

_SMALLEST = SymbaParameters(agents=2, days=20, learning_days=1)


@dataclass(frozen=True)
class Campaign:
    """What to simulate: `runs` worlds of `assets` assets, all from `seed`; `threads` only sets how fast."""

    params: SymbaParameters
    assets: int
    runs: int = 1
    seed: int = 7
    threads: int = 1

    def run_seed(self, run: int) -> int:
        """Return the seed of one run."""
        return int(stream_key(self.seed, "run", run))

    @property
    def days(self) -> int:
        """Days of all runs together."""
        return self.params.days * self.runs


class Cancelled(Exception):
    """Inside a worker: the campaign was given up."""


def compile_kernels(campaign: Campaign) -> None:
    """Compile (or load from the cache) what the campaign will call, by living a world of two agents."""
    together = campaign.runs == 1 and campaign.threads > 1 and campaign.assets > 1
    simulate_world(_SMALLEST, 2 if together else 1, 0, threads=2 if together else 1)


def simulate(campaign: Campaign, progress: Progress | None = None) -> Iterator[WorldRun]:
    """Yield the finished worlds in the order of their runs; at most `threads` are in the making at a time.

    Worlds take unequal times, because the bankrupt rest, so as many again wait behind them: no thread idles until the
    oldest world is done.

    `progress` is called with (days done, days in all) over all runs, from any thread.
    """
    if campaign.runs == 1:
        yield simulate_world(
            campaign.params, campaign.assets, campaign.run_seed(0), threads=campaign.threads, progress=progress
        )
        return
    given_up = Event()
    done = [0] * campaign.runs

    def one(run: int) -> WorldRun:
        def report(day: int, _: int) -> None:
            if given_up.is_set():
                raise Cancelled
            done[run] = day
            if progress is not None:
                progress(sum(done), campaign.days)

        return simulate_world(campaign.params, campaign.assets, campaign.run_seed(run), progress=report)

    waiting: deque[Future[WorldRun]] = deque()
    with ThreadPoolExecutor(campaign.threads) as pool:
        try:
            for run in range(campaign.runs):
                waiting.append(pool.submit(one, run))
                if len(waiting) == 2 * campaign.threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException:
            given_up.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def fingerprint_of(fingerprints: Sequence[str]) -> str:
    """Return the fingerprint of a campaign: that of its only world, or a digest of all of them in order."""
    if len(fingerprints) == 1:
        return fingerprints[0]
    return blake2b("".join(fingerprints).encode(), digest_size=16).hexdigest()
