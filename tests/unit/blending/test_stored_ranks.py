from pathlib import Path

import numpy as np
import pytest

from ensemble.blending import MeanRanks, MemberStack
from ensemble.blending.stored_ranks import read_ranks, write_ranks
from ensemble.errors import ArtefactError


def test_ranks_come_back_and_damage_is_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    stack = MemberStack(("a", "b"), rng.normal(size=(2, 30, 3)).astype(np.float32))
    labels = rng.integers(0, 2, (30, 3)).astype(np.float64)
    labels[:, 2] = np.nan
    fitted = MeanRanks().fit(stack, labels, None, rng)
    path = tmp_path / "ranks.safetensors"
    write_ranks(path, fitted)
    first = path.read_bytes()
    write_ranks(path, fitted)
    assert path.read_bytes() == first
    np.testing.assert_array_equal(read_ranks(path, n_members=2, n_classes=3)(stack), fitted(stack))
    with pytest.raises(ArtefactError, match="distributions of 3 members"):
        read_ranks(path, n_members=3, n_classes=3)
    path.write_bytes(first[:50])
    with pytest.raises(ArtefactError, match="Make the blend again"):
        read_ranks(path, n_members=2, n_classes=3)
    with pytest.raises(ArtefactError, match=r"No such file"):
        read_ranks(tmp_path / "none", n_members=2, n_classes=3)
