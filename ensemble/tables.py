"""The one reader of CSV files that people bring.

Everything stays text, exactly as it stands in the file: ``007`` keeps its zeros and ``NA`` is a name. Comma,
semicolon and tab are told apart by the header; a byte-order mark, Windows line ends and blank lines do no harm, nor do
spaces between a separator and a quote.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.errors import DataError, first_few, many, quoted
from ensemble.text_files import read_text
from ensemble.unpacked_size import MAX_ARRAY_BYTES, MAX_TEXT_BYTES, bytes_of_texts

SEPARATORS = (",", ";", "\t")

_BLANK_LINES = re.compile(r"\A\s*[\r\n]")
_SPACED_FIELD = re.compile(r' +"')
_SPACED_QUOTE = re.compile(r'(^|[,;\t]) +"', re.MULTILINE)


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
            another's name, a field is so long that its column would not fit into memory, or all columns together
            would not, or a row has more or fewer fields than the header (such lines are named).
    """
    text = read_text(path)
    separator = separator_of(text)
    rows, lines = _split(path, text, separator)
    if not rows:
        raise DataError(f"{path}: expected a header and rows, but the file is empty")
    header = tuple(name.strip() for name in rows[0])
    if problems := _no_header(rows[0][0]) or [*_header_problems(header), *_ragged_rows(rows, lines)]:
        raise DataError.gather(f"{path} cannot be read as a table", problems)
    columns = list(zip(*rows[1:], strict=True)) if len(rows) > 1 else [()] * len(header)
    if problems := _long_columns(header, columns, lines[1:]):
        raise DataError.gather(f"{path} cannot be read as a table", problems)
    return TextTable(
        path,
        header,
        {name: np.array(texts, dtype=np.str_) for name, texts in zip(header, columns, strict=True)},
        np.array(lines[1:], dtype=np.int64),
        separator,
    )


def separator_of(text: str) -> str:
    """What stands between the names of the header: the most frequent of ``SEPARATORS``, a comma if there is none."""
    header = re.split(r"[\r\n]", _BLANK_LINES.sub("", text, count=1), maxsplit=1)[0]
    unquoted = re.sub(r'"[^"]*"', "", header)
    return max(SEPARATORS, key=unquoted.count)


def has_spaced_quotes(text: str) -> bool:
    """Whether a quoted field has spaces before it, as in ``a, "b"``; ``csv`` takes these for a part of the field."""
    return ' "' in text and _SPACED_QUOTE.search(text) is not None


def _split(path: Path, text: str, separator: str) -> tuple[list[list[str]], list[int]]:
    """All rows that are not blank, and the line on which each begins."""
    rows, lines = _rows_and_lines(path, text, separator, skip_spaces=False)
    # Only now it is certain that a space before a quote begins a field, and stands in no other field.
    if has_spaced_quotes(text) and any(_SPACED_FIELD.match(field) for row in rows for field in row):
        return _rows_and_lines(path, text, separator, skip_spaces=True)
    return rows, lines


def _rows_and_lines(path: Path, text: str, separator: str, *, skip_spaces: bool) -> tuple[list[list[str]], list[int]]:
    stream = io.StringIO(text, newline="")
    reader = csv.reader(stream, delimiter=separator, strict=True, skipinitialspace=skip_spaces)
    rows, lines, line = [], [], 1
    try:
        for row in reader:
            if row and (len(row) > 1 or row[0].strip()):
                rows.append(row)
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, from line {line}: {_unreadable(error)}") from error
    return rows, lines


def _unreadable(error: csv.Error) -> str:
    if "field limit" in str(error):
        return f"a field holds more than {csv.field_size_limit():,} characters. Is a quote not closed?"
    return f"expected comma-separated values, got bad quoting ({error}). Close the quote, or double one that is meant"


def _no_header(first: str) -> list[str]:
    """The problem of a first line that is a note about the file."""
    if first.startswith("#"):
        return [f"expected the header first, got a comment {quoted(first)}: remove such lines"]
    if first.strip().lower() == "sep=":
        return ["expected the header first, got a note for Excel (sep=): remove the line"]
    return []


def _header_problems(header: Sequence[str]) -> list[str]:
    if len(header) == 1:
        return _lone_column(header[0])
    problems = []
    if unnamed := [str(position) for position, name in enumerate(header, start=1) if not name]:
        problems.append(
            f"column {', '.join(unnamed)} has no name in the header. Name it or take it out "
            "(pandas writes such a column unless told to_csv(..., index=False))"
        )
    if double := sorted(name for name, count in Counter(header).items() if name and count > 1):
        problems.append(
            f"the header names {first_few(double)} more than once: rename or remove one; if that line is no header, "
            "put one above it"
        )
    return problems


def _lone_column(name: str) -> list[str]:
    """What is wrong with a header of one name: other marks between what are several names."""
    expected = f"expected columns separated by comma, semicolon or tab, got one column {quoted(name)}"
    if "|" in name:
        return [f"{expected}: write it anew with commas instead of '|', in every row"]
    if len(words := name.split()) > 1:
        return [f"{expected}: put commas between its {len(words)} names, and in every row"]
    return []


def _ragged_rows(rows: Sequence[Sequence[str]], lines: Sequence[int]) -> list[str]:
    expected = len(rows[0])
    pairs = zip(rows, lines, strict=True)
    ragged = [f"line {line} has {len(row)}" for row, line in pairs if len(row) != expected]
    if not ragged:
        return []
    if len(ragged) == len(rows) - 1 and all(len(row) == expected + 1 for row in rows[1:]):
        remedy = "Every row has one more: name its column in the header, or take a separator at the rows' ends away"
    else:
        remedy = "Correct these lines; a text that holds a separator itself must stand in quotes"
    return [f"expected {expected} fields a row, as in the header, but {shortened(ragged)}. {remedy}"]


def _long_columns(header: Sequence[str], columns: Sequence[Sequence[str]], lines: Sequence[int]) -> list[str]:
    """The problems of columns that long fields would blow up beyond what fits into memory."""
    needed = list(map(bytes_of_texts, columns))
    problems = [
        f"column {name!r}: {_longest_field(texts, lines)}, too long for a column of {many(len(texts), 'row')}. "
        "Shorten it, or take the column out"
        for name, texts, room in zip(header, columns, needed, strict=True)
        if room > MAX_TEXT_BYTES
    ]
    if problems or sum(needed) <= MAX_ARRAY_BYTES:
        return problems
    widest = needed.index(max(needed))
    said = (
        f"expected {many(len(header), 'column')} that fit into {MAX_ARRAY_BYTES:,} bytes of memory, where a field "
        f"takes the room of its column's longest, got {sum(needed):,}: the widest is {quoted(header[widest])}, whose "
        f"{_longest_field(columns[widest], lines)}. Shorten such fields, or take columns out"
    )
    return [said]


def _longest_field(texts: Sequence[str], lines: Sequence[int]) -> str:
    row = max(range(len(texts)), key=lambda row: len(texts[row]))
    return f"line {lines[row]} holds {len(texts[row]):,} characters"


def shortened(texts: Sequence[str], limit: int = 5) -> str:
    """The first ``limit`` texts, as they are, and how many more there are: ``line 3, line 9 (+3 more)``."""
    more = f" (+{len(texts) - limit} more)" if len(texts) > limit else ""
    return ", ".join(texts[:limit]) + more
