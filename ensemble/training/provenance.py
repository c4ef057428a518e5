"""Facts for ``run.json``: what ran, on what, with which versions."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import platform
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

import ensemble

if TYPE_CHECKING:
    from ensemble.training.job import Hardware

_PACKAGES = ("torch", "timm", "albumentations", "opencv-python-headless", "numpy", "scikit-learn", "pyarrow")


def describe_run(hardware: Hardware, command: Sequence[str], *, seed: int, started: float) -> dict[str, object]:
    """Command, versions, commit, device, precision, threads (of each process), processes, seed and times.

    Args:
        hardware: Where it ran.
        command: The command line.
        seed: The recipe's.
        started: ``time.time()`` at the start.
    """
    device = hardware.device
    return {
        "command": list(command),
        "versions": versions(),
        "commit": commit(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processor": platform.processor() or platform.machine(),
        "precision": hardware.precision.name,
        "precision_reason": hardware.precision.reason,
        "threads": hardware.threads,
        "processes": hardware.processes,
        "workers": hardware.workers,
        "seed": seed,
        "started": dt.datetime.fromtimestamp(started, dt.UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 3),
    }


def versions() -> dict[str, str]:
    """Of Python, this package and those whose arithmetic it uses."""
    found = {"python": platform.python_version(), "ensemble": ensemble.__version__}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def commit() -> str | None:
    """The git commit of the checkout that this package runs from; None for an installed package."""
    root = Path(ensemble.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed command
            ["git", "-C", str(root), "rev-parse", "HEAD"],  # noqa: S607 - whichever git the user has
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
