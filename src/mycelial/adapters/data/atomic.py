"""Write files so that a reader sees the old content or the new one, never half of either.

The new content goes to a temporary file beside the target and is flushed to the disk; one rename then makes it visible.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mycelial.domain.errors import StorageError


def stage(path: Path, content: bytes) -> Path:
    """Write `content` to a temporary file beside `path`, flushed to the disk, and return where it is.

    Raises
    ------
    StorageError
        If the disk refuses; the temporary file is gone then.
    """
    staged: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
        staged = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        staged.chmod(0o644)
    except OSError as error:
        if staged is not None:
            discard(staged)
        raise refused(path, error) from error
    except BaseException:
        if staged is not None:
            discard(staged)
        raise
    return staged


def sync(path: Path) -> None:
    """Flush a file that was written by its name to the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def discard_leftovers(folder: Path) -> int:
    """Remove what killed writers staged below `folder` and never published; the caller holds its lock."""
    leftovers = list(folder.rglob(".*.partial"))
    for staged in leftovers:
        discard(staged)
    return len(leftovers)


def publish(staged: Path, path: Path) -> None:
    """Make a staged file visible as `path`, replacing what was there in one step."""
    try:
        os.replace(staged, path)
        _sync_folder(path.parent)
    except OSError as error:
        discard(staged)
        raise refused(path, error) from error


def discard(staged: Path) -> None:
    """Remove a staged file that will not be published."""
    with contextlib.suppress(OSError):
        staged.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the content of `path` in one step; on `StorageError` the old content is still there."""
    publish(stage(path, content), path)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's write lock, waiting for another process that holds it; the system frees it if we die."""
    try:
        import fcntl
    except ImportError:  # no such lock on this system: one writer at a time is up to the user
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise refused(folder, error) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sync_folder(folder: Path) -> None:
    """Flush the rename itself; some file systems cannot, and then the rename is merely likely to survive a crash."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def refused(path: Path, error: OSError) -> StorageError:
    """Return the error of a write that the disk refused."""
    return StorageError(
        f"{path}: cannot be written ({error.strerror or error}); nothing was changed; "
        "free space or choose another folder"
    )
