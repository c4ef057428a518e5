"""How test rows are decided: by the final thresholds, or where a flag says so, by thresholds made of all test rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ensemble.blending import Source, fold_stacks
from ensemble.errors import DataError
from ensemble.evaluation.chain import FittedChain
from ensemble.evaluation.mean_correction import match_fold_models, match_rates
from ensemble.evaluation.wishes import BlendWishes
from ensemble.predictions import PredictionTable
from ensemble.thresholds import Decider


def flag_for_test_rows(wishes: BlendWishes) -> str | None:
    """The flag that makes decisions depend on all test rows together; None: there is none."""
    if wishes.correct_for_mean:
        return "--match-fold-models"
    return "--match-test-rate" if wishes.match_test_rate else None


def thresholds_for_test(
    source: Source, wishes: BlendWishes, *, chain: FittedChain, tables: Mapping[str, PredictionTable]
) -> NDArray[np.float64] | None:
    """The test rows' own thresholds, shape (C,); None where no flag asks for them: the final ones decide.

    Args:
        source: Members and their fold models.
        wishes: Which flag was given.
        chain: Fitted on all training rows.
        tables: The blend's, by split.

    Raises:
        DataError: The flag cannot be kept: there are no test rows or no fold models' tables, or images are decided one
            by one.
    """
    flag = flag_for_test_rows(wishes)
    if flag is None:
        return None
    if "test" not in tables:
        raise DataError(f"{flag} is about the test rows, but {source.without_test}")
    if chain.decider.expected is not None:
        raise DataError(
            f"{flag} moves thresholds, but --thresholds {wishes.thresholds} for {wishes.metric.title} decides image by "
            "image: choose another rule with --thresholds, or leave the flag out"
        )
    scores = tables["test"].probabilities()
    if wishes.match_test_rate:
        labels = source.labels
        labelled = (~np.isnan(labels)).sum(axis=0)
        rates = np.where(labelled > 0, (labels == 1).sum(axis=0) / np.maximum(labelled, 1), np.nan)
        return match_rates(chain.thresholds, rates, scores)
    return match_fold_models(chain.thresholds, fold_model_probabilities(source, chain, "test"), scores)


def decide_test_rows(decider: Decider, own: NDArray[np.float64] | None, table: PredictionTable) -> NDArray[np.bool_]:
    """Decisions on the test rows, shape (N of test, C).

    Args:
        decider: Fitted on all training rows.
        own: Shape (C,), as from ``thresholds_for_test``.
        table: The blend's, of the test rows.
    """
    return (decider if own is None else replace(decider, thresholds=own))(table.probabilities())


def fold_model_probabilities(source: Source, chain: FittedChain, split: str) -> NDArray[np.float64]:
    """What the blend of the members' fold-k models says, shape (K, N, C), float64; errors as for ``fold_stacks``."""
    return np.stack([chain.probabilities(stack) for stack in fold_stacks(source, split)])
