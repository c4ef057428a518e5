from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ensemble.data.audit import audit
from ensemble.data.audit.files import HASH_BITS, THUMB_SIDE
from ensemble.data.audit.rows import Rows
from ensemble.data.audit.scan import Scan
from ensemble.data.audit.story import Folds
from ensemble.dataset import read_dataset
from ensemble.findings import Findings, Trap
from ensemble.folds import FoldWish, preview_folds
from ensemble.runs import dataset_runs

Image = NDArray[np.uint8] | NDArray[np.uint16]


def scene(seed: int, size: tuple[int, int] = (40, 36)) -> NDArray[np.uint8]:
    """A smooth picture like no other."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6)).astype(np.float32)
    return np.clip(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


class Maker:
    """Writes a small dataset: 40 training, 10 holdout and 10 test images that are all different, and two classes.

    Whatever a test changes before ``write`` is its trap.
    """

    scene = staticmethod(scene)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        names = {"train": [f"a{n:02d}" for n in range(40)], "val": [f"b{n}" for n in range(10)]}
        self.images: dict[str, Image] = {}
        self.labels: dict[str, dict[str, Sequence[object]]] = {"train": {}, "val": {}}
        self.groups: dict[str, str] | None = None
        self.endings: dict[str, str] = {}
        self.class_names: tuple[str, ...] = ("one", "two")
        for split, ids in names.items():
            for number, name in enumerate(ids):
                self.labels[split][name] = (number % 2, (number // 2) % 2)
        self.test = [f"c{n}" for n in range(10)]
        for number, name in enumerate([*names["train"], *names["val"], *self.test]):
            self.images[name] = scene(number)

    def grouped(self, size: int = 2) -> None:
        """Groups of neighbours in the training rows; all others on their own."""
        train = list(self.labels["train"])
        self.groups = {name: f"g{place // size}" for place, name in enumerate(train)}
        self.groups |= {name: name for name in (*self.labels["val"], *self.test)}

    def write(self) -> Path:
        (self.folder / "images").mkdir(parents=True, exist_ok=True)
        for name, image in self.images.items():
            assert cv2.imwrite(str(self.folder / "images" / f"{name}{self.endings.get(name, '.png')}"), image)
        header = f"id,{','.join(self.class_names)}\n"
        for split, rows in self.labels.items():
            lines = [f"{name},{','.join(map(str, row))}\n" for name, row in rows.items()]
            (self.folder / f"{split}_labels.csv").write_text(header + "".join(lines))
        zeros = ",0" * len(self.class_names)
        (self.folder / "sample_submission.csv").write_text(header + "".join(f"{name}{zeros}\n" for name in self.test))
        if self.groups is not None:
            lines = [f"{name},{group}\n" for name, group in self.groups.items()]
            (self.folder / "groups.csv").write_text("id,group\n" + "".join(lines))
        return self.folder


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path / "set")


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., Findings]:
    """Audits a folder with the folds that training would make."""

    def _look(folder: Path, **options: int) -> Findings:
        dataset = read_dataset(folder)
        dataset, folds = preview_folds(dataset_runs(tmp_path / "runs", dataset.name), dataset, FoldWish())
        return audit(dataset, Folds(folds, "would be"), workers=2, **options)

    return _look


def by_name(findings: Findings) -> Mapping[str, Trap]:
    return {trap.name: trap for trap in findings.traps}


@pytest.fixture
def traps(maker: Maker, look: Callable[..., Findings]) -> Callable[[], Mapping[str, Trap]]:
    """Writes what the maker holds and returns the traps by name."""
    return lambda: by_name(look(maker.write()))


@pytest.fixture
def scan_of() -> Callable[..., tuple[Scan, Rows]]:
    """N training rows without groups or folds, of a few scenes and noise, without files."""

    def _scan(n_images: int, scenes: int = 1, noise: int = 1) -> tuple[Scan, Rows]:
        rng = np.random.default_rng(0)
        flips = rng.random((n_images, HASH_BITS)) < noise / 1000
        kinds = np.arange(n_images) % scenes
        bits = (rng.random((scenes, HASH_BITS)) < 0.5)[kinds] ^ flips
        clean = np.stack([scene(kind, (THUMB_SIDE, THUMB_SIDE)) for kind in range(scenes)])[kinds].astype(float)
        thumbs = np.clip(clean + rng.normal(0, noise / 5, clean.shape), 0, 255).astype(np.uint8)
        nothing = np.full(n_images, -1)
        scan = Scan(
            sizes=np.full((n_images, 2), 64),
            properties={},
            pixels=np.arange(n_images),
            bits=np.packbits(bits, axis=1),
            thumbs=thumbs,
            flat=np.zeros(n_images, dtype=bool),
            histograms=np.empty((n_images, 0), dtype=np.float32),
        )
        ids = np.array([f"{number:04d}" for number in range(n_images)])
        labels = np.zeros((n_images, 1))
        return scan, Rows(ids, ids, np.zeros(n_images, dtype=np.int64), labels, nothing, ids[:0], nothing)

    return _scan
