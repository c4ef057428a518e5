"""A fault campaign: what killing, stopping, filling the disk and starting twice do to a training.

::

    python benchmarks/faults.py [--parts kills,signals,double,disk,readonly,removed] [--kills 50] [--folder DIR]

``kills``    two members on two folds of phantom slices are killed by SIGKILL at random moments and started again by the
             same command, until they are finished, in rounds until there were enough kills. Their tables and weights
             are compared byte by byte with those of an undisturbed run of the same command.
``signals``  SIGTERM, Ctrl-C and ``--time-limit`` on the real command.
``double``   a second start on the same fold; and a start straight after SIGKILL, with data workers.
``disk``     file systems of a few megabytes fill up at different moments; more room, and the same command goes on.
             Root mounts a tmpfs; anybody else gets a limit on the size of a file.
``readonly`` a finished fold, then the file system is read-only (root only).
``removed``  the fold's folder is removed under way.

Everything happens in ``--folder`` (default: a temporary one). Two quiet cores need eight to ten minutes for all parts.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from fault_lab import MEMBERS, Lab, fresh, import_all, inventory, kill_hard, last_saved, member_folder, tables
from fault_parts import PARTS

_SHORTEST_LIFE = 2.0  # seconds that a start is given at most, where the machine is quick


@dataclass
class Tally:
    """What the kills did."""

    kills: int = 0
    rounds: int = 0
    wrong_exits: list[str] = field(default_factory=list)
    lost_seconds: list[float] = field(default_factory=list)
    compared: int = 0
    equal: int = 0
    left_over: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(["kills", *PARTS]), metavar="LIST")
    parser.add_argument("--kills", type=int, default=50, metavar="N", help="at least (default: 50)")
    parser.add_argument("--images", type=int, default=400, metavar="N", help="training images (default: 400)")
    parser.add_argument("--epochs", type=int, default=3, metavar="N", help="of each fold (default: 3)")
    parser.add_argument("--checkpoint-seconds", type=int, default=1, metavar="N")
    parser.add_argument("--folder", type=Path, metavar="DIR")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    wanted = args.parts.split(",")
    unknown = set(wanted) - {"kills", *PARTS}
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    import_all()
    with tempfile.TemporaryDirectory() as temporary:
        lab = Lab(args.folder or Path(temporary), args.epochs, args.checkpoint_seconds)
        lab.folder.mkdir(parents=True, exist_ok=True)
        lab.make_data(args.images)
        expected = undisturbed(lab)
        if "kills" in wanted:
            kill_campaign(lab, expected, kills=args.kills, seed=args.seed)
        for name, part in PARTS.items():
            if name in wanted:
                print(f"\n== {name}", flush=True)
                part(lab, expected)


def undisturbed(lab: Lab) -> dict[str, dict[str, bytes]]:
    """The same commands with nothing in their way, and what checkpoints cost there."""
    found = {}
    for member in MEMBERS:
        for rare, name in ((replace(lab, checkpoint_seconds=None), "rare"), (lab, "undisturbed")):
            runs = lab.folder / name
            shutil.rmtree(member_folder(runs, member), ignore_errors=True)
            child = rare.start(member, runs)
            if child.wait() != 0:
                raise SystemExit(f"{member} failed undisturbed: {child.said()}")
            lab.slowest_seconds = max(lab.slowest_seconds, time.monotonic() - child.started)
            print(f"undisturbed {member}: {cost(runs, member, rare.checkpoint_seconds)}", flush=True)
        found[member] = tables(runs, member)
    return found


def cost(runs: Path, member: str, every: int | None) -> str:
    """What its checkpoints took."""
    facts = [json.loads(path.read_text()) for path in member_folder(runs, member).rglob("run.json")]
    trained = sum(one["training_seconds"] for one in facts)
    written, took = (sum(one[key] for one in facts) for key in ("checkpoints_written", "checkpoint_seconds"))
    setting = "by default" if every is None else f"with --checkpoint-seconds {every}"
    return (
        f"{trained:.1f} s of training, {setting} {written} checkpoints in {took:.2f} s, {took / (trained + took):.2%} "
        f"of the time, {took / max(1, written):.3f} s each"
    )


def kill_campaign(lab: Lab, expected: dict[str, dict[str, bytes]], *, kills: int, seed: int) -> None:
    life = max(_SHORTEST_LIFE, lab.slowest_seconds / 4)
    print(f"\n== kills: SIGKILL after a random time up to {life:.1f} s, seed {seed}", flush=True)
    draw, tally = random.Random(seed), Tally()  # noqa: S311 - moments, not secrets
    started = time.monotonic()
    while tally.kills < kills:
        workers = str(tally.rounds % 2)
        runs = fresh(lab.folder / "killed")
        for member in MEMBERS:
            torture(lab, member, runs, workers=workers, wait=lambda: draw.uniform(0, life), tally=tally)
            found = tables(runs, member)
            tally.compared += len(expected[member])
            tally.equal += sum(found.get(name) == content for name, content in expected[member].items())
        tally.left_over += sum(
            line.endswith(("LEFT OVER", "CUT SHORT")) or "DAMAGED" in line for line in inventory(runs)
        )
        tally.rounds += 1
        print(f"  round {tally.rounds}, {workers} data workers: {tally.kills} kills so far", flush=True)
    print(
        f"{tally.kills} kills in {tally.rounds} rounds of {len(MEMBERS)} members x 2 folds, "
        f"{time.monotonic() - started:.0f} s\n"
        f"tables and weights byte-identical to the undisturbed run: {tally.equal} of {tally.compared}\n"
        f"longest loss of work: {max(tally.lost_seconds):.2f} s, median "
        f"{sorted(tally.lost_seconds)[len(tally.lost_seconds) // 2]:.2f} s\n"
        f"starts that ended with an error: {len(tally.wrong_exits)} {tally.wrong_exits[:3] or ''}\n"
        f"files left over or damaged at the end: {tally.left_over}",
        flush=True,
    )


def torture(lab: Lab, member: str, runs: Path, *, workers: str, wait: Callable[[], float], tally: Tally) -> None:
    """Start, kill, start again, until the member is finished."""
    while True:
        began = time.time()
        child = lab.fork(member, runs, "--all-folds", "--workers", workers)
        code = child.wait(wait())
        if code == 0:
            return
        if code is not None:
            tally.wrong_exits.append(child.said())
            if len(tally.wrong_exits) > 5:
                raise SystemExit(f"too many errors: {tally.wrong_exits}")
            continue
        kill_hard(child)
        tally.lost_seconds.append(time.time() - last_saved(runs, began))
        tally.kills += 1


if __name__ == "__main__":
    main()
