"""A MedMNIST file, from training to the submission."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ensemble import blend, explore, predict, train
from ensemble.dataset.medmnist import unpacked
from ensemble.predictions import read_predictions

RECIPE = """data:      {image_size: 32, n_folds: 2}
model:     {name: cnn2}
optimizer: {name: adam, lr: 1e-3}
training:  {epochs: 1, batch_size: 16}
precision: float32
"""


def read_again(runs: Path) -> Path:
    return unpacked(Path("toymnist.npz"), runs)


def test_from_training_to_the_submission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    arrays = {}
    for split, size in {"train": 40, "val": 10, "test": 12}.items():
        labels = draw.integers(0, 2, (size, 2)).astype(np.uint8)
        images = draw.integers(0, 60, (size, 28, 28)).astype(np.uint8)
        images[:, 4:12, 4:12] += 150 * labels[:, :1, None]
        images[:, 16:24, 16:24] += 150 * labels[:, 1:, None]
        arrays |= {f"{split}_images": images, f"{split}_labels": labels}
    np.savez_compressed(tmp_path / "toymnist.npz", **arrays)
    (tmp_path / "small.yaml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    assert explore.main(["toymnist.npz", "--check"]) == 0
    assert train.main(["small.yaml", "--all-folds", "--data", "toymnist.npz", "--device", "cpu", "--workers", "0"]) == 0
    assert len(read_predictions(Path("runs/toymnist/small/oof.parquet")).image_ids) == 40
    for where in (["--data", "toymnist.npz"], []):
        assert blend.main([*where, "--thresholds", "exact", "--combine", "mean"]) == 0
    lines = Path("submissions/blend.csv").read_text().splitlines()
    assert lines[0] == "id,class_0,class_1"
    assert [line.split(",")[0] for line in lines[1:]] == [f"test_{number:02d}" for number in range(12)]
    decided = ["toymnist.npz", "--blend", "runs/toymnist/blends/blend", "--out", "again.csv", "--device", "cpu"]
    assert predict.main(decided) == 0
    assert Path("again.csv").read_bytes() == Path("submissions/blend.csv").read_bytes()
    assert list(Path("runs/.unpacked").glob("toymnist-*")) == [read_again(Path("runs"))]
