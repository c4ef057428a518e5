"""What a stranger may have put among our own files: nothing in it is run."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from ensemble.data.cache import build_cache, open_cache
from ensemble.errors import ArtefactError, EnsembleError
from ensemble.models.weight_files import read_weights
from ensemble.predictions import read_predictions
from ensemble.training.checkpoint import read_checkpoint


class Planted:
    """Unpickled, it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return exec, (f"open({str(self.mark)!r}, 'w').close()",)


@pytest.fixture
def mark(tmp_path):
    path = tmp_path / "RAN"
    # The plant works: else nothing below would show anything.
    pickle.loads(pickle.dumps(Planted(path)))
    assert path.exists()
    path.unlink()
    return path


def _torch_file(mark: Path) -> bytes:
    stream = io.BytesIO()
    torch.save({"version": 2, "facts": Planted(mark), "state_dict": {"a": torch.zeros(1)}}, stream)
    return stream.getvalue()


@pytest.mark.parametrize("file", ["checkpoint.pt", "weights.pth", "weights.safetensors", "oof.parquet"])
def test_checkpoints_weights_and_tables(tmp_path, mark, file):
    path = tmp_path / file
    readers = {
        "checkpoint.pt": lambda: read_checkpoint(path, {}),
        "oof.parquet": lambda: read_predictions(path),
    }
    for content in (_torch_file(mark), pickle.dumps(Planted(mark)), pickle.dumps(Planted(mark), protocol=2)):
        path.write_bytes(content)
        with pytest.raises(EnsembleError, match="cannot be read"):
            readers.get(file, lambda: read_weights(path))()
    assert not mark.exists()


def test_a_cache(tmp_path, mark):
    root = tmp_path / "data"
    root.mkdir()
    np.save(root / "a.npy", np.full((4, 4), 7, np.uint8))
    cache = build_cache(tmp_path / "caches", root, ["a.npy"], image_size=(4, 4))
    for content in (np.array([Planted(mark)] * 16, dtype=object).reshape(1, 4, 4), None):
        with (cache.folder / "images.npy").open("wb") as stream:
            if content is None:
                stream.write(pickle.dumps(Planted(mark)))
            else:
                np.save(stream, content, allow_pickle=True)
        with pytest.raises(ArtefactError, match="the image cache is damaged"):
            open_cache(cache.folder)
        again = build_cache(tmp_path / "caches", root, ["a.npy"], image_size=(4, 4))
        assert again.images.tolist() == [[[7] * 4] * 4]
    assert not mark.exists()
