"""The file to send: the template's ids, order, header, separator and line ends, with our decisions in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.errors import ArtefactError, DataError, first_few
from ensemble.files import atomic_write
from ensemble.tables import TextTable, read_table
from ensemble.text_files import read_text

_BYTE_ORDER_MARK = "\ufeff"
_LINE_END = re.compile(r"\r\n|\n|\r")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)")


@dataclass(frozen=True, eq=False)
class Template:
    """A sample submission.

    Attributes:
        path: Where it was read.
        image_ids: Shape (N,), the first column, verbatim, unique, in the file's order.
        class_names: The other columns, in the file's order.
        head: The header as it stands in the file, with a byte-order mark if it has one, without its line end.
        separator: Between fields.
        newline: At the end of a line.
        tail: What follows the last row: usually one line end, or nothing.
        quoted: Shape (N, 1 + C), bool: which fields of the rows stand in quotes, which are kept.
    """

    path: Path
    image_ids: NDArray[np.str_]
    class_names: tuple[str, ...]
    head: str
    separator: str
    newline: str
    tail: str
    quoted: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.image_ids)


def read_template(path: Path) -> Template:
    """Read a sample submission: a header, then an id and a value for every class in each row.

    The values themselves are not looked at.

    Raises:
        DataError: The file cannot be read as a table, has no rows or no class columns, or names an id twice.
    """
    table = read_table(path)
    image_ids = table.columns[table.header[0]]
    problems = []
    if len(table.header) < 2:
        problems.append(f"expected an id and a column for every class, got only the column {table.header[0]!r}")
    if not len(table):
        problems.append("expected a row for every test image, got a header alone")
    unique, counts = np.unique(image_ids, return_counts=True)
    if len(double := unique[counts > 1]):
        problems.append(f"expected every id once, but {len(double)} are there more often: {first_few(double)}")
    if problems:
        raise DataError.gather(f"{path} cannot be used as a template", problems)
    text = read_text(path)
    before = "".join(_LINE.findall(text)[: table.lines[0] - 1])
    head = before.rstrip("\r\n")
    newline = _LINE_END.findall(before, len(head))[0]
    tail = text[len(text.rstrip("\r\n")) :]
    quoted = _quoted(text, table)
    return Template(path, image_ids, table.header[1:], _mark(path) + head, table.separator, newline, tail, quoted)


def _quoted(text: str, table: TextTable) -> NDArray[np.bool_]:
    """Shape (N, fields of a row), bool: which of them stand in quotes."""
    starts = [0, *(line.end() for line in _LINE.finditer(text))]
    inside = re.compile(rf'("(?:[^"]|"")*"|[^{re.escape(table.separator)}\r\n]*)(?:{re.escape(table.separator)})?')
    quoted = np.zeros((len(table), len(table.header)), dtype=bool)
    for row, line in enumerate(table.lines.tolist()):
        place = starts[line - 1]
        for column in range(len(table.header)):
            found = inside.match(text, place)
            if found is not None:
                quoted[row, column] = found[1].startswith('"')
                place = found.end()
    return quoted


def plain_template(image_ids: NDArray[np.str_], class_names: Sequence[str]) -> Template:
    """The form where nobody gave one: a header ``id`` and the classes, comma-separated, a row an id in this order.

    Args:
        image_ids: Shape (N,), unique.
        class_names: C names.
    """
    header = ",".join(_field(name, ",", quoted=False) for name in ["id", *class_names])
    bare = np.zeros((len(image_ids), 1 + len(class_names)), dtype=bool)
    return Template(Path("id and classes"), image_ids, tuple(class_names), header, ",", "\n", "\n", bare)


def _mark(path: Path) -> str:
    return _BYTE_ORDER_MARK if path.read_bytes().startswith(_BYTE_ORDER_MARK.encode()) else ""


def write_submission(
    path: Path,
    template: Template,
    image_ids: NDArray[np.str_],
    class_names: Sequence[str],
    decisions: NDArray[np.bool_],
) -> None:
    """Write the decisions into the template's form, read the file back, compare, and only then give it its name.

    Args:
        path: The file to write. What was there before is replaced, once the new file is what it should be.
        template: Ids, order and form.
        image_ids: Shape (n,), unique; any order, and rows that the template does not ask for are left out.
        class_names: C names, in any order: columns are matched by name.
        decisions: Shape (n, C), bool, in the order of ``image_ids`` and ``class_names``.

    Raises:
        DataError: The template asks for an image without a decision, its columns are not the classes, or ``path`` is
            the template.
        ArtefactError: What was read back is not what should have been written; ``path`` is as it was.
    """
    values = _in_template_order(template, image_ids, class_names, decisions)
    if path.resolve() == template.path.resolve():
        raise DataError(f"{path}: this is the sample submission itself, which is only read. Give the submission a name")
    with atomic_write(path) as stream:
        stream.write(_text(template, values).encode())
        stream.flush()
        _refuse_differences(path, _differences(Path(stream.name), template, values))


def _in_template_order(
    template: Template, image_ids: NDArray[np.str_], class_names: Sequence[str], decisions: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Decisions in the template's rows and columns."""
    if decisions.dtype != np.bool_ or decisions.shape != (len(image_ids), len(class_names)):
        raise DataError(
            f"expected decisions of shape {(len(image_ids), len(class_names))} (images, classes) and type bool, "
            f"got {decisions.shape}, {decisions.dtype}"
        )
    problems = []
    if sorted(template.class_names) != sorted(class_names):
        problems.append(
            f"its columns are {first_few(template.class_names, 20)}, but decisions were made for the classes "
            f"{first_few(class_names, 20)}. Is it the template of another task?"
        )
    rows = {image_id: row for row, image_id in enumerate(image_ids.tolist())}
    if len(rows) < len(image_ids):
        problems.append(f"{len(image_ids)} decisions were given for only {len(rows)} different images")
    if missing := [image_id for image_id in template.image_ids.tolist() if image_id not in rows]:
        problems.append(
            f"{len(missing)} of its {len(template)} images have no decision: {first_few(missing)}. Decisions were made "
            f"for {len(rows)} images: {first_few(rows)}"
        )
    if problems:
        raise DataError.gather(f"{template.path}: the template cannot be filled", problems)
    columns = [list(class_names).index(name) for name in template.class_names]
    order = [rows[image_id] for image_id in template.image_ids.tolist()]
    return decisions[np.ix_(order, columns)]


def _text(template: Template, values: NDArray[np.bool_]) -> str:
    """The whole file."""
    rows = zip(template.image_ids.tolist(), values.astype(int).tolist(), template.quoted.tolist(), strict=True)
    lines = [row_text(template, [image_id, *map(str, decided)], in_quotes) for image_id, decided, in_quotes in rows]
    return template.head + template.newline + template.newline.join(lines) + template.tail


def row_text(template: Template, texts: Sequence[str], in_quotes: Sequence[bool]) -> str:
    """One row in the template's form, without its line end.

    Args:
        template: Separator.
        texts: 1 + C texts, the id first.
        in_quotes: Which of them stand in quotes.
    """
    fields = zip(texts, in_quotes, strict=True)
    return template.separator.join(_field(text, template.separator, quoted=quoted) for text, quoted in fields)


def _field(text: str, separator: str, *, quoted: bool) -> str:
    """In quotes where the template has it so, and where it would be read as something else without."""
    if quoted or any(mark in text for mark in (separator, '"', "\r", "\n")):
        return '"' + text.replace('"', '""') + '"'
    return text


def verify_submission(path: Path, template: Template, values: NDArray[np.bool_]) -> None:
    """Read a submission as its receiver will, and compare it with what it should hold.

    Args:
        path: The submission.
        template: Its form.
        values: Shape (N, C), bool, in the template's rows and columns.

    Raises:
        ArtefactError: It has another header, separator, line end, ids, order or values.
    """
    _refuse_differences(path, _differences(path, template, values))


def _refuse_differences(path: Path, problems: Sequence[str]) -> None:
    if problems:
        raise ArtefactError.gather(f"{path}: the submission that was written is not the one that was meant", problems)


def _differences(path: Path, template: Template, values: NDArray[np.bool_]) -> list[str]:
    try:
        table, text = read_table(path), read_text(path)
    except DataError as error:
        return [f"it cannot be read back ({error})"]
    problems = []
    if not (_mark(path) + text).startswith(template.head + template.newline):
        problems.append(f"expected the header {template.head!r}, got {first_few(table.header, 20)}")
    if not np.array_equal(table.columns[table.header[0]], template.image_ids):
        problems.append(
            f"the ids, or their order, are not the template's: expected {len(template)} rows, got {len(table)}"
        )
    own_ends = set(_LINE_END.findall("".join([template.head, *template.image_ids.tolist()])))
    if set(_LINE_END.findall(text)) - own_ends - {template.newline}:
        problems.append(f"expected lines that end in {template.newline!r}")
    if text[len(text.rstrip("\r\n")) :] != template.tail:
        problems.append(f"expected {template.tail!r} after the last row, as in the template")
    expected = np.where(values, "1", "0")
    columns = list(zip(table.header[1:], expected.T, strict=False))
    if len(table.header) - 1 != values.shape[1]:
        problems.append(f"expected {values.shape[1]} classes, got {len(table.header) - 1}")
    if wrong := [name for name, texts in columns if not np.array_equal(table.columns[name], texts)]:
        problems.append(f"the columns {first_few(wrong)} do not hold the decisions")
    return problems
