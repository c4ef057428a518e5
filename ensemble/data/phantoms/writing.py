"""The phantom dataset as a folder in the origin's layout, written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from uuid import uuid4

import cv2
import numpy as np

from ensemble.data.phantoms.draw import draw_phantom
from ensemble.data.phantoms.plan import CLASS_NAMES, SPLIT_NAMES, PhantomSize, SplitName, SplitPlan, plan_split
from ensemble.errors import DataError

# Raise it with every change of what is drawn or labelled: an older folder then counts as another one.
FORMAT_VERSION = 1
SETTINGS_FILE = "dataset.yaml"
_SIGNATURE = "# Phantoms that python -m ensemble.demo drew from formulas; no patient was scanned."
_N_FOLDS = 3
_FILE_PREFIX: dict[SplitName, str] = {"train": "train", "holdout": "val", "test": "test"}


@dataclass(frozen=True, eq=False)
class PhantomDataset:
    """What ``write_phantoms`` left on the disk.

    Attributes:
        folder: The dataset.
        size: Of the dataset.
        plans: By split.
        written: False where the very same dataset was there already and was kept.
        set_aside: Where a folder that was in the way now is, or None.
    """

    folder: Path
    size: PhantomSize
    plans: dict[SplitName, SplitPlan]
    written: bool
    set_aside: Path | None = None


def write_phantoms(
    folder: Path,
    size: PhantomSize,
    *,
    seed: int = 0,
    overwrite: bool = False,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PhantomDataset:
    """Draw a dataset into ``folder``; the same arguments give the same bytes.

    Everything is written into a temporary neighbour, which is renamed to ``folder`` at the end. A phantom folder that
    already holds exactly this dataset is kept as it is.

    Args:
        folder: To be made. It may exist if it is empty.
        size: Images per split, and pixels.
        seed: Of everything.
        overwrite: Replace what is there: another phantom dataset is deleted, anything else is moved to a neighbour.
        workers: Threads; None: one for each processor.
        progress: Called with (images drawn, images in all).

    Raises:
        DataError: ``folder`` is a file, is or holds the working directory, or holds something else and ``overwrite``
            is false.
    """
    target = folder.resolve()
    plans = {split: plan_split(split, size.count(split), seed=seed) for split in SPLIT_NAMES}
    settings = _settings_text(size, seed)
    _check_target(target)
    if _settings_in(target) == settings:
        return PhantomDataset(folder, size, plans, written=False)
    if not overwrite:
        _check_free(target, settings)
    with _temporary_neighbour(target) as draft:
        _write_tables(draft, plans)
        _write_images(draft / "images", list(plans.values()), size.pixels, workers=workers, progress=progress)
        (draft / SETTINGS_FILE).write_text(settings, encoding="utf-8", newline="\n")
        set_aside = _make_way(target)
        draft.rename(target)
    if set_aside is not None and _settings_in(set_aside) is not None:
        shutil.rmtree(set_aside)  # other phantoms: any seed can draw them again
        set_aside = None
    return PhantomDataset(folder, size, plans, written=True, set_aside=set_aside)


def _settings_text(size: PhantomSize, seed: int) -> str:
    """``dataset.yaml``: what the folder is, and what the toolkit cannot guess."""
    return (
        f"{_SIGNATURE}\n"
        f"# format {FORMAT_VERSION}, seed {seed}: {size.train} train, {size.holdout} val and {size.test} test images "
        f"of {size.pixels} x {size.pixels} pixels\n"
        "#\n"
        "# class1: bright lesions beside the ventricles   class2: wide ventricles   class3: a bright ring\n"
        "# true_probabilities.csv: each label was drawn with this probability, so the best possible score is known.\n"
        "# *_groups.csv: the patient. Slices of one patient share the anatomy, so no patient may lie in two folds.\n"
        f"n_folds: {_N_FOLDS}   # fewer than the usual 5, to keep the demo short\n"
    )


def _settings_in(folder: Path) -> str | None:
    """The settings of a phantom folder; None for any other folder."""
    file = folder / SETTINGS_FILE
    if not file.is_file():
        return None
    text = file.read_text(encoding="utf-8", errors="replace")
    return text if text.startswith(_SIGNATURE) else None


def _check_target(target: Path) -> None:
    """Raises DataError if no folder can stand here."""
    if target.exists() and not target.is_dir():
        raise DataError(f"{target}: expected a folder for the phantom dataset, got a file. Name another folder")
    if Path.cwd().is_relative_to(target):
        raise DataError(
            f"{target}: expected a folder of its own for the phantom dataset, got the working directory or one above "
            "it. Name a folder to be made, for example data/demo"
        )


def _check_free(target: Path, settings: str) -> None:
    """Raises DataError if the folder holds anything."""
    if not target.exists() or not any(target.iterdir()):
        return
    there = _settings_in(target)
    if there is None:
        raise DataError(
            f"{target}: expected an empty or new folder, got one that holds something else. Name another folder, or "
            "add --overwrite: what is there is then moved to a folder beside it"
        )
    raise DataError(
        f"{target}: expected{_settings_line(settings)}; got other phantoms,{_settings_line(there)}. Name another "
        "folder, or add --overwrite to replace them"
    )


def _settings_line(settings: str) -> str:
    return settings.splitlines()[1].lstrip("#")


@contextmanager
def _temporary_neighbour(target: Path) -> Iterator[Path]:
    """A new folder beside ``target``, gone at the end unless it was renamed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{uuid4().hex}.tmp")
    draft.mkdir()
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _make_way(target: Path) -> Path | None:
    """Free the name ``target``.

    Returns:
        Where what stood there was moved to; None if there was nothing.
    """
    if not target.exists():
        return None
    if not any(target.iterdir()):
        target.rmdir()
        return None
    return target.rename(next(path for path in _names_beside(target) if not path.exists()))


def _names_beside(target: Path) -> Iterator[Path]:
    number = 1
    while True:
        yield target.with_name(f"{target.name}.before-{number}")
        number += 1


def _write_tables(draft: Path, plans: dict[SplitName, SplitPlan]) -> None:
    """Labels, groups, true probabilities and the template; rows in the order of their ids."""
    probabilities: list[Sequence[str]] = []
    for split, plan in plans.items():
        order = np.argsort(plan.image_ids)
        prefix, ids = _FILE_PREFIX[split], plan.image_ids[order].tolist()
        _write_csv(draft / f"{prefix}_groups.csv", ("id", "group"), zip(ids, plan.groups[order].tolist(), strict=True))
        if split == "test":
            _write_csv(draft / "sample_submission.csv", _HEADER, ((name, *_NO_FINDING) for name in ids))
            continue
        labels = plan.labels[order].astype(int).tolist()
        _write_csv(
            draft / f"{prefix}_labels.csv",
            _HEADER,
            ((name, *map(str, row)) for name, row in zip(ids, labels, strict=True)),
        )
        chances = plan.probabilities[order].tolist()
        probabilities += [(name, *map(repr, row)) for name, row in zip(ids, chances, strict=True)]
    _write_csv(draft / "true_probabilities.csv", _HEADER, probabilities)


_HEADER = ("id", *CLASS_NAMES)
_NO_FINDING = ("0",) * len(CLASS_NAMES)


def _write_csv(path: Path, header: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> None:
    lines = [",".join(header), *(",".join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _write_images(
    folder: Path,
    plans: Sequence[SplitPlan],
    pixels: int,
    *,
    workers: int | None,
    progress: Callable[[int, int], None] | None,
) -> None:
    """One 8-bit grey PNG a row, drawn by several threads: numpy and OpenCV let go of the interpreter's lock."""
    folder.mkdir()
    jobs = iter([(plan, row) for plan in plans for row in range(len(plan))])
    total, done = sum(len(plan) for plan in plans), 0
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        while batch := list(islice(jobs, 64)):
            list(pool.map(lambda job: _write_image(folder, job[0], job[1], pixels), batch))
            done += len(batch)
            if progress is not None:
                progress(done, total)


def _write_image(folder: Path, plan: SplitPlan, row: int, pixels: int) -> None:
    path = folder / f"{plan.image_ids[row]}.png"
    if not cv2.imwrite(str(path), draw_phantom(plan, row, pixels=pixels)):
        raise OSError(f"{path}: the image could not be written")
