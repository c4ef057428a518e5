import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from ensemble.thresholds import exact_thresholds
from ensemble.thresholds.binned import MOST_SORTED, f_beta, find_rivals

N = 4 * MOST_SORTED


def rows(seed: int = 0, *, n: int = N, rate: float = 0.05) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    scores = expit(np.log(rate / (1 - rate)) + 1.5 * rng.standard_normal(n)).astype(np.float32)
    return scores, rng.random(n) < scores


def by_sorting(scores: NDArray[np.floating], positive: NDArray[np.bool_], beta: float = 1.0) -> float:
    """The definition, by one sort."""
    distinct, first = np.unique(np.sort(scores), return_index=True)
    hits = positive.sum() - np.searchsorted(np.sort(scores[positive]), distinct)
    value = (1.0 + beta**2) * hits / (len(scores) - first + beta**2 * positive.sum())
    best = len(distinct) - 1 - int(np.argmax(value[::-1]))
    return (float(distinct[best - 1]) + float(distinct[best])) / 2 if best else 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.001, 0.05, 0.4])
def test_few_of_many_cuts_are_left_to_judge(dtype: type[np.floating], rate: float) -> None:
    scores, positive = rows(rate=rate)
    rivals = find_rivals(scores.astype(dtype), positive, 1.0)
    assert 0 < len(rivals.cuts) < 0.2 * positive.sum()
    assert exact_thresholds(positive[:, None], scores[:, None].astype(dtype)).tolist() == [by_sorting(scores, positive)]


def crowded(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    return 0.5 + scores.astype(np.float64) * 1e-9


@pytest.mark.parametrize(
    ("change", "beta"),
    [
        (lambda scores: scores, 0.3),
        (lambda scores: scores, 3.0),
        (lambda scores: np.round(scores, 3), 1.0),
        (lambda scores: np.round(scores, 1), 1.0),
        (lambda scores: np.full_like(scores, 0.5), 1.0),
        (lambda scores: np.where(scores < 0.03, np.float32(0), scores), 1.0),
        (lambda scores: scores ** np.float32(25), 1.0),
        (crowded, 1.0),
        (lambda scores: 1 - scores, 1.0),
        (lambda scores: np.random.default_rng(1).permutation(scores), 1.0),
    ],
    ids=[
        "beta 0.3",
        "beta 3",
        "1,000 values",
        "10 values",
        "one value",
        "zeros",
        "tiny",
        "crowded",
        "upside down",
        "noise",
    ],
)
def test_many_rows_are_solved_as_by_sorting(change: object, beta: float) -> None:
    scores, positive = rows(1)
    scores = change(scores)  # type: ignore[operator]
    found = exact_thresholds(positive[:, None], scores[:, None], beta=beta)
    assert found.tolist() == [by_sorting(scores, positive, beta)]


def test_a_far_lower_neighbour_counts_for_the_midpoint() -> None:
    scores, positive = np.full(N, 0.125), np.zeros(N, dtype=np.bool_)
    scores[:3], positive[:3] = (0.75, 0.8, 0.9), True
    assert exact_thresholds(positive[:, None], scores[:, None]).tolist() == [(0.125 + 0.75) / 2]


def test_two_far_peaks_that_tie_give_the_higher() -> None:
    # Both ends of the ranking give F1 = 2/3: 1 of 2 positives alone, or both with 2 others.
    scores = np.concatenate([np.linspace(0.1, 0.2, N - 4), [0.9, 0.8, 0.7, 0.5]])
    positive = np.zeros(N, dtype=np.bool_)
    positive[[-4, -1]] = True
    assert exact_thresholds(positive[:, None], scores[:, None]) == pytest.approx([0.85])


def test_f_beta_of_counts() -> None:
    hits, selected = np.array([1, 2, 0]), np.array([2, 4, 1])
    assert f_beta(hits, selected, 2, 1.0) == pytest.approx([0.5, 2 / 3, 0])
    assert f_beta(hits, selected, 2, 2.0) == pytest.approx([5 / 10, 10 / 12, 0])
