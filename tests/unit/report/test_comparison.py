"""The tables as a reader sees them, and the files as a program reads them."""

from __future__ import annotations

import csv
import io
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ensemble.errors import DataError
from ensemble.report.cells import signed
from ensemble.report.comparison import print_comparison
from ensemble.report.comparison_files import check_place, write_comparison
from ensemble.results import Interval, Rows
from ensemble.runs import ComparisonPaths
from ensemble.standings import Absence, Comparison, MemberFacts, Pair, Standing

FACTS = MemberFacts(
    model="vgg14",
    weight_layers=14,
    parameters=14_719_299,
    pool="max",
    dense_layers=1,
    image_size=(224, 224),
    batch_size=48,
    accumulation_steps=1,
    epochs=15,
    trained_epochs=(15, 15),
    optimizer="adam",
    learning_rate=1e-3,
    loss="bce",
    training_seconds=1234.56,
    images_per_second=53.2,
    machines=("device cpu",),
)
OLD = replace(FACTS, model="lstm", weight_layers=None, parameters=None, pool=None, dense_layers=None)
OLD = replace(OLD, training_seconds=None, images_per_second=None, accumulation_steps=2, trained_epochs=(7, 12))


def standing(name: str, score: float, **changes: Any) -> Standing:
    facts: dict[str, Any] = {
        "name": name,
        "facts": FACTS,
        "cross_fitted": Interval(score, score - 0.01, score + 0.01),
        "in_sample": score + 0.002,
        "at_half": score - 0.1,
        "subset_accuracy": 0.71,
        "label_accuracy": 0.89,
        "auroc": 0.95,
        "average_precision": 1 / 3,
        "log_loss": 0.3,
        "behind_best": Interval(0.9 - score, 0.88 - score, 0.92 - score),
        "epoch_picked": False,
    }
    return Standing(**{**facts, **changes})


def comparison(**changes: Any) -> Comparison:
    facts: dict[str, Any] = {
        "rows": Rows("toy", 12_000, 0, 0, 5, 160, "train_groups.csv"),
        "standings": (
            standing("first", 0.9, behind_best=None),
            standing("second", 0.89, epoch_picked=True),
            standing("third", 0.7, facts=OLD, auroc=math.nan),
        ),
        "blend": Interval(0.91, 0.9, 0.92),
        "blend_gain": Interval(0.01, 0.001, 0.02),
        "pairs": (
            Pair("first", "second", Interval(0.01, -0.01, 0.03), 0.75, 0.1),
            Pair("first", "third", Interval(0.2, 0.18, 0.22), -0.25, 0.3),
            Pair("second", "third", Interval(0.19, 0.17, 0.21), math.nan, 0.25),
        ),
        "neighbours": (
            Pair("first", "second", Interval(0.01, -0.01, 0.03), 0.75, 0.1),
            Pair("second", "third", Interval(0.19, 0.17, 0.21), math.nan, 0.25),
        ),
        "absences": (
            Absence("first", 0.88, Interval(0.03, 0.01, 0.05)),
            Absence("second", 0.91, Interval(0.0, -0.01, 0.01)),
            Absence("third", 0.93, Interval(-0.02, -0.03, -0.01)),
        ),
        "n_resamples": 2000,
        "skipped": {"cnn2": "fold 2 not finished (of 5)"},
        "warnings": ("only 12 groups: bootstrap intervals over so few are too narrow",),
    }
    return Comparison(**{**facts, **changes})


ALONE = comparison(
    standings=(standing("[bold]", 0.9, behind_best=None),),
    blend=None,
    blend_gain=None,
    pairs=(),
    neighbours=(),
    absences=(),
    skipped={},
    warnings=(),
)

GOLDEN = """\
dataset  toy: 12,000 training rows in 5 folds, each scored by the model that
         held it out
groups   160 from train_groups.csv
skipped  cnn2: fold 2 not finished (of 5)

Macro-F1
#  member               cross-fitted    95 % interval  in sample  at 0.5
────────────────────────────────────────────────────────────────────────
1  first                      0.9000  0.8900 – 0.9100     0.9020  0.8000
2  second *                   0.8900  0.8800 – 0.9000     0.8920  0.7900
3  third                      0.7000  0.6900 – 0.7100     0.7020  0.6000
   blend (mean of 3) *        0.9100  0.9000 – 0.9200
* epoch picked on these rows (second): flattered
Cannot be told apart from the best, first: second.
Each interval is of 95 %, and none allows for first being the best of 3.
The blend less the best member: +0.0100 (+0.0010 … +0.0200): better.

Other scores
            subset     label   macro    average     log
member    accuracy  accuracy   AUROC  precision    loss
───────────────────────────────────────────────────────
first       0.7100    0.8900  0.9500     0.3333  0.3000
second *    0.7100    0.8900  0.9500     0.3333  0.3000
third       0.7100    0.8900       –     0.3333  0.3000
Accuracies are at 0.5.

What it is
member    model  layers  parameters  pooling  dense     pixels
──────────────────────────────────────────────────────────────
first     vgg14      14  14,719,299  max          1  224 × 224
second *  vgg14      14  14,719,299  max          1  224 × 224
third     lstm        –           –  –            –  224 × 224

How it was trained, and what that cost
member    optimizer  loss   batch  epochs  seconds  images/s
────────────────────────────────────────────────────────────
first     adam       bce       48      15    1,235        53
second *  adam       bce       48      15    1,235        53
third     adam       bce   48 × 2  7 – 12        –         –
Seconds are of all folds' training; images/s is the median of the folds.

Differences
neighbours in the ranking  difference      95 % interval
───────────────────────────────────────────────────────────────────────────
first − second *              +0.0100  −0.0100 … +0.0300  cannot tell apart
second * − third              +0.1900  +0.1700 … +0.2100  better
Paired: both of a row on the same 2,000 resamples of groups, cross-fitted
macro-F1.

What the blend loses without each one
           blend's  the blend
without   macro-F1      loses      95 % interval
─────────────────────────────────────────────────────────────
first       0.8800    +0.0300  +0.0100 … +0.0500  helps
second *    0.9100    +0.0000  −0.0100 … +0.0100  cannot tell
third       0.9300    −0.0200  −0.0300 … −0.0100  harms

Errors in common
member    most alike  corr.  differ  least alike  corr.  differ
───────────────────────────────────────────────────────────────
first     second *     0.75   10.0%  third        −0.25   30.0%
second *  first        0.75   10.0%  third            –   25.0%
third     first       −0.25   30.0%  second *         –   25.0%
corr.: correlation of the errors p − y, mean over classes. differ: share of
labels decided differently.

Correlation of errors, every pair
# correlation of errors     1    2     3
────────────────────────────────────────
1 first                     1 0.75 −0.25
2 second *               0.75    1     –
3 third                 −0.25    –     1

warning  only 12 groups: bootstrap intervals over so few are too narrow

"""


def shown(one: Comparison, width: int = 80) -> str:
    stream = io.StringIO()
    print_comparison(one, Console(file=stream, width=width, highlight=False))
    return stream.getvalue()


def test_the_whole_page_at_80_columns() -> None:
    assert shown(comparison()) == GOLDEN


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("n_members", [3, 15, 45])
def test_many_members_with_long_names_stay_readable(n_members: int, width: int) -> None:
    names = [f"efficientnet_lite0.seed_{number:02d}_of_many" for number in range(n_members)]
    pairs = [
        Pair(first, second, Interval(0.1, 0.05, 0.15), 0.5, 0.5)
        for place, first in enumerate(names)
        for second in names[place + 1 :]
    ]
    many = comparison(
        standings=tuple(
            standing(name, 0.9, behind_best=Interval(0, -1, 1) if n else None) for n, name in enumerate(names)
        ),
        pairs=tuple(pairs),
        neighbours=tuple(pair for pair in pairs if names.index(pair.second) == names.index(pair.first) + 1),
        absences=tuple(Absence(name, 0.9, Interval(0.0, 0.0, 0.0)) for name in names),
    )
    text = shown(many, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text.replace(" … ", "")
    for number in ("14,719,299", "0.8900 – 0.9100", "+0.0500 … +0.1500"):
        assert text.count(number) >= n_members - 1


def test_one_member_has_no_tables_of_pairs() -> None:
    text = shown(ALONE)
    assert "[bold]" in text
    for words in ("blend", "Differences", "in common", "Correlation", "better", "warning", "skipped"):
        assert words not in text


def test_the_best_may_be_better_than_all_others() -> None:
    first, _, third = comparison().standings
    text = shown(comparison(standings=(first, standing("second", 0.8), third), blend_gain=Interval(-0.1, -0.2, -0.05)))
    assert "first is better than each other member: no paired interval holds 0." in text
    assert "The blend less the best member: −0.1000 (−0.2000 … −0.0500): worse." in text


def test_nothing_has_no_sign_of_less() -> None:
    assert [signed(value) for value in (-1e-9, 1e-9, -0.25, math.nan)] == ["+0.0000", "+0.0000", "−0.2500", "–"]


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_csv_holds_every_number_as_it_is(tmp_path: Path) -> None:
    paths, one = ComparisonPaths(tmp_path), comparison()
    write_comparison(paths, one)
    members = read_csv(paths.members)
    assert [row["member"] for row in members] == ["first", "second", "third"]
    for row, expected in zip(members, one.standings, strict=True):
        assert float(row["macro_f1_cross_fitted"]) == expected.cross_fitted.point
        assert float(row["macro_f1_cross_fitted_low"]) == expected.cross_fitted.low
        assert float(row["macro_average_precision"]) == 1 / 3
    assert (members[0]["behind_best"], members[2]["macro_auroc"], members[2]["parameters"]) == ("", "", "")
    assert (members[0]["parameters"], members[1]["epoch_picked"], members[2]["most_trained_epochs"]) == (
        "14719299",
        "1",
        "12",
    )
    pairs = read_csv(paths.pairs)
    assert [(row["first"], row["second"]) for row in pairs] == [(pair.first, pair.second) for pair in one.pairs]
    assert (pairs[1]["difference_low"], pairs[2]["error_correlation"]) == ("0.18", "")
    without = read_csv(paths.without)
    assert [(row["member"], row["loss"]) for row in without] == [
        ("first", "0.03"),
        ("second", "0.0"),
        ("third", "-0.02"),
    ]
    assert {row["macro_f1_of_blend"] for row in without} == {"0.91"}


def tables_of(markdown: str) -> dict[str, list[list[str]]]:
    """By heading: the cells of every row below it, header first."""
    found = {}
    for section in markdown.split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        lines = [line for line in body.splitlines() if line.startswith("|")]
        found[title] = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if "--" not in line]
    return found


def test_markdown_holds_the_same_tables(tmp_path: Path) -> None:
    paths = ComparisonPaths(tmp_path)
    write_comparison(paths, comparison())
    text = paths.markdown.read_text(encoding="utf-8")
    tables = tables_of(text)
    assert list(tables) == [
        "Macro-F1",
        "Other scores",
        "What it is",
        "How it was trained, and what that cost",
        "Differences",
        "What the blend loses without each one",
        "Errors in common",
        "Correlation of errors, every pair",
        "Read this too",
    ]
    assert tables["Macro-F1"][2] == ["2", "second \\*", "0.8900", "0.8800 – 0.9000", "0.8920", "0.7900"]
    assert tables["Differences"][1][-1] == "cannot tell apart"
    assert {len(row) for row in tables["What it is"]} == {7}
    assert "- only 12 groups: bootstrap" in text
    assert "- skipped: cnn2: fold 2 not finished" in text


def test_names_are_text_in_markdown_too(tmp_path: Path) -> None:
    paths = ComparisonPaths(tmp_path)
    odd = replace(ALONE.standings[0], facts=replace(FACTS, loss="a|b", optimizer="_x_ cnn_2"))
    write_comparison(paths, replace(ALONE, standings=(odd,)))
    text = paths.markdown.read_text(encoding="utf-8")
    for escaped in (r"\[bold\]", r"a\|b", r"\_x\_ cnn_2"):
        assert escaped in text


def test_what_an_earlier_comparison_left_is_removed(tmp_path: Path) -> None:
    paths = ComparisonPaths(tmp_path)
    write_comparison(paths, comparison())
    check_place(paths)
    (tmp_path / ".comparison.md.0123.tmp").write_text("of a command that was killed")
    os.utime(tmp_path / ".comparison.md.0123.tmp", (0, 0))
    write_comparison(paths, ALONE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["comparison.csv", "comparison.md"]


@pytest.mark.parametrize("name", ["comparison.csv", "comparison.md"])
def test_files_of_a_users_own_are_not_overwritten(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(DataError, match=rf"holds '{name}', which no comparison of ours wrote.*give another --out"):
        check_place(ComparisonPaths(tmp_path))
