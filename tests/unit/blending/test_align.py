import numpy as np
import pytest

from ensemble.blending import join_members
from ensemble.errors import AlignmentError
from ensemble.predictions import PredictionTable

IDS = np.array(["c", "a", "b"])
FOLDS = np.array([0, 1, 0], np.int16)
CLASSES = ("x", "y")
HASH = "f" * 64


def table(
    ids: tuple[str, ...] = ("a", "b", "c"),
    classes: tuple[str, ...] = ("y", "x"),
    folds: tuple[int, ...] | None = (1, 0, 0),
    notes: dict[str, str] | None = None,
    scale: str = "logits",
) -> PredictionTable:
    """Value of a cell: 10 × the row's number by id + the class's number."""
    values = [[10 * "abc".find(i) + "xy".find(name) for name in classes] for i in ids]
    own = {"folds_sha256": HASH} if notes is None else notes
    numbers = None if folds is None else np.array(folds, np.int16)
    return PredictionTable(np.array(ids), classes, np.array(values, np.float32), scale, numbers, own)  # type: ignore[arg-type]


def join(*tables: PredictionTable) -> dict[str, PredictionTable]:
    named = {f"m{number}": one for number, one in enumerate(tables)}
    return join_members(named, image_ids=IDS, class_names=CLASSES, folds=FOLDS, folds_sha256=HASH)


def test_rows_and_columns_are_joined_by_name() -> None:
    joined = join(table(), table(("b", "c", "a"), ("x", "y"), (0, 0, 1)))
    for one in joined.values():
        assert one.image_ids.tolist() == ["c", "a", "b"]
        assert one.class_names == CLASSES
        assert one.values.tolist() == [[20, 21], [0, 1], [10, 11]]
        assert one.folds is not None
        assert one.folds.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (table(("a", "b"), folds=(1, 0)), "'m1': 1 of 3 images have no prediction: 'c'"),
        (table(("a", "b", "c", "z"), folds=(1, 0, 0, 0)), "'m1': 1 predicted images are not in the dataset: 'z'"),
        (table(("a", "b", "c", "a"), folds=(1, 0, 0, 1)), "'m1': 1 images are there more than once: 'a'"),
        (table(classes=("x", "z")), r"'m1': expected the classes \['x', 'y'\], got \['x', 'z'\]"),
        (table(classes=("x",)), r"'m1': expected the classes \['x', 'y'\], got \['x'\]"),
        (
            table(notes={"folds_sha256": "0" * 64}),
            "'m1': it was trained on other folds .expected sha256 fff.* got 000",
        ),
        (table(notes={}), "'m1': it was trained on other folds .* got an unknown"),
        (table(folds=(0, 0, 0)), "'m1': 1 rows were scored by the model of another fold.*: 'a'"),
        (table(folds=None), "'m1': its out-of-fold table does not say which fold's model"),
        (table(scale="probabilities"), "'m1': 2 rows hold probabilities that are not usable.*: 'b', 'c'"),
    ],
)
def test_what_does_not_belong_is_refused_by_name(wrong: PredictionTable, message: str) -> None:
    with pytest.raises(AlignmentError, match=message) as caught:
        join(table(), wrong)
    assert "'m0'" not in str(caught.value)


def test_numbers_that_are_none_are_refused() -> None:
    broken = table()
    broken.values[1, 0] = np.nan
    with pytest.raises(AlignmentError, match="'m0': 1 rows hold logits that are not usable numbers: 'b'"):
        join(broken)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(AlignmentError, match="2 problems") as caught:
        join(table(notes={}, classes=("x", "z")))
    assert "1. member 'm0'" in str(caught.value)
