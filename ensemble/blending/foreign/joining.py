"""Members' tables, brought into one order of rows and columns by id and by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.foreign.files import TableOptions
from ensemble.blending.foreign.ids import Match, counted, match_ids, unusable_ids
from ensemble.blending.foreign.notes import Notes
from ensemble.blending.foreign.table import OpenTable
from ensemble.blending.foreign.values import Numbers
from ensemble.dataset.spelling import why_not
from ensemble.errors import EnsembleError, first_few
from ensemble.predictions import PredictionTable


@dataclass(frozen=True, eq=False)
class Wanted:
    """The rows and columns that every table must hold.

    Attributes:
        image_ids: Shape (N,), unique.
        class_names: C names.
        source: Where the ids came from, for messages.
        labels: Shape (N, C); None of test rows.
        whole: Whether no row may be left out, whatever the options say.
    """

    image_ids: NDArray[np.str_]
    class_names: tuple[str, ...]
    source: str
    labels: NDArray[np.float64] | None = None
    whole: bool = False


@dataclass(frozen=True, eq=False)
class Joined:
    """Tables in one order.

    Attributes:
        tables: A table a member, of the kept rows, in the wanted order; float32 logits.
        kept: Shape (N of wanted,), bool: the rows that all tables hold.
    """

    tables: Mapping[str, PredictionTable]
    kept: NDArray[np.bool_]


def join_tables(opened: Mapping[str, OpenTable], wanted: Wanted, *, options: TableOptions, notes: Notes) -> Joined:
    """Read and join; problems, remarks and warnings go to ``notes``, and where there are problems no table is whole.

    Args:
        opened: A table a member.
        wanted: Rows and columns.
        options: How to take what does not fit.
        notes: Added to.
    """
    found: dict[str, tuple[Match, PredictionTable]] = {}
    for name, table in opened.items():
        before = len(notes.problems)
        try:
            match, numbers = _read(name, table, wanted, options=options, notes=notes)
        except EnsembleError as error:
            notes.add_error(error)
            continue
        if len(notes.problems) == before:
            found[name] = match, replace(numbers.table(), notes=table.notes)
    everything = np.ones(len(wanted.image_ids), dtype=bool)
    kept = reduce(np.logical_and, (match.rows >= 0 for match, _ in found.values()), everything)
    if found and not kept.any():
        notes.problems.append(f"no row of {wanted.source} is in all of {first_few(found, 20)}: nothing to blend")
    _remark_on_rows(found, wanted, kept, notes)
    return Joined({name: table.rows(kept[match.rows >= 0]) for name, (match, table) in found.items()}, kept)


def _read(name: str, table: OpenTable, wanted: Wanted, *, options: TableOptions, notes: Notes) -> tuple[Match, Numbers]:
    image_ids, values = table.load(wanted.class_names)
    where = table.where
    match = match_ids(image_ids, wanted.image_ids)
    if len(match.missing) or len(image_ids) != len(wanted.image_ids):
        notes.problems += unusable_ids(image_ids, where=where)
        notes.problems += _row_problems(where, match, wanted, options)
    present = match.rows >= 0
    scale = table.scale or options.scale or "probabilities"
    ids = wanted.image_ids[present]
    numbers = Numbers(where, ids, wanted.class_names, values[match.rows[present]], scale)
    notes.problems += numbers.problems(remedy=_scale_remedy(table, options))
    if wanted.labels is not None:
        notes.problems += numbers.leaks(wanted.labels[present])
        notes.warnings += numbers.oddities(name, wanted.labels[present])
        if table.scale is None and options.scale is None:
            notes.assumed.append(name)
    if table.scale is None and numbers.look_like_probabilities():
        rows = "" if wanted.labels is not None else " of the test rows"
        notes.warnings.append(
            f"{name!r}: taken as logits (--scale), but all its numbers{rows} lie in [0, 1], as probabilities do"
        )
    return match, numbers


def _row_problems(where: str, match: Match, wanted: Wanted, options: TableOptions) -> list[str]:
    said = []
    lenient = options.only_common_rows
    if len(match.missing) and (wanted.whole or not lenient):
        said.append(
            f"{len(match.missing):,} of the {len(wanted.image_ids):,} ids of {wanted.source} missing: "
            f"{first_few(match.missing)}"
        )
    if len(match.foreign) and not lenient:
        said.append(f"{counted(len(match.foreign), 'id')} not in {wanted.source}: {first_few(match.foreign)}")
    if not said:
        return []
    helpless = lenient or (wanted.whole and len(match.missing) > 0)
    remedy = ". Mend the rows" if helpless else ". Mend the rows, or take those that all have: --only-common-rows"
    return [f"{where}: {'; '.join(said)}{why_not(match.missing.tolist(), match.foreign.tolist()) or remedy}"]


def _scale_remedy(table: OpenTable, options: TableOptions) -> str:
    if table.scale is not None:
        return "The file itself says that these are probabilities: write it anew"
    if options.scale is not None:
        return "--scale says that these are probabilities: are they logits?"
    return "If the tables that do not say their scale hold logits, add --scale logits"


def _remark_on_rows(
    found: Mapping[str, tuple[Match, PredictionTable]], wanted: Wanted, kept: NDArray[np.bool_], notes: Notes
) -> None:
    lacking = [f"{name} lacks {len(match.missing):,}" for name, (match, _) in found.items() if len(match.missing)]
    surplus = [f"{name} has {len(match.foreign):,}" for name, (match, _) in found.items() if len(match.foreign)]
    if lacking:
        notes.remarks.append(
            f"{int((~kept).sum()):,} of the {len(kept):,} rows of {wanted.source} left out, for not all tables have "
            f"them ({', '.join(lacking[:8])})"
        )
    if surplus:
        notes.remarks.append(f"rows that are not in {wanted.source} left aside ({', '.join(surplus[:8])})")
