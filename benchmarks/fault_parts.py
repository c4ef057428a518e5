"""The shorter parts of ``faults.py``."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from fault_lab import Child, Lab, fresh, inventory, kill_hard, member_folder, tables

Expected = dict[str, dict[str, bytes]]


def wait_for(path: Path, seconds: float = 300.0) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > deadline:
            raise SystemExit(f"{path} did not come into being")
        time.sleep(0.01)


def verdict(lab: Lab, child: Child, runs: Path, expected: Expected) -> None:
    """Let the same command go on, and compare."""
    after = lab.fork("cnn2", runs)
    code = after.wait()
    same = tables(runs, "cnn2") == expected["cnn2"]
    print(f"    the same command again: exit code {code}, byte-identical to the undisturbed run: {same}", flush=True)
    if child.tracebacks():
        print(f"    TRACEBACKS: {child.tracebacks()}")


def shown(runs: Path) -> None:
    for line in inventory(runs):
        print(f"      {line}")


def signals(lab: Lab, expected: Expected) -> None:
    """Requests to stop, on the real command with data workers."""
    for name, number, flags in (
        ("SIGTERM", signal.SIGTERM, ()),
        ("SIGTERM to the whole group", signal.SIGTERM, ("--workers", "2")),
        ("Ctrl-C to the whole group", signal.SIGINT, ("--workers", "2")),
    ):
        runs = fresh(lab.folder / "stopped")
        child = lab.start("cnn2", runs, "--all-folds", *flags)
        wait_for(member_folder(runs, "cnn2") / "fold_0" / "checkpoint.pt")
        asked = time.monotonic()
        (os.killpg if "group" in name else os.kill)(child.pid, number)
        code = child.wait(300)
        print(f"  {name}: exit code {code} after {time.monotonic() - asked:.2f} s\n    {child.said()}")
        shown(runs)
        verdict(lab, child, runs, expected)
    limit = 30
    runs = fresh(lab.folder / "stopped")
    child = lab.start("cnn2", runs, "--all-folds", "--time-limit", f"{limit}s", "--set", "training.epochs=1000")
    code = child.wait(2 * limit)
    print(
        f"  --time-limit {limit}s: exit code {code} after {time.monotonic() - child.started:.1f} s\n    {child.said()}"
    )


def double(lab: Lab, expected: Expected) -> None:
    """Two on one fold, and one straight after a kill."""
    runs = fresh(lab.folder / "double")
    first = lab.start("cnn2", runs, "--all-folds", "--workers", "2")
    wait_for(member_folder(runs, "cnn2") / "fold_0" / "checkpoint.pt")
    second = lab.fork("cnn2", runs)
    print(f"  a second start while the first trains: exit code {second.wait()}\n    {second.said()}")
    kill_hard(first)
    killed = time.monotonic()
    third = lab.fork("cnn2", runs, "--fold", "0")
    print(f"  a start straight after SIGKILL: exit code {third.wait()} after {time.monotonic() - killed:.1f} s")
    verdict(lab, first, runs, expected)


@contextlib.contextmanager
def small_disk(place: Path, megabytes: float) -> Iterator[bool]:
    """A tmpfs of this size at ``place``; where only root may mount one, False."""
    place.mkdir(parents=True, exist_ok=True)
    size = f"size={int(megabytes * 1024)}k"
    if os.geteuid() != 0 or _mount("-t", "tmpfs", "-o", size, "tmpfs", str(place)) != 0:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", str(place)], check=False)  # noqa: S607


def _mount(*words: str) -> int:
    return subprocess.run(["mount", *words], check=False, capture_output=True).returncode  # noqa: S607


def disk(lab: Lab, expected: Expected) -> None:
    """Full at different moments: in the cache, the first checkpoint, a later file."""
    state = (member_folder(lab.folder / "undisturbed", "cnn2") / "fold_0" / "model.safetensors").stat().st_size / 2**20
    cache = sum(path.stat().st_size for path in (lab.folder / "undisturbed").rglob("images.npy")) / 2**20
    for megabytes in (cache / 2, cache + 1, *(cache + states * state for states in (3, 6, 7, 8, 10))):
        place = lab.folder / "small"
        with small_disk(place, megabytes) as mounted:
            runs = place / "runs"
            if mounted:
                child = lab.fork("cnn2", runs)
                code = child.wait()
            else:
                fresh(runs)
                with _file_limit(megabytes):
                    child = lab.fork("cnn2", runs)
                    code = child.wait()
            what = "a disk" if mounted else "files"
            print(f"  {what} of at most {megabytes:.1f} MiB: exit code {code}\n    {child.said()}")
            shown(runs)
            if mounted:
                _mount("-o", "remount,size=2g", str(place))
            verdict(lab, child, runs, expected)


@contextlib.contextmanager
def _file_limit(megabytes: float) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(megabytes * 2**20 / 4), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def readonly(lab: Lab, expected: Expected) -> None:
    """One fold is finished; then nothing can be written."""
    place = lab.folder / "small"
    with small_disk(place, 2048) as mounted:
        if not mounted:
            print("  left out: only root can mount a file system")
            return
        runs = place / "runs"
        lab.fork("cnn2", runs, "--fold", "0").wait()
        before = inventory(runs)
        _mount("-o", "remount,ro", str(place))
        child = lab.fork("cnn2", runs)
        print(f"  exit code {child.wait()}\n    {child.said()}\n    unchanged: {inventory(runs) == before}")
        _mount("-o", "remount,rw", str(place))
        verdict(lab, child, runs, expected)


def removed(lab: Lab, expected: Expected) -> None:
    """The folder of a fold, or of the whole dataset's runs, vanishes."""
    for what in ("fold_0", "phantoms"):
        runs = fresh(lab.folder / "removed")
        child = lab.fork("cnn2", runs)
        wait_for(member_folder(runs, "cnn2") / "fold_0" / "checkpoint.pt")
        shutil.rmtree(member_folder(runs, "cnn2") / "fold_0" if what == "fold_0" else runs / "phantoms")
        print(f"  {what} removed under way: exit code {child.wait()}\n    {child.said()}")
        shown(runs)
        verdict(lab, child, runs, expected)


PARTS = {"signals": signals, "double": double, "disk": disk, "readonly": readonly, "removed": removed}
