import numpy as np
import pytest

from ensemble.arrays import ArrayError
from ensemble.thresholds import ALL_POSITIVE, NONE_POSITIVE, decide


def test_the_threshold_itself_is_positive() -> None:
    assert decide([[0.5], [0.49]], [0.5]).ravel().tolist() == [True, False]


def test_all_and_none() -> None:
    assert decide([[0.0, 1.0]], [ALL_POSITIVE, NONE_POSITIVE]).tolist() == [[True, False]]


def test_single_precision_is_compared_in_double() -> None:
    # As float32 both sides would be equal.
    threshold = float(np.float32(0.1)) + 1e-12
    assert not decide(np.array([[0.1]], np.float32), [threshold]).any()


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [([0.5], "expected one for each of 2 classes"), (0.5, "got shape ()"), ([0.5, np.nan], "got NaN for class 1")],
)
def test_unusable_thresholds_are_refused(thresholds: object, message: str) -> None:
    with pytest.raises(ArrayError, match=message.replace("(", r"\(").replace(")", r"\)")):
        decide([[0.1, 0.2]], thresholds)  # type: ignore[arg-type]
