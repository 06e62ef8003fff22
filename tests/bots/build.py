"""Build the environment of the third-party bots: `python -m tests.bots.build .venv-bots`.

The bots live apart from mycelial, because they pin what they like and must stay as their users install them. The
environment is made once; it is made again when the pins or the Python change. About 25 CPU-seconds and 600 MB.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

BOTS = ("ccxt", "python-kraken-sdk", "freqtrade")
CONSTRAINTS = Path(__file__).with_name("constraints.txt")
STAMP = ".built"  # written last: an interrupted build has none


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bots.build", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(".venv-bots"))
    folder = parser.parse_args().folder
    began = time.monotonic()
    try:
        if not build(folder):
            return 0
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"error: the bots' environment {folder} cannot be built: {_reason(error)}", file=sys.stderr)
        return 1
    print(f"built {folder} with {', '.join(BOTS)} in {time.monotonic() - began:.0f} s")
    return 0


def build(folder: Path) -> bool:
    """Make the environment unless it is there already; return whether it was made.

    Raises
    ------
    OSError, subprocess.CalledProcessError
        If the disk or pip refuses; the next call begins anew.
    """
    identity = hashlib.sha256(CONSTRAINTS.read_bytes() + sys.version.encode()).hexdigest()
    stamp = folder / STAMP
    if stamp.is_file() and stamp.read_text() == identity:
        return False
    if folder.exists() and not (folder / "pyvenv.cfg").is_file() and any(folder.iterdir()):
        raise OSError(f"{folder} exists and is no virtual environment; choose another folder")
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    options = ["--disable-pip-version-check", "--quiet", "--no-compile", "-c", str(CONSTRAINTS)]
    subprocess.run([str(python), "-m", "pip", "install", *options, *BOTS], check=True, capture_output=True, text=True)
    stamp.write_text(identity)
    return True


def _reason(error: OSError | subprocess.CalledProcessError) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = [line for line in (error.stderr or "").splitlines() if line.strip()]
        last = lines[-1] if lines else f"exit {error.returncode}"
        said = next((line for line in lines if line.startswith("ERROR")), last)
        return f"pip says {said!r}; check the package index, then run the same command again"
    return f"{error}; free space or choose another folder, then run the same command again"


if __name__ == "__main__":
    sys.exit(main())
