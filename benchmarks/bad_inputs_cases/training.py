"""Labels that a recipe's loss cannot use: refused before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bad_inputs import Case

from bad_inputs_cases._dataset import TRAIN, write_dataset

_MISSING = "id,one,two\na,1,0\nb,,1\nc,0,0\n"


def _train(folder: Path, recipe: str, flags: Sequence[str]) -> Sequence[str]:
    write_dataset(folder, {TRAIN: _MISSING})
    text = f"model: {{name: cnn2}}\ndata: {{image_size: 32, n_folds: 2}}\n{recipe}\n"
    (folder / "recipe.yaml").write_text(text, encoding="utf-8")
    return ["train", "recipe.yaml", "--fold", "0", "--data", "data", *flags]


def loss(name: str, expect: str) -> Case:
    """``train`` with this loss on labels of which one is missing."""
    return Case(f"{name} with a missing label", partial(_train, recipe=f"loss: {{name: {name}}}", flags=()), expect)


CASES = (
    *(loss(name, f"{name} compares labels with one another") for name in ("cross_entropy", "twoway", "zlpr", "db")),
    Case(
        "pos_weight for another number of classes",
        partial(_train, recipe="loss: {name: bce, pos_weight: [1, 2, 3]}", flags=()),
        "expected one number for each of the 2 classes, got 3",
    ),
)
