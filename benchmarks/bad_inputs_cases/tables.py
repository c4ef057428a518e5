"""Files, spellings and values of label tables."""

from __future__ import annotations

import os
from pathlib import Path

from bad_inputs import Case

from bad_inputs_cases._dataset import FINE, HOLDOUT, LABELS, TEMPLATE, TRAIN, YAML, case, right, train, write_dataset


def _no_folder(_folder: Path) -> list[str]:
    return ["explore", "data", "--check"]


SPELLINGS = (
    right("byte-order mark", "\ufeff" + LABELS),
    right("Windows line ends", LABELS.replace("\n", "\r\n")),
    right("semicolons", LABELS.replace(",", ";")),
    right("tabs", LABELS.replace(",", "\t")),
    right("spaces in the header", LABELS.replace("id,one,two", " id , one , two ")),
    right("spaces before numbers", LABELS.replace(",", ", ")),
    right("quoted ids", LABELS.replace("a,1", '"a",1')),
    right("spaces before quotes", LABELS.replace("a,1,0", '"a", "1", "0"')),
    right("ids with an ending", LABELS.replace("a,1", "a.png,1").replace("b,", "b.PNG,")),
    right("1.0, True, ' 1'", "id,one,two\na,1.0,True\nb, 0,FALSE\nc,false,0.0\n"),
    right("the id in another column", "one,id,two\n1,a,0\n0,b,1\n0,c,0\n"),
    right("blank lines", "\n  \n" + LABELS.replace("\n", "\n\n")),
    case(
        "read right: leading zeros, NA",
        FINE,
        {TRAIN: "id,one\n007,1\nNA,0\nnull,0\n", HOLDOUT: "id,one\nd,1\n", TEMPLATE: "id,one\ne,0\nf,0\n"},
        images="007 NA null d e f",
        exit_code=0,
    ),
)


def _pipe(folder: Path) -> list[str]:
    path = write_dataset(folder, {}) / TRAIN
    path.unlink()
    os.mkfifo(path)
    return ["explore", "data", "--check"]


FILES = (
    Case("a pipe", _pipe, "expected a file, got a pipe or device"),
    Case("no such folder", _no_folder, "expected a dataset, but there is no such folder"),
    case("no label table", "expected train_labels.csv, and it is missing", {TRAIN: None}),
    train("empty file", "the file is empty", ""),
    train("header only", "expected a row for every image, got a header alone", "id,one,two\n"),
    train("UTF-16", "this is text in UTF-16", LABELS.encode("utf-16")),
    train("UTF-16 without a mark", "got NUL bytes (UTF-16", LABELS.encode("utf-16-le")),
    train(
        "Latin-1",
        "got the byte 0xf6 (in Windows-1252 or Latin-1 this would read 'id,one,zwölf')",
        LABELS.replace("two", "zwölf").encode("latin-1"),
    ),
    train("NUL bytes", "line 3: expected UTF-8 text, got NUL bytes (is the file damaged?)", LABELS.replace("b", "b\0")),
    train("an Excel file", "a ZIP archive, as Excel's .xlsx is", b"PK\x03\x04\x14\x00\x06\x00"),
    train("a gzip file", "compressed by gzip", b"\x1f\x8b\x08\x00\x00"),
    train("a login page", "a web page, perhaps of a login", "<!DOCTYPE html>\n<html>login</html>\n"),
    train("a Git LFS pointer", "a pointer of Git LFS", "version https://git-lfs.github.com/spec/v1\noid sha256:4d\n"),
    train(
        "a huge field", "line 2: a field holds more than 131,072 characters", LABELS.replace("a,", "a" * 200_000 + ",")
    ),
    train(
        "a huge id in many rows",
        "line 2 holds 100,000 characters, too long",
        "id,one,two\n" + "x" * 100_000 + ",0,0\n" + "a,0,0\n" * 4000,
    ),
    train("an open quote", "got bad quoting", LABELS.replace("a,1", '"a,1')),
    train("ragged rows", "line 2 has 2, line 3 has 4", "id,one,two\na,1\nb,0,1,1\nc,0,0\n"),
    train("separators at the ends of rows", "Every row has one more", "id,one,two\na,1,0,\nb,0,1,\nc,0,0,\n"),
    train("bars between the columns", "write it anew with commas instead of '|'", LABELS.replace(",", "|")),
    train("spaces between the columns", "put commas between its 3 names", LABELS.replace(",", " ")),
    train("a note for Excel above", "a note for Excel (sep=)", "sep=,\n" + LABELS),
    train("a comment above", "got a comment '# by hand'", "# by hand\n" + LABELS),
    train("pandas' index", "column 1 has no name in the header", ",id,one\n0,a,1\n1,b,0\n2,c,0\n"),
    train(
        "pandas' index, named", "an index that pandas has written", "Unnamed: 0,id,one,two\n0,a,1,0\n1,b,0,1\n2,c,0,0\n"
    ),
    train("a column twice", "names 'one' more than once", "id,one,one\na,1,0\nb,0,1\nc,0,0\n"),
    train("no header", "expected a header", "a,1,0\nb,0,1\nc,0,0\n"),
    train("ids alone", "expected a column for every class", "id\na\nb\nc\n"),
)

VALUES = (
    train("other numbers than 0 and 1", "line 3: '2'", LABELS.replace("b,0", "b,2")),
    train("probabilities as labels", "These look like probabilities", LABELS.replace("b,0", "b,0.3")),
    train("infinity", "line 2: 'inf'", LABELS.replace("a,1", "a,inf")),
    train("decimal commas", "Write decimals with a point", "id;one;two\na;1,0;0\nb;0,0;1\nc;0;0\n"),
    train("yes and no", "Write 1 and 0 for them", "id,one,two\na,yes,0\nb,no,1\nc,no,0\n"),
    train("None", 'not_labelled: ["None"]', LABELS.replace("b,0", "b,None")),
    train("-1, not stated", "say so in dataset.yaml (not_labelled: [-1])", LABELS.replace("b,0", "b,-1")),
    case(
        "read right: -1, stated in dataset.yaml",
        "in train not every image is labelled; without a label: one (1)",
        {TRAIN: LABELS.replace("b,0", "b,-1.0"), YAML: "n_folds: 2\nnot_labelled: -1\n"},
        exit_code=0,
    ),
    right("empty and NaN", LABELS.replace("a,1", "a,NaN").replace("b,0,1", "b,,1")),
    train("nothing labelled at all", "expected 0 or 1 in some field", "id,one,two\na,,\nb,NaN,\nc,,NA\n"),
    train("digits of another script", "line 2: '\u0661'", LABELS.replace("a,1", "a,\u0661")),
    train("a list of labels in a column", "a list of labels in one column", "id,labels\na,one two\nb,two\nc,\n"),
    train("a list with bars", "str.get_dummies('|')", "id,labels\na,one|two\nb,two\nc,\n"),
    train("a column that is no class", "name the classes (class_names) in dataset.yaml", "id,age\na,61\nb,62\nc,63\n"),
    train("a class called fold", "a class cannot be called 'fold'", LABELS.replace("two", "fold")),
    train(
        "read right: a class without a positive",
        "in train no image is positive for 'two'",
        LABELS.replace("b,0,1", "b,0,0"),
        exit_code=0,
    ),
    train(
        "read right: a class without a negative",
        "in train every labelled image is positive for 'two'",
        "id,one,two\na,1,1\nb,0,1\nc,0,\n",
        exit_code=0,
    ),
)

CASES = (*SPELLINGS, *FILES, *VALUES)
