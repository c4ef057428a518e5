"""What is blended: a dataset's rows and folds, and the members that were trained on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.align import join_members
from ensemble.blending.members import Member, choose_members, read_member, tables_of
from ensemble.dataset import Dataset, read_dataset
from ensemble.errors import ArtefactError, DataError, FoldError
from ensemble.files import read_json
from ensemble.folds import FoldFile, FoldWish, open_folds, read_folds
from ensemble.predictions import PredictionTable
from ensemble.runs import DatasetRuns, dataset_runs, only_dataset


@dataclass(frozen=True, eq=False)
class Source:
    """Members, joined, and the rows that they are scored on.

    Attributes:
        dataset: Whose rows they are; its holdout is None if the folds hold it.
        folds: Of the training rows, in their order, with the groups that were kept together.
        members: M members; each table has the dataset's rows and classes, in its order.
        skipped: Members that were left out, name to reason.
    """

    dataset: Dataset
    folds: FoldFile
    members: tuple[Member, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> NDArray[np.float64]:
        """Shape (N, C): of the training rows."""
        if self.dataset.train.labels is None:
            raise DataError(f"{self.dataset.path}: the training rows have no labels, so nothing can be scored")
        return self.dataset.train.labels

    @property
    def holdout_labels(self) -> NDArray[np.float64] | None:
        """Shape (N of holdout, C), or None."""
        return None if self.dataset.holdout is None else self.dataset.holdout.labels


def open_source(runs: Path, names: Sequence[str] = (), *, data: Path | None = None) -> tuple[Source, DatasetRuns]:
    """Find the dataset, its folds and its members, and join them.

    Args:
        runs: The folder that holds ``<dataset>/<member>/``.
        names: The members; none: all finished ones.
        data: The dataset's folder; None: the only one below ``runs``, where its members found it.

    Raises:
        DataError: No dataset or no such member.
        FoldError: The folds are of another dataset than the folder holds now.
        ArtefactError: A named member is not finished, or a file is damaged.
        AlignmentError: Members do not belong together.
    """
    dataset, paths, folds = _open_dataset(runs, data)
    chosen, skipped = choose_members(paths, names, n_folds=folds.n_folds)
    members = [read_member(member, n_folds=folds.n_folds, content_hash=folds.content_hash) for member in chosen]
    return join_source(dataset, folds, members=members, skipped=skipped), paths


def join_source(
    dataset: Dataset, folds: FoldFile, *, members: Sequence[Member], skipped: Mapping[str, str] | None = None
) -> Source:
    """Bring the members into the dataset's order of rows and classes.

    Args:
        dataset: As it is divided into folds.
        folds: In the order of its training rows, as ``open_folds`` returns them.
        members: At least one.
        skipped: Members that were left out, name to reason.

    Raises:
        FoldError: The folds hold other images, or another order of them.
        AlignmentError: Members do not belong together.
    """
    if not np.array_equal(folds.image_ids, dataset.train.image_ids):
        raise FoldError("the folds' images, or their order, are not the training rows': use open_folds")
    splits = {"oof": dataset.train, "holdout": dataset.holdout, "test": dataset.test}
    joined = {
        split: join_members(
            tables_of(members, split),
            image_ids=part.image_ids,
            class_names=dataset.class_names,
            folds=folds.folds if split == "oof" else None,
            folds_sha256=folds.sha256,
        )
        for split, part in splits.items()
        if part is not None
    }
    return Source(dataset, folds, tuple(_with_tables(member, joined) for member in members), skipped or {})


def _with_tables(member: Member, joined: Mapping[str, Mapping[str, PredictionTable]]) -> Member:
    own = {split: tables[member.name] for split, tables in joined.items() if member.name in tables}
    return replace(member, tables=own)


def _open_dataset(runs: Path, data: Path | None) -> tuple[Dataset, DatasetRuns, FoldFile]:
    if data is None:
        paths = only_dataset(runs)
        dataset = read_dataset(_folder_of(paths, read_folds(paths).n_folds), images=False)
    else:
        dataset = read_dataset(data, images=False)
        paths = dataset_runs(runs, dataset.name)
        read_folds(paths)  # refuses where open_folds would make new ones
    dataset, folds = open_folds(paths, dataset, FoldWish())
    return dataset, paths, folds


def _folder_of(paths: DatasetRuns, n_folds: int) -> Path:
    """Where the members found the dataset."""
    finished = (member.fold(fold).run for member in paths.members() for fold in range(n_folds))
    run = next((path for path in finished if path.exists()), None)
    if run is None:
        raise DataError(
            f"{paths.folder}: expected at least one finished fold, found none. "
            "Train a member first: python -m ensemble.train recipes/cnn2.yaml --all-folds --data DIR"
        )
    stored = read_json(run).get("data_path")
    if not isinstance(stored, str):
        raise ArtefactError(f"{run}: expected the key 'data_path', got none. Say where the dataset is: --data DIR")
    if not Path(stored).is_dir():
        raise DataError(f"{run}: the dataset was in {stored}, which is gone. Say where it is now: --data DIR")
    return Path(stored)
