"""The folds of a dataset: made once, then only checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ensemble.dataset import check_holdout_groups, with_holdout_in_folds
from ensemble.errors import FoldError, first_few
from ensemble.files import locked, remove_leftovers
from ensemble.folds.fold_file import MADE, FoldFile, read_folds, write_folds
from ensemble.folds.own_file import read_own_folds
from ensemble.folds.stratify import stratified_group_folds
from ensemble.folds.wish import DEFAULT_N_FOLDS, DEFAULT_SEED, FoldWish, Stated, check_stated, merge_wishes, start_anew

if TYPE_CHECKING:
    from ensemble.dataset import Dataset
    from ensemble.runs import DatasetRuns


def open_folds(
    paths: DatasetRuns, dataset: Dataset, wish: FoldWish, *, planned: FoldFile | None = None
) -> tuple[Dataset, FoldFile]:
    """The dataset as it is divided, and its folds, which are made and written if there are none.

    Args:
        paths: Of the dataset's runs.
        dataset: As ``read_dataset`` returns it.
        wish: What a recipe or command says of the folds.
        planned: What ``preview_folds`` returned for the same dataset and wish, so as not to divide it twice.

    Returns:
        The dataset, with the holdout's rows among the training rows if the folds hold them; and the folds, in the order
        of its training rows.

    Raises:
        DataError: A group is on both sides of training and holdout.
        FoldError: As ``ensure_folds``.
    """
    stated = merge_wishes(dataset, wish)
    holdout_in_folds = _holdout_joins(stated)
    if paths.folds_csv.exists():
        stored = read_folds(paths)
        check_stated(stated, stored, where=paths.folds_csv)
        holdout_in_folds = stored.holdout_in_folds
    if holdout_in_folds:
        divided = with_holdout_in_folds(dataset)
        return divided, ensure_folds(paths, divided, wish, planned=planned)
    check_holdout_groups(dataset)
    return dataset, ensure_folds(paths, dataset, wish, planned=planned)


def preview_folds(paths: DatasetRuns, dataset: Dataset, wish: FoldWish) -> tuple[Dataset, FoldFile]:
    """The folds that stand, else those that ``open_folds`` would make; nothing is written.

    Unlike there, a group may be on both sides of training and holdout: whoever looks on wants to see it.

    Args:
        paths: Of the dataset's runs.
        dataset: As ``read_dataset`` returns it.
        wish: What a command says of the folds.

    Returns:
        As ``open_folds``; the ``sha256`` of folds that are not written is empty.

    Raises:
        FoldError: As ``open_folds``.
        ArtefactError: The files that stand are damaged.
    """
    if paths.folds_csv.exists():
        return open_folds(paths, dataset, wish)
    stated = merge_wishes(dataset, wish)
    divided = with_holdout_in_folds(dataset) if _holdout_joins(stated) else dataset
    position = np.argsort(np.argsort(divided.train.image_ids, kind="stable"), kind="stable")
    return divided, _make(divided, stated).rows(position)


def ensure_folds(paths: DatasetRuns, dataset: Dataset, wish: FoldWish, *, planned: FoldFile | None = None) -> FoldFile:
    """Read the dataset's folds, or make them if there are none; refuse those that do not fit.

    The rows are sorted by id before they are divided: tables in another order give the same ``folds.csv``. Two
    processes that start together agree, for a lock is held while the file is written.

    Args:
        paths: Of the dataset's runs.
        dataset: Its training rows are divided. If the holdout's rows shall be among them, they must be there already
            (``open_folds`` sees to that).
        wish: What a recipe or command says. It decides only when ``folds.csv`` is first written, beside the values of
            ``dataset.yaml``, which must not contradict it; 5 folds and seed 0 where neither says anything.
        planned: What to write if there are none: ``preview_folds`` of the same dataset and wish; None: they are made.

    Returns:
        The folds in the order of the training rows.

    Raises:
        FoldError: The wish contradicts ``dataset.yaml`` or the folds that stand; the folds were changed by hand or made
            from other rows, labels or groups; a fold file of one's own does not fit; there are too few groups.
        ArtefactError: The files that stand are damaged.
    """
    stated = merge_wishes(dataset, wish)
    if _holdout_joins(stated) and dataset.holdout is not None:
        raise FoldError(
            "the holdout's rows are to be in the folds, but were not added to the training rows: use open_folds"
        )
    with locked(paths.lock, wait=True):
        remove_leftovers(paths.folder, paths.folds_csv.name, paths.folds_json.name)
        if not paths.folds_csv.exists():
            write_folds(paths, _make(dataset, stated) if planned is None else _by_id(planned))
        stored = read_folds(paths)
    check_stated(stated, stored, where=paths.folds_csv)
    _check_dataset(stored, dataset, paths)
    position = np.argsort(np.argsort(dataset.train.image_ids, kind="stable"), kind="stable")
    folds = stored.rows(position)
    if stated.file is not None:
        own, _ = read_own_folds(stated.file, dataset.train)
        if len(differ := np.flatnonzero(own != folds.folds)):
            raise FoldError(
                f"{paths.folds_csv} ({stored.source}) puts {len(differ)} images into other folds than {stated.file}: "
                f"{first_few(folds.image_ids[differ])}; {start_anew(paths.folds_csv)}"
            )
    return folds


def _by_id(folds: FoldFile) -> FoldFile:
    """Rows in ascending order of id, as they are written."""
    return folds.rows(np.argsort(folds.image_ids, kind="stable"))


def _holdout_joins(stated: Stated) -> bool:
    return stated.holdout is not None and not stated.holdout[0]


def _make(dataset: Dataset, stated: Stated) -> FoldFile:
    """New folds, rows in ascending order of id."""
    train = dataset.train
    groups, groups_source = train.groups, dataset.groups_source
    if stated.file is not None:
        folds, groups = read_own_folds(stated.file, train)
        n_folds, seed = int(folds.max()) + 1, None
        if train.groups is None and groups is not None:
            groups_source = _own_groups_source(stated.file.name, dataset)
    else:
        n_folds = DEFAULT_N_FOLDS if stated.n_folds is None else stated.n_folds[0]
        seed = DEFAULT_SEED if stated.fold_seed is None else stated.fold_seed[0]
        order = np.argsort(train.image_ids, kind="stable")
        folds = np.empty(len(order), dtype=np.int16)
        folds[order] = _split(dataset, order, n_folds=n_folds, seed=seed)
    made = FoldFile(
        image_ids=train.image_ids,
        groups=groups,
        folds=folds,
        n_folds=n_folds,
        sha256="",
        holdout_in_folds=_holdout_joins(stated),
        fold_seed=seed,
        source=MADE if stated.file is None else stated.file.name,
        content_hash=dataset.content_hash,
        groups_source=groups_source,
    )
    if stated.n_folds is not None and stated.n_folds[0] != n_folds:
        raise FoldError(
            f"{stated.n_folds[1]} says n_folds {stated.n_folds[0]}, but {stated.file} holds {n_folds} folds"
        )
    return _by_id(made)


def _own_groups_source(name: str, dataset: Dataset) -> str:
    unknown = "" if dataset.holdout is None else " (the holdout's are not known)"
    return f"column 'group' of {name}{unknown}"


def _split(dataset: Dataset, order: NDArray[np.intp], *, n_folds: int, seed: int) -> NDArray[np.int16]:
    train = dataset.train
    if train.labels is None:
        raise FoldError(f"dataset {dataset.name!r}: the training rows have no labels, so they cannot be divided evenly")
    groups = None if train.groups is None else train.groups[order]
    return stratified_group_folds(train.labels[order], groups, n_folds=n_folds, seed=seed)


def _check_dataset(stored: FoldFile, dataset: Dataset, paths: DatasetRuns) -> None:
    """The folds must be of this dataset, as it is now."""
    where = paths.folds_csv
    if stored.holdout_in_folds and dataset.holdout is not None:
        raise FoldError(
            f"{where} holds the holdout's rows too, which were not added to the training rows: use open_folds"
        )
    ids = dataset.train.image_ids
    if not np.isin(ids, stored.image_ids).any():
        raise FoldError(
            f"{where} is of another dataset, which has none of the training images of {dataset.name!r} "
            f"({dataset.path}), and whose results lie in the same folder, {where.parent}. Give one of the two a name "
            "of its own (name: in its dataset.yaml), or another --runs"
        )
    problems = []
    if len(new := np.setdiff1d(ids, stored.image_ids)):
        problems.append(f"{len(new)} training images are new: {first_few(new)}")
    if len(gone := np.setdiff1d(stored.image_ids, ids)):
        problems.append(f"{len(gone)} images of the folds are gone: {first_few(gone)}")
    if not problems and dataset.content_hash != stored.content_hash:
        problems.append("labels, groups, class names, the order of the rows, or the holdout's or test rows are others")
    if problems:
        raise FoldError.gather(
            f"dataset {dataset.name!r} ({dataset.path}) changed since {where} was made; {start_anew(where)}", problems
        )
