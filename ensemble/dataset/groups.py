"""Groups: what must not be split over folds, e.g. the patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ensemble.dataset.ids import IdLookup, IdRow, is_fit, listed, repeated, split_ending
from ensemble.dataset.labels import IdTable
from ensemble.dataset.splits import Dataset
from ensemble.errors import DataError, first_few
from ensemble.tables import TextTable, shortened

NO_GROUPS = "no groups: every image counted as independent"


def groups_from_tables(
    tables: Sequence[IdTable], splits: Mapping[str, NDArray[np.str_]], problems: list[str]
) -> dict[str, NDArray[np.str_] | None]:
    """The group of every image of every split.

    Args:
        tables: Tables of ids and groups; their ids may have an ending or not, whatever the labels' ids have.
        splits: Split to its ids, shape (N,).
        problems: Labelled images without a group, and ids with two groups, are added here.

    Returns:
        Split to the groups, shape (N,), in the order of the ids. None for test rows of which no group is known:
        nothing needs theirs.
    """
    pairs = [(table, *_group_texts(table, problems)) for table in tables]
    image_ids = np.concatenate([np.array([], dtype=np.str_), *(table.image_ids[known] for table, _, known in pairs)])
    groups = np.concatenate([np.array([], dtype=np.str_), *(texts[known] for _, texts, known in pairs)])
    problems.extend(_conflicts(pairs))
    lookup = IdLookup(image_ids)
    source = " or ".join(table.name for table in tables)
    return {
        split: _groups_of(split, ids, lookup, groups, source=source, problems=problems) for split, ids in splits.items()
    }


def _group_texts(table: IdTable, problems: list[str]) -> tuple[NDArray[np.str_], NDArray[np.bool_]]:
    """The group column, shape (N,), and which rows of it say anything."""
    names = [name for name in table.table.header if name != table.id_column]
    if "group" not in names and len(names) != 1:
        problems.append(f"{table.name}: expected the columns id,group, got {first_few(table.table.header, 20)}")
        return table.image_ids, np.zeros(len(table.image_ids), dtype=bool)
    texts = table.table.columns["group" if "group" in names else names[0]]
    return texts, np.array([bool(text.strip()) for text in texts.tolist()], dtype=bool)


def _conflicts(tables: Sequence[tuple[IdTable, NDArray[np.str_], NDArray[np.bool_]]]) -> list[str]:
    rows = [
        IdRow(table.name, line, image_id, group.encode())
        for table, groups, known in tables
        for line, image_id, group in zip(
            table.table.lines[known].tolist(), table.image_ids[known].tolist(), groups[known].tolist(), strict=True
        )
    ]
    conflicts = [same for same in repeated(rows) if _differ(same)]
    if not conflicts:
        return []
    shown = shortened([_places(same) for same in conflicts])
    source = " and ".join(table.name for table, _, _ in tables)
    have = "1 image has" if len(conflicts) == 1 else f"{len(conflicts)} images have"
    return [f"{source}: expected one group an image, but {have} more: {shown}. Keep one row each"]


def _differ(same: Sequence[IdRow]) -> bool:
    """Whether rows of one stem put one image into two groups; ``a.jpg`` and ``a.png`` are two images."""
    if any(not split_ending(row.image_id)[1] for row in same):
        return len({row.labels for row in same}) > 1
    return len({(row.image_id, row.labels) for row in same}) > len({row.image_id for row in same})


def _places(same: Sequence[IdRow]) -> str:
    said = (f"{row.table} line {row.line}: {(row.labels or b'').decode()!r}" for row in same[:3])
    return f"{same[0].image_id!r} ({', '.join(said)})"


def _groups_of(
    split: str,
    image_ids: NDArray[np.str_],
    lookup: IdLookup,
    groups: NDArray[np.str_],
    *,
    source: str,
    problems: list[str],
) -> NDArray[np.str_] | None:
    found = lookup.find_all(image_ids)
    # Ids that are unfit were refused before: a missing group is not their trouble.
    missing = [image_id for image_id in image_ids[found < 0].tolist() if is_fit(image_id)]
    if split == "test" and (found < 0).all():
        return None
    if missing:
        problems.append(
            f"{listed(missing)} of the {split} rows have no group. Add them to {source} (an image on its own is a "
            "group of its own)"
        )
    return None if (found < 0).any() else groups[found]


def group_column(table: TextTable, name: str, problems: list[str]) -> NDArray[np.str_] | None:
    """The groups that stand in the label table itself, shape (N,)."""
    if name not in table.columns:
        problems.append(
            f"{table.path.name}: dataset.yaml names the group_column {name!r}, but the columns are "
            f"{first_few(table.header, 20)}"
        )
        return None
    texts = table.columns[name]
    empty = [str(line) for line, text in zip(table.lines, texts.tolist(), strict=True) if not text.strip()]
    if empty:
        problems.append(f"{table.path.name}, column {name!r}: no group on {len(empty)} lines ({first_few(empty)})")
    return texts


def check_holdout_groups(dataset: Dataset) -> None:
    """Refuse a holdout that is no holdout: images of one group in training and in the holdout.

    Not needed where the holdout's rows join the folds (``with_holdout_in_folds``), which keep groups together.

    Raises:
        DataError: Names such groups and how many images they have on each side.
    """
    if dataset.holdout is None or dataset.holdout.groups is None or dataset.train.groups is None:
        return
    shared = np.intersect1d(dataset.train.groups, dataset.holdout.groups)
    if len(shared):
        n_train = int(np.isin(dataset.train.groups, shared).sum())
        n_holdout = int(np.isin(dataset.holdout.groups, shared).sum())
        raise DataError(
            f"{dataset.path}: {len(shared)} groups are on both sides of training and holdout: {first_few(shared)}, "
            f"with {n_train} training images and {n_holdout} of the {len(dataset.holdout)} holdout images. The "
            "holdout's score would be too good. Move them to one side, or set data.holdout: false (holdout: false in "
            "dataset.yaml) to divide all rows into folds"
        )
