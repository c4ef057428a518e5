import numpy as np
import pytest

from ensemble.blending import mean_of_probabilities, uniform_weights
from ensemble.blending.leave_one_out import means_without_each
from ensemble.errors import AlignmentError
from ensemble.predictions import PredictionTable

IDS = np.array([f"i{number}" for number in range(50)])


def tables(n_members: int, *, scale: float = 3.0) -> list[PredictionTable]:
    rng = np.random.default_rng(0)
    folds = np.zeros(50, dtype=np.int16)
    return [
        PredictionTable(IDS, ("a", "b"), (scale * rng.standard_normal((50, 2))).astype(np.float32), folds=folds)
        for _ in range(n_members)
    ]


@pytest.mark.parametrize("scale", [3.0, 40.0])
@pytest.mark.parametrize("n_members", [2, 3, 7])
def test_each_is_the_mean_of_all_others(n_members: int, scale: float) -> None:
    members = tables(n_members, scale=scale)
    for left_out, found in enumerate(means_without_each(members)):
        others = [table for place, table in enumerate(members) if place != left_out]
        expected = mean_of_probabilities(others, uniform_weights(n_members - 1))
        np.testing.assert_allclose(found.values, expected.values, rtol=2e-6, atol=2e-6)
        assert found.image_ids.tolist() == IDS.tolist()
        assert found.folds is not None


def test_probabilities_and_logits_mix() -> None:
    first, second = tables(2)
    as_probabilities = PredictionTable(IDS, ("a", "b"), first.probabilities().astype(np.float32), "probabilities")
    found = means_without_each([second, as_probabilities])[0]
    np.testing.assert_allclose(found.probabilities(), first.probabilities(), atol=1e-6)


def test_certainty_stays_certain() -> None:
    values = np.array([[0.0, 1.0]], dtype=np.float32)
    sure = PredictionTable(np.array(["x"]), ("a", "b"), values, "probabilities")
    assert means_without_each([sure, sure])[0].probabilities().tolist() == [[0.0, 1.0]]
    logits = PredictionTable(np.array(["x"]), ("a", "b"), np.array([[-2000.0, 2000.0]], dtype=np.float32))
    assert means_without_each([logits, logits])[1].probabilities().tolist() == [[0.0, 1.0]]


def test_what_cannot_be_averaged_is_refused() -> None:
    (one,) = tables(1)
    with pytest.raises(AlignmentError, match="needs another one, got 1"):
        means_without_each([one])
    with pytest.raises(AlignmentError, match="tables of other images or classes"):
        means_without_each([one, PredictionTable(IDS, ("a", "c"), one.values)])
