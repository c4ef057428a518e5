"""A Ray cluster of two nodes on this machine, one of which is killed under way: what is lost, and is it the same?

::

    python benchmarks/ray_two_nodes.py DATASET OUT [--groups 12] [--rows 20] [--test 100] [--seed 0]
           [--quick] [--raylet-only]

DATASET is a folder as for ``interrupted_run.py``; a part of it becomes a dataset in OUT. ``run`` with three recipes
and three folds goes through three times, one thread each and two at once: with the local engine, with Ray, and with
Ray while at a random moment, but not before a training there is past its first epoch, all processes of one node get
SIGKILL at once, as when a machine loses power: the training, its guard, Ray's worker, the raylet. With --raylet-only
the raylet alone is killed: the training beneath it is to save. Needs Linux (``/proc``) and the extra ``[ray]``.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Before Ray is imported: it sends nothing, and its workers do not step back behind others (15 by default).
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}

# As the file is run as a script, its own folder is on the path, not the checkout.
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ensemble.scheduling.plan import Progress, read_progress  # noqa: E402

RECIPES = ("cnn2", "cnn3", "lstm")
FOLDS, EPOCHS = 3, 8
_PROGRESS = ".progress.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--groups", type=int, default=12, metavar="G")
    parser.add_argument("--rows", type=int, default=20, metavar="N", help="training rows of each group")
    parser.add_argument("--test", type=int, default=100, metavar="N")
    parser.add_argument("--seed", type=int, default=0, help="of the moment")
    parser.add_argument(
        "--quick", action="store_true", help="one recipe; Ray is not timed undisturbed, and its node lost early"
    )
    parser.add_argument("--raylet-only", action="store_true", help="its workers and trainings are left to themselves")
    args = parser.parse_args()
    recipes = RECIPES[:1] if args.quick else RECIPES
    make_data(args)
    seconds = {"local": timed(args.out, "local", recipes)}
    with two_nodes() as (address, victim):
        if not args.quick:
            seconds["ray"] = timed(args.out, "ray", recipes, address)
            each = (seconds["ray"] - seconds["local"]) / (len(recipes) * FOLDS)
            print(f"overhead of the engine: {each:+.1f} s for each training", flush=True)
        rng = random.Random(args.seed)  # noqa: S311 - no secret
        lost = start(args.out, "lost", recipes, address)
        moment = time.monotonic() + (0.0 if args.quick else rng.uniform(0.1, 0.4) * seconds["local"])
        before = lose_a_node(args, lost, victim, moment)
        see_to_the_end(args.out, lost, before)
    for name in [name for name in ("ray", "lost") if (args.out / name).exists()]:
        compare(args.out, name)


def make_data(args: argparse.Namespace) -> None:
    from origin_systems import take_part

    data = args.out / "data"
    if data.exists():
        return
    take_part(args.dataset, data, args.groups, args.rows)
    ids = (args.dataset / "sample_submission.csv").read_text(encoding="utf-8").splitlines()[: args.test + 1]
    (data / "sample_submission.csv").write_text("\n".join([*ids, ""]), encoding="utf-8")


@contextmanager
def two_nodes() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Address, and the raylet of the node that does not hold the head."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    node = cluster.add_node(num_cpus=1)
    try:
        yield cluster.address, node.all_processes["raylet"][0].process
    finally:
        cluster.shutdown()


def start(out: Path, name: str, recipes: tuple[str, ...], address: str | None = None) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "ensemble.run", *(str(ROOT / "recipes" / f"{recipe}.yaml") for recipe in recipes)]
    words += ["--data", str(out / "data"), "--runs", str(out / name), "--submission", str(out / f"{name}.csv")]
    for setting in ("data.image_size=48", f"data.n_folds={FOLDS}", f"training.epochs={EPOCHS}"):
        words += ["--set", setting]
    words += ["--threads", "1", "--max-parallel", "2", "--checkpoint-seconds", "2", "--trials", "0"]
    words += [] if address is None else ["--engine", "ray", "--address", address]
    with (out / f"{name}.log").open("ab") as log:
        return subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)


def timed(out: Path, name: str, recipes: tuple[str, ...], address: str | None = None) -> float:
    began = time.monotonic()
    code = start(out, name, recipes, address).wait()
    assert code == 0, f"{name}: exit code {code}, see {out / name}.log"
    seconds = time.monotonic() - began
    print(f"{name}: {len(recipes) * FOLDS} trainings, blend and report in {seconds:.0f} s", flush=True)
    return seconds


def lose_a_node(
    args: argparse.Namespace, process: subprocess.Popen[bytes], raylet: subprocess.Popen[bytes], moment: float
) -> dict[str, Progress]:
    """Kill it; how far the trainings of all nodes were then is returned."""
    logs = args.out / "lost" / "data" / "logs"
    while time.monotonic() < moment or not past_first_epoch(logs, family(raylet.pid)):
        assert process.poll() is None, f"it ended before, see {args.out / 'lost'}.log"
        time.sleep(0.1)
    victims = [raylet.pid] if args.raylet_only else family(raylet.pid)
    before = {path.name.removesuffix(_PROGRESS): read_progress(path) for path in logs.glob(f"*{_PROGRESS}")}
    for pid in reversed(victims):  # a training first: killed after its guard, it might have saved
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    raylet.wait()  # as a zombie it would still be there for its workers
    done = len(list(args.out.glob("lost/data/*/fold_*/run.json")))
    print(f"a node killed ({len(victims)} processes), when {done} trainings were done", flush=True)
    return before


def see_to_the_end(out: Path, process: subprocess.Popen[bytes], before: dict[str, Progress]) -> None:
    killed = time.monotonic()
    code = process.wait()
    assert code == 0, f"exit code {code}, see {out / 'lost'}.log"
    print(f"lost: all trainings, blend and report done {time.monotonic() - killed:.0f} s later", flush=True)
    for name, progress in before.items():
        log = out / "lost" / "data" / "logs" / f"{name}.log"
        tell_repeated(name, log.read_text(encoding="utf-8"), progress)


def family(raylet: int) -> list[int]:
    """A process and all beneath it, parents first."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [raylet]
    for pid in found:  # grows meanwhile
        found += children.get(pid, [])
    return found


def past_first_epoch(logs: Path, pids: list[int]) -> bool:
    """Whether a training among these processes is a little into its second epoch, at least."""
    commands = [command_of(pid) for pid in pids]
    return any(
        EPOCHS * progress.done > 1.2 * progress.total > 0 and any(str(path) in command for command in commands)
        for path in logs.glob(f"*{_PROGRESS}")
        if (progress := read_progress(path))
    )


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").replace("\0", " ")
    except OSError:
        return ""


def tell_repeated(name: str, log: str, before: Progress) -> None:
    """For a training that was started more than once: what it had done, and where it went on."""
    starts = log.split("-- on node ")
    if len(starts) < 3 or not before.total:
        return
    an_epoch = before.total / EPOCHS
    inside = re.search(r"going on in epoch (\d+) of \d+, after ([\d,]+) of", starts[-1])
    after = re.search(r"going on after epoch (\d+) of", starts[-1])
    again = (
        (int(inside[1]) - 1) + int(inside[2].replace(",", "")) / an_epoch if inside else int(after[1]) if after else 0
    )
    had = before.done / an_epoch
    print(f"  {name}: {len(starts) - 1} starts; had done {had:.2f} of {EPOCHS} epochs, went on at {again:.2f}")


def compare(out: Path, name: str) -> None:
    same = (out / "local.csv").read_bytes() == (out / f"{name}.csv").read_bytes()
    tables = sorted(path.relative_to(out / "local") for path in out.glob("local/data/**/*.parquet"))
    tables += sorted(path.relative_to(out / "local") for path in out.glob("local/data/**/*.safetensors"))
    equal = sum((out / "local" / path).read_bytes() == (out / name / path).read_bytes() for path in tables)
    print(
        f"{name} against local: submission {'byte-identical' if same else 'DIFFERENT'}; "
        f"{equal} of {len(tables)} tables and weights byte-identical"
    )


if __name__ == "__main__":
    main()
