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
from ensemble.dataset.groups import NO_GROUPS
from ensemble.dataset.medmnist import unpacked
from ensemble.errors import ArtefactError, DataError, FoldError
from ensemble.folds import FoldFile, FoldWish, open_folds, read_folds
from ensemble.predictions import PredictionTable
from ensemble.run_facts import read_run
from ensemble.runs import DatasetRuns, FoldPaths, check_outside, dataset_runs, only_dataset

_NO_TEMPLATE = "the dataset has no sample submission, so there are no test rows"
_NO_TEST_TABLES = "the members have no tables of test rows. Train them again with --overwrite"


@dataclass(frozen=True, eq=False)
class Source:
    """Members, joined, and the rows that they are scored on, wherever these came from.

    Attributes:
        name: Of the data, for people.
        class_names: C names, the order of all columns.
        image_ids: Shape (N,), text, unique: the training rows, the order of all rows.
        labels: Shape (N, C), 0, 1 or NaN = not labelled.
        folds: Shape (N,), the fold that holds each row out.
        members: M members; each table has these rows and classes in this order, and its test rows that of the others.
        groups: Shape (N,), what belongs together, e.g. the patient; None: every row is independent.
        groups_source: Where the groups came from, in words.
        test_groups: Shape (T,), likewise of the test rows; None where not known.
        holdout_labels: Shape (N of holdout, C); None without a holdout.
        holdout_in_folds: Whether rows that came as a holdout are among the training rows.
        true_probabilities: Shape (N, C), the chances from which labels were drawn; None where nobody knows them.
        scored_by_fold_models: Whether a training row is known to be scored by one of K models, another by their mean.
        template: The sample submission; None: id and classes, in the order of the test rows.
        without_test: Why there may be no test rows, in words.
        origin: Hashes of what the rows came from, e.g. ``folds_sha256``.
        fold_paths: Member to its K folds' runs; empty for tables from anywhere.
        skipped: What was left out, name to reason.
        remarks: What a reader should know of how the tables were read.
        warnings: What a reader must know of them.
    """

    name: str
    class_names: tuple[str, ...]
    image_ids: NDArray[np.str_]
    labels: NDArray[np.float64]
    folds: NDArray[np.int16]
    members: tuple[Member, ...]
    groups: NDArray[np.str_] | None = None
    groups_source: str = NO_GROUPS
    test_groups: NDArray[np.str_] | None = None
    holdout_labels: NDArray[np.float64] | None = None
    holdout_in_folds: bool = False
    true_probabilities: NDArray[np.float64] | None = None
    scored_by_fold_models: bool = False
    template: Path | None = None
    without_test: str = "there are no test rows"
    origin: Mapping[str, str] = field(default_factory=dict)
    fold_paths: Mapping[str, tuple[FoldPaths, ...]] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def n_folds(self) -> int:
        """K: how many folds hold rows."""
        return len(np.unique(self.folds))

    def tables(self, split: str) -> dict[str, PredictionTable]:
        """The members' tables of ``split``, one of ``SPLITS``, by name; empty where not all have one."""
        if not all(split in member.tables for member in self.members):
            return {}
        return {member.name: member.tables[split] for member in self.members}


def open_source(
    runs: Path, names: Sequence[str] = (), *, data: Path | None = None, writes: Path | None = None
) -> tuple[Source, DatasetRuns]:
    """Find the dataset, its folds and its members, and join them.

    Args:
        runs: The folder that holds ``<dataset>/<member>/``.
        names: The members; none: all finished ones.
        data: The dataset's folder; None: the only one below ``runs``, where its members found it.
        writes: Where the user wants a result beside those in ``runs``.

    Raises:
        DataError: No dataset or no such member; or ``writes`` lies in the dataset's folder.
        FoldError: The folds are of another dataset than the folder holds now.
        ArtefactError: A named member is not finished, or a file is damaged.
        AlignmentError: Members do not belong together.
    """
    dataset, paths, folds = _open_dataset(runs, data)
    if writes is not None:
        check_outside(writes, dataset.path, "the place for results")
    chosen, skipped = choose_members(paths, names, n_folds=folds.n_folds)
    members = [read_member(member, n_folds=folds.n_folds, content_hash=folds.content_hash) for member in chosen]
    source = join_source(dataset, folds, members=members, skipped=skipped)
    runs_of = {member.name: tuple(member.fold(fold) for fold in range(folds.n_folds)) for member in chosen}
    return replace(source, fold_paths=runs_of), paths


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
    template = dataset.template
    return Source(
        name=dataset.name,
        class_names=dataset.class_names,
        image_ids=dataset.train.image_ids,
        labels=_labels_of(dataset),
        folds=folds.folds,
        members=tuple(_with_tables(member, joined) for member in members),
        groups=folds.groups,
        groups_source=folds.groups_source,
        test_groups=None if dataset.test is None else dataset.test.groups,
        holdout_labels=None if dataset.holdout is None else dataset.holdout.labels,
        holdout_in_folds=folds.holdout_in_folds,
        true_probabilities=dataset.true_probabilities,
        scored_by_fold_models=True,
        template=template,
        without_test=_NO_TEMPLATE if template is None else _NO_TEST_TABLES,
        origin={"dataset_sha256": dataset.content_hash, "folds_sha256": folds.sha256},
        skipped=skipped or {},
    )


def _labels_of(dataset: Dataset) -> NDArray[np.float64]:
    if dataset.train.labels is None:
        raise DataError(f"{dataset.path}: the training rows have no labels, so nothing can be scored")
    return dataset.train.labels


def _with_tables(member: Member, joined: Mapping[str, Mapping[str, PredictionTable]]) -> Member:
    own = {split: tables[member.name] for split, tables in joined.items() if member.name in tables}
    return replace(member, tables=own)


def _open_dataset(runs: Path, data: Path | None) -> tuple[Dataset, DatasetRuns, FoldFile]:
    if data is None:
        paths = only_dataset(runs)
        dataset = read_dataset(_folder_of(paths, read_folds(paths).n_folds), images=False)
    else:
        dataset = read_dataset(unpacked(data, runs), images=False)
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
    stored = read_run(run).get("data_path")
    if not isinstance(stored, str):
        raise ArtefactError(f"{run}: expected the key 'data_path', got none. Say where the dataset is: --data DIR")
    if not Path(stored).is_dir():
        raise DataError(f"{run}: the dataset was in {stored}, which is gone. Say where it is now: --data DIR")
    return Path(stored)
