import io
import math

import pytest
from rich.console import Console

from ensemble.report.terminal import print_report
from ensemble.results import BlendResult, ClassResult, MemberResult, Rows, RuleResult, Scores

SCORES = Scores(cross_fitted=0.8123, in_sample=0.8345, at_half=0.7, holdout=0.8011)


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
        "best_possible": 0.9001,
        "rules": (
            RuleResult("fixed", "fixed 0.5", 0.7, 0.7, 0.0, False),
            RuleResult("exact", "exact", 0.8345, 0.8123, 0.0012, True),
        ),
        "classes": (one_class("one"), one_class("Pleural_Thickening")),
        "warnings": ("one (3): fewer than 25 positive groups: threshold and F1 are unstable",),
    }
    return BlendResult(**{**facts, **changes})  # type: ignore[arg-type]


def shown(blend: BlendResult, width: int = 80) -> str:
    stream = io.StringIO()
    print_report(blend, Console(file=stream, width=width, highlight=False))
    return stream.getvalue()


def test_a_pipe_gets_no_padding() -> None:
    lines = shown(result()).splitlines()
    assert len(lines) > 20
    assert all(line == line.rstrip() for line in lines)


def test_it_leads_with_the_score_to_believe() -> None:
    lines = shown(result()).splitlines()
    assert lines[0].split()[:4] == ["macro-F1,", "cross-fitted", "*", "0.8123"]
    assert lines[1].split()[:4] == ["in", "sample", "*", "0.8345"]
    assert "0.9001" in lines[4]


def test_scores_of_picked_epochs_are_marked_wherever_they_stand() -> None:
    text = shown(result())
    assert "* epoch picked on these rows (member [bold]): flattered; the holdout is not" in text
    for title in ("blend *", "Threshold search *", "Cross-fitted *"):
        assert title in text
    unmarked = shown(result(members=(MemberResult("cnn2", 1.0, SCORES, False),)))
    assert "*" not in unmarked


@pytest.mark.parametrize("width", [80, 120])
def test_numbers_are_never_cut(width: int) -> None:
    text = shown(result(), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for number in ("4,210", "16,590", "0.7647", "0.8378", "0.4123", "0.4000 – 0.4500", "35.08%", "36.00%"):
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
