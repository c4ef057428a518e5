"""What ``fuzz.py`` makes and damages: label tables, recipes, prediction tables and images."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fuzz_parts import EDITS, READ, damaged, refused
from fuzz_recipes import recipes
from hypothesis import strategies as st

from ensemble.blending.foreign.opening import open_table
from ensemble.data.images import check_head, read_grey
from ensemble.dataset import read_dataset
from ensemble.errors import EnsembleError

_IDS = st.text("abcxyz0189_-. ßé", min_size=1, max_size=8).filter(lambda text: text == text.strip(" ."))
_FIELDS = st.sampled_from(["0", "1", "", "1.0", " 0", "True", "NaN"])


def labels(data: st.DataObject, folder: Path) -> str:
    """A label table in some dialect of CSV."""
    ids = data.draw(st.lists(_IDS, min_size=1, max_size=5, unique_by=str.casefold))
    names = data.draw(st.lists(st.sampled_from(["one", "two", "3", "ö", "a b"]), min_size=1, max_size=3, unique=True))
    values = data.draw(
        st.lists(
            st.lists(
                st.sampled_from(["0", "1", "", "1.0", " 0", "True", "NaN"]), min_size=len(names), max_size=len(names)
            ),
            min_size=len(ids),
            max_size=len(ids),
        )
    )
    stream = io.StringIO()
    quoting = data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    end = data.draw(st.sampled_from(["\n", "\r\n", "\n\n"]))
    writer = csv.writer(stream, delimiter=data.draw(st.sampled_from(",;\t")), quoting=quoting, lineterminator=end)
    writer.writerows([["id", *names], *([name, *row] for name, row in zip(ids, values, strict=True))])
    content = (data.draw(st.sampled_from(["", "\ufeff"])) + stream.getvalue()).encode()
    edits = data.draw(EDITS)
    (folder / "train_labels.csv").write_bytes(damaged(content, edits))
    try:
        dataset = read_dataset(folder, images=False)
    except EnsembleError as error:
        # Sound tables may be refused for what they say, never for how they are written.
        stems = [name.rpartition(".")[0] if name.endswith((".png", ".npy")) else name for name in ids]
        empty = all(value in ("", "NaN") for row in values for value in row)
        assert edits or empty or len(set(stems)) < len(ids) or not all(map(_fit, ids)), content
        return refused(error)
    found = dataset.train.labels
    assert found is not None
    assert found.shape == (len(dataset.train), len(dataset.class_names))
    assert bool(np.isin(found[~np.isnan(found)], (0.0, 1.0)).all())
    assert len(set(dataset.train.image_ids.tolist())) == len(dataset.train)
    if not edits:
        meaning = {"": np.nan, "NaN": np.nan, "True": 1.0}
        expected = [[meaning[v] if v in meaning else float(v) for v in row] for row in values]
        assert dataset.train.image_ids.tolist() == ids
        np.testing.assert_array_equal(found, np.array(expected))
    return READ


def _fit(image_id: str) -> bool:
    return not set(image_id) <= set(".")


def tables(data: st.DataObject, folder: Path) -> str:
    """A prediction table as CSV, Parquet or NPZ."""
    ids = data.draw(st.lists(_IDS, min_size=1, max_size=5, unique=True))
    row = st.lists(st.floats(0, 1, width=32), min_size=2, max_size=2)
    values = np.array(data.draw(st.lists(row, min_size=len(ids), max_size=len(ids))))
    kind = data.draw(st.sampled_from(["csv", "parquet", "npz"]))
    stream = io.BytesIO()
    if kind == "csv":
        lines = [f'"{name}",' + ",".join(map(repr, row.tolist())) for name, row in zip(ids, values, strict=True)]
        stream.write("\n".join(["id,one,two", *lines, ""]).encode())
    elif kind == "parquet":
        pq.write_table(pa.table({"id": ids, "one": values[:, 0], "two": values[:, 1]}), stream)
    else:
        np.savez(stream, id=np.array(ids), class_names=np.array(["one", "two"]), probabilities=values)
    edits = data.draw(EDITS)
    path = folder / f"member.{kind}"
    path.write_bytes(damaged(stream.getvalue(), edits))
    try:
        table = open_table(path)
        found_ids, found = table.load(table.columns)
    except EnsembleError as error:
        assert edits, (kind, ids)
        return refused(error)
    finally:
        path.unlink()
    assert found.dtype == np.float64
    assert len(found_ids) == len(found)
    if not edits:
        assert found_ids.tolist() == ids
        np.testing.assert_array_equal(found, values)
    return READ


def images(data: st.DataObject, folder: Path) -> str:
    """A small picture in some format."""
    height, width = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    deep = data.draw(st.booleans())
    kind = data.draw(st.sampled_from([".png", ".tif", ".bmp", ".jpg", ".webp", ".npy"]))
    dtype = np.uint16 if deep and kind in (".png", ".tif", ".npy") else np.uint8
    pixels = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, np.iinfo(dtype).max, (height, width))
    pixels = pixels.astype(dtype)
    if kind == ".npy":
        stream = io.BytesIO()
        np.save(stream, pixels)
        content = stream.getvalue()
    else:
        content = bytes(cv2.imencode(kind, pixels)[1])
    edits = data.draw(EDITS)
    path = folder / f"a{kind}"
    path.write_bytes(damaged(content, edits))
    try:
        check_head(path)
        found = read_grey(path)
    except EnsembleError as error:
        assert edits, (kind, pixels)
        return refused(error)
    finally:
        path.unlink()
    assert found.ndim == 2
    assert found.dtype in (np.uint8, np.uint16)
    assert found.size
    if not edits and kind not in (".jpg", ".webp"):
        np.testing.assert_array_equal(found, pixels)
    return READ


SUBJECTS: dict[str, Callable[[st.DataObject, Path], str]] = {
    "labels": labels,
    "recipes": recipes,
    "tables": tables,
    "images": images,
}
