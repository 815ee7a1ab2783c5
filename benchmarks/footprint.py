"""The size of an installation, and the time until the command answers.

Installs gridsim into a fresh environment and removes it again.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        before = _size(Path(folder))
        pip = [f"{folder}/bin/python", "-m", "pip", "install", "-q", "--no-compile", str(ROOT)]
        subprocess.run(pip, check=True, stderr=subprocess.DEVNULL)
        print(f"installed: {(_size(Path(folder)) - before) / 1e6:.0f} MB with all dependencies")
        for words in (["-c", "pass"], ["-m", "gridsim", "--help"], ["-m", "gridsim", "--dry-run"]):
            times = [_time([f"{folder}/bin/python", *words], folder) for _ in range(6)]
            print(f"python {' '.join(words)}: {median(times[1:]):.2f} s")


def _size(folder: Path) -> int:
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file() and not f.is_symlink())


def _time(command: list[str], folder: str) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
