import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from ensemble.blending import Copy, find_copies, mean_of_probabilities, uniform_weights
from ensemble.errors import AlignmentError
from ensemble.predictions import PredictionTable


def table(values: list[list[float]], scale: str = "logits", ids: tuple[str, ...] = ("a", "b")) -> PredictionTable:
    return PredictionTable(np.array(ids), ("x", "y"), np.array(values, np.float32), scale)  # type: ignore[arg-type]


def test_it_is_the_weighted_mean_of_probabilities() -> None:
    one, two = table([[0.0, 1.0], [-3.0, 5.0]]), table([[2.0, -1.0], [-4.0, 9.0]])
    blend = mean_of_probabilities([one, two], np.array([0.25, 0.75]), notes={"why": "test"})
    expected = 0.25 * expit(one.values.astype(float)) + 0.75 * expit(two.values.astype(float))
    assert blend.probabilities() == pytest.approx(expected, abs=1e-7)
    assert (blend.scale, blend.notes) == ("logits", {"why": "test"})


def test_members_may_hold_probabilities_with_zeros_and_ones() -> None:
    one, two = table([[0.0, 1.0], [0.5, 0.0]], "probabilities"), table([[0.0, 1.0], [0.25, 1.0]], "probabilities")
    blend = mean_of_probabilities([one, two], uniform_weights(2)).probabilities()
    assert blend == pytest.approx(np.array([[0.0, 1.0], [0.375, 0.5]]), abs=1e-7)


def test_a_member_without_weight_has_no_say() -> None:
    one, two = table([[1.0, 2.0], [3.0, 4.0]]), table([[-9.0, 9.0], [9.0, -9.0]])
    blend = mean_of_probabilities([one, two], np.array([1.0, 0.0]))
    assert blend.values == pytest.approx(one.values, rel=1e-6)


@given(st.lists(st.floats(-60, 60, width=32), min_size=4, max_size=4), st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_copies_of_one_member_blend_to_it(values: list[float], copies: int) -> None:
    member = table([values[:2], values[2:]])
    blend = mean_of_probabilities([member] * copies, uniform_weights(copies))
    assert blend.values == pytest.approx(member.values, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(
    ("tables", "weights", "message"),
    [
        ([], [], "needs members and one weight each"),
        ([table([[0, 0], [0, 0]])], [0.5, 0.5], "one weight each"),
        ([table([[0, 0], [0, 0]])], [0.9], "sum to 1"),
        ([table([[0, 0], [0, 0]])] * 2, [1.5, -0.5], "not be negative"),
        ([table([[0, 0], [0, 0]]), table([[0, 0], [0, 0]], ids=("b", "a"))], [0.5, 0.5], "join them first"),
    ],
)
def test_other_weights_and_tables_are_refused(
    tables: list[PredictionTable], weights: list[float], message: str
) -> None:
    with pytest.raises(AlignmentError, match=message):
        mean_of_probabilities(tables, np.array(weights))


def test_copies_are_found_whole_and_in_part() -> None:
    tables = {
        "one": table([[1, 2], [3, 4]]),
        "same": table([[1, 2], [3, 4]]),
        "partly": table([[1, 9], [3, 9]]),
        "other": table([[5, 6], [7, 8]]),
    }
    assert find_copies(tables) == [
        Copy("one", "same", ("x", "y"), whole=True),
        Copy("one", "partly", ("x",), whole=False),
        Copy("same", "partly", ("x",), whole=False),
    ]
