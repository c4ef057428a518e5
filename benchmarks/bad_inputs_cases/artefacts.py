"""Files that the package wrote, of another format version, damaged, or written by somebody else under our mark."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from bad_inputs import ROOT, Case

from bad_inputs_cases.prediction_tables import COMMAND, IDS, LABELS, csv_text

STORED = ROOT / "tests" / "data" / "v1"
LATER = "of format version 2, written by a later release"


def _run(folder: Path, change: Callable[[Path], None]) -> Sequence[str]:
    """A member's run folder with one finished fold."""
    fold = folder / "runs" / "toy" / "small" / "fold_0"
    fold.mkdir(parents=True)
    shutil.copy(STORED / "run.json", fold)
    shutil.copy(STORED / "recipe.yaml", fold.parent)
    for name in ("folds.csv", "folds.json"):
        shutil.copy(STORED / name, folder / "runs" / "toy")
    change(folder / "runs" / "toy")
    return ["train", "--verify", "runs/toy/small"]


def _rewrite(name: str, version: object) -> Callable[[Path], None]:
    def change(runs: Path) -> None:
        path = runs / name
        content = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**content, "version": version}), encoding="utf-8")

    return change


def _cut(name: str) -> Callable[[Path], None]:
    def change(runs: Path) -> None:
        content = (runs / name).read_bytes()
        (runs / name).write_bytes(content[: len(content) // 2])

    return change


def _later_recipe(runs: Path) -> None:
    path = runs / "small" / "recipe.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("version: 1", "version: 2"), encoding="utf-8")


def run(name: str, expect: str, change: Callable[[Path], None]) -> Case:
    """``train --verify`` on a finished fold of which one file was changed."""
    return Case(name, partial(_run, change=change), expect)


def _recipe(folder: Path) -> Sequence[str]:
    (folder / "recipe.yaml").write_text("model: {name: cnn2}\nversion: 2\nnews: 1\n", encoding="utf-8")
    return ["train", "recipe.yaml", "--fold", "0", "--data", "data"]


def _table(folder: Path, head: str, column: pa.Array) -> Sequence[str]:
    (folder / "oof").mkdir()
    (folder / "labels.csv").write_text(csv_text(LABELS, form="%d"), encoding="utf-8")
    arrow = pa.table({"image_id": list(IDS), "one": column, "two": column})
    pq.write_table(arrow.replace_schema_metadata({b"ensemble": head.encode()}), folder / "oof" / "ours.parquet")
    return COMMAND


def table(name: str, expect: str, head: str, column: pa.Array | None = None) -> Case:
    """A blend of a table with our mark."""
    usual = pa.array([0.5] * 40, pa.float32())
    return Case(name, partial(_table, head=head, column=usual if column is None else column), expect)


_HEAD = '{"version": 1, "scale": "logits", "class_names": ["one", "two"]}'
_RUN, _FOLDS = "small/fold_0/run.json", "folds.json"

CASES = (
    run("run.json of a later release", f"run.json {LATER}", _rewrite(_RUN, 2)),
    run("run.json without a version", "states its format version (version: 1), got none", _rewrite(_RUN, None)),
    run("half a run.json", "expected a JSON file", _cut(_RUN)),
    run("a fold file of a later release", f"fold file {LATER}", _rewrite(_FOLDS, 2)),
    run("half a fold file", "was changed after it was written", _cut("folds.csv")),
    run("a stored recipe of a later release", f"recipe {LATER}", _later_recipe),
    Case(
        "a recipe of a later release", _recipe, "recipe.yaml, line 2: recipe of format version 2, written for a later"
    ),
    table("a prediction table of a later release", f"prediction table {LATER}", '{"version": 2}'),
    table("a prediction table with damaged metadata", "the 'ensemble' metadata is damaged", "{"),
    table("a prediction table of another scale", "scale is 'odds'", _HEAD.replace("logits", "odds")),
    table("text under our mark", "the column 'one' holds string", _HEAD, pa.array(["x"] * 40)),
    table("nothing under our mark", "the column 'one' is empty in 40 rows", _HEAD, pa.array([None] * 40, pa.float32())),
)
