"""What a blend's report says in sentences, the same on a terminal and on the page."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import fmean

from ensemble.metric import PER_CLASS
from ensemble.report.cells import score, signed
from ensemble.results import BlendResult, Choice, Likeness, Rows, RuleResult, Scores

ONE_MODEL_OR_K = (
    "an out-of-fold row is scored by one model, a holdout or test row by the mean of {n_folds}, which is less extreme."
)
ONE_MODEL_OR_SEVERAL = (
    "if test rows were scored by a mean of several models and training rows by one, theirs are less extreme."
)
NOTHING_BEATS_EXACT = (
    "For {metric} no search can beat exact in sample: every class is solved alone, and every cut of it is looked at."
)
NOT_THE_HIGHEST = (
    "To take the rule with the highest cross-fitted score would flatter it: of several scores the best is partly luck."
)
FEW_TEST_ROWS = (
    "the interval of the test rows lies below the cross-fitted score: on so few rows some classes may have no "
    "positive, and their F1 then counts as 0."
)
OF_FINAL_WEIGHTS = "AUROC and average precision: of the blend with its final weights, on the rows that chose them."
HOLDOUT_IS_NO_CHOOSER = "The holdout's scores are for a look, not for a choice: whoever picks by them flatters them."
CHOICE_IS_PAID_FOR = (
    "Each has thresholds of its own. The choice is made anew in every fold, and the score above pays for it: it may be "
    "lower than what stands here."
)
BY_IMAGE = (
    "Every image is decided on its own: it gets the labels with the highest expected F1. Thresholds are shown for "
    "orientation only."
)


def one_model_or_k(rows: Rows) -> str | None:
    """Why scores of training rows and of test rows differ a little; None where there are no others."""
    if not (rows.n_holdout or rows.n_test):
        return None
    return ONE_MODEL_OR_K.format(n_folds=rows.n_folds) if rows.scored_by_fold_models else ONE_MODEL_OR_SEVERAL


def other_thresholds(choice: Choice) -> str | None:
    """Why no score or interval is of the submission; None where they are."""
    flag = choice.test_thresholds_by
    return None if flag is None else f"no score or interval here is of the test rows' own thresholds ({flag})."


def few_test_rows(result: BlendResult) -> str | None:
    """Why the test rows' interval may not hold the cross-fitted score; None where it does."""
    interval = result.scores.test_interval95
    apart = interval is not None and interval[1] < result.scores.cross_fitted
    return FEW_TEST_ROWS if apart and result.choice.metric in ("macro_f1", "macro_fbeta") else None


def score_notes(result: BlendResult) -> list[str]:
    """What to know when scores and intervals are compared."""
    found = (other_thresholds(result.choice), one_model_or_k(result.rows), few_test_rows(result))
    return [said for said in found if said is not None]


def counts(rows: Rows) -> str:
    """How many rows there are."""
    joined = " (the holdout's among them)" if rows.holdout_in_folds else ""
    parts = [f"{rows.n_train:,} training rows{joined} in {rows.n_folds} folds"]
    parts += [f"{rows.n_holdout:,} holdout"] if rows.n_holdout else []
    parts += [f"{rows.n_test:,} test"] if rows.n_test else []
    return ", ".join(parts)


def groups(rows: Rows) -> str:
    """How many groups there are, and where they came from."""
    return rows.groups_source if rows.n_groups is None else f"{rows.n_groups:,} from {rows.groups_source}"


def units(rows: Rows) -> str:
    """What is independent: groups, or images."""
    return "images" if rows.n_groups is None else "groups"


def epochs_picked(result: BlendResult) -> list[str]:
    """Members whose out-of-fold scores are flattered."""
    return [member.name for member in result.members if member.epoch_picked]


def gap(scores: Scores) -> str:
    """What the in-sample score is worth."""
    difference = scores.in_sample - scores.cross_fitted
    if difference <= 0:
        return "chosen on the scored rows"
    return f"chosen on the scored rows: {score(difference)} too good"


def at_half(result: BlendResult) -> str:
    """What was chosen for the score with all thresholds at 0.5."""
    is_fixed = len(result.members) == 1 or result.choice.asked_combine in ("mean", "mean_logits", "mean_ranks")
    return "nothing chosen" if is_fixed else "nothing chosen but weights"


def intervals(result: BlendResult) -> Iterator[tuple[str, str]]:
    """The headline's intervals and what each is of."""
    scores, rows = result.scores, result.rows
    if scores.cross_fitted_ci95 is not None:
        yield _span(scores.cross_fitted_ci95), "this blend on all patients like these"
    if scores.test_interval95 is not None:
        flag = result.choice.test_thresholds_by
        whose = "the submission on your" if flag is None else f"without {flag}, on your"
        yield _span(scores.test_interval95), f"{whose} {rows.n_test:,} test rows"


def _span(ends: tuple[float, float]) -> str:
    return f"{score(ends[0])} – {score(ends[1])}"


def combined(result: BlendResult) -> str:
    """How members are combined."""
    n_members = len(result.members)
    return f"{n_members} members: {result.choice.combine_title}" if n_members > 1 else "1 member"


def combination_reason(result: BlendResult) -> str:
    """Why they are combined so, in one sentence."""
    choice = result.choice
    if len(result.members) == 1:
        return "There is one member: nothing to combine."
    if choice.asked_combine != "auto":
        return f"Members are combined as asked: {choice.combine_title} (--combine {choice.asked_combine})."
    if len(choice.tried) < 2:
        return f"Nothing could be compared on these rows, so auto keeps the {choice.combine_title}."
    first, *others = choice.tried
    best = max(others, key=lambda tried: tried.gain)
    if first.chosen:
        return (
            f"auto keeps the {first.title}: the best other, {best.title}, gains {signed(best.gain)}, not more than its "
            f"standard error of {score(best.standard_error)}."
        )
    chosen = next(tried for tried in others if tried.chosen)
    return (
        f"auto takes {chosen.title}: over the {first.title} it gains {signed(chosen.gain)}, more than its standard "
        f"error of {score(chosen.standard_error)}."
    )


def threshold_reason(choice: Choice) -> str:
    """Why the thresholds are what they are, in one sentence."""
    if choice.thresholds != "auto":
        return f"Thresholds are chosen as asked: {choice.thresholds_title} (--thresholds {choice.thresholds})."
    if choice.by_image:
        return "auto decides image by image, as sample-F1 is a mean over images; the rules' scores had no say."
    return "auto is one fixed average of rules, set before these rows were seen; the rules' scores had no say."


def rule_name(rule: RuleResult, choice: Choice) -> str:
    """The title of a threshold rule, as it is for this metric."""
    return "auto: image by image" if rule.name == "auto" and choice.metric == "sample_f1" else rule.title


def label_rules(choice: Choice) -> list[str]:
    """The rules on the labels of an image, in words."""
    words = []
    if choice.by_image:
        words.append(BY_IMAGE)
    if choice.exclusive is not None:
        side = "the side further above its threshold stays"
        words.append(f"{choice.exclusive!r} never comes with another label: {side}.")
    if choice.at_least_one:
        words.append("Every image gets a label: without any, the one nearest to its threshold.")
    return words


def search_notes(choice: Choice) -> list[str]:
    """What to make of the table of threshold rules."""
    alone = choice.metric in PER_CLASS and choice.exclusive is None and not choice.at_least_one
    return [*([NOTHING_BEATS_EXACT.format(metric=choice.metric_title)] if alone else []), NOT_THE_HIGHEST]


def most_missed(likeness: Likeness) -> list[int]:
    """Members' numbers, by how much the plain mean loses without them, the most first."""
    return sorted(range(len(likeness.absences)), key=lambda place: -likeness.absences[place].loss)


def mean_correlations(likeness: Likeness) -> list[float]:
    """Of each member's errors with those of the others; NaN where there is none."""
    found = []
    for place, row in enumerate(likeness.error_correlations):
        known = [one for other, one in enumerate(row) if other != place and not math.isnan(one)]
        found.append(fmean(known) if known else math.nan)
    return found


def mark(result: BlendResult) -> str:
    """Behind every score that a picked epoch flatters."""
    return " *" if epochs_picked(result) else ""


def decided(choice: Choice) -> str:
    """How the blend's probabilities become labels."""
    how = "image by image, by expected F1" if choice.by_image else f"thresholds: {choice.thresholds_title}"
    if choice.test_thresholds_by is None:
        return how
    return (
        f"{how}; the test rows by thresholds of their own, made of all test rows together ({choice.test_thresholds_by})"
    )


def matched(choice: Choice) -> str:
    """Whether the test rows' rates were meant to be what they are."""
    if choice.test_thresholds_by is None:
        return "Nothing was matched to the training rate."
    return f"Their thresholds were made of all test rows together ({choice.test_thresholds_by})."


def gap_story(result: BlendResult) -> str:
    """The naive score, the honest one, and what lies between them."""
    scores, metric = result.scores, result.choice.metric_title
    naive, honest = score(scores.in_sample), score(scores.cross_fitted)
    if scores.in_sample <= scores.cross_fitted:
        return (
            f"On the rows that chose everything, {metric} is {naive}; on rows that chose nothing it is {honest}: "
            "no flattery is to be seen here."
        )
    return (
        f"On the rows that chose everything, {metric} seems to be {naive}; on rows that chose nothing it is "
        f"{honest}. The gap of {score(scores.in_sample - scores.cross_fitted)} is what choosing flatters by."
    )
