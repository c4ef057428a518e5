"""The slice that early stopping watches: near the asked share, or refused in the words of the recipe."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ensemble.errors import RecipeError
from ensemble.training.inner import SHARE_TOLERANCE, Parts, inner_slice, plan_parts

N = 400


def watched(fraction: float, groups: NDArray[np.str_] | None = None) -> NDArray[np.bool_]:
    labels = (np.random.default_rng(0).random((N, 2)) < [0.4, 0.2]).astype(np.float64)
    training = np.arange(N) >= N // 5
    inner = inner_slice(labels, groups, training, fraction=fraction, seed=3)
    assert not inner[~training].any()
    return inner[training]


@pytest.mark.parametrize("fraction", [0.01, 0.05, 0.1, 0.15, 0.2, 0.3, 0.33, 0.4, 0.45, 0.5])
def test_the_share_of_images_is_the_asked_one(fraction: float) -> None:
    assert watched(fraction).mean() == pytest.approx(fraction, abs=0.01)


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.4])
def test_the_share_of_unequal_groups_is_close_and_no_group_is_on_both_sides(fraction: float) -> None:
    sizes = np.random.default_rng(1).integers(1, 30, size=200)
    groups = np.repeat([f"p{number}" for number in range(200)], sizes)[:N]
    inner = watched(fraction, groups)
    assert inner.mean() == pytest.approx(fraction, rel=SHARE_TOLERANCE)
    kept = groups[N // 5 :]
    assert not set(kept[inner]) & set(kept[~inner])


def test_a_slice_with_labels_is_watched_where_few_rows_have_some() -> None:
    training = np.ones(N, dtype=np.bool_)
    for labelled in range(0, N, 37):
        labels = np.full((N, 2), np.nan)
        labels[labelled] = 1.0
        inner = inner_slice(labels, None, training, fraction=0.1, seed=3)
        assert inner[labelled]
        assert inner.mean() == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize(
    ("fraction", "n_units", "parts"),
    [
        (0.1, 10_000, Parts(1, 10)),
        (0.1, 9, Parts(1, 9)),
        (0.4, 100, Parts(2, 5)),
        (0.4, 3, Parts(1, 3)),
        (0.5, 2, Parts(1, 2)),
        (0.01, 100, Parts(1, 100)),
    ],
)
def test_the_fewest_parts_that_come_near(fraction: float, n_units: int, parts: Parts) -> None:
    assert plan_parts(fraction, n_units, unit="group", where="outside fold 0") == parts


@pytest.mark.parametrize(
    ("fraction", "n_units", "said"),
    [
        (0.1, 3, "outside fold 1 there are only 3 groups, .*: the least share is 1/3. Set it to 0.34"),
        (0.1, 7, "only 7 groups, .* Set it to 0.15 or more, or leave training.early_stopping out"),
        (0.5, 1, "there is only 1 group, .* leave training.early_stopping out"),
    ],
)
def test_too_few_groups_are_refused_with_a_share_that_works(fraction: float, n_units: int, said: str) -> None:
    with pytest.raises(RecipeError, match=rf"training\.early_stopping\.inner_fraction is {fraction}, .*{said}"):
        plan_parts(fraction, n_units, unit="group", where="outside fold 1")


@pytest.mark.parametrize("n_units", range(2, 60))
def test_the_share_that_is_named_works(n_units: int) -> None:
    with pytest.raises(RecipeError, match="Set it to") as caught:
        plan_parts(0.001, n_units, unit="group", where="outside fold 1")
    named = float(str(caught.value).split("Set it to ")[1].split()[0])
    assert plan_parts(named, n_units, unit="group", where="outside fold 1").share <= 0.5
