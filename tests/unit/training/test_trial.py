"""How a trial of a search reports its epochs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ensemble.recipe import ModelSettings, Recipe, TrainingSettings
from ensemble.search.trials import Pruned
from ensemble.training.trial import _Reporter, _without_tables


def test_a_trial_that_is_through_is_not_pruned() -> None:
    told = []

    def report(epoch: int, score: float) -> None:
        told.append((epoch, score))
        raise Pruned

    reporter = _Reporter(report, epochs=2)
    rows = [SimpleNamespace(epoch=epoch, fold_macro_average_precision=0.5) for epoch in (1, 2)]
    with pytest.raises(Pruned):
        reporter.epoch_done(rows[0])  # type: ignore[arg-type]
    reporter.epoch_done(rows[1])  # type: ignore[arg-type]
    assert told == [(1, 0.5), (2, 0.5)]


def test_a_trial_is_not_predicted_mirrored_for_tables_that_nobody_reads() -> None:
    recipe = Recipe(
        model=ModelSettings(name="cnn2"), training=TrainingSettings(tta="hflip", score_epochs="last", epochs=3)
    )
    trained = _without_tables(recipe)
    assert trained == recipe.model_copy(update={"training": TrainingSettings(epochs=3)})
