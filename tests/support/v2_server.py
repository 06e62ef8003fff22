"""A WebSocket v2 that plays recorded frames on 127.0.0.1, with the mishaps of a real connection on request."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web


@dataclass
class V2Server:
    """Each connection that subscribes to the book gets the next script: frames to send, or "close"."""

    scripts: list[list[str]]
    requests: list[dict[str, Any]] = field(default_factory=list)
    again: list[str] = field(default_factory=list)  # sent when a book is subscribed to a second time on a connection
    played: threading.Event = field(default_factory=threading.Event)  # all of it, and taken by the client
    url: str = ""

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        books = 0
        playing: asyncio.Task[None] | None = None
        async for message in socket:
            if message.type is WSMsgType.PONG:  # the client has taken everything before
                self.played.set()
                continue
            if message.type is not WSMsgType.TEXT:
                break
            asked = json.loads(message.data)
            self.requests.append(asked)
            if asked["params"]["channel"] != "book":
                continue
            for symbol in asked["params"]["symbol"]:
                result = {**asked["params"], "symbol": symbol, "snapshot": True}
                await socket.send_json({"method": asked["method"], "result": result, "success": True})
            if asked["method"] == "subscribe":
                books += 1
                if books > 1:
                    frames, self.again = self.again, []
                else:
                    frames = self.scripts.pop(0) if self.scripts else []
                if playing is not None:
                    await playing
                playing = asyncio.create_task(self._play(socket, frames))
        return socket

    async def _play(self, socket: web.WebSocketResponse, frames: list[str]) -> None:
        for frame in frames:
            if frame == "close":
                await socket.close()
                return
            await socket.send_str(frame)
        if not self.scripts and not self.again:
            await socket.ping()


@contextmanager
def serving(server: V2Server) -> Iterator[V2Server]:
    """Run the server on a free port while the block runs."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    finished: asyncio.Event = asyncio.Event()

    async def main() -> None:
        application = web.Application()
        application.router.add_get("/v2", server.handle)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"ws://127.0.0.1:{runner.addresses[0][1]}/v2"
        ready.set()
        await finished.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(finished.set)
        thread.join(10)
        loop.close()
