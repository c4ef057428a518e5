from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.special import expit

from ensemble.errors import AlignmentError, ArtefactError
from ensemble.predictions import (
    PredictionTable,
    mean_of_fold_models,
    merge_out_of_fold,
    read_predictions,
    write_predictions,
)


def table(ids: list[str], fold: int = 0, *, values: np.ndarray | None = None) -> PredictionTable:
    if values is None:
        values = np.random.default_rng(fold).normal(size=(len(ids), 2)).astype(np.float32)
    folds = np.full(len(ids), fold, dtype=np.int16)
    return PredictionTable(np.array(ids), ("a", "b"), values, folds=folds, notes={"member": "m", "fold": str(fold)})


def test_round_trip_keeps_everything(tmp_path: Path) -> None:
    written = table(["007", "NA", "x/y.png", " ü"])
    write_predictions(tmp_path / "oof.parquet", written)
    read = read_predictions(tmp_path / "oof.parquet")
    assert read.image_ids.tolist() == written.image_ids.tolist()
    assert read.class_names == written.class_names
    assert read.values.dtype == np.float32
    np.testing.assert_array_equal(read.values, written.values)
    assert read.folds is not None
    np.testing.assert_array_equal(read.folds, written.folds)
    assert (read.scale, dict(read.notes)) == ("logits", {"member": "m", "fold": "0"})


def test_written_twice_is_byte_equal(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_predictions(tmp_path / name, table(["1", "2"]))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_probabilities_are_float64() -> None:
    made = table(["1"], values=np.array([[40.0, -3.0]], dtype=np.float32))
    assert made.probabilities().dtype == np.float64
    assert made.probabilities()[0, 1] == expit(-3.0)


def test_shapes_are_checked() -> None:
    with pytest.raises(AlignmentError, match=r"expected values of shape \(1, 2\)"):
        table(["1"], values=np.zeros((2, 2), np.float32))
    with pytest.raises(AlignmentError, match="1 images but 3 fold entries"):
        PredictionTable(np.array(["1"]), ("a",), np.zeros((1, 1), np.float32), folds=np.zeros(3, np.int16))


def test_class_named_like_a_key_is_refused(tmp_path: Path) -> None:
    bad = PredictionTable(np.array(["1"]), ("fold",), np.zeros((1, 1), np.float32))
    with pytest.raises(ArtefactError, match="a class cannot be called 'fold'"):
        write_predictions(tmp_path / "x", bad)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "oof.parquet"
    with pytest.raises(ArtefactError, match="is missing"):
        read_predictions(path)
    path.write_bytes(b"PAR1 no")
    with pytest.raises(ArtefactError, match=r"cannot be read.*Write it anew"):
        read_predictions(path)
    pq.write_table(pa.table({"image_id": ["1"]}), path)
    with pytest.raises(ArtefactError, match="not written by ensemble"):
        read_predictions(path)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b'{"version": 99}', "prediction table of format version 99, written by a later release; .* up to 1. Update"),
        (b"{}", "states its format version .version: 1., got none"),
        (b"[1", "the 'ensemble' metadata is damaged"),
        (b"[1]", "the 'ensemble' metadata is damaged"),
        (b"\xff", "the 'ensemble' metadata is damaged"),
        (b'{"version": 1, "scale": "logits", "class_names": "a"}', "expected class_names to be different names"),
        (b'{"version": 1, "scale": "logits", "class_names": ["a", "a"]}', "expected class_names to be different names"),
        (b'{"version": 1, "scale": "logits", "class_names": ["a"], "notes": [1]}', "expected notes of text"),
        (b'{"version": 1, "scale": "odds"}', "scale is 'odds'"),
        (b"[" * 100_000, "the 'ensemble' metadata is damaged"),
        (b'{"version": 1, "scale": "logits", "class_names": ["image_id"]}', "a class cannot be called 'image_id'"),
        (b'{"version": 1, "scale": "logits", "class_names": ["a"]}', "damaged: it lacks the columns 'a'"),
    ],
)
def test_foreign_versions_are_refused(tmp_path: Path, head: bytes, message: str) -> None:
    path = tmp_path / "oof.parquet"
    pq.write_table(pa.table({"image_id": ["1"]}).replace_schema_metadata({b"ensemble": head}), path)
    with pytest.raises(ArtefactError, match=message):
        read_predictions(path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"a": pa.array(["0.5", "x"])}, "the column 'a' holds string"),
        ({"a": pa.array([0.5, None], pa.float32())}, "the column 'a' is empty in 1 rows"),
        ({"image_id": pa.array([1, 2])}, "the column 'image_id' holds int64"),
        ({"image_id": pa.array(["1", None])}, "the column 'image_id' is empty in 1 rows"),
        ({"fold": pa.array([0.0, 1.0])}, "the column 'fold' holds double"),
    ],
)
def test_columns_of_another_kind_are_refused(tmp_path: Path, changed: dict[str, pa.Array], message: str) -> None:
    path = tmp_path / "oof.parquet"
    sound = {"image_id": pa.array(["1", "2"]), "fold": pa.array([0, 1], pa.int16()), "a": pa.array([0.5, 1], "float32")}
    head = {b"ensemble": b'{"version": 1, "scale": "logits", "class_names": ["a"]}'}
    pq.write_table(pa.table({**sound, **changed}).replace_schema_metadata(head), path)
    with pytest.raises(ArtefactError, match=f"{path}: the prediction table is damaged: {message}"):
        read_predictions(path)
    pq.write_table(pa.table([*sound.values(), sound["a"]], names=[*sound, "a"]).replace_schema_metadata(head), path)
    with pytest.raises(ArtefactError, match="is damaged: it has more than one of the columns 'a'"):
        read_predictions(path)


def test_merge_puts_rows_in_the_wanted_order() -> None:
    first, second = table(["c", "a"], 0), table(["b"], 1)
    merged = merge_out_of_fold([first, second], np.array(["a", "b", "c"]))
    np.testing.assert_array_equal(merged.values, [first.values[1], second.values[0], first.values[0]])
    assert merged.folds is not None
    assert merged.folds.tolist() == [0, 1, 0]
    assert dict(merged.notes) == {"member": "m"}


def test_merge_names_all_problems_at_once() -> None:
    with pytest.raises(AlignmentError) as caught:
        merge_out_of_fold([table(["a", "b"], 0), table(["b", "z"], 1)], np.array(["a", "b", "c"]))
    message = str(caught.value)
    assert "1 images are in more than one fold table: 'b'" in message
    assert "1 training images have no prediction: 'c'" in message
    assert "1 predicted images are not training images: 'z'" in message


def test_merge_needs_folds_and_equal_columns() -> None:
    bare = PredictionTable(np.array(["a"]), ("a", "b"), np.zeros((1, 2), np.float32))
    with pytest.raises(AlignmentError, match="needs the fold of every row"):
        merge_out_of_fold([bare], np.array(["a"]))
    other = PredictionTable(np.array(["b"]), ("b", "a"), np.zeros((1, 2), np.float32))
    with pytest.raises(AlignmentError, match="tables differ"):
        merge_out_of_fold([bare, other], np.array(["a", "b"]))


def test_mean_is_of_probabilities_and_survives_saturation() -> None:
    logits = np.array([[[100.0, 0.0]], [[90.0, 2.0]]], dtype=np.float32)
    mean = mean_of_fold_models([table(["a"], k, values=logits[k]) for k in range(2)])
    assert mean.folds is None
    np.testing.assert_allclose(mean.probabilities()[0, 1], (0.5 + expit(2.0)) / 2, rtol=1e-7)
    # 1 - p is about (e^-100 + e^-90) / 2, far below what float64 can tell from 1.
    np.testing.assert_allclose(mean.values[0, 0], 90.0 + np.log(2.0), rtol=1e-5)


def test_mean_refuses_other_images() -> None:
    with pytest.raises(AlignmentError, match="different images"):
        mean_of_fold_models([table(["a"], 0), table(["b"], 1)])
