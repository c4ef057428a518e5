import re

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ensemble.data.phantoms.draw import draw_phantom
from ensemble.data.phantoms.plan import SPLIT_NAMES, PhantomSize, SplitPlan, label_probabilities, plan_split
from ensemble.errors import DataError
from ensemble.oracle import oracle_macro_f1


@pytest.fixture(scope="module")
def many() -> SplitPlan:
    return plan_split("train", 6_000, seed=0)


# What is planned


def test_classes_have_the_traits_of_the_origin(many: SplitPlan) -> None:
    first, second, third = many.labels.mean(axis=0)
    assert first > second > third > 0.1
    with_third = many.labels[many.labels[:, 2]]
    assert with_third[:, :2].any(axis=1).mean() > 0.75
    assert 0.35 < (~many.labels.any(axis=1)).mean() < 0.45


def test_the_best_possible_score_leaves_room_above_a_constant_guess(many: SplitPlan) -> None:
    shares = many.labels.mean(axis=0)
    assert (2 * shares / (1 + shares)).mean() < 0.46
    assert 0.84 < oracle_macro_f1(many.labels.astype(float), many.probabilities) < 0.90


def test_labels_follow_their_probabilities(many: SplitPlan) -> None:
    for low in np.arange(0.0, 1.0, 0.2):
        chosen = (many.probabilities >= low) & (many.probabilities < low + 0.2)
        spread = 4 * np.sqrt(0.25 / chosen.sum())
        assert abs(many.labels[chosen].mean() - many.probabilities[chosen].mean()) < spread


def test_a_probability_is_a_rising_function_of_the_strength_alone(many: SplitPlan) -> None:
    np.testing.assert_array_equal(many.probabilities, label_probabilities(many.strengths))
    order = np.argsort(many.strengths, axis=None)
    assert (np.diff(many.probabilities.ravel()[order]) >= 0).all()


def test_longer_plans_begin_with_the_shorter_ones(many: SplitPlan) -> None:
    short = plan_split("train", 50, seed=0)
    for name in ("image_ids", "patients", "slices", "groups", "strengths", "labels"):
        np.testing.assert_array_equal(getattr(short, name), getattr(many, name)[:50])


def test_patients_have_one_to_six_slices_and_lie_in_one_split() -> None:
    plans = [plan_split(split, 400, seed=3) for split in SPLIT_NAMES]
    for plan in plans:
        _, counts = np.unique(plan.groups, return_counts=True)
        assert set(counts) == {1, 2, 3, 4, 5, 6}
    assert len(np.unique(np.concatenate([np.unique(plan.groups) for plan in plans]))) == sum(
        len(np.unique(plan.groups)) for plan in plans
    )


def test_ids_are_unique_over_splits_and_say_nothing_of_labels(many: SplitPlan) -> None:
    others = [plan_split(split, 2_000, seed=0).image_ids for split in SPLIT_NAMES[1:]]
    everything = np.concatenate([many.image_ids, *others])
    assert len(np.unique(everything)) == len(everything)
    assert all(re.fullmatch(r"s[0-9a-f]{8}", name) for name in everything[:100])
    ranks = np.argsort(np.argsort(many.image_ids)) / len(many)
    for column in many.labels.T:
        assert abs(ranks[column].mean() - ranks[~column].mean()) < 0.035  # four standard deviations


def test_another_seed_gives_another_dataset() -> None:
    first, second = (plan_split("train", 100, seed=seed) for seed in (0, 1))
    assert not set(first.image_ids) & set(second.image_ids)
    assert not np.array_equal(first.labels, second.labels)


@pytest.mark.parametrize("sizes", [(0, 1, 1, 64), (1, 1, 1, 16)])
def test_unusable_sizes_are_refused(sizes: tuple[int, int, int, int]) -> None:
    with pytest.raises(DataError, match="at least one image in each split and at least 32 pixels, got"):
        PhantomSize(*sizes)


# What is drawn


def drawn_with(strengths: list[float], row: int = 5) -> NDArray[np.float64]:
    """The same slice with these strengths."""
    plan = plan_split("train", 12, seed=0)
    plan.strengths[row] = strengths
    return draw_phantom(plan, row, pixels=64).astype(np.float64)


def test_a_phantom_is_a_head_on_a_dark_ground() -> None:
    image = draw_phantom(plan_split("train", 1, seed=0), 0, pixels=64)
    assert image.shape == (64, 64)
    assert image.dtype == np.uint8
    corners = np.concatenate([image[:6, :6].ravel(), image[-6:, -6:].ravel()])
    assert corners.mean() < 25
    assert image[20:44, 20:44].mean() > 70


@pytest.mark.parametrize("row", range(4))
@pytest.mark.parametrize("finding", range(3))
def test_each_finding_is_visible_and_grows_with_its_strength(finding: int, row: int) -> None:
    plain, half, full = (drawn_with([value * (index == finding) for index in range(3)], row) for value in (0, 0.5, 1))
    assert np.abs(half - plain).max() > 10.0
    assert 0.1 < np.abs(half - plain).mean() < 0.6 * np.abs(full - plain).mean()


def test_wide_ventricles_are_dark() -> None:
    change = drawn_with([0.0, 1.0, 0.0]) - drawn_with([0.0, 0.0, 0.0])
    assert (change < -30).sum() > 40 > (change > 30).sum()


def test_a_mass_is_bright() -> None:
    change = drawn_with([0.0, 0.0, 1.0]) - drawn_with([0.0, 0.0, 0.0])
    assert (change > 40).sum() > 20


def test_the_picture_does_not_know_the_labels() -> None:
    plan = plan_split("train", 4, seed=0)
    before = draw_phantom(plan, 2, pixels=64)
    plan.labels[:] = ~plan.labels
    np.testing.assert_array_equal(draw_phantom(plan, 2, pixels=64), before)


def test_slices_of_one_patient_are_more_alike_than_slices_of_two() -> None:
    plan = plan_split("train", 40, seed=0)
    plan.strengths[:] = 0.0
    images = np.stack([cv2.GaussianBlur(draw_phantom(plan, row, pixels=64), (0, 0), 2.0) for row in range(40)])
    alike = np.corrcoef(images.reshape(40, -1))
    same = (plan.patients[:, None] == plan.patients[None, :]) & ~np.eye(40, dtype=bool)
    different = plan.patients[:, None] != plan.patients[None, :]
    assert alike[same].mean() > alike[different].mean() + 0.02
