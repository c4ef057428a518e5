"""Time to a score: three members, trained as a timm user would and by this package, until both score the same.

::

    python benchmarks/time_to_score.py DIR [--seeds 0 1 2] [--rows 3000] [--epochs 6]
    python benchmarks/time_to_score.py DIR --quick

DIR is a dataset with groups (``hippocampus_mr``), of which ``--rows`` rows are taken by group, anew for every seed.
``cnn2``, ``lstm`` and ``resnet18`` at 48 px on three folds by group, the same folds on both sides, one after the other.

``plain``
    ``plain_loop.py``: PNG files through PIL and torchvision, float32, Adam or AdamW, warm-up and cosine, ``--epochs``
    epochs, the held-out fold predicted after each. Its three members, blended by the very chain that ours go through,
    make the score to reach.
``ours``
    The command ``run`` as a user types it, which trains as many folds at once as there are cores. Learning rate,
    batch, warm-up, schedule and ``resnet18``'s epochs are the plain loop's; the cheap networks have a few more
    (``MEMBERS``). The held-out fold is predicted once, at the end (``training.score_epochs``), and mirrored, too
    (``training.tta``). If the blend does not reach the score, the same command with another member (``RESERVE``) trains
    what is missing, and its time comes on top.

Time is that of whole processes, from the start of Python to the last file: imports, folds, cache, training,
scores, tables, blend and report. "CPU" is the processor time of the same processes, which a busy machine disturbs
less. Ratios are ours ÷ plain.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

# As the file is run as a script, its own folder is on the path, not the checkout.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from subset import write_subset

ROOT = Path(__file__).resolve().parents[1]
N_FOLDS, SIZE, BATCH = 3, 48, 32
LEARNING_RATE = 1e-3


class Network(NamedTuple):
    """As the shipped recipes have it."""

    optimizer: str
    weight_decay: float
    args: dict[str, float]


NETWORKS = {
    "cnn2": Network("adam", 0.0, {}),
    "lstm": Network("adamw", 0.01, {"drop_rate": 0.2}),
    "resnet18": Network("adamw", 0.01, {}),
}


class Member(NamedTuple):
    """One of ours: what it is called, its network, and its epochs as a share of the plain loop's."""

    name: str
    network: str
    share: float

    def epochs(self, plain_epochs: int) -> int:
        """At least one."""
        return max(1, round(self.share * plain_epochs))


MEMBERS = (Member("cnn2", "cnn2", 8 / 6), Member("lstm", "lstm", 7 / 6), Member("resnet18", "resnet18", 1.0))
RESERVE = (Member("cnn3", "cnn3", 8 / 6),)
RUNGS = (MEMBERS, RESERVE)


class Spent(NamedTuple):
    """Seconds of whole processes."""

    wall: float = 0.0
    cpu: float = 0.0

    def __add__(self, other: object) -> Spent:
        assert isinstance(other, Spent)
        return Spent(self.wall + other.wall, self.cpu + other.cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--quick", action="store_true", help="240 rows, one seed, two epochs: shows that it runs")
    parser.add_argument("--plain", nargs=4, metavar=("NETWORK", "SEED", "FOLDS", "OUT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.plain:
        network, seed, folds, out = args.plain
        train_plain(PlainMember(args.folder, Path(folds), network, int(seed), args.epochs), Path(out))
        return
    if args.quick:
        args.seeds, args.rows, args.epochs = [0], 240, 2
    rungs = "; then ".join(", ".join(f"{one.network} {one.epochs(args.epochs)}" for one in rung) for rung in RUNGS)
    print(f"{args.rows:,} rows, {N_FOLDS} folds, {SIZE} px; epochs: plain {args.epochs}, ours {rungs}")
    ratios = []
    for seed in args.seeds:
        with tempfile.TemporaryDirectory() as folder:
            ratios.append(race(args, seed, Path(folder)))
    for name, place in (("wall", 0), ("CPU", 1)):
        found = [ratio[place] for ratio in ratios]
        print(f"{name} time, ours ÷ plain: median {np.median(found):.2f}, range {min(found):.2f} to {max(found):.2f}")


def race(args: argparse.Namespace, seed: int, scratch: Path) -> Spent:
    """Both sides on one seed; the ratios, infinite where the score was not reached."""
    data = scratch / "part"
    n_rows = write_subset(args.folder, data, rows=args.rows, n_folds=N_FOLDS, seed=seed)
    ours, scores, members = [], [], list[Member]()
    for number, rung in enumerate(RUNGS):
        members += rung
        spent, score = run_ours(data, scratch, seed, members, args.epochs)
        ours.append(spent)
        scores.append(score)
        if number == 0:
            plain, wanted, at_half = run_plain(args, data, scratch, seed)
        if score >= wanted:
            break
    total = sum(ours, Spent())
    reached = scores[-1] >= wanted
    steps = " + ".join(f"{one.wall:.0f}" for one in ours)
    print(
        f"seed {seed} ({n_rows:,} rows): plain {wanted:.4f} (at 0.5: {at_half:.4f}) in {plain.wall:.0f} s, CPU "
        f"{plain.cpu:.0f} s; ours {', '.join(f'{one:.4f}' for one in scores)} in {steps} s, CPU "
        f"{total.cpu:.0f} s{'' if reached else ': not reached'}",
        flush=True,
    )
    return Spent(total.wall / plain.wall, total.cpu / plain.cpu) if reached else Spent(math.inf, math.inf)


def run_ours(data: Path, scratch: Path, seed: int, members: Sequence[Member], plain_epochs: int) -> tuple[Spent, float]:
    """Train what is not trained yet and blend it, by one command; time and cross-fitted macro-F1."""
    settings = [
        f"data.image_size={SIZE}",
        f"training.batch_size={BATCH}",
        f"optimizer.lr={LEARNING_RATE}",
        f"augment={MOVES}",
        "training.tta=hflip",
        "training.score_epochs=last",
    ]
    recipes = [own_recipe(scratch, member, plain_epochs) for member in members]
    runs = scratch / "runs"
    flags = ["--data", str(data), "--runs", str(runs), "--seed", str(seed), "--submission", str(scratch / "sent.csv")]
    spent = call(["-m", "ensemble.run", *recipes, *flags, *(text for one in settings for text in ("--set", one))])
    return spent, cross_fitted(runs / "part" / "blends" / "blend" / "blend.json")


def own_recipe(scratch: Path, member: Member, plain_epochs: int) -> str:
    """The shipped recipe with the member's epochs, as a user would copy and change it."""
    text = (ROOT / "recipes" / f"{member.network}.yaml").read_text(encoding="utf-8")
    changed, n = re.subn(r"\{epochs: \d+", f"{{epochs: {member.epochs(plain_epochs)}", text)
    if n != 1:
        sys.exit(f"recipes/{member.network}.yaml: expected one line with epochs, got {n}")
    path = scratch / f"{member.name}.yaml"
    path.write_text(changed, encoding="utf-8")
    return str(path)


MOVES = "[{HorizontalFlip: {p: 0.5}}, {Affine: {rotate: [-10, 10], scale: [0.9, 1.1], p: 0.7}}]"


def run_plain(args: argparse.Namespace, data: Path, scratch: Path, seed: int) -> tuple[Spent, float, float]:
    """The plain loop's three members; time, cross-fitted macro-F1 of their blend, and that of their mean at 0.5."""
    spent = Spent()
    tables = scratch / "plain"
    tables.mkdir()
    folds = scratch / "runs" / "part" / "folds.csv"
    for network in NETWORKS:
        out = tables / f"{network}.csv"
        flags = ["--epochs", str(args.epochs), "--plain", network, str(seed), str(folds), str(out)]
        spent += call([str(Path(__file__).resolve()), str(data), *flags])
    own = ["--labels", str(data / "train_labels.csv"), "--groups", str(data / "train_groups.csv")]
    out = scratch / "plain_blend"
    call(["-m", "ensemble.blend", "--oof", str(tables), *own, "--folds", str(folds), "--out", str(out)])
    blend = next(out.rglob("blend.json"))
    return spent, cross_fitted(blend), float(json.loads(blend.read_text())["scores"]["at_half"])


def cross_fitted(blend: Path) -> float:
    return float(json.loads(blend.read_text())["scores"]["cross_fitted"])


def call(arguments: Sequence[str]) -> Spent:
    """Run Python; what it took."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return Spent(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


class PlainMember(NamedTuple):
    """One network of the plain side."""

    data: Path
    folds: Path
    network: str
    seed: int
    epochs: int


def train_plain(member: PlainMember, out: Path) -> None:
    """All folds of one network; writes a CSV of out-of-fold probabilities."""
    from ensemble.command import share_cores

    share_cores()  # the plain loop shall not suffer from threads that spin while they wait
    from ensemble.field_values import number_column
    from ensemble.tables import read_table

    labels_table, folds_table = read_table(member.data / "train_labels.csv"), read_table(member.folds)
    ids = labels_table.column("id")
    names = [name for name in labels_table.header if name != "id"]
    labels = np.stack([number_column(labels_table, name) for name in names], axis=1).astype(np.float32)
    fold_of = dict(zip(folds_table.column("image_id"), number_column(folds_table, "fold"), strict=True))
    folds = np.array([fold_of[one] for one in ids])
    files = np.array([member.data / "images" / f"{one}.png" for one in ids])
    probabilities = np.empty(labels.shape)
    for fold in range(N_FOLDS):
        held_out = folds == fold
        probabilities[held_out] = plain_fold(member, files, labels, held_out, seed=member.seed * N_FOLDS + fold)
    rows = [f"{one},{','.join(map(repr, row.tolist()))}" for one, row in zip(ids, probabilities, strict=True)]
    out.write_text("\n".join([f"id,{','.join(names)}", *rows, ""]))


def plain_fold(
    member: PlainMember, files: np.ndarray, labels: np.ndarray, held_out: np.ndarray, *, seed: int
) -> object:
    """Train on the other rows, predict the held-out ones after every epoch; the last epoch's probabilities."""
    import torch
    from plain_loop import PngFiles, Wish, build_plain, loader_of

    torch.manual_seed(seed)
    network = NETWORKS[member.network]
    training = PngFiles(files[~held_out], labels[~held_out], SIZE, training=True)
    loader = loader_of(training, BATCH, training=True, workers=0, pin=False)
    scored = PngFiles(files[held_out], labels[held_out], SIZE, training=False)
    scored_loader = loader_of(scored, 2 * BATCH, training=False, workers=0, pin=False)
    wish = Wish(member.network, labels.shape[1], SIZE, network.optimizer, LEARNING_RATE, network.weight_decay)
    total = len(loader) * member.epochs
    loop = build_plain(wish, torch.device("cpu"), total_updates=total, warmup=len(loader), args=network.args)
    for _ in range(member.epochs):
        loop.epoch(loader)
        logits = loop.predict(scored_loader)
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


if __name__ == "__main__":
    main()
