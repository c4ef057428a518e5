"""What a field of a table says: a number, a label, or nothing."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ensemble.errors import DataError, quoted
from ensemble.tables import TextTable, shortened

EMPTY_VALUES = frozenset({"", "nan", "na"})
"""Texts, in lower case, that stand for "no number here"."""

_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"[-+]?[0-9]+,[0-9]+([eE][-+]?[0-9]+)?")
_LIST = re.compile(r"[^\s|;,]([|;, ])[|;, ]*[^\s|;,]")
_TRUTHS = {"true": 1.0, "false": 0.0}
_UNKNOWN = frozenset({"none", "null", "n/a", "#n/a", "<na>", "nil", "unknown", "uncertain", "?", "-", "."})
_ANSWERS = frozenset({"yes", "no", "y", "n", "t", "f", "pos", "neg", "positive", "negative", "x", "present", "absent"})


def parse_numbers(texts: NDArray[np.str_]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Texts to numbers.

    Args:
        texts: Shape (N,). Spaces around a number and an empty value (``EMPTY_VALUES``) are fine.

    Returns:
        Shape (N,), float64, finite or NaN; and the positions of texts that are no finite number (NaN there, too).
    """
    listed = texts.tolist()
    known = {text: _number(text) for text in set(listed)}
    values = [known[text] for text in listed]
    refused = np.flatnonzero([value is None for value in values])
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64), refused


def _number(text: str) -> float | None:
    stripped = text.strip()
    if stripped.lower() in EMPTY_VALUES:
        return math.nan
    if not _NUMBER.fullmatch(stripped):
        return None
    value = float(stripped)
    return value if math.isfinite(value) else None


def number_column(table: TextTable, name: str) -> NDArray[np.float64]:
    """A column as numbers, shape (N,), float64; NaN where the field is empty or says so.

    Raises:
        DataError: There is no such column, or a value is no finite number; says file, line, column and value.
    """
    texts = table.column(name)
    values, refused = parse_numbers(texts)
    if len(refused):
        shown = _with_lines(table, name, refused)
        raise DataError(f"{table.path}, column {name!r}: expected numbers, got {shown}{_number_hint(texts[refused])}")
    return values


def _number_hint(texts: NDArray[np.str_]) -> str:
    if all(_DECIMAL_COMMA.fullmatch(text.strip()) for text in texts.tolist()):
        return ". Write decimals with a point"
    return ""


def _with_lines(table: TextTable, name: str, rows: NDArray[np.intp]) -> str:
    texts = table.columns[name]
    return shortened([f"line {table.lines[row]}: {quoted(str(texts[row]))}" for row in rows])


def parse_labels(
    texts: NDArray[np.str_], not_labelled: Sequence[str | float] = ()
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Texts to labels.

    Args:
        texts: Shape (N,): 0, 1, true, false, or an empty value, with or without spaces around it.
        not_labelled: Numbers and texts that mean what an empty value means.

    Returns:
        Shape (N,), float64: 0.0, 1.0, or NaN for "not labelled"; and the positions of all other texts (NaN there, too).
    """
    listed = texts.tolist()
    known = {text: _label(text, not_labelled) for text in set(listed)}
    values = [known[text] for text in listed]
    refused = np.flatnonzero([value is None for value in values])
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64), refused


def _label(text: str, not_labelled: Sequence[str | float]) -> float | None:
    stripped = text.strip()
    value = _TRUTHS.get(stripped.lower(), _number(stripped))
    if value in not_labelled or stripped in not_labelled:
        return math.nan
    # Adding 0 makes -0 a 0.
    return None if value is None or not (math.isnan(value) or value in (0, 1)) else value + 0.0


def wrong_labels(table: TextTable, name: str, wrong: NDArray[np.intp], *, settings: bool = True) -> str:
    """The problem of a label column that holds something else, and what may be meant by it.

    Args:
        table: Holds the column.
        name: The column's.
        wrong: The rows that are neither 0 nor 1 nor empty.
        settings: Whether a ``dataset.yaml`` could say more.
    """
    shown = _with_lines(table, name, wrong)
    texts = [text.strip() for text in table.columns[name][wrong].tolist()]
    hint = _label_hint(texts, most=2 * len(wrong) > len(table), settings=settings)
    return f"{table.path.name}, class {name!r}: expected 0 or 1 (empty: not labelled), got {shown}. {hint}"


def _label_hint(texts: Sequence[str], *, most: bool, settings: bool) -> str:
    """What ``texts``, of labels that are none, look like; ``most`` says that most of the column is so."""
    words = {text.lower() for text in texts}
    numbers = {_number(text) for text in words}
    spelled = dict.fromkeys("-1" if _number(text) == -1 else json.dumps(text) for text in texts)
    values = ", ".join(list(spelled)[:5])
    state = f"say so in dataset.yaml (not_labelled: [{values}])" if settings else "leave these fields empty"
    lists = next((found[1][:1] for text in texts if (found := _LIST.search(text))), None)
    hints = {
        f"If -1 means not labelled, as CheXpert's 'uncertain' may, {state}, or write 0 or 1": numbers == {-1.0},
        f"If this means not labelled, {state}": words <= _UNKNOWN,
        "Write 1 and 0 for them": words <= _ANSWERS,
        "Write decimals with a point": all(_DECIMAL_COMMA.fullmatch(text) for text in texts),
        "These look like probabilities; a label is 0 or 1": all(one is not None and 0 < one < 1 for one in numbers),
        "This looks like a list of labels in one column. Give every class a column of 0 and 1 (pandas: "
        f"table[NAME].str.get_dummies({lists!r}))": numbers == {None} and lists is not None,
        "If the column is no class, name the classes (class_names) in dataset.yaml": most and settings,
    }
    fallback = "Correct the file; leave a field empty where the label is not known"
    return next((hint for hint, fits in hints.items() if fits), fallback)
