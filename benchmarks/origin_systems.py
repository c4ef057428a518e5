"""The origin's thirteen systems, and four of ours, under one small budget: does the order of the report hold?

::

    python benchmarks/origin_systems.py DATASET OUT [--groups 80] [--rows 24] [--size 48] [--folds 2] [--epochs 4]

DATASET is a folder with ``train_labels.csv``, ``train_groups.csv`` and ``images/``. The first ``--groups`` groups in
order of name, and of each the first ``--rows`` training rows, become a dataset of its own in OUT; images are linked,
not copied. Every system is trained on all of its folds by ``ensemble.train`` with the same number of epochs,
everything else as in its recipe but for ImageNet weights, which none has; then ``ensemble.compare`` prints the table.
The same command again goes on where it stopped.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter
from pathlib import Path

# As the file is run as a script, its own folder is on the path, not the checkout.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

OURS = ("lstm", "resnet18")


def main() -> None:
    from ensemble.recipe_files import list_recipes

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--groups", type=int, default=80, metavar="G")
    parser.add_argument("--rows", type=int, default=24, metavar="N", help="training rows of each group")
    parser.add_argument("--size", type=int, default=48, metavar="PIXELS")
    parser.add_argument("--folds", type=int, default=2, metavar="K")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--only", nargs="+", metavar="RECIPE", help="some of the systems, e.g. origin/02_cnn2 lstm")
    args = parser.parse_args()
    shipped = {recipe.name: recipe.path for recipe in list_recipes()}
    systems = args.only or [*OURS, *(name for name in shipped if name.startswith("origin/"))]
    data, runs = args.out / "data", args.out / "runs"
    if not data.exists():
        print(
            f"{take_part(args.dataset, data, args.groups, args.rows)} training rows of {args.groups} groups", flush=True
        )
    settings = [f"data.image_size={args.size}", f"data.n_folds={args.folds}", f"training.epochs={args.epochs}"]
    for name in systems:
        member = name.replace("origin/", "o") if "/" in name else name
        command = ["-m", "ensemble.train", str(shipped[name]), "--name", member, "--all-folds"]
        sets = [word for setting in settings for word in ("--set", setting)]
        subprocess.run([sys.executable, *command, "--data", str(data), "--runs", str(runs), *sets], check=True)
    command = ["-m", "ensemble.compare", "--data", str(data), "--runs", str(runs)]
    subprocess.run([sys.executable, *command], check=True)


def take_part(source: Path, target: Path, n_groups: int, n_rows: int) -> int:
    """Make a dataset of the first rows of the first groups. Returns its number of rows."""
    header, *lines = (source / "train_groups.csv").read_text(encoding="utf-8").splitlines()
    group_of = dict(line.split(",") for line in lines)
    wanted = set(sorted(set(group_of.values()))[:n_groups])
    kept, taken = [], Counter[str]()
    labels = (source / "train_labels.csv").read_text(encoding="utf-8").splitlines()
    for line in labels[1:]:
        group = group_of[line.split(",", 1)[0]]
        if group in wanted and taken[group] < n_rows:
            taken[group] += 1
            kept.append(line)
    target.mkdir(parents=True)
    (target / "train_labels.csv").write_text("\n".join([labels[0], *kept, ""]), encoding="utf-8")
    pairs = [f"{name},{group_of[name]}" for name in (line.split(",", 1)[0] for line in kept)]
    (target / "train_groups.csv").write_text("\n".join([header, *pairs, ""]), encoding="utf-8")
    (target / "images").symlink_to((source / "images").resolve())
    return len(kept)


if __name__ == "__main__":
    main()
