"""Whether a stored prediction table is what it says: anybody may have written it under our mark."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ensemble.errors import ArtefactError, first_few, quoted
from ensemble.parquet_files import plain_type
from ensemble.versions import check_version

if TYPE_CHECKING:
    import pyarrow as pa


def column_problems(arrow: pa.Table, class_names: Sequence[str]) -> list[str]:
    """What is wrong with the columns: missing ones, some that are there twice, other types, empty fields."""
    import pyarrow.types as kinds  # noqa: PLC0415

    names = Counter(arrow.column_names)
    expected = {"image_id": _is_text, "fold": kinds.is_int16, **dict.fromkeys(class_names, kinds.is_float32)}
    if taken := [name for name in ("image_id", "fold") if name in class_names]:
        return [f"a class cannot be called {first_few(taken)}"]
    if double := [name for name in expected if names[name] > 1]:
        return [f"it has more than one of the columns {first_few(double)}"]
    needed = [name for name in ("image_id", *class_names) if name not in names]
    problems = [f"it lacks the columns {first_few(needed)}"] if needed else []
    for name in (name for name in expected if name in names):
        column = arrow.column(name)
        if not expected[name](column.type):
            problems.append(f"the column {name!r} holds {plain_type(column.type)}")
        elif column.null_count:
            problems.append(f"the column {name!r} is empty in {column.null_count} rows")
    return problems


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow.types as kinds  # noqa: PLC0415

    return bool(kinds.is_string(plain_type(kind)))


def head_of(path: Path, raw: bytes | None, *, reads: int, scales: Sequence[str]) -> dict[str, Any]:
    """What a table's metadata says: ``version``, ``scale``, ``class_names`` and ``notes``.

    Args:
        path: The file, for messages.
        raw: The metadata; None: there is none of ours.
        reads: The format version that is written now.
        scales: What ``scale`` may be.

    Raises:
        ArtefactError: It is missing, damaged or of a later release.
    """
    if raw is None:
        raise ArtefactError(f"{path}: this Parquet file was not written by ensemble (no 'ensemble' metadata)")
    try:
        head: Any = json.loads(raw)
    except (ValueError, RecursionError) as error:  # the last: thousands of brackets within one another
        raise ArtefactError(f"{path}: the 'ensemble' metadata is damaged ({error}). Write the table anew") from error
    if not isinstance(head, dict):
        raise ArtefactError(f"{path}: the 'ensemble' metadata is damaged. Write the table anew")
    check_version(path, head, what="prediction table", reads=reads)
    if head.get("scale") not in scales:
        raise ArtefactError(f"{path}: scale is {head.get('scale')!r}, expected 'logits' or 'probabilities'")
    names, notes = head.get("class_names"), head.get("notes", {})
    if not _are_texts(names) or not names or len(set(names)) < len(names):
        raise ArtefactError(f"{path}: expected class_names to be different names, got {quoted(str(names))}")
    if not isinstance(notes, dict) or not _are_texts(list(notes.values())):
        raise ArtefactError(f"{path}: expected notes of text, got {quoted(str(notes))}")
    return head


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)
