"""A fold that is killed anywhere ends at the same bytes, with everything switched on that changes between epochs."""

from __future__ import annotations

import math
import pkgutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ensemble.data.loaders import ImageRows
from ensemble.errors import OutOfMemory
from ensemble.files import locked
from ensemble.models import build_model
from ensemble.recipe import Recipe, TrainingSettings
from ensemble.recipe.training import EarlyStopping
from ensemble.report.progress import describe_epoch
from ensemble.runs import FoldPaths
from ensemble.training.build import build_state
from ensemble.training.checkpoint import read_checkpoint, write_weights
from ensemble.training.fit import fit_fold
from ensemble.training.job import FoldData, FoldJob, FoldOutcome, Hardware, Pacing
from ensemble.training.precision import choose_precision

CPU = torch.device("cpu")
FACTS: dict[str, str | int] = {"fold": 0, "recipe": "r"}
NETWORK = "test_resnet"  # the smallest of timm with batch normalisation
N, SIDE, BATCHES = 20, 32, 5  # batches of four in each of the four epochs
ALL_AT_ONCE = {
    "epochs": 4,
    "batch_size": 4,
    "accumulation_steps": 2,
    "ema_decay": 0.9,
    "clip_norm": 1.0,
    "early_stopping": {"patience_epochs": 4, "inner_fraction": 0.2},
    "progressive": [{"until": 0.5, "size": 0.5}],
    "freeze_backbone_epochs": 2,
}


class Killed(BaseException):
    """Stands for a process that is gone: nobody handles it."""


def rows(n: int, seed: int) -> ImageRows:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, SIDE, SIDE), dtype=np.uint8)
    cache = SimpleNamespace(images=images, gather=images.__getitem__)
    labels = (images[:, :2, 0] > 127).astype(np.float32)
    return ImageRows(cache, np.arange(n, dtype=np.int64), labels)  # type: ignore[arg-type]


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    torch.manual_seed(5)
    weights = tmp_path / "weights.safetensors"
    write_weights(weights, build_model(NETWORK, num_classes=2, image_size=(SIDE, SIDE)))
    facts: dict[str, Any] = {
        "data": {"image_size": [SIDE, SIDE]},
        "augment": ({"HorizontalFlip": {"p": 0.5}},),
        "model": {"name": NETWORK, "pretrained": weights, "args": {"drop_rate": 0.3}},
        "optimizer": {"name": "adamw", "lr": 1e-3},
        "schedule": {"name": "cosine", "warmup_epochs": 0.5},
        "training": ALL_AT_ONCE,
    }
    return Recipe.model_validate(facts, strict=False)


def train(recipe: Recipe, folder: Path, at_batch: Callable[[], None] = lambda: None) -> FoldOutcome:
    """Like a process that starts, and goes on from what lies in ``folder``."""
    folder.mkdir(exist_ok=True)
    nothing = dict.fromkeys(
        ("fold_started", "epoch_done", "weights_kept", "predicting", "predicted"), lambda *_args, **_more: None
    )
    observer = SimpleNamespace(**nothing, batch_done=lambda _images, _loss: at_batch())
    torch.manual_seed(int.from_bytes(folder.name.encode(), "little") % 1000)  # another process has another state
    paths = FoldPaths(folder)
    hardware = Hardware(CPU, choose_precision("float32", CPU), workers=0, threads=torch.get_num_threads())
    data = FoldData(rows(N, 0), rows(6, 1), {"oof": rows(7, 2), "test": rows(5, 3)})
    with locked(paths.lock) as lock:
        checkpoint = read_checkpoint(paths.checkpoint, FACTS)
        job = FoldJob(paths, lock, hardware, FACTS, Pacing(checkpoint_seconds=0), checkpoint)
        return fit_fold(recipe, data, job, observer)  # type: ignore[arg-type]


def killed_at(number: int) -> Callable[[], None]:
    left = [number]

    def count() -> None:
        left[0] -= 1
        if not left[0]:
            raise Killed

    return count


def test_small_images_a_frozen_backbone_an_average_and_early_stopping(recipe: Recipe, tmp_path: Path) -> None:
    whole = train(recipe, tmp_path / "whole")
    # Within the first epoch, frozen and small; in the first that is neither; and in the last.
    for places in ([3, 2 * BATCHES + 2, 5],):
        folder = tmp_path / f"killed_{places[0]}_{len(places)}"
        for batches in places:
            with pytest.raises(Killed):
                train(recipe, folder, killed_at(batches))
        found = train(recipe, folder)
        assert found.start.epoch or found.start.images
        for split, logits in whole.logits.items():
            assert found.logits[split].tobytes() == logits.tobytes(), (places, split)
        weights = [(one / "model.safetensors").read_bytes() for one in (folder, tmp_path / "whole")]
        assert weights[0] == weights[1], places
        assert found.chosen_epoch == whole.chosen_epoch
        losses = [[(row.train_loss, row.fold_loss, row.inner_loss) for row in one.rows] for one in (found, whole)]
        assert losses[0] == losses[1]


def test_each_size_of_images_is_a_part_of_the_schedule(recipe: Recipe) -> None:
    hardware = Hardware(CPU, choose_precision("float32", CPU), workers=0, threads=1)
    state, _ = build_state(recipe, hardware, n_classes=2, n_batches=BATCHES)  # two batches an update, so three an epoch
    assert state.schedule.parts == (0, 6, 12)


def test_what_stood_still_to_the_end_counts_as_trainable(recipe: Recipe, tmp_path: Path) -> None:
    training = TrainingSettings(epochs=1, batch_size=4, freeze_backbone_epochs=1)
    found = train(recipe.model_copy(update={"training": training}), tmp_path / "frozen")
    model = build_model(NETWORK, num_classes=2, image_size=(SIDE, SIDE))
    assert found.network.parameters == sum(weight.numel() for weight in model.parameters())


def test_rows_without_any_label_have_no_loss(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unlabelled(n: int, seed: int) -> ImageRows:
        found = original(n, seed)
        return found if n == N else replace(found, labels=np.full_like(found.labels, np.nan))

    original = rows
    monkeypatch.setitem(globals(), "rows", unlabelled)
    training = TrainingSettings(epochs=2, batch_size=4, early_stopping=EarlyStopping(patience_epochs=2))
    found = train(recipe.model_copy(update={"training": training}), tmp_path / "unlabelled")
    assert [(math.isnan(row.fold_loss), math.isnan(row.inner_loss)) for row in found.rows] == [(True, True)] * 2
    assert found.chosen_epoch == 2


def test_epochs_that_are_not_scored_change_no_table(recipe: Recipe, tmp_path: Path) -> None:
    ends = {}
    for which in ("all", "last"):
        training = TrainingSettings(epochs=3, batch_size=4, score_epochs=which)  # type: ignore[arg-type]
        ends[which] = train(recipe.model_copy(update={"training": training}), tmp_path / which)
    for split, logits in ends["all"].logits.items():
        assert ends["last"].logits[split].tobytes() == logits.tobytes()
    assert [math.isnan(row.fold_loss) for row in ends["last"].rows] == [True, True, False]
    assert ends["last"].rows[-1].fold_loss == ends["all"].rows[-1].fold_loss
    metrics = (tmp_path / "last" / "metrics.csv").read_text().splitlines()
    assert metrics[1].split(",")[3:6] == ["", "", ""]
    assert "  not scored  " in describe_epoch(ends["last"].rows[0], 3)
    assert "fold loss" in describe_epoch(ends["last"].rows[2], 3)


SHORT = "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 7.79 GiB."


@pytest.mark.parametrize(
    ("where", "calls", "doing"),
    [
        ("fit.build_state", 0, "while the network was made"),
        ("checkpoint.Checkpoint.restore", 0, "at the start"),
        ("engine._forward_loss", 1, "in epoch 1 of 4, batch 4 of 5"),
        ("engine.batch_logits", 1, "while images were predicted, 8 at once"),
        ("checkpoint._state_of", 0, "while a checkpoint was written"),
    ],
)
def test_memory_that_runs_out_is_one_error_that_says_when_and_what_takes_it(
    where: str, calls: int, doing: str, *, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Killed):
        train(recipe, tmp_path / "fold_0", killed_at(3))
    place, _, name = f"ensemble.training.{where}".rpartition(".")
    original, done = pkgutil.resolve_name(f"{place}.{name}"), []

    def short(*args: object, **more: object) -> object:
        done.append(args)
        if len(done) > calls:
            raise torch.OutOfMemoryError(SHORT)
        return original(*args, **more)

    monkeypatch.setattr(f"{place}.{name}", short)
    with pytest.raises(OutOfMemory) as caught:
        train(recipe, tmp_path / "fold_0")
    assert str(caught.value) == (
        f"memory ran out {doing} ({SHORT[:-1]}). Training takes memory for training.batch_size (4), data.image_size "
        f"(32 × 32) and the network ({NETWORK}): try training.batch_size=2 with training.accumulation_steps=4 (as many "
        "images an update), smaller images or a smaller network"
    )
    assert (tmp_path / "fold_0" / "checkpoint.pt").exists()
