import io
import math
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from ensemble.curves import ClassCurve, Move, Reliability
from ensemble.report.cells import blocks
from ensemble.report.terminal import print_report
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

SCORES = Scores(0.8123, 0.8345, 0.7, 0.8011, cross_fitted_ci95=(0.7801, 0.8402), test_interval95=(0.7654, 0.8555))
TRIED = (
    TriedCombination("mean", "mean of probabilities", 0.81, 0.0, 0.0, 0.01, chosen=False),
    TriedCombination("mean_logits", "mean of logits", 0.809, -0.001, 0.002, 0.02, chosen=False),
    TriedCombination("convex", "convex weights by log loss", 0.8234, 0.0134, 0.0051, 1.5, chosen=True),
)


def one_class(name: str, **changes: object) -> ClassResult:
    facts: dict[str, object] = {
        "name": name,
        "labelled": 12000,
        "positives": 4210,
        "positive_groups": 88,
        "threshold": 0.41234,
        "fold_thresholds": (0.4, 0.45),
        "tp": 3900,
        "fp": 1200,
        "fn": 310,
        "tn": 16590,
        "precision": 0.7647,
        "recall": 0.9264,
        "f1": 0.8378,
        "f1_ci95": (0.79123, 0.8712),
        "in_sample_f1": 0.84,
        "auroc": 0.9,
        "average_precision": 0.8,
        "training_rate": 0.3508,
        "test_rate": 0.36,
    }
    return ClassResult(**{**facts, **changes})  # type: ignore[arg-type]


def result(**changes: object) -> BlendResult:
    facts: dict[str, object] = {
        "rows": Rows("toy", 12000, 3000, 5000, 5, 160, "train_groups.csv"),
        "class_names": ("one", "Pleural_Thickening"),
        "members": (MemberResult("cnn2", 0.5, SCORES, False), MemberResult("[bold]", 0.5, SCORES, True)),
        "skipped": {"lstm": "fold 2 not finished (of 5)"},
        "scores": SCORES,
        "choice": Choice(thresholds="exact", combine="convex", combine_title="convex weights by log loss"),
        "best_possible": 0.9001,
        "rules": (
            RuleResult("fixed", "fixed 0.5", 0.7, 0.7, 0.0, False),
            RuleResult("exact", "exact", 0.8345, 0.8123, 0.0012, True),
        ),
        "classes": (one_class("one"), one_class("Pleural_Thickening")),
        "warnings": ("one (3): fewer than 25 positive groups: threshold and F1 are unstable",),
    }
    return BlendResult(**{**facts, **changes})  # type: ignore[arg-type]


def one_curve(name: str, **changes: object) -> ClassCurve:
    cuts, nothing = np.array([0.1, 0.2, 0.4, 0.8]), np.empty(0)
    facts: dict[str, object] = {
        "name": name,
        "beta": 1.0,
        "cuts": cuts,
        "f": np.array([0.1, 0.5, 0.8, 0.2]),
        "precision": cuts,
        "recall": cuts,
        "specificity": cuts,
        "threshold": 0.4,
        "f_at_threshold": 0.8,
        "best": 0.8,
        "best_threshold": 0.4,
        "plateau": (0.3611, 0.4222),
        "slack": 0.01,
        "fold_thresholds": (0.4, 0.45),
        "moves": (Move("−0.25 logit", 0.34, 0.0123), Move("+0.25 logit", 0.46, -0.0051)),
        "reliability": Reliability(nothing, nothing, nothing, nothing, nothing.astype(int)),
    }
    return ClassCurve(**{**facts, **changes})  # type: ignore[arg-type]


def shown(blend: BlendResult, width: int = 80, curves: tuple[ClassCurve, ...] = ()) -> str:
    stream = io.StringIO()
    print_report(blend, Console(file=stream, width=width, highlight=False), curves)
    return stream.getvalue()


def test_thresholds_of_the_test_rows_alone_are_said_to_be_scored_nowhere() -> None:
    by = Choice(thresholds="exact", combine="convex", combine_title="convex", test_thresholds_by="--match-test-rate")
    text = " ".join(shown(result(choice=by)).split())
    assert "0.7654 – 0.8555 without --match-test-rate, on your 5,000 test rows" in text
    assert "no score or interval here is of the test rows' own thresholds (--match-test-rate)." in text
    assert "the submission on your 5,000 test rows" in shown(result())
    assert "test rows' own thresholds" not in shown(result())


def test_a_pipe_gets_no_padding() -> None:
    lines = shown(result()).splitlines()
    assert len(lines) > 20
    assert all(line == line.rstrip() for line in lines)


def test_it_leads_with_the_score_to_believe() -> None:
    lines = shown(result()).splitlines()
    assert lines[0].split()[:4] == ["macro-F1,", "cross-fitted", "*", "0.8123"]
    assert lines[1] == "  95 % interval 0.7801 – 0.8402  this blend on all patients like these"
    assert lines[2] == "  95 % interval 0.7654 – 0.8555  the submission on your 5,000 test rows"
    assert lines[3].split()[:4] == ["in", "sample", "*", "0.8345"]
    assert lines[3].endswith("chosen on the scored rows: 0.0222 too good")
    assert "0.9001" in lines[6]


def test_an_interval_of_few_test_rows_that_does_not_hold_the_score_is_explained() -> None:
    apart = replace(SCORES, test_interval95=(0.3, 0.6))
    said = "on so few rows some classes may have no positive"
    assert said in " ".join(shown(result(scores=apart)).split())
    assert said not in " ".join(shown(result()).split())
    by_counts = Choice(metric="micro_f1", metric_title="micro-F1")  # a class without positives costs it nothing
    assert said not in " ".join(shown(result(scores=apart, choice=by_counts)).split())


def test_scores_of_picked_epochs_are_marked_wherever_they_stand() -> None:
    text = shown(result())
    assert "* epoch picked on these rows (member [bold]): flattered; the holdout is not" in text
    for title in ("blend *", "Threshold search *", "Classes *", "Cross-fitted *"):
        assert title in text
    unmarked = shown(result(members=(MemberResult("cnn2", 1.0, SCORES, False),)))
    assert "*" not in unmarked


def test_curves_say_how_firm_each_threshold_is() -> None:
    lines = shown(result(), curves=(one_curve("one"), one_curve("two", f=np.zeros(4), moves=()))).splitlines()
    (first,) = [line for line in lines if "0.3611 – 0.4222" in line and line.startswith("one")]
    assert first.split()[-2:] == ["−0.012", "+0.005"]
    assert first.split()[1] == "▂▅█▃"
    (second,) = [line for line in lines if "0.3611 – 0.4222" in line and line.startswith("two")]
    assert second.split()[1] == "▁▁▁▁"
    assert second.split()[-2:] == ["–", "–"]
    assert "How firm" not in shown(result())


def test_blocks_follow_the_values() -> None:
    assert blocks(np.arange(64.0), 8) == "▁▂▃▄▅▆▇█"
    assert blocks(np.array([1.0, 1.0]), 5) == "██"


def test_who_is_missed_comes_first() -> None:
    absences = (Absence("cnn2", 0.81, 0.0021), Absence("[bold]", 0.79, 0.0193), Absence("same", 0.82, -0.001))
    rows = ((1.0, 0.5, math.nan), (0.5, 1.0, math.nan), (math.nan, math.nan, 1.0))
    lines = shown(result(likeness=Likeness(rows, absences))).splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("Blend without"))
    told = [line.split() for line in lines[start + 2 : start + 5]]
    assert told == [
        ["[bold]", "0.7900", "−0.0193", "0.50"],
        ["cnn2", "0.8100", "−0.0021", "0.50"],
        ["same", "0.8200", "+0.0010", "–"],
    ]
    assert "Blend without" not in shown(result())


@pytest.mark.parametrize("width", [80, 120])
def test_numbers_are_never_cut(width: int) -> None:
    text = shown(result(), width, curves=(one_curve("Pleural_Thickening", plateau=(1.2e-5, 3.4e-4)),))
    assert "1.2e-05 – 3.4e-04" in text
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for number in ("4,210", "16,590", "0.7647", "0.8378", "0.4123", "0.4000 – 0.4500", "35.08%", "36.00%"):
        assert number in text
    for number in ("0.79 – 0.87", "0.8400", "0.9000"):
        assert number in text


def test_a_holdout_that_joined_the_folds_is_said() -> None:
    joined = Rows("toy", 12000, 0, 5000, 5, 160, "train_groups.csv", holdout_in_folds=True)
    assert "12,000 training rows (the holdout's among them) in 5 folds" in shown(result(rows=joined))
    assert "among them" not in shown(result())


def test_names_are_text_not_markup() -> None:
    assert "[bold] *" in shown(result())


def test_what_does_not_exist_is_not_shown() -> None:
    bare = Scores(cross_fitted=0.8, in_sample=0.9, at_half=0.7, holdout=None)
    alone = (MemberResult("cnn2", 1.0, bare, False),)
    rows = Rows("toy", 120, 0, 0, 5, None, "no groups: every image counted as independent")
    blend = result(rows=rows, scores=bare, members=alone, best_possible=None, warnings=(), skipped={})
    text = shown(blend)
    for words in ("holdout", "best possible", "groups ", "predicted in test", "warning", "skipped", "epoch picked"):
        assert words not in text.replace("groups   no groups", "")
    assert "no groups: every image counted as independent" in text
    assert "1 member" in text


def test_thresholds_beyond_the_scores_have_words() -> None:
    nothing = one_class("one", threshold=2.0, fold_thresholds=(2.0, 0.0), f1=math.nan, training_rate=math.nan)
    text = shown(result(classes=(nothing,)))
    assert "none" in text
    assert "all – none" in text
    assert "5.0e-05" in shown(result(classes=(one_class("one", threshold=5e-5),)))


def test_the_metric_and_what_was_asked_for_are_named() -> None:
    choice = Choice("weighted_f1", "weighted F1", "mean", "mean of probabilities", "mean", thresholds="beta")
    text = shown(result(choice=choice))
    assert text.startswith("weighted F1, cross-fitted *")
    assert "Members are combined as asked: mean of probabilities (--combine mean)." in text
    assert "For weighted F1 no search can beat exact in sample" in text
    assert "macro" not in text


def test_what_auto_compared_is_shown_with_the_reason() -> None:
    choice = Choice(combine="convex", combine_title=TRIED[2].title, asked_combine="auto", tried=TRIED)
    text = shown(result(choice=choice))
    lines = text.splitlines()
    (chosen,) = [line for line in lines if line.startswith("convex weights by log loss")]
    assert chosen.split()[-6:] == ["0.8234", "+0.0134", "0.0051", "1.500", "◄", "used"]
    assert "auto takes convex weights by log loss: over the mean of probabilities it gains" in text
    kept = (replace(TRIED[0], chosen=True), TRIED[1])
    text = shown(result(choice=Choice(asked_combine="auto", tried=kept)))
    words = "auto keeps the mean of probabilities: the best other, mean of logits, gains −0.0010, not more than its"
    assert words in " ".join(text.split())
    assert max(map(len, lines)) <= 80


def test_a_combination_that_lost_is_not_praised() -> None:
    text = " ".join(shown(result(choice=Choice(asked_combine="auto"))).split())
    assert "Nothing could be compared on these rows, so auto keeps the mean of probabilities." in text


def test_rules_on_labels_are_in_words() -> None:
    choice = Choice(
        "sample_f1", "sample-F1", thresholds="auto", at_least_one=True, exclusive="No finding", by_image=True
    )
    rules = (RuleResult("auto", "auto: an average of rules", 0.7, 0.7, 0.0, chosen=True),)
    text = " ".join(shown(result(choice=choice, rules=rules)).split())
    assert "decides image by image, by expected F1" in text
    assert "'No finding' never comes with another label" in text
    assert "Every image gets a label" in text
    assert "auto: image by image" in text
    assert "auto: an average" not in text


def test_what_couples_classes_is_not_solved_alone() -> None:
    for choice in (Choice("micro_f1", "micro-F1"), Choice(at_least_one=True)):
        assert "no search can beat exact" not in shown(result(choice=choice))
    assert "no search can beat exact" in shown(result())


def test_a_score_that_was_not_flattered_is_not_said_to_be() -> None:
    text = shown(result(scores=replace(SCORES, in_sample=0.8, cross_fitted_ci95=None, test_interval95=None)))
    assert "too good" not in text
    assert "interval 0" not in text
