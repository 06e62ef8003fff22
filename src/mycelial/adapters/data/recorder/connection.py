"""The socket around the recorder: reading, writing to disk, reconnecting, stopping.

Frames wait in a bounded queue for the disk. When it is full the socket is not read, so the exchange waits or hangs up,
and a hang-up is an ordinary reconnect: nothing is ever recorded out of order, and memory stays bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mycelial.adapters.data.recorder.plan import RecordingPlan, Tally
from mycelial.adapters.data.recorder.recorder import Recorder
from mycelial.adapters.data.recorder.segments import Segment, finish
from mycelial.domain.errors import ExchangeError, MissingExtra

if TYPE_CHECKING:
    import aiohttp

FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 0.5, 30.0
SILENCE_S = 20.0  # the exchange sends a heartbeat every second
LINES_PER_WRITE = 512
LARGEST_FRAME = 16 * 2**20


@dataclass(frozen=True)
class Shell:
    """The outside world a recording touches besides the exchange and the disk."""

    now_ns: Callable[[], int]
    jitter: Callable[[], float]  # uniform on [0, 1)
    warn: Callable[[str], None]
    report: Callable[[Tally], None]  # now and then
    version: str


async def record(plan: RecordingPlan, shell: Shell, stop: asyncio.Event) -> Tally:
    """Record until `stop` is set or the plan's time is over; segments are finished before this returns.

    Raises
    ------
    ExchangeError
        If the exchange refuses every subscription.
    StorageError
        If the disk refuses; what was written before stays readable.
    """
    recorder = Recorder(plan)
    queue: asyncio.Queue[tuple[int, str] | None] = asyncio.Queue(plan.queue)
    writer = _Writer(recorder, shell)
    timer = None if plan.seconds is None else asyncio.get_running_loop().call_later(plan.seconds, stop.set)
    try:
        async with asyncio.TaskGroup() as tasks:
            # One ends both: the reader sends None when it is done, and whoever fails cancels the other.
            tasks.create_task(_read(recorder, queue, writer, shell, stop), name="read")
            tasks.create_task(writer.run(queue), name="write")
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    finally:
        if timer is not None:
            timer.cancel()
    return recorder.tally


class _Writer:
    """Turns frames into lines of segments, and sends what the recorder asks for."""

    def __init__(self, recorder: Recorder, shell: Shell) -> None:
        self._recorder, self._shell = recorder, shell
        self._finishing: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self.socket: aiohttp.ClientWebSocketResponse | None = None

    async def run(self, queue: asyncio.Queue[tuple[int, str] | None]) -> None:
        plan, segment, ends_at = self._recorder.plan, self._open(), self._end()
        try:
            while (first := await queue.get()) is not None:
                lines: list[str] = []
                item: tuple[int, str] | None = first
                while item is not None:
                    lines += await self._take(*item)
                    if len(lines) >= LINES_PER_WRITE or queue.empty():
                        break
                    item = queue.get_nowait()
                    if item is None:
                        queue.put_nowait(None)
                self._writing = asyncio.create_task(asyncio.to_thread(segment.write, lines), name="disk")
                await asyncio.shield(self._writing)
                if self._shell.now_ns() >= ends_at or segment.size >= plan.rotate_bytes:
                    await self._finish(segment)
                    segment, ends_at = self._open(), self._end()
        finally:
            # Whatever ends the recording, what is written becomes a finished segment.
            with contextlib.suppress(asyncio.CancelledError):
                await self._finish(segment)
            if self._finishing is not None:
                await self._finishing

    async def _take(self, rx_ns: int, text: str) -> list[str]:
        try:
            taken = self._recorder.take(rx_ns, text)
        except ValueError:
            self._shell.warn(f"a frame is no JSON and was left out: {text[:80]!r}")
            return []
        plan, tally, refusals = self._recorder.plan, self._recorder.tally, self._recorder.refusals
        if len(refusals) >= 2 * len(plan.symbols) and not tally.books:
            raise ExchangeError(f"{plan.url} refuses: {refusals[0]}; check the symbols")
        for request in taken.requests:
            self._shell.warn("a book checksum is not the exchange's; subscribing anew")
            if self.socket is not None and not self.socket.closed:
                with contextlib.suppress(ConnectionError):
                    await self.socket.send_str(request)
        return [taken.line]

    def _open(self) -> Segment:
        now = self._shell.now_ns()
        moment = dt.datetime.fromtimestamp(now // 10**9, dt.UTC)
        name = f"{moment:%Y%m%dT%H%M%S}.{now % 10**9 // 1000:06d}Z"
        segment = Segment(self._recorder.plan.folder, name)
        segment.write(self._recorder.opening(now, version=self._shell.version))
        return segment

    def _end(self) -> int:
        return self._shell.now_ns() + round(self._recorder.plan.rotate_s * 1e9)

    async def _finish(self, segment: Segment) -> None:
        """Compress a segment beside the recording; one at a time, so that they cannot pile up."""
        if self._finishing is not None:
            await self._finishing
        if self._writing is not None:
            await asyncio.wait([self._writing])  # a write that was under way when we were stopped

        async def work() -> None:
            log = segment.close()
            await asyncio.to_thread(finish, log)
            self._recorder.tally.segments.append(log.name + ".gz")
            self._shell.report(self._recorder.tally)

        self._finishing = asyncio.create_task(work(), name="finish")


async def _read(
    recorder: Recorder,
    queue: asyncio.Queue[tuple[int, str] | None],
    writer: _Writer,
    shell: Shell,
    stop: asyncio.Event,
) -> None:
    try:
        import aiohttp
    except ImportError as error:
        raise MissingExtra("aiohttp", "exchange", "recording a WebSocket") from error
    backoff_s = FIRST_BACKOFF_S
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        async with aiohttp.ClientSession() as session:
            while not stop.is_set():
                try:
                    async with session.ws_connect(recorder.plan.url, max_msg_size=LARGEST_FRAME) as socket:
                        writer.socket = socket
                        for request in recorder.connected():
                            await socket.send_str(request)
                        reason = await _listen(socket, recorder, queue, shell, stopping)
                        backoff_s = FIRST_BACKOFF_S if recorder.tally.books else backoff_s
                except (aiohttp.ClientError, OSError, TimeoutError) as error:
                    reason = str(error) or type(error).__name__
                finally:
                    writer.socket = None
                if stop.is_set():
                    break
                wait_s = backoff_s * (0.5 + shell.jitter() / 2)
                shell.warn(f"{recorder.plan.url}: {reason}; connecting again in {wait_s:.1f} s")
                await asyncio.wait([stopping], timeout=wait_s)
                backoff_s = min(LONGEST_BACKOFF_S, backoff_s * 2)
    finally:
        stopping.cancel()
    await queue.put(None)


async def _listen(
    socket: aiohttp.ClientWebSocketResponse,
    recorder: Recorder,
    queue: asyncio.Queue[tuple[int, str] | None],
    shell: Shell,
    stopping: asyncio.Task[bool],
) -> str:
    """Put frames into the queue until the socket or the recording ends; return why."""
    import aiohttp

    while True:
        receiving = asyncio.create_task(socket.receive(), name="receive")
        try:
            await asyncio.wait([receiving, stopping], timeout=SILENCE_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not receiving.done():
                receiving.cancel()
        if stopping.done():
            return "stopped"
        if receiving.cancelled() or not receiving.done():
            return f"silent for {SILENCE_S:g} s"
        message = receiving.result()
        if message.type is not aiohttp.WSMsgType.TEXT:
            return f"closed by the exchange ({socket.close_code})"
        if queue.full():
            recorder.tally.waits += 1
        await queue.put((shell.now_ns(), message.data))
