"""The page of a blend, from results that were never computed and curves that were."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from ensemble.curves import ClassCurve
from ensemble.evaluation import LabelledRows
from ensemble.evaluation.crossfit import CrossFit
from ensemble.evaluation.curve_bands import with_bands
from ensemble.evaluation.curves import class_curves
from ensemble.report import blend_page
from ensemble.report.blend_page import KIND, write_blend_page
from ensemble.report.html import is_html_of
from ensemble.results import (
    Absence,
    BlendResult,
    Choice,
    ClassResult,
    Likeness,
    MemberResult,
    Rows,
    RuleResult,
    Scores,
    TriedCombination,
)

EVIL = "<script>alert(1)</script>"
SCORES = Scores(0.8123, 0.8345, 0.7, 0.8011, cross_fitted_ci95=(0.7801, 0.8402), test_interval95=(0.7654, 0.8555))
N = 200


def one_class(name: str) -> ClassResult:
    return ClassResult(
        name=name,
        labelled=N,
        positives=40,
        positive_groups=31,
        threshold=0.3,
        fold_thresholds=(0.28, 0.33),
        tp=30,
        fp=12,
        fn=10,
        tn=148,
        precision=0.7143,
        recall=0.75,
        f1=0.7317,
        f1_ci95=(0.61, 0.82),
        in_sample_f1=0.7777,
        auroc=0.9111,
        average_precision=0.8222,
        training_rate=0.2,
        test_rate=0.25,
    )


@cache
def curves(names: tuple[str, ...]) -> tuple[ClassCurve, ...]:
    rng = np.random.default_rng(0)
    labels = (rng.random((N, len(names))) < 0.2).astype(float)
    scores = expit(2 * labels - 2 + rng.standard_normal(labels.shape))
    rows = LabelledRows(labels, (np.arange(N) % 2).astype(np.int16))
    thresholds = np.full(len(names), 0.3)
    fitted = CrossFit(labels > 0, np.stack([thresholds - 0.02, thresholds + 0.03]))
    found = class_curves(names, rows, probabilities=scores, fitted=fitted, thresholds=thresholds)
    return with_bands(found, rows, probabilities=scores, class_names=names, n_resamples=50)


def result(names: tuple[str, ...] = ("one", "two"), **changes: object) -> BlendResult:
    facts: dict[str, object] = {
        "rows": Rows("toy", N, 100, 500, 2, 120, "groups.csv"),
        "choice": Choice(
            asked_combine="auto",
            tried=(
                TriedCombination("mean", "mean of probabilities", 0.81, 0.0, 0.0, 0.01, chosen=True),
                TriedCombination("convex", "convex weights by log loss", 0.8151, 0.0051, 0.0062, 1.5, chosen=False),
            ),
        ),
        "class_names": names,
        "members": (MemberResult("cnn2", 0.5, SCORES, False), MemberResult("lstm", 0.5, SCORES, True)),
        "skipped": {"vgg14": "fold 1 not finished"},
        "scores": SCORES,
        "best_possible": 0.9001,
        "rules": (
            RuleResult("fixed", "fixed 0.5", 0.7, 0.7, 0.0, chosen=False),
            RuleResult("exact", "exact, per class", 0.8345, 0.8123, 0.0012, chosen=True),
        ),
        "classes": tuple(one_class(name) for name in names),
        "warnings": ("one (3): fewer than 25 positive groups: threshold and F1 are unstable",),
        "likeness": Likeness(((1.0, 0.61), (0.61, 1.0)), (Absence("cnn2", 0.79, 0.0223), Absence("lstm", 0.8, 0.0123))),
    }
    return BlendResult(**{**facts, **changes})  # type: ignore[arg-type]


def page(folder: Path, blend: BlendResult, *, remarks: tuple[str, ...] = ("taken as probabilities",)) -> str:
    path = folder / "report.html"
    write_blend_page(path, blend, curves(blend.class_names), remarks=remarks)
    assert is_html_of(KIND, path)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page(tmp_path_factory.mktemp("page"), result())


def test_it_holds_everything_itself(text: str) -> None:
    for outside in ('src="http', 'href="http', "url(http", "@import", "<link", "<script"):
        assert outside not in text
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_the_score_and_its_intervals_come_first(text: str) -> None:
    titles = re.findall(r"<h2>(.*?)</h2>", text)
    assert titles == [
        "The score",
        "Warnings",
        "What was tried, and what was chosen",
        "Classes and thresholds",
        "Each class against its threshold",
        "Members",
        "On the test rows",
        "How to read it",
    ]
    body = text.partition("<h2>The score</h2>")[2].partition("</section>")[0]
    wanted = (
        "0.8123",
        "0.7801 – 0.8402",
        "0.7654 – 0.8555",
        "your 500 test rows",
        "The gap of 0.0222",
        "0.8011",
        "0.9001",
    )
    for words in wanted:
        assert words in body
    assert "epoch picked on these rows (member lstm)" in body


def test_what_was_tried_is_shown_with_the_reason(text: str) -> None:
    assert "auto keeps the mean of probabilities: the best other, convex weights by log loss, gains +0.0051" in text
    assert "Thresholds are chosen as asked: exact, per class (--thresholds exact)." in text
    assert text.count("◄ used") == 2
    assert text.count('<tr class="strong">') == 3  # and the blend among its members


def test_warnings_skipped_members_and_remarks_are_in_words(text: str) -> None:
    body = text.partition("<h2>Warnings</h2>")[2].partition("</section>")[0]
    for words in ("one (3): fewer than 25", "fold 1 not finished", "taken as probabilities"):
        assert words in body


def test_every_class_has_its_numbers_and_its_figure(text: str) -> None:
    for name, curve in zip(("one", "two"), curves(("one", "two")), strict=True):
        assert f'aria-label="Curves of {name}"' in text
        assert f"{curve.best:.4f}" in text
        assert f"{curve.plateau[0]:.4f} – {curve.plateau[1]:.4f}" in text
        half = next(move for move in curve.moves if move.title == "+0.5 logit")
        assert f"{-half.lost:+.3f}".replace("-", "−") in text
    for number in ("0.7317", "0.61 – 0.82", "0.7777", "0.9111", "0.8222", "0.2800 – 0.3300", "× 1.25", "21.00%"):
        assert number in text
    assert "resampled groups" in text


def test_members_are_compared(text: str) -> None:
    assert 'aria-label="Correlation of members&#39; errors"' in text
    assert "0.61</text>" in text
    assert "−0.0223" in text
    assert "Weights of each class" not in text


def test_class_weights_are_shown_where_classes_have_their_own(tmp_path: Path) -> None:
    shown = page(tmp_path, result(class_weights={"cnn2": (0.2, 0.4), "lstm": (0.8, 0.6)}))
    assert 'aria-label="Members&#39; weights in each class"' in shown


def test_names_are_escaped_everywhere(tmp_path: Path) -> None:
    evil = result((EVIL, "two & three"))
    members = tuple(replace(member, name=EVIL) for member in evil.members)
    choice = replace(evil.choice, exclusive=EVIL)
    rows = replace(evil.rows, dataset=EVIL, groups_source=EVIL)
    likeness = Likeness(((1.0, 0.5), (0.5, 1.0)), (Absence(EVIL, 0.8, 0.0),))
    evil = replace(evil, members=members, choice=choice, rows=rows, likeness=likeness, skipped={EVIL: EVIL})
    shown = page(tmp_path, replace(evil, warnings=(EVIL,)), remarks=(EVIL,))
    assert "<script" not in shown.lower()
    assert shown.count("&lt;script&gt;") >= 15


def test_twice_gives_the_same_bytes(tmp_path: Path, text: str) -> None:
    assert page(tmp_path, result()) == text


def test_many_classes_stay_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blend_page, "MOST_FIGURES", 2)
    names = ("a", "b", "c", "d")
    shown = page(tmp_path, result(names))
    lost = {curve.name: max(move.lost for move in curve.moves) for curve in curves(names)}
    drawn = re.findall(r'aria-label="Curves of (\w)"', shown)
    assert drawn == sorted(sorted(names, key=lambda name: -lost[name])[:2])
    assert (
        "Shown are the 2 classes that lose most where the threshold moves; 2 others are in the tables above." in shown
    )
    assert shown.count('class="spark"') == 4
    assert "Positives in training and on the test rows" not in shown


def test_what_does_not_exist_is_not_shown(tmp_path: Path) -> None:
    bare = Scores(cross_fitted=0.8, in_sample=0.79, at_half=0.7, holdout=None)
    alone = (MemberResult("cnn2", 1.0, bare, False),)
    rows = Rows("toy", N, 0, 0, 2, None, "no groups: every image counted as independent")
    classes = (replace(one_class("one"), test_rate=None, f1_ci95=(math.nan, math.nan)), one_class("two"))
    blend = result(rows=rows, scores=bare, members=alone, classes=classes, likeness=None, best_possible=None)
    shown = page(tmp_path, replace(blend, warnings=(), skipped={}, choice=Choice()), remarks=())
    lead = shown.partition('<p class="lead">')[2].partition("</p>")[0]
    assert lead.startswith("200 training rows in 2 folds; no groups: every image counted as independent; 1 member;")
    for words in ("On the test rows", "your 0 test", ">holdout<", "How alike members err", "best possible", "Too many"):
        assert words not in shown
    assert "no flattery is to be seen here" in shown
    assert "<p>None.</p>" in shown
    assert "There is one member: nothing to combine." in shown
    assert "resampled images" in shown


def test_a_class_without_a_curve_keeps_its_rows(tmp_path: Path) -> None:
    blend = result()
    path = tmp_path / "report.html"
    write_blend_page(path, blend, curves(("one", "two"))[:1], remarks=())
    shown = path.read_text()
    assert "1 without both positive and negative rows: no curve." in shown
    assert shown.count('class="spark"') == 1
    write_blend_page(path, blend, (), remarks=())
    assert "Each class against its threshold" not in path.read_text()


def test_metrics_that_couple_classes_say_that_classes_are_not_at_their_best(tmp_path: Path, text: str) -> None:
    choice = Choice("sample_f1", "sample-F1", thresholds="auto", by_image=True)
    shown = page(tmp_path, result(choice=choice))
    words = "the final threshold need not lie at its top"
    assert words in shown
    assert words not in text
    assert "Every image is decided on its own" in shown
