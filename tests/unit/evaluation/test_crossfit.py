from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import logit

from ensemble.blending import MemberStack, combination_rule
from ensemble.errors import AlignmentError, FoldError
from ensemble.evaluation import BlendWishes, Chain, LabelledRows, candidates, cross_fit, fit_on_all, try_rules
from ensemble.evaluation.chain import fit_folds
from ensemble.evaluation.rules import blend_folds
from ensemble.metric import Metric
from ensemble.metrics import macro_f1
from ensemble.results import Scores
from ensemble.thresholds import THRESHOLD_RULES, ExactThresholds, decide, exact_thresholds

RNG = np.random.default_rng(1)
N = 300
LABELS = (RNG.random((N, 2)) < 0.1).astype(float)
SCORES = np.clip(0.2 * LABELS + 0.8 * RNG.random((N, 2)), 0, 1)
FOLDS = (np.arange(N) % 3).astype(np.int16)
GROUPS = np.array([f"g{number // 2}" for number in range(N)])
ROWS = LabelledRows(LABELS, FOLDS, GROUPS)


@dataclass
class Recorder:
    """A rule that remembers what it was shown."""

    seen: list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.str_] | None]] = field(default_factory=list)
    drawn: list[float] = field(default_factory=list)

    def fit(
        self,
        labels: NDArray[np.float64],
        probabilities: NDArray[np.float64],
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        self.seen.append((labels, probabilities, groups))
        self.drawn.append(float(rng.random()))
        return np.full(labels.shape[1], len(self.seen) / 10)


def test_no_fold_sees_its_own_rows() -> None:
    rule = Recorder()
    fitted = cross_fit(rule, SCORES, rows=ROWS)
    assert fitted.thresholds.tolist() == [[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]]
    for fold, (labels, probabilities, groups) in enumerate(rule.seen):
        others = fold != FOLDS
        assert np.array_equal(labels, LABELS[others])
        assert np.array_equal(probabilities, SCORES[others])
        assert groups is not None
        assert np.array_equal(groups, GROUPS[others])
        assert np.array_equal(fitted.decisions[~others], SCORES[~others] >= (fold + 1) / 10)


def test_chance_depends_on_seed_and_fold_alone() -> None:
    first, again, other = Recorder(), Recorder(), Recorder()
    for rule, seed in ((first, 0), (again, 0), (other, 1)):
        cross_fit(rule, SCORES, rows=ROWS, seed=seed)
    assert first.drawn == again.drawn
    assert len({*first.drawn, *other.drawn}) == 6


def test_in_sample_is_the_more_flattering() -> None:
    rule = ExactThresholds()
    in_sample = macro_f1(LABELS, decide(SCORES, fit_on_all(rule, SCORES, rows=ROWS)))
    assert macro_f1(LABELS, cross_fit(rule, SCORES, rows=ROWS).decisions) < in_sample
    assert np.array_equal(fit_on_all(rule, SCORES, rows=ROWS), exact_thresholds(LABELS, SCORES))


def test_the_search_report_names_the_chosen_and_nothing_beats_exact() -> None:
    wishes = BlendWishes(combine="mean", thresholds="exact", trials=4)
    stack = MemberStack(("only",), logit(np.clip(SCORES, 1e-6, 1 - 1e-6))[None].astype(np.float32))
    chains = fit_folds(Chain(combination_rule("mean", metric=wishes.metric), ExactThresholds()), stack, rows=ROWS)
    probabilities = chains[0].fitted.probabilities(stack)  # a mean has nothing to fit: the same on every fold
    blended = blend_folds(chains, stack, rows=ROWS, probabilities=probabilities)
    told = macro_f1(LABELS, cross_fit(ExactThresholds(), probabilities, rows=ROWS).decisions)
    in_sample = macro_f1(LABELS, decide(probabilities, exact_thresholds(LABELS, probabilities)))
    results = try_rules(
        candidates(wishes, ["x", "y"]), blended, wishes=wishes, scores=Scores(told, in_sample, 0.0, None)
    )
    by_name = {result.name: result for result in results}
    assert list(by_name) == [*(name for name in THRESHOLD_RULES if name != "optuna"), "optuna_cold", "optuna_warm"]
    assert [result.name for result in results if result.chosen] == ["exact"]
    assert by_name["exact"].cross_fitted == told
    assert by_name["exact"].in_sample == by_name["optuna_warm"].in_sample == in_sample
    assert max(result.in_sample for result in results) == in_sample
    assert by_name["fixed"].cross_fitted == by_name["fixed"].in_sample == macro_f1(LABELS, probabilities >= 0.5)
    assert "optuna_cold" not in {one.name for one in candidates(BlendWishes(trials=0), ["x", "y"])}


def test_rules_that_a_metric_does_not_have_are_not_tried() -> None:
    names = [one.name for one in candidates(BlendWishes(Metric("sample_f1"), trials=0), ["x", "y"])]
    assert names == ["fixed", "exact", "auto"]


def test_groups_are_counted_where_there_are_any() -> None:
    labels = np.array([[1, 0], [1, 0], [1, np.nan], [0, 1]])
    groups = np.array(["p", "p", "q", "q"])
    folds = np.array([0, 0, 1, 1], np.int16)
    assert LabelledRows(labels, folds, groups).positive_groups().tolist() == [2, 1]
    assert LabelledRows(labels, folds).positive_groups().tolist() == [3, 1]
    assert (LabelledRows(labels, folds, groups).n_groups(), LabelledRows(labels, folds).n_groups()) == (2, None)


def test_one_fold_cannot_be_cross_fitted() -> None:
    with pytest.raises(FoldError, match="at least 2 folds, got 1"):
        cross_fit(ExactThresholds(), SCORES, rows=LabelledRows(LABELS, np.zeros(N, np.int16)))


def test_lengths_must_agree() -> None:
    with pytest.raises(AlignmentError, match=r"300 labelled rows need as many entries of \{'folds': 2\}"):
        LabelledRows(LABELS, FOLDS[:2])
