"""What befalls a training, and that it ends at the same bytes all the same."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ensemble import demo, train
from ensemble.command import run_command
from ensemble.errors import StorageError, TrainingDiverged, Unfinished, WorkerDied
from ensemble.report.progress import FoldProgress

RECIPE = """# Dropout, a moving average and accumulated batches: all that a checkpoint has to hold.
data:      {image_size: 32, n_folds: 2}
augment:   [{HorizontalFlip: {p: 0.5}}]
model:     {name: cnn2, args: {drop_rate: 0.3}}
optimizer: {name: adamw, lr: 1e-3}
training:  {epochs: 2, batch_size: 8, accumulation_steps: 2, ema_decay: 0.9}
precision: float32
"""
TABLES = ("oof.parquet", "holdout.parquet", "test.parquet", "model.safetensors")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "phantoms"
    assert demo.main([str(folder), "--images", "80"]) == 0
    (folder / "dataset.yaml").unlink()
    return folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert run_train(folder, dataset) == 0
    return folder


def run_train(folder: Path, dataset: Path, *flags: str) -> int:
    (folder / "small.yaml").write_text(RECIPE)
    arguments = [str(folder / "small.yaml"), "--data", str(dataset), "--runs", str(folder / "runs"), "--fold", "0"]
    return train.main([*arguments, "--device", "cpu", *flags])


def fold_0(folder: Path) -> Path:
    return folder / "runs" / "phantoms" / "small" / "fold_0"


def assert_same_end(folder: Path, dataset: Path, undisturbed: Path, *flags: str) -> None:
    assert run_train(folder, dataset, *flags) == 0
    for name in TABLES:
        assert (fold_0(folder) / name).read_bytes() == (fold_0(undisturbed) / name).read_bytes(), name
    assert not (fold_0(folder) / "checkpoint.pt").exists()
    assert list(fold_0(folder).glob(".*.tmp")) == []


def at_batch(monkeypatch: pytest.MonkeyPatch, number: int, do: Callable[[], object]) -> None:
    """``do`` after that batch of the process, from 1. An epoch has five here, so three updates."""
    original, done = FoldProgress.batch_done, []

    def batch_done(self: FoldProgress, images: int, mean_loss: Callable[[], float]) -> None:
        original(self, images, mean_loss)
        done.append(images)
        if len(done) == number:
            do()

    monkeypatch.setattr(FoldProgress, "batch_done", batch_done)


class Killed(BaseException):
    """Stands for a process that is gone: nobody handles it."""


@pytest.mark.parametrize("batch", [3, 7, 8])
def test_a_killed_fold_goes_on_within_the_epoch(
    batch: int, undisturbed: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die() -> None:
        raise Killed

    at_batch(monkeypatch, batch, die)
    with pytest.raises(Killed):
        run_train(tmp_path, dataset, "--checkpoint-seconds", "0")
    monkeypatch.undo()
    (fold_0(tmp_path) / ".checkpoint.pt.0.tmp").write_bytes(b"half a checkpoint")
    metrics = fold_0(tmp_path) / "metrics.csv"
    metrics.write_text("of an epoch after the checkpoint\n")
    assert_same_end(tmp_path, dataset, undisturbed, "--workers", "1")
    facts = json.loads((fold_0(tmp_path) / "run.json").read_text())
    assert (facts["resumed_from_epoch"], facts["resumed_from_image"]) == divmod((batch // 2) * 16 - 8 * (batch > 5), 40)
    assert [line.split(",")[0] for line in metrics.read_text().splitlines()] == ["epoch", "1", "2"]


def test_sigterm_saves_and_stops(
    undisturbed: Path,
    dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # After the first update, after the last of the epoch, and after the first of the next.
    for batch, where in ((2, "in epoch 1 of 2"), (3, "in epoch 1 of 2"), (2, "in epoch 2 of 2")):
        at_batch(monkeypatch, batch, lambda: os.kill(os.getpid(), signal.SIGTERM))
        assert run_command(lambda _argv: run_train(tmp_path, dataset)) == 75
        said = f"unfinished: stopped by SIGTERM, {where}; the same command goes on from there\n"
        assert capsys.readouterr().err == said
        monkeypatch.undo()
    assert_same_end(tmp_path, dataset, undisturbed)


def test_a_stopped_overwrite_says_that_it_must_not_be_repeated(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_batch(monkeypatch, 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert run_command(lambda _argv: run_train(tmp_path, dataset, "--overwrite")) == 75
    assert "goes on from there. With this recipe leave --overwrite out then: it" in capsys.readouterr().err


@pytest.mark.parametrize("split", ["holdout", "test"])
def test_sigterm_while_rows_are_predicted(
    split: str, undisturbed: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = FoldProgress.predicting

    def predicting(self: FoldProgress, doing: str, n_images: int) -> None:
        original(self, doing, n_images)
        if doing == split:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(FoldProgress, "predicting", predicting)
    with pytest.raises(Unfinished, match=f"stopped by SIGTERM, while {split} rows were predicted"):
        run_train(tmp_path, dataset)
    monkeypatch.undo()
    assert_same_end(tmp_path, dataset, undisturbed)


def test_threads_are_those_of_the_first_start(
    undisturbed: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_batch(monkeypatch, 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Unfinished):
        run_train(tmp_path, dataset)
    monkeypatch.undo()
    monkeypatch.setattr("ensemble.training.precision.usable_cores", lambda: 1)
    assert_same_end(tmp_path, dataset, undisturbed)
    first, second = (json.loads((fold_0(folder) / "run.json").read_text()) for folder in (undisturbed, tmp_path))
    assert first["threads"] == second["threads"]


def test_a_full_disk_is_one_error_and_leaves_what_was_there(
    undisturbed: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    at_batch(monkeypatch, 6, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limit[1])))
    try:
        with pytest.raises(StorageError, match=r"checkpoint\.pt: it cannot be written \(File too large\)"):
            run_train(tmp_path, dataset, "--checkpoint-seconds", "0")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    monkeypatch.undo()
    assert list(fold_0(tmp_path).glob(".*.tmp")) == []
    assert_same_end(tmp_path, dataset, undisturbed)


def test_a_folder_that_is_removed_under_way_is_not_made_again(
    undisturbed: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_batch(monkeypatch, 3, lambda: shutil.rmtree(fold_0(tmp_path)))
    with pytest.raises(StorageError, match="fold_0 was removed or replaced while this process worked there"):
        run_train(tmp_path, dataset)
    monkeypatch.undo()
    assert not fold_0(tmp_path).exists()
    assert_same_end(tmp_path, dataset, undisturbed)


def test_a_killed_worker_is_named(
    undisturbed: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_batch(monkeypatch, 3, lambda: [worker.kill() for worker in multiprocessing.active_children()])
    said = r"small fold 0: data worker process \d+ was killed \(SIGKILL\), as the system does when memory runs out"
    with pytest.raises(WorkerDied, match=said):
        run_train(tmp_path, dataset, "--workers", "1", "--checkpoint-seconds", "0")
    monkeypatch.undo()
    assert_same_end(tmp_path, dataset, undisturbed)


def test_memory_that_runs_out_is_one_error_and_the_fold_goes_on_when_there_is_some(
    undisturbed: Path,
    dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def ask_for_too_much() -> None:
        torch.empty(1 << 50, dtype=torch.uint8)

    at_batch(monkeypatch, 3, ask_for_too_much)
    assert run_command(lambda _argv: run_train(tmp_path, dataset, "--checkpoint-seconds", "0")) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: small fold 0: memory ran out in epoch 1 of 2, batch 3 of 5 (DefaultCPUAllocator: ")
    assert "try training.batch_size=4 with training.accumulation_steps=4" in said
    assert said.endswith(
        "The last checkpoint is kept: where memory was short for a while, the same command goes on from it. A changed "
        "recipe needs --overwrite, which discards fold_0/checkpoint.pt, or --name OTHER\n"
    )
    monkeypatch.undo()
    assert_same_end(tmp_path, dataset, undisturbed)


def test_divergence_names_the_ids_and_keeps_the_last_good_checkpoint(dataset: Path, tmp_path: Path) -> None:
    said = r"epoch 1, batch 3 of 5 \(update 2, learning rate 9\.33e\+29; ids 's.*discards fold_0/checkpoint\.pt"
    with pytest.raises(TrainingDiverged, match=said):
        run_train(tmp_path, dataset, "--set", "optimizer.lr=1e30", "--checkpoint-seconds", "0")
    assert torch.load(fold_0(tmp_path) / "checkpoint.pt", weights_only=True)["updates"] == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_every_process_of_a_job_saves_and_stops(
    number: signal.Signals, dataset: Path, tmp_path: Path
) -> None:
    """As batch systems send it: to the process that trains and to each of its workers, whatever group they are in."""
    (tmp_path / "small.yaml").write_text(RECIPE)
    words = [str(tmp_path / "small.yaml"), "--data", str(dataset), "--runs", str(tmp_path / "runs"), "--fold", "0"]
    words += ["--device", "cpu", "--workers", "2", "--checkpoint-seconds", "0", "--set", "training.epochs=1000"]
    with subprocess.Popen(
        [sys.executable, "-m", "ensemble.train", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as job:
        while not (fold_0(tmp_path) / "checkpoint.pt").exists():
            assert job.poll() is None
            time.sleep(0.02)
        workers = children_of(job.pid)
        asked = time.monotonic()
        for pid in workers:
            os.kill(pid, number)
        os.killpg(job.pid, number)
        said = job.communicate(timeout=60)[1]
    assert len(workers) == 2
    assert job.returncode == 75
    assert said.count("\n") == 1
    assert said.startswith(f"unfinished: stopped by {'SIGTERM' if number == signal.SIGTERM else 'Ctrl-C'}, in epoch ")
    assert time.monotonic() - asked < 20
    assert torch.load(fold_0(tmp_path) / "checkpoint.pt", weights_only=True)["updates"] > 0


def children_of(pid: int) -> list[int]:
    """The processes that this one has started and that still run."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
