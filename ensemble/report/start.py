"""The start lines of a training: what was found, and what was decided and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ensemble.dataset import Dataset
from ensemble.dataset.one_kind import NO_NEGATIVE, classes_of_one_kind
from ensemble.errors import many
from ensemble.folds import FoldFile, rare_classes
from ensemble.folds.fold_file import MADE

if TYPE_CHECKING:
    from ensemble.training.job import Hardware


def print_start(console: Console, dataset: Dataset, folds: FoldFile, hardware: Hardware, *, results: Path) -> None:
    """Print them.

    Args:
        console: Where to.
        dataset: As it is divided into folds.
        folds: These.
        hardware: Device, precision and threads.
        results: The folder of everything that is made from the dataset.
    """

    def say(what: str, text: str) -> None:
        console.print(f"{what:<9}  {text}", markup=False)

    say("dataset", f"{dataset.name}: {_sizes(dataset)} images; classes {', '.join(dataset.class_names)}")
    if results.name != dataset.name:
        say("results", f"in {results}: the dataset's name is no fit name for a folder")
    say("groups", folds.groups_source)
    if dataset.unused_tables:
        say("not used", "; ".join(dataset.describe_unused()))
    if without_id := dataset.describe_images_without_id():
        say("not used", without_id)
    how = f"stratified with seed {folds.fold_seed}" if folds.source == MADE else f"from {folds.source}"
    whole = "" if folds.groups is None else ", no group in two of them"
    say("folds", f"{folds.n_folds}, {how}{whole}")
    labels = dataset.train.labels
    if labels is not None:
        for sentence in rare_classes(labels, dataset.train.groups, dataset.class_names, folds.n_folds):
            say("note", sentence)
        for name in classes_of_one_kind(labels, dataset.class_names).get(NO_NEGATIVE, []):
            say(
                "note",
                f"class {name!r} has no negative training row: it is called everywhere, its F1 says nothing",
            )
    precision = hardware.precision
    each = f" in each of {hardware.processes} processes" if hardware.processes > 1 else ""
    threads = many(hardware.threads, "thread")
    say("precision", f"{precision.name} on {hardware.device}, {threads}{each}: {precision.reason}")


def _sizes(dataset: Dataset) -> str:
    rows = [("training", dataset.train), ("holdout", dataset.holdout), ("test", dataset.test)]
    return ", ".join(f"{len(split):,} {name}" for name, split in rows if split is not None)
