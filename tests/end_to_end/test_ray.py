"""A job with Ray on this machine: the same bytes as without."""

from __future__ import annotations

from pathlib import Path

import pytest

from ensemble import demo, run, train
from ensemble.errors import EXIT_DONE

RECIPE = """# A small member for tests.
data:      {image_size: 32}
model:     {name: cnn2}
optimizer: {name: adam, lr: 1e-3}
training:  {epochs: 1, batch_size: 16}
precision: float32
"""


def test_a_training_with_ray_ends_at_the_same_bytes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # where Ray leaves a token
    monkeypatch.setenv("RAY_AUTH_MODE", "token")  # as Ray sets it itself, for good
    assert demo.main([str(tmp_path / "phantoms"), "--images", "60"]) == 0
    (tmp_path / "one.yaml").write_text(RECIPE)
    words = [str(tmp_path / "one.yaml"), "--data", str(tmp_path / "phantoms"), "--device", "cpu", "--threads", "1"]
    assert train.main([*words, "--runs", str(tmp_path / "plain"), "--fold", "0"]) == EXIT_DONE
    capfd.readouterr()
    assert run.main([*words, "--runs", str(tmp_path / "ray"), "--fold", "0", "--engine", "ray"]) == EXIT_DONE
    said = capfd.readouterr()
    assert "one fold 0  done" in said.out
    assert said.err == ""
    for file in ("oof.parquet", "test.parquet", "model.safetensors"):
        plain, ray = (tmp_path / engine / "phantoms/one/fold_0" / file for engine in ("plain", "ray"))
        assert plain.read_bytes() == ray.read_bytes(), file
    assert "start 1" in (tmp_path / "ray/phantoms/logs/one_fold_0.log").read_text()
