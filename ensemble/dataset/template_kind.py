"""Sample submissions of another kind than one column a class: what they are, in words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ensemble.errors import quoted
from ensemble.tables import TextTable

_LOOKED_AT = 1000  # rows
_LIST_NAMES = re.compile(r"labels?|predictionstring|predictions?|classes|tags?|findings?|targets?")


def template_kind(table: TextTable, class_names: Sequence[str]) -> str:
    """What a template without a single column of a class is; nothing if that cannot be told, or if it has one.

    Args:
        table: The template.
        class_names: C names.
    """
    first, *others = table.header
    if set(class_names) & set(others):
        return ""
    if not others:
        return "ids alone"
    ids = table.columns[first][:_LOOKED_AT].tolist()
    classes = set(class_names)
    for name in others:
        values = table.columns[name][:_LOOKED_AT].tolist()
        if len(others) > 1 and any(values) and {value for value in values if value} <= classes:
            return f"one row for each image and class (the classes stand in the column {name!r})"
    if len(others) > 1:
        return ""
    if ids and all(text.endswith(tuple(class_names)) and text not in classes for text in ids):
        return f"one row for each image and class (in one id, as in {quoted(ids[0])})"
    return _list_kind(others[0], table.columns[others[0]][:_LOOKED_AT].tolist(), classes)


def _list_kind(name: str, values: Sequence[str], classes: set[str]) -> str:
    """A column that holds names of classes, as many as a row has."""
    example = next((value for value in values if set(re.split(r"[\s|;,]+", value.strip())) & classes), None)
    if example is None and not _LIST_NAMES.fullmatch(name.lower()):
        return ""
    mark = next((words for sign, words in _MARKS.items() if example and sign in example.strip()), "space-separated")
    shown = "" if example is None else f", as in {quoted(example)}"
    return f"a {mark} list of labels in one column ({name!r}{shown})"


_MARKS = {"|": "'|'-separated", ";": "semicolon-separated", ",": "comma-separated"}


def other_kind(kind: str, class_names: Sequence[str], *, remedy: str) -> str:
    """The problem of a template that is of another ``kind``.

    Args:
        kind: As ``template_kind`` says it.
        class_names: C names.
        remedy: How another template is given.
    """
    header = ",".join(["id", *class_names[:5], *(["…"] if len(class_names) > 5 else [])])
    return (
        f"expected a sample submission with a 0/1 column for every class ({header}), but this is {kind}, which is not "
        f"written. {remedy}, and make the other form of the submission afterwards"
    )
