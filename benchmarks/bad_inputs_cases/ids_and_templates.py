"""Ids, templates, groups and ``dataset.yaml``."""

from __future__ import annotations

from pathlib import Path

from bad_inputs import Case

from bad_inputs_cases._dataset import (
    FINE,
    HOLDOUT,
    LABELS,
    TABLES,
    TEMPLATE,
    TRAIN,
    YAML,
    case,
    train,
    write_dataset,
)


def _linked(folder: Path) -> list[str]:
    data = write_dataset(folder, {})
    outside = folder / "outside.png"
    (data / "images" / "a.png").rename(outside)
    (data / "images" / "a.png").symlink_to(outside)
    return ["explore", "data", "--check"]


def _groups_on_both_sides(folder: Path) -> list[str]:
    write_dataset(folder, {"groups.csv": "id,group\na,p\nb,q\nc,q\nd,p\ne,r\nf,r\n"})
    return ["explore", "data", "--check"]


MULTIPLYING = "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))])

IDS = (
    train(
        "ids twice",
        "2 came more than once: 'b' (line 3, line 4, same labels), 'c' (line 5, line 6, other labels)",
        "id,one,two\na,1,0\nb,0,1\nb,0,1\nc,0,0\nc,1,0\n",
    ),
    train("an id with and without its ending", "'b' = 'b.png' (line 3, line 4", LABELS.replace("c,", "b.png,0,1\nc,")),
    case(
        "an id in two tables", "'a' (train_labels.csv line 2, val_labels.csv line 2", {HOLDOUT: "id,one,two\na,1,1\n"}
    ),
    train(
        "an id without image",
        "2 of its 5 images are missing: 'yy' (line 5), 'zz' (line 6)",
        LABELS + "yy,0,0\nzz,0,0\n",
    ),
    train("lost zeros", "They differ by zeros in front", LABELS.replace("a,1", "0a,1")),
    train("another case", "They differ by upper and lower case", LABELS.replace("a,1", "A,1")),
    train("a space behind an id", "They differ by spaces around them", LABELS.replace("a,1", "a ,1")),
    train("an invisible character", "characters that cannot be seen", LABELS.replace("a,1", "\u200ba,1")),
    train("an empty id", "1 of 3 ids cannot be used: '' (line 2)", LABELS.replace("a,1", ",1")),
    train("an id that leads out", "'../../x' (line 2)", LABELS.replace("a,1", "../../x,1")),
    train("an absolute id", "'/etc/passwd' (line 2)", LABELS.replace("a,1", "/etc/passwd,1")),
    train("an id of 300 letters", "no name in it above 255 bytes", LABELS.replace("a,1", "a" * 300 + ",1")),
    train("a line end in an id", r"'a\nx' (line 2)", LABELS.replace("a,1", '"a\nx",1')),
    Case("an image that is a link that leads out", _linked, "a link that leads out of the image folder"),
    case(
        "read right: images without id",
        "2 images without an id in any table: 'images/g.png', 'images/h.png'",
        {},
        images="abcdefgh",
        exit_code=0,
    ),
)

TEMPLATES = (
    case(
        "template: a list of labels",
        "a space-separated list of labels in one column ('labels', as in 'one two')",
        {TEMPLATE: "id,labels\ne,one two\nf,\n"},
    ),
    case(
        "template: a row an image and class",
        "one row for each image and class",
        {TEMPLATE: "id,value\ne_one,0\ne_two,0\nf_one,0\nf_two,0\n"},
    ),
    case("template: ids alone", "but this is ids alone", {TEMPLATE: "id\ne\nf\n"}),
    case("template: other classes", "'one', 'two' are missing", {TEMPLATE: "id,three,four\ne,0,0\nf,0,0\n"}),
    case("template: a class more", "the columns 'six' are not among", {TEMPLATE: "id,one,two,six\ne,0,0,0\nf,0,0,0\n"}),
    case("template: an id twice", "'e' (line 2, line 3)", {TEMPLATE: "id,one,two\ne,0,0\ne,0,0\nf,0,0\n"}),
    case(
        "template: a training image",
        "expected no image in more than one of them",
        {TEMPLATE: "id,one,two\na,0,0\nf,0,0\n"},
    ),
    case(
        "template: ids without image",
        "1 of its 3 images is missing: 'x' (line 4)",
        {TEMPLATE: "id,one,two\ne,0,0\nf,0,0\nx,0,0\n"},
    ),
    case("read right: classes in another order", FINE, {TEMPLATE: "id,two,one\nf,0,0\ne,0,0\n"}, exit_code=0),
    case(
        "two templates",
        "expected one of the files 'sample_submission.csv', 'sample_submission.txt'",
        {"sample_submission.txt": TABLES[TEMPLATE]},
    ),
)

OTHERS = (
    case("holdout: other classes", "'two' are missing", {HOLDOUT: "id,one\nd,1\n"}),
    case(
        "groups: an image without one",
        "1 image ('c') of the train rows have no group",
        {"groups.csv": "id,group\na,p\nb,q\nd,r\n"},
    ),
    case(
        "groups: two for an image",
        "1 image has more: 'a' (groups.csv line 2: 'p', groups.csv line 3: 'q')",
        {"groups.csv": "id,group\na,p\na,q\nb,q\nc,q\nd,r\n"},
    ),
    case("groups: no group column", "expected the columns id,group", {"groups.csv": "id,age,sex\na,1,2\n"}),
    Case(
        "groups: on both sides of the holdout",
        _groups_on_both_sides,
        "1 groups are on both sides of training and holdout",
    ),
    case(
        "dataset.yaml: an unknown key",
        "line 1, class_name: there is no such key; did you mean 'class_names'?",
        {YAML: "class_name: [one]\n"},
    ),
    case("dataset.yaml: a class that is none", "names the classes 'ten'", {YAML: "class_names: [one, ten]\n"}),
    case(
        "dataset.yaml: aliases that multiply",
        "expected at most 20,000 values, but with its aliases",
        {YAML: MULTIPLYING},
    ),
    case("dataset.yaml: no YAML", "cannot be read as YAML", {YAML: "a: [1\n"}),
    case("dataset.yaml: a path that leads out", "relative, without '..'", {YAML: "images: ../elsewhere\n"}),
    case(
        "everything at once",
        "5 problems",
        {
            TRAIN: "id,one,two\na,1,0\n../../x,0,1\nc,0,3\nc,0,0\n",
            HOLDOUT: "id,one,two\nd,1,1,1\n",
            TEMPLATE: "id,one,two\nzz,0,0\n",
        },
    ),
)

CASES = (*IDS, *TEMPLATES, *OTHERS)
