"""Prediction tables: the one door between the wing that makes logits and the wing that makes decisions.

On disk a table is a Parquet file: ``image_id`` (text), ``fold`` (where rows have one), one float32 column a class,
and in the file's metadata the format version, the ``scale`` of the numbers and the class names. Writing the same
table twice gives the same bytes: nothing of time, host or path is stored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ensemble.errors import AlignmentError, ArtefactError, first_few
from ensemble.files import atomic_write
from ensemble.parquet_files import opened_parquet, texts_of
from ensemble.prediction_checks import column_problems, head_of

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT_VERSION = 1
_KEY = b"ensemble"
_RESERVED = ("image_id", "fold")

Scale = Literal["logits", "probabilities"]
SCALES: tuple[Scale, ...] = ("probabilities", "logits")


@dataclass(frozen=True, eq=False)
class PredictionTable:
    """What one member (or one fold model, or a blend) says of N images.

    Attributes:
        image_ids: Shape (N,), text, unique.
        class_names: C names, the order of the columns.
        values: Shape (N, C), float32, on ``scale``.
        scale: ``"logits"`` or ``"probabilities"``.
        folds: Shape (N,), the fold whose model scored the row; None where a row has no single fold.
        notes: Text to keep with the numbers, e.g. ``{"member": "vgg14", "folds_sha256": "..."}``.
    """

    image_ids: NDArray[np.str_]
    class_names: tuple[str, ...]
    values: NDArray[np.float32]
    scale: Scale = "logits"
    folds: NDArray[np.int16] | None = None
    notes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        expected = (len(self.image_ids), len(self.class_names))
        if self.values.shape != expected:
            raise AlignmentError(
                f"prediction table: expected values of shape {expected} (images, classes), got {self.values.shape}"
            )
        if self.folds is not None and len(self.folds) != len(self.image_ids):
            raise AlignmentError(f"prediction table: {len(self.image_ids)} images but {len(self.folds)} fold entries")

    def __len__(self) -> int:
        return len(self.image_ids)

    def probabilities(self) -> NDArray[np.float64]:
        """Shape (N, C), float64 in [0, 1]; the sigmoid is taken in float64."""
        values = self.values.astype(np.float64)
        return expit(values) if self.scale == "logits" else values

    def rows(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> PredictionTable:
        """The table of the chosen rows, in the order of ``index``."""
        folds = None if self.folds is None else self.folds[index]
        return PredictionTable(
            self.image_ids[index], self.class_names, self.values[index], self.scale, folds, self.notes
        )


def write_predictions(path: Path, table: PredictionTable) -> None:
    """Write ``table`` as Parquet, atomically and deterministically.

    Raises:
        ArtefactError: A class is called ``image_id`` or ``fold``.
    """
    import pyarrow as pa  # noqa: PLC0415 - costs 0.1 s, needed only when tables are touched
    import pyarrow.parquet as pq  # noqa: PLC0415

    if clashes := sorted(set(table.class_names) & set(_RESERVED)):
        raise ArtefactError(f"{path}: a class cannot be called {first_few(clashes)}: rename the label column")
    columns: dict[str, Any] = {"image_id": pa.array(table.image_ids.tolist(), pa.string())}
    if table.folds is not None:
        columns["fold"] = pa.array(table.folds, pa.int16())
    for index, name in enumerate(table.class_names):
        columns[name] = pa.array(np.ascontiguousarray(table.values[:, index], np.float32), pa.float32())
    head = {
        "version": FORMAT_VERSION,
        "scale": table.scale,
        "class_names": list(table.class_names),
        "notes": dict(sorted(table.notes.items())),
    }
    arrow = pa.table(columns).replace_schema_metadata({_KEY: json.dumps(head).encode()})
    with atomic_write(path) as stream:
        pq.write_table(arrow, stream, compression="zstd", store_schema=True)


def read_predictions(path: Path) -> PredictionTable:
    """Read a table that ``write_predictions`` wrote.

    Raises:
        ArtefactError: Missing, damaged, foreign, or of a version that this release does not know.
        DataError: It would fill memory.
    """
    import pyarrow as pa  # noqa: PLC0415

    try:
        with opened_parquet(path) as file:
            schema = file.schema_arrow
            head = head_of(path, (schema.metadata or {}).get(_KEY), reads=FORMAT_VERSION, scales=SCALES)
            class_names = tuple(head["class_names"])
            _refuse_damaged(path, schema.empty_table(), class_names)  # before columns of another kind are read
            wanted = {*_RESERVED, *class_names}
            arrow = file.read([name for name in schema.names if name in wanted])
    except FileNotFoundError as error:
        raise ArtefactError(f"{path}: the prediction table is missing") from error
    except (pa.ArrowException, OSError) as error:
        raise ArtefactError(
            f"{path}: expected a Parquet prediction table, but it cannot be read ({error}). "
            "Write it anew: the command that trained the member does (a fold's own table: with --overwrite)"
        ) from error
    _refuse_damaged(path, arrow, class_names)
    values = [arrow.column(name).to_numpy() for name in class_names]
    return PredictionTable(
        image_ids=texts_of(arrow.column("image_id"), where=f"{path}, column 'image_id'"),
        class_names=class_names,
        values=np.stack(values, axis=1).astype(np.float32, copy=False),
        scale=head["scale"],
        folds=arrow.column("fold").to_numpy().astype(np.int16) if "fold" in arrow.column_names else None,
        notes=head.get("notes", {}),
    )


def is_ours(metadata: Mapping[bytes, bytes] | None) -> bool:
    """Whether a Parquet file with this metadata was written by ``write_predictions``, of whichever version."""
    return _KEY in (metadata or {})


def _refuse_damaged(path: Path, arrow: pa.Table, class_names: Sequence[str]) -> None:
    if problems := column_problems(arrow, class_names):
        raise ArtefactError.gather(f"{path}: the prediction table is damaged", problems)


def merge_out_of_fold(tables: Sequence[PredictionTable], image_ids: NDArray[np.str_]) -> PredictionTable:
    """One row for every training image, from the tables of all folds.

    Args:
        tables: One table a fold, each with ``folds`` set.
        image_ids: Shape (N,), the training images; the result has this order.

    Raises:
        AlignmentError: An image is missing, foreign or there twice, or the tables differ in classes or scale.
    """
    _same_columns(tables)
    found = np.concatenate([table.image_ids for table in tables])
    unique, counts = np.unique(found, return_counts=True)
    problems = []
    if len(double := unique[counts > 1]):
        problems.append(f"{len(double)} images are in more than one fold table: {first_few(double)}")
    if len(missing := np.setdiff1d(image_ids, unique)):
        problems.append(f"{len(missing)} training images have no prediction: {first_few(missing)}")
    if len(foreign := np.setdiff1d(unique, image_ids)):
        problems.append(f"{len(foreign)} predicted images are not training images: {first_few(foreign)}")
    if problems:
        raise AlignmentError.gather("the fold tables do not make one out-of-fold table", problems)
    values = np.concatenate([table.values for table in tables])
    folds = np.concatenate([_folds_of(table) for table in tables])
    order = np.argsort(found, kind="stable")[np.searchsorted(unique, image_ids)]
    return PredictionTable(
        found[order],
        tables[0].class_names,
        values[order],
        tables[0].scale,
        folds[order],
        _shared_notes(tables),
    )


def mean_of_fold_models(tables: Sequence[PredictionTable]) -> PredictionTable:
    """The mean of the fold models' probabilities, kept as float32 logits.

    ``logit(mean sigmoid z)`` is computed as a difference of two log-means, so that it stays exact where
    probabilities round to 0 or 1.

    Args:
        tables: K tables of logits over the same images in the same order.

    Raises:
        AlignmentError: The tables differ in images, classes or scale.
    """
    _same_columns(tables)
    for table in tables[1:]:
        if not np.array_equal(table.image_ids, tables[0].image_ids):
            raise AlignmentError("the fold models' tables hold different images or another order of them")
    logits = np.stack([table.values.astype(np.float64) for table in tables])
    log_mean = np.logaddexp.reduce(-np.logaddexp(0.0, -logits), axis=0)
    log_mean_of_rest = np.logaddexp.reduce(-np.logaddexp(0.0, logits), axis=0)
    values = (log_mean - log_mean_of_rest).astype(np.float32)
    return PredictionTable(tables[0].image_ids, tables[0].class_names, values, notes=_shared_notes(tables))


def _same_columns(tables: Sequence[PredictionTable]) -> None:
    first = tables[0]
    for table in tables[1:]:
        if table.class_names != first.class_names or table.scale != first.scale:
            raise AlignmentError(
                f"tables differ: expected classes {list(first.class_names)} as {first.scale}, "
                f"got {list(table.class_names)} as {table.scale}"
            )


def _folds_of(table: PredictionTable) -> NDArray[np.int16]:
    if table.folds is None:
        raise AlignmentError("an out-of-fold table needs the fold of every row, and this one has none")
    return table.folds


def _shared_notes(tables: Sequence[PredictionTable]) -> dict[str, str]:
    """The notes on which all tables agree, and any word of a search for settings: one fold's flatters the whole."""
    shared = dict(tables[0].notes)
    for table in tables[1:]:
        shared = {key: text for key, text in shared.items() if table.notes.get(key) == text}
    searched = [table.notes["searched"] for table in tables if "searched" in table.notes]
    return {**shared, "searched": searched[0]} if searched else shared
