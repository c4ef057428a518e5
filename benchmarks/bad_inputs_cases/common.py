"""Datasets that are sound, for cases to spoil."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

CHECK = ("ensemble.explore", "data", "--check")
LOOK = ("ensemble.explore", "data", "--runs", "runs")
TRAIN = (
    *("ensemble.train", "small.yaml", "--fold", "0", "--data", "data", "--runs", "runs", "--device", "cpu"),
    *("--workers", "0"),
)
BLEND = ("ensemble.blend", "--oof", "oof", "--labels", "labels.csv", "--out", "blended")

RECIPE = """data:      {image_size: 32, n_folds: 2}
model:     {name: cnn2, pretrained: false}
optimizer: {name: adam, lr: 1e-3}
training:  {epochs: 1, batch_size: 8}
precision: float32
"""


def sound_dataset(folder: Path, *, tables: Mapping[str, str | bytes | None] | None = None, n_images: int = 8) -> Path:
    """Write ``data/`` with grey PNGs ``i00`` ..., half of them positive, and ``small.yaml``.

    Args:
        folder: The case's folder.
        tables: Files of the dataset by name, in place of those made here or beside them; None leaves one out.
        n_images: For the training table; there is no holdout and no template.
    """
    data = folder / "data"
    (data / "images").mkdir(parents=True)
    numbers = range(n_images)
    texts: dict[str, str | bytes | None] = {
        "train_labels.csv": "id,one,two\n" + "".join(f"i{i:02d},{i % 2},{i // 2 % 2}\n" for i in numbers)
    }
    for name, content in {**texts, **(tables or {})}.items():
        if content is not None:
            (data / name).parent.mkdir(parents=True, exist_ok=True)
            (data / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    for i in numbers:
        cv2.imwrite(str(data / "images" / f"i{i:02d}.png"), picture(i))
    (folder / "small.yaml").write_text(RECIPE)
    return data


def picture(seed: int, *, height: int = 40, width: int = 36) -> np.ndarray:
    """A smooth grey picture, shape (height, width), uint8."""
    rows, columns = np.mgrid[:height, :width]
    wave = np.sin(rows / (3 + seed % 5)) + np.cos(columns / (2 + seed % 7)) + np.sin((rows + columns + seed) / 9)
    return np.round(127 + 40 * wave).astype(np.uint8)
