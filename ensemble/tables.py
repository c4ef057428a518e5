"""The one reader of CSV files that people bring.

Everything stays text, exactly as it stands in the file: ``007`` keeps its zeros and ``NA`` is a name. Comma,
semicolon and tab are told apart by the header; a byte-order mark, Windows line ends and blank lines do no harm.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.errors import DataError, first_few

SEPARATORS = (",", ";", "\t")
EMPTY_VALUES = frozenset({"", "nan", "na"})
"""Texts, in lower case, that stand for "no number here"."""

_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True, eq=False)
class TextTable:
    """N rows of text under a header.

    Attributes:
        path: Where it was read.
        header: The columns' names in the file's order, spaces around them removed; unique.
        columns: Name to the column's texts, shape (N,), verbatim.
        lines: Shape (N,), int64: the 1-based line of the file on which each row begins.
        separator: One of ``SEPARATORS``.
    """

    path: Path
    header: tuple[str, ...]
    columns: Mapping[str, NDArray[np.str_]]
    lines: NDArray[np.int64]
    separator: str

    def __len__(self) -> int:
        return len(self.lines)

    def column(self, name: str) -> NDArray[np.str_]:
        """The texts of one column, shape (N,).

        Raises:
            DataError: There is no such column.
        """
        if name not in self.columns:
            raise DataError(f"{self.path}: expected a column {name!r}, got the columns {first_few(self.header, 20)}")
        return self.columns[name]


def read_table(path: Path) -> TextTable:
    """Read a CSV file as text.

    Args:
        path: UTF-8, first line the header.

    Raises:
        DataError: The file is missing, empty or not UTF-8 text, a quote is not closed, a column has no name or
            another's name, or a row has more or fewer fields than the header (all such lines are named).
    """
    text = read_text(path)
    separator = separator_of(text)
    rows, lines = _split(path, text, separator)
    if not rows:
        raise DataError(f"{path}: expected a header and rows, but the file is empty")
    header = tuple(name.strip() for name in rows[0])
    problems = [*_header_problems(header), *_ragged_rows(rows, lines)]
    if problems:
        raise DataError.gather(f"{path} cannot be read as a table", problems)
    columns = zip(*rows[1:], strict=True) if len(rows) > 1 else [()] * len(header)
    return TextTable(
        path,
        header,
        {name: np.array(texts, dtype=np.str_) for name, texts in zip(header, columns, strict=True)},
        np.array(lines[1:], dtype=np.int64),
        separator,
    )


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, line ends untouched, without a byte-order mark.

    Raises:
        DataError: The file is missing, cannot be read or is not UTF-8 text.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"{path}: the file is missing") from error
    except OSError as error:
        raise DataError(f"{path}: the file cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {line}: expected UTF-8 text. Save the file as CSV in UTF-8") from error
    if "\0" in text:
        raise DataError(f"{path}: expected UTF-8 text, got NUL bytes (UTF-16?). Save the file as CSV in UTF-8")
    return text


def separator_of(text: str) -> str:
    """What stands between the names of the header: the most frequent of ``SEPARATORS``, a comma if there is none."""
    header = re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0]
    unquoted = re.sub(r'"[^"]*"', "", header)
    return max(SEPARATORS, key=unquoted.count)


def _split(path: Path, text: str, separator: str) -> tuple[list[list[str]], list[int]]:
    """All rows that are not blank, and the line on which each begins."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows, lines, line = [], [], 1
    try:
        for row in reader:
            if row:
                rows.append(row)
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path}, from line {line}: expected comma-separated values, got bad quoting ({error})"
        ) from error
    return rows, lines


def _header_problems(header: Sequence[str]) -> list[str]:
    problems = []
    if unnamed := [str(position) for position, name in enumerate(header, start=1) if not name]:
        problems.append(
            f"column {', '.join(unnamed)} has no name in the header. Name it or take it out "
            "(pandas writes such a column unless told to_csv(..., index=False))"
        )
    if len(header) == 1 and len(words := header[0].split()) > 1:
        problems.append(
            f"expected columns separated by comma, semicolon or tab, got one column {header[0]!r}: put commas between "
            f"its {len(words)} names, and in every row"
        )
    if double := sorted({name for name in header if name and header.count(name) > 1}):
        problems.append(
            f"the header names {first_few(double)} more than once: rename or remove one; if that line is no header, "
            "put one above it"
        )
    return problems


def _ragged_rows(rows: Sequence[Sequence[str]], lines: Sequence[int]) -> list[str]:
    expected = len(rows[0])
    pairs = zip(rows, lines, strict=True)
    ragged = [f"line {line} has {len(row)}" for row, line in pairs if len(row) != expected]
    return [f"expected {expected} fields a row, as in the header, but {shortened(ragged)}"] if ragged else []


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


def shortened(texts: Sequence[str], limit: int = 5) -> str:
    """The first ``limit`` texts, as they are, and how many more there are: ``line 3, line 9 (+3 more)``."""
    more = f" (+{len(texts) - limit} more)" if len(texts) > limit else ""
    return ", ".join(texts[:limit]) + more


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
        shown = shortened([f"line {table.lines[row]}: {str(texts[row])!r}" for row in refused])
        raise DataError(f"{table.path}, column {name!r}: expected numbers, got {shown}")
    return values
