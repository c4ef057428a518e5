"""The scores of a blend: cross-fitted with its intervals first, then those that flatter it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ensemble.blending import Source
from ensemble.evaluation.chain import FittedChain
from ensemble.evaluation.crossfit import CrossFit
from ensemble.evaluation.intervals import population_interval, prediction_interval
from ensemble.evaluation.rows import LabelledRows
from ensemble.evaluation.wishes import BlendWishes
from ensemble.predictions import PredictionTable
from ensemble.results import Scores
from ensemble.thresholds import Decider


def blend_scores(
    source: Source,
    rows: LabelledRows,
    wishes: BlendWishes,
    *,
    chain: FittedChain,
    fitted: CrossFit,
    tables: Mapping[str, PredictionTable],
) -> Scores:
    """The metric in every way that the report gives it.

    Args:
        source: Whose holdout and test rows there are.
        rows: The N training rows.
        wishes: The metric.
        chain: Fitted on all of them.
        fitted: Decisions on each fold by chains fitted on the others.
        tables: The blend's, by split.
    """
    metric, labels = wishes.metric, rows.labels
    probabilities = tables["oof"].probabilities()
    whole = population_interval(metric, labels, fitted.decisions, groups=rows.groups)
    return Scores(
        cross_fitted=metric.score(labels, fitted.decisions),
        in_sample=metric.score(labels, chain.decider(probabilities)),
        at_half=metric.score(labels, Decider(np.full(labels.shape[1], 0.5), chain.decider.label_rules)(probabilities)),
        holdout=holdout_score(source, wishes, chain.decider, tables),
        cross_fitted_ci95=(whole.low, whole.high),
        test_interval95=_test_interval(source, rows, wishes, fitted=fitted, tables=tables),
    )


def holdout_score(
    source: Source, wishes: BlendWishes, decider: Decider, tables: Mapping[str, PredictionTable]
) -> float | None:
    """The metric on the holdout rows, which chose nothing; None without any.

    Args:
        source: Whose holdout there is.
        wishes: The metric.
        decider: Fitted on all training rows.
        tables: By split, of what is scored.
    """
    if source.holdout_labels is None or "holdout" not in tables:
        return None
    return wishes.metric.score(source.holdout_labels, decider(tables["holdout"].probabilities()))


def _test_interval(
    source: Source,
    rows: LabelledRows,
    wishes: BlendWishes,
    *,
    fitted: CrossFit,
    tables: Mapping[str, PredictionTable],
) -> tuple[float, float] | None:
    if "test" not in tables or not len(tables["test"]):
        return None
    n_groups = None if source.test_groups is None else len(np.unique(source.test_groups))
    interval = prediction_interval(
        wishes.metric,
        rows.labels,
        fitted.decisions,
        test_rows=len(tables["test"]),
        groups=rows.groups,
        test_groups=n_groups,
    )
    return interval.low, interval.high
