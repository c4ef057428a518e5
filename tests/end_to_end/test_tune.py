"""A search on a small phantom dataset: never the held-out fold, and a recipe that training takes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from ensemble import demo, tune
from ensemble.errors import ArtefactError, FoldError, RecipeError, Unfinished, WorkerDied
from ensemble.recipe import load_recipe
from ensemble.training import engine, trial
from ensemble.training.job import FoldData
from ensemble.training.trial import TrialRows

RECIPE = """data:      {image_size: 32, n_folds: 2}
model:     {name: cnn2}
training:  {epochs: 2, batch_size: 16}
precision: float32
"""
SPACE = "optimizer.lr: {low: 1e-4, high: 1e-2, log: true}\ntraining.ema_decay: [null, 0.9]\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    assert demo.main([str(folder / "phantoms"), "--images", "60"]) == 0
    (folder / "phantoms" / "dataset.yaml").unlink()
    (folder / "small.yaml").write_text(RECIPE)
    (folder / "space.yaml").write_text(SPACE)
    return folder


def run(world: Path, *flags: str) -> int:
    where = ["--data", str(world / "phantoms"), "--runs", str(world / "runs"), "--device", "cpu"]
    return tune.main([str(world / "small.yaml"), "--space", str(world / "space.yaml"), *where, *flags])


def assert_repeated(folder: Path) -> None:
    """The first trial was lost, and the second is its repetition."""
    with (folder / "trials.csv").open() as stream:
        trials = list(csv.DictReader(stream))
    assert [(one["state"], one["retry_of"]) for one in trials] == [("lost", ""), ("complete", "0")]


def test_the_best_recipe_comes_out_and_the_held_out_fold_was_never_seen(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[tuple[TrialRows, FoldData]] = []
    original = trial.trial_data

    def watched(rows: TrialRows, *args: object) -> FoldData:
        seen.append((rows, original(rows, *args)))  # type: ignore[arg-type]
        return seen[-1][1]

    monkeypatch.setattr(trial, "trial_data", watched)
    assert run(world, "--trials", "2", "--fold", "1", "--pruner", "none") == 0
    folder = world / "runs" / "phantoms" / "tuning" / "small"
    rows, data = seen[0]
    names = rows.dataset.train.image_files
    held_out = set(names[rows.folds.folds == 1].tolist())
    parts = [data.training, data.predict["oof"]]
    files = [set(part.cache.image_files[part.index].tolist()) for part in parts]
    assert not (files[0] | files[1]) & held_out
    assert not files[0] & files[1]
    assert files[0] | files[1] == set(names.tolist()) - held_out
    assert rows.folds.groups is not None
    groups = [set(rows.folds.groups[np.isin(names, sorted(part))].tolist()) for part in files]
    assert not groups[0] & groups[1]
    with (folder / "trials.csv").open() as stream:
        trials = list(csv.DictReader(stream))
    assert [one["state"] for one in trials] == ["complete", "complete"]
    assert (trials[0]["optimizer.lr"], trials[0]["training.ema_decay"]) == ("0.001", "null")
    best = max(trials, key=lambda one: float(one["macro_average_precision"]))
    recipe = load_recipe(folder / "best.yaml")
    assert recipe.optimizer.lr == float(best["optimizer.lr"])
    assert recipe.searched is not None
    assert (recipe.searched.trials, recipe.searched.fold) == (2, 1)
    assert not list(folder.glob("trial_*"))
    shown = capsys.readouterr().out
    assert "fold 1, whose rows are never seen" in shown
    assert f"next: python -m ensemble.train {folder / 'best.yaml'}" in shown
    before = (folder / "trials.csv").read_bytes()
    (folder / ".trials.csv.0123.tmp").write_text("of a process that was killed")
    assert run(world, "--trials", "2", "--fold", "1", "--pruner", "none") == 0
    assert (folder / "trials.csv").read_bytes() == before
    assert not list(folder.glob(".*.tmp"))
    assert len(seen) == 2


def test_a_search_that_was_stopped_goes_on_from_the_trials_checkpoint(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ["--trials", "1", "--study", "stopped"]
    folder = world / "runs" / "phantoms" / "tuning" / "stopped"
    original = trial._Reporter.epoch_done

    def stop(self: trial._Reporter, row: object) -> None:
        original(self, row)  # type: ignore[arg-type]
        raise Unfinished("stopped")

    monkeypatch.setattr(trial._Reporter, "epoch_done", stop)
    with pytest.raises(Unfinished):
        run(world, *flags)
    assert (folder / "trial_0").is_dir()
    monkeypatch.undo()
    assert run(world, *flags) == 0
    assert_repeated(folder)
    assert not (folder / "trial_0").exists()


def test_a_trial_that_needs_too_much_memory_fails_with_its_reason_and_the_search_goes_on(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, asked = engine._forward_loss, []

    def short(*args: object) -> torch.Tensor:
        asked.append(args)
        if len(asked) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "_forward_loss", short)
    assert run(world, "--trials", "2", "--study", "short") == 0
    folder = world / "runs" / "phantoms" / "tuning" / "short"
    with (folder / "trials.csv").open() as stream:
        trials = list(csv.DictReader(stream))
    assert [one["state"] for one in trials] == ["failed", "complete"]
    assert trials[0]["problem"].startswith("memory ran out in epoch 1 of 2, batch 1 of ")
    assert "(CUDA out of memory. Tried to allocate 20.00 GiB). Training takes memory for" in trials[0]["problem"]
    assert "try training.batch_size=8 with training.accumulation_steps=2" in trials[0]["problem"]
    assert not list(folder.glob("trial_*"))


def test_what_a_killed_data_worker_left_is_gone_on_with(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = trial._Reporter.epoch_done

    def kill(self: trial._Reporter, row: object) -> None:
        original(self, row)  # type: ignore[arg-type]
        raise WorkerDied("data worker process 1 was killed (SIGKILL)")

    monkeypatch.setattr(trial._Reporter, "epoch_done", kill)
    flags = ["--trials", "1", "--study", "killed"]
    with pytest.raises(WorkerDied):
        run(world, *flags)
    folder = world / "runs" / "phantoms" / "tuning" / "killed"
    assert (folder / "trial_0").is_dir()
    monkeypatch.undo()
    assert run(world, *flags) == 0
    assert_repeated(folder)


def test_what_does_not_fit_is_refused(world: Path, tmp_path: Path) -> None:
    with pytest.raises(FoldError, match="--fold 7: expected 0 to 1"):
        run(world, "--fold", "7")
    other = tmp_path / "space.yaml"
    other.write_text("optimizer.lr: [0.1, 0.2]\n")
    where = ["--data", str(world / "phantoms"), "--runs", str(world / "runs"), "--study", "small", "--fold", "1"]
    with pytest.raises(ArtefactError, match="started with another space"):
        tune.main([str(world / "small.yaml"), "--space", str(other), *where])
    with pytest.raises(RecipeError, match=r"data\.path is not set"):
        tune.main([str(world / "small.yaml"), "--space", str(other)])
