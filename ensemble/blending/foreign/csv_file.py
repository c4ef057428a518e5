"""CSV: the house's reader, with Arrow in front of it where the file is in order."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import dropwhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.foreign.arrow import stacked
from ensemble.blending.foreign.table import OpenTable, id_column_of
from ensemble.errors import DataError
from ensemble.field_values import EMPTY_VALUES, number_column
from ensemble.parquet_files import texts_of
from ensemble.tables import has_spaced_quotes, read_table, separator_of
from ensemble.text_files import read_text

_HEAD = 1_000_000  # characters that a header may take


def open_csv(path: Path) -> OpenTable:
    """Open a CSV file, in any of the spellings that ``read_table`` takes.

    Raises:
        DataError: It cannot be read as text, or its header is no header.
    """
    text = read_text(path)
    separator = separator_of(text)
    spaced = has_spaced_quotes(text)
    rows = csv.reader(io.StringIO(text[:_HEAD], newline=""), delimiter=separator, skipinitialspace=spaced)
    try:
        written = next(dropwhile(_is_blank, rows), [])
    except csv.Error:
        written = []
    header = [name.strip() for name in written]
    if not all(header) or len(set(header)) < max(2, len(header)):
        header = list(read_table(path).header)  # says what is wrong with it
    id_column = id_column_of(path, header)
    as_written = dict(zip(header, written, strict=True))

    def load(names: Sequence[str]) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
        fast = (
            None if spaced else _fast_csv(text, separator, as_written[id_column], [as_written[name] for name in names])
        )
        return _careful_csv(path, id_column, names) if fast is None else fast

    return OpenTable(path, tuple(name for name in header if name != id_column), load)


def _is_blank(row: Sequence[str]) -> bool:
    return not row or (len(row) == 1 and not row[0].strip())


def _fast_csv(
    text: str, separator: str, id_column: str, names: Sequence[str]
) -> tuple[NDArray[np.str_], NDArray[np.float64]] | None:
    """Arrow's reader, 10 times as fast as the standard library's; None where it stumbles, for it names no lines."""
    import pyarrow as pa  # noqa: PLC0415 - costs 0.1 s
    from pyarrow import csv as arrow_csv  # noqa: PLC0415

    empty = [spelled for word in EMPTY_VALUES for spelled in {word, word.upper(), word.capitalize(), "NaN"}]
    convert = arrow_csv.ConvertOptions(
        include_columns=[id_column, *names],
        column_types={id_column: pa.string(), **dict.fromkeys(names, pa.float64())},
        null_values=sorted(set(empty)),
    )
    parse = arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True)
    try:
        arrow = arrow_csv.read_csv(
            io.BytesIO(text.lstrip("\r\n").encode()), parse_options=parse, convert_options=convert
        )
        image_ids = texts_of(arrow.column(id_column), where=id_column)
    except (pa.ArrowException, DataError):
        return None
    return image_ids, stacked(arrow, names)


def _careful_csv(path: Path, id_column: str, names: Sequence[str]) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
    """The one reader of CSV files, which names the line of whatever is wrong."""
    table, columns, problems = read_table(path), [], []
    for name in names:
        try:
            columns.append(number_column(table, name))
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError("; ".join(problems))
    values = np.stack(columns, axis=1) if columns else np.empty((len(table), 0))
    return table.column(id_column), values
