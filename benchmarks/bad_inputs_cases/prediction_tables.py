"""Prediction tables from strangers, and what belongs to them: labels, groups, folds, templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bad_inputs import Case

IDS = tuple(f"{number:03d}" for number in range(40))
LABELS = np.random.default_rng(0).random((40, 2)) < 0.4
GOOD = np.clip(np.random.default_rng(1).random((40, 2)) * 0.6 + LABELS * 0.3, 0, 1)
OTHER = np.clip(GOOD + 0.02 * np.random.default_rng(2).standard_normal(GOOD.shape), 0, 1)
COMMAND = ("blend", "--oof", "oof", "--labels", "labels.csv", "--out", "out", "--trials", "0")
BLENDED = "macro-F1, cross-fitted"


def csv_text(values: np.ndarray, ids: Sequence[str] = IDS, header: str = "id,one,two", form: str = "%.4f") -> str:
    """A prediction table as CSV."""
    rows = [",".join([image_id, *(form % value for value in row)]) for image_id, row in zip(ids, values, strict=True)]
    return "\n".join([header, *rows, ""])


TEXT = csv_text(GOOD)


def _blend(folder: Path, files: Mapping[str, str | bytes | None], flags: Sequence[str]) -> list[str]:
    usual: dict[str, str | bytes | None] = {
        "labels.csv": csv_text(LABELS, form="%d"),
        "oof/member.csv": TEXT,
        "oof/other.csv": csv_text(OTHER),
    }
    for name, content in {**usual, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [*COMMAND, *flags]


def tables(name: str, expect: str, files: Mapping[str, str | bytes | None], *flags: str, exit_code: int = 2) -> Case:
    """A blend of two members, one or the other of whose files is wrong."""
    return Case(f"blend: {name}", partial(_blend, files=files, flags=flags), expect, exit_code)


def member(name: str, expect: str, content: str | bytes, *flags: str, exit_code: int = 2) -> Case:
    """A blend in which one member's table is wrong."""
    return tables(name, expect, {"oof/member.csv": content}, *flags, exit_code=exit_code)


def _line(number: int, text: str) -> str:
    lines = TEXT.splitlines()
    lines[number] = text
    return "\n".join([*lines, ""])


def _parquet(folder: Path) -> list[str]:
    command = _blend(folder, {"oof/member.csv": None}, ())
    strange = pa.table({"id": list(IDS), "one": ["high"] * 40, "two": [0.5] * 40})
    pq.write_table(strange, folder / "oof" / "member.parquet")
    return command


def _pickled(folder: Path) -> list[str]:
    command = _blend(folder, {"oof/member.csv": None}, ())
    objects = np.array(IDS, dtype=object)
    np.savez(folder / "oof" / "member.npz", id=objects, class_names=["one", "two"], probabilities=GOOD)
    return command


MEMBERS = (
    member("NaN", "expected a number in every field, but 1 are empty, NaN or infinite", _line(2, "001,NaN,0.5")),
    member("infinity", "columns 'one', ids '001'", _line(2, "001,inf,0.5")),
    member("an empty field", "columns 'one', ids '001'", _line(2, "001,,0.5")),
    member("a number above 1", "1 values are outside [0, 1]", _line(2, "001,0.5,1.5")),
    member("logits that are not called so", "add --scale logits", csv_text(8 * GOOD - 4)),
    member("text among numbers", "column 'one': expected numbers, got line 3: 'high'", _line(2, "001,high,0.5")),
    member("truth values", "got line 3: 'True'", _line(2, "001,True,0.5")),
    member("decimal commas", "Write decimals with a point", TEXT.replace(",", ";").replace(".", ",")),
    member("an id twice", "1 id more than once: '002'", TEXT + TEXT.splitlines()[3] + "\n"),
    member("ids missing", "3 of the 40 ids of labels.csv missing", "\n".join(TEXT.splitlines()[:-3]) + "\n"),
    member("a foreign id", "1 id not in labels.csv: '999'", TEXT + "999,0.1,0.2\n"),
    member(
        "ids that lost their zeros", "They differ by zeros in front", csv_text(GOOD, [str(int(one)) for one in IDS])
    ),
    member("ids with endings", "They differ by file endings", csv_text(GOOD, [f"{one}.png" for one in IDS])),
    member("another class", "1 column of labels.csv missing: 'two'", TEXT.replace("one,two", "one,three")),
    member("a class in another case", "are these meant: 'One' for 'one'?", TEXT.replace("one,two", "One,two")),
    member("an empty table", "the file is empty", ""),
    member("a header alone", "there are no rows", "id,one,two\n"),
    member("ragged rows", "line 3 has 2", _line(2, "001,0.5")),
    member("the answers themselves", "Answers are no predictions", csv_text(LABELS, form="%d")),
    member("UTF-16", "this is text in UTF-16", TEXT.encode("utf-16")),
    member("a column twice", "names 'one' more than once", TEXT.replace("one,two", "one,one")),
    member("read right: classes in another order", BLENDED, csv_text(GOOD[:, ::-1], header="id,two,one"), exit_code=0),
    member("read right: rows in another order", BLENDED, csv_text(GOOD[::-1], IDS[::-1]), exit_code=0),
    member("a copy of another member", "are copies of one another", csv_text(OTHER), exit_code=0),
    Case("blend: text in a Parquet column", _parquet, "expected numbers, got other columns: 'one (string)'"),
    Case(
        "blend: pickled objects in an NPZ", _pickled, "Arrays of Python objects are not read, for they could run code"
    ),
    tables("a damaged Parquet file", "expected a Parquet table, but it cannot be read", {"oof/third.parquet": "PAR1"}),
    tables("an NPZ that is none", "expected an NPZ file", {"oof/third.npz": "PK no"}),
)

OTHERS = (
    tables(
        "labels: other values", "line 2: '2'", {"labels.csv": csv_text(LABELS, form="%d").replace("000,0", "000,2")}
    ),
    tables(
        "labels: an id twice", "1 id more than once: '000'", {"labels.csv": csv_text(LABELS, form="%d") + "000,1,0\n"}
    ),
    tables("labels: missing", "labels.csv: the file is missing", {"labels.csv": None}),
    tables(
        "groups: ids missing",
        "39 labelled ids without a group",
        {"groups.csv": "id,group\n000,p\n"},
        "--groups",
        "groups.csv",
    ),
    tables(
        "folds: ids missing",
        "38 training images are missing",
        {"folds.csv": "id,fold\n000,0\n001,1\n"},
        "--folds",
        "folds.csv",
    ),
    tables("folds: text", "expected folds 0, 1, 2", {"folds.csv": "id,fold\n000,first\n"}, "--folds", "folds.csv"),
    tables(
        "template: a list of labels",
        "a space-separated list of labels in one column",
        {"template.csv": "id,labels\n000,one two\n", "test/member.csv": TEXT, "test/other.csv": TEXT},
        *("--test", "test", "--template", "template.csv"),
    ),
    tables(
        "template: rows that were not predicted",
        "1 of the 2 ids of template.csv missing: 'x'",
        {"template.csv": "id,one,two\n000,0,0\nx,0,0\n", "test/member.csv": TEXT, "test/other.csv": TEXT},
        *("--test", "test", "--template", "template.csv"),
    ),
    tables("no table of test rows", "no table of 1 member: 'other'", {"test/member.csv": TEXT}, "--test", "test"),
)

CASES = (*MEMBERS, *OTHERS)
