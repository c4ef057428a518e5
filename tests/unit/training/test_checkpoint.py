"""Save, load, step must be the step that an undisturbed run makes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from ensemble.errors import ArtefactError
from ensemble.training.checkpoint import PIXELS, CheckpointWriter, resume, write_weights
from ensemble.training.engine import TrainingState
from ensemble.training.optim import build_ema, build_optimizer, build_schedule
from ensemble.training.precision import choose_precision

FACTS = {"fold": 0, "recipe": "r1", "folds_sha256": "f1"}


def make_state(name: str = "adam") -> TrainingState:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 3))
    model = model.to(memory_format=torch.channels_last)
    optimizer = build_optimizer(model, name, lr=0.1, weight_decay=0.01, args={})
    schedule = build_schedule(optimizer, "cosine", updates_per_epoch=5, epochs=2, warmup_epochs=1, min_lr=0.0)
    scaler = choose_precision("float32", torch.device("cpu")).scaler()
    return TrainingState(model, build_ema(model, 0.9), optimizer, schedule, scaler)


def step(state: TrainingState, seed: int) -> None:
    images = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(seed))
    state.schedule.set_for(state.updates)
    state.model(images.contiguous(memory_format=torch.channels_last)).square().mean().backward()
    state.optimizer.step()
    state.optimizer.zero_grad()
    state.updates += 1
    assert state.ema is not None
    state.ema.update(state.model, step=state.updates)


def assert_equal(one: TrainingState, other: TrainingState) -> None:
    assert one.ema is not None
    assert other.ema is not None
    for first, second in ((one.model, other.model), (one.ema, other.ema)):
        for name, tensor in first.state_dict().items():
            assert torch.equal(tensor, second.state_dict()[name]), name


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "nadamw"])
def test_save_load_step_is_step(tmp_path: Path, name: str) -> None:
    straight, broken = make_state(name), make_state(name)
    for seed in range(3):
        step(straight, seed)
        step(broken, seed)
    assert CheckpointWriter(tmp_path / "c.pt", FACTS).maybe_write(broken, {"rows": [1]})
    fresh = make_state(name)
    for parameter in fresh.model.parameters():
        nn.init.zeros_(parameter)
    assert resume(tmp_path / "c.pt", fresh, FACTS) == {"rows": [1]}
    assert fresh.updates == 3
    for seed in range(3, 6):
        step(straight, seed)
        step(fresh, seed)
    assert_equal(straight, fresh)


def test_no_checkpoint_no_progress(tmp_path: Path) -> None:
    assert resume(tmp_path / "c.pt", make_state(), FACTS) is None


def test_another_recipe_or_fold_file_is_refused(tmp_path: Path) -> None:
    CheckpointWriter(tmp_path / "c.pt", FACTS).maybe_write(make_state(), {})
    with pytest.raises(ArtefactError, match="was started with another folds_sha256, recipe"):
        resume(tmp_path / "c.pt", make_state(), {**FACTS, "recipe": "r2", "folds_sha256": "f2"})


def test_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(ArtefactError, match="the checkpoint cannot be read"):
        resume(path, make_state(), FACTS)
    torch.save([1], path)
    with pytest.raises(ArtefactError, match="expected a checkpoint, got list"):
        resume(path, make_state(), FACTS)
    torch.save({"version": 99}, path)
    with pytest.raises(ArtefactError, match="checkpoint of version 99"):
        resume(path, make_state(), FACTS)


@pytest.mark.parametrize("content", [b"", b"junk", b"hello\n", b"\x80\x02", b"PK\x03\x04"])
def test_any_junk_is_refused_with_a_remedy(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.pt"
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match="Remove it to start this fold anew") as caught:
        resume(path, make_state(), FACTS)
    assert "arbitrary code" not in str(caught.value)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "ran",)  # type: ignore[return-value]

    torch.save({"version": 1, "facts": Evil()}, tmp_path / "c.pt")
    with pytest.raises(ArtefactError, match="cannot be read"):
        resume(tmp_path / "c.pt", make_state(), FACTS)
    assert not (tmp_path / "ran").exists()


def test_a_costly_write_is_not_repeated_at_once(tmp_path: Path) -> None:
    writer = CheckpointWriter(tmp_path / "c.pt", FACTS)
    assert writer.maybe_write(make_state(), {"n": 1})
    assert not writer.maybe_write(make_state(), {"n": 2})


def test_weights_are_plain_safetensors(tmp_path: Path) -> None:
    state = make_state()
    write_weights(tmp_path / "model.safetensors", state.model)
    stored = load_file(tmp_path / "model.safetensors")
    for name, tensor in state.model.state_dict().items():
        assert torch.equal(stored[name], tensor)


def test_other_images_are_refused_unless_the_checkpoint_does_not_know_its_own(tmp_path: Path) -> None:
    CheckpointWriter(tmp_path / "c.pt", {**FACTS, PIXELS: "p1"}).maybe_write(make_state(), {"n": 1})
    with pytest.raises(ArtefactError, match="was started with another pixels_sha256"):
        resume(tmp_path / "c.pt", make_state(), {**FACTS, PIXELS: "p2"})
    CheckpointWriter(tmp_path / "old.pt", FACTS).maybe_write(make_state(), {"n": 1})
    assert resume(tmp_path / "old.pt", make_state(), {**FACTS, PIXELS: "p2"}) == {"n": 1}
