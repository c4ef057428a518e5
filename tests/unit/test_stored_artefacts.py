"""One stored file of every format version must stay readable: users keep their runs."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ensemble.data.cache import open_cache
from ensemble.errors import ArtefactError
from ensemble.folds import read_folds
from ensemble.predictions import read_predictions
from ensemble.recipe import load_recipe, stored_recipe_hash
from ensemble.report.out_folder import open_out_folder
from ensemble.report.submission_place import refuse_other_work
from ensemble.run_facts import read_run
from ensemble.runs import DatasetRuns

STORED = Path(__file__).parents[1] / "data" / "v1"
IDS = ["007", "NA", "a/b.png", "ü"]


def test_prediction_table_version_1() -> None:
    table = read_predictions(STORED / "oof.parquet")
    assert table.image_ids.tolist() == IDS
    assert table.class_names == ("class1", "Pleural effusion")
    assert table.values.tolist() == [[0.5, -1.25], [3.75, 0.0], [-20.0, 88.5], [float(np.float32(1e-3)), 2.0]]
    assert table.folds is not None
    assert table.folds.tolist() == [0, 1, 1, 0]
    assert (table.scale, dict(table.notes)) == ("logits", {"member": "cnn2", "split": "oof"})


def test_fold_file_version_1() -> None:
    stored = read_folds(DatasetRuns(STORED))
    assert stored.image_ids.tolist() == IDS
    assert stored.groups is not None
    assert stored.groups.tolist() == ["p1", "p2", "p2", "p1"]
    assert stored.folds.tolist() == [0, 1, 1, 0]
    assert (stored.n_folds, stored.fold_seed, stored.source, stored.holdout_in_folds) == (2, 0, "made", False)


def test_run_and_recipe_version_1() -> None:
    run = read_run(STORED / "run.json")
    assert (run["member"], run["fold"], run["n_folds"], run["threads"]) == ("small", 0, 2, 2)
    recipe = load_recipe(STORED / "recipe.yaml")
    assert (recipe.model.name, recipe.data.image_size, recipe.training.epochs) == ("cnn2", (16, 16), 1)
    assert stored_recipe_hash(STORED / "recipe.yaml") == run["recipe"]


def test_resolved_recipes_that_stated_no_version_are_the_same_recipes() -> None:
    before = STORED / "recipe_without_version.yaml"
    assert load_recipe(before) == load_recipe(STORED / "recipe.yaml")
    assert stored_recipe_hash(before) == stored_recipe_hash(STORED / "recipe.yaml")


def test_blend_version_1_may_be_replaced_by_another_blend(tmp_path: Path) -> None:
    shutil.copy(STORED / "blend.json", tmp_path)
    (tmp_path / "report.html").write_text("ours")
    assert open_out_folder(tmp_path, inputs=[]).summary == tmp_path / "blend.json"


def test_image_caches_of_version_1_are_refused_by_name_and_made_anew() -> None:
    with pytest.raises(ArtefactError, match="image cache of version 1, this release reads 2"):
        open_cache(STORED / "cache")


def test_the_journal_of_a_search_states_its_version() -> None:
    """Optuna's own format, of which a number of ours says what the parameters mean."""
    lines = [json.loads(line) for line in (STORED / "study.journal").read_text().splitlines()]
    assert {"version": 1} in [line.get("user_attr") for line in lines]


def _json(name: str) -> Callable[[Path, object], None]:
    def write(folder: Path, version: object) -> None:
        content = json.loads((STORED / name).read_text())
        del content["version"]
        stated = {} if version is None else {"version": version}
        (folder / name).write_text(json.dumps({**content, **stated}))

    return write


def _recipe(folder: Path, version: object) -> None:
    text = (STORED / "recipe.yaml").read_text()
    (folder / "recipe.yaml").write_text(text.replace("version: 1", f"version: {json.dumps(version)}"))


READERS: dict[str, tuple[Callable[[Path, object], None], Callable[[Path], Any]]] = {
    "run.json": (_json("run.json"), lambda folder: read_run(folder / "run.json")),
    "fold file": (_json("folds.json"), lambda folder: read_folds(DatasetRuns(folder))),
    "blend.json": (_json("blend.json"), lambda folder: open_out_folder(folder, inputs=[])),
    "recipe": (_recipe, lambda folder: stored_recipe_hash(folder / "recipe.yaml")),
}


@pytest.mark.parametrize("what", READERS)
def test_what_a_later_release_wrote_or_nobody_is_refused_by_name(tmp_path: Path, what: str) -> None:
    write, read = READERS[what]
    shutil.copy(STORED / "folds.csv", tmp_path)
    write(tmp_path, 2)
    later = f"{what} of format version 2, written by a later release; this release reads up to 1. Update the package"
    with pytest.raises(ArtefactError, match=re.escape(later)):
        read(tmp_path)
    for version in (0, "1", 1.5, True, None):
        write(tmp_path, version)
        with pytest.raises(ArtefactError, match=f"expected a {what} that states its format version .* got "):
            read(tmp_path)


def test_a_submission_of_a_later_release_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "blend.csv"
    for version, message in ((2, "submission's .json of format version 2"), (None, "states its format version")):
        target.with_suffix(".json").write_text(json.dumps({"version": version}))
        target.write_text("theirs")
        with pytest.raises(ArtefactError, match=message):
            refuse_other_work(target, "toy", DatasetRuns(tmp_path / "runs" / "toy"))
        assert target.read_text() == "theirs"
