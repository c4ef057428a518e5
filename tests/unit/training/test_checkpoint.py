"""Save, load, step must be the step that an undisturbed run makes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from ensemble.errors import ArtefactError, TrainingDiverged
from ensemble.training import checkpoint as checkpoint_module
from ensemble.training.checkpoint import PIXELS, CheckpointWriter, read_checkpoint, write_weights
from ensemble.training.engine import TrainingState
from ensemble.training.optim import build_ema, build_optimizer, build_schedule
from ensemble.training.precision import choose_precision

FACTS = {"fold": 0, "recipe": "r1", "folds_sha256": "f1"}
HARDWARE = {"device": "cpu", "precision": "float32", "threads": 2}
CPU = torch.device("cpu")


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


def write(path: Path, state: TrainingState, progress: dict[str, object], facts: dict[str, object] = FACTS) -> None:
    CheckpointWriter(path, facts, HARDWARE).write(state, progress)  # type: ignore[arg-type]


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
    write(tmp_path / "c.pt", broken, {"rows": [1]})
    drawn = torch.rand(3)
    fresh = make_state(name)
    for parameter in fresh.model.parameters():
        nn.init.zeros_(parameter)
    checkpoint = read_checkpoint(tmp_path / "c.pt", FACTS)
    assert checkpoint is not None
    checkpoint.restore(fresh, CPU)
    assert (checkpoint.progress, checkpoint.hardware, fresh.updates) == ({"rows": [1]}, HARDWARE, 3)
    assert torch.equal(torch.rand(3), drawn)
    for seed in range(3, 6):
        step(straight, seed)
        step(fresh, seed)
    assert_equal(straight, fresh)


def test_no_checkpoint_no_progress(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path / "c.pt", FACTS) is None


def test_another_recipe_or_fold_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "c.pt", make_state(), {})
    with pytest.raises(ArtefactError, match="was started with another fold file and another recipe"):
        read_checkpoint(tmp_path / "c.pt", {**FACTS, "recipe": "r2", "folds_sha256": "f2"})


def test_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(ArtefactError, match="the checkpoint cannot be read"):
        read_checkpoint(path, FACTS)
    torch.save([1], path)
    with pytest.raises(ArtefactError, match="expected a checkpoint, got list"):
        read_checkpoint(path, FACTS)
    torch.save({"version": 99}, path)
    with pytest.raises(ArtefactError, match="checkpoint of version 99"):
        read_checkpoint(path, FACTS)


def test_too_little_memory_for_a_checkpoint_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, short = tmp_path / "c.pt", torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    def refuse(*_args: object) -> None:
        raise short

    state = make_state()
    write(path, state, {})
    checkpoint = read_checkpoint(path, FACTS)
    assert checkpoint is not None
    monkeypatch.setattr(state.optimizer, "load_state_dict", refuse)
    with pytest.raises(torch.OutOfMemoryError):  # training makes an error of it
        checkpoint.restore(state, CPU)
    monkeypatch.setattr(checkpoint_module, "load_tensors", refuse)
    said = r"cannot be read: there is too little memory \(CUDA out of memory.*\)\. Make some free, and give the same"
    with pytest.raises(ArtefactError, match=said) as caught:
        read_checkpoint(path, FACTS)
    assert "Remove it" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"junk", b"hello\n", b"\x80\x02", b"PK\x03\x04"])
def test_any_junk_is_refused_with_a_remedy(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.pt"
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match="Remove it to start this fold anew") as caught:
        read_checkpoint(path, FACTS)
    assert "arbitrary code" not in str(caught.value)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "ran",)  # type: ignore[return-value]

    torch.save({"version": 1, "facts": Evil()}, tmp_path / "c.pt")
    with pytest.raises(ArtefactError, match="cannot be read"):
        read_checkpoint(tmp_path / "c.pt", FACTS)
    assert not (tmp_path / "ran").exists()


def test_a_write_is_due_when_the_last_ones_cost_is_worked_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now = [100.0]
    monkeypatch.setattr(checkpoint_module.time, "monotonic", lambda: now[0])
    writer = CheckpointWriter(tmp_path / "c.pt", FACTS, HARDWARE, _last_ended=100.0)
    assert writer.is_due(epoch_end=True)
    assert not writer.is_due(epoch_end=False)

    def slow(*_args: object) -> None:
        now[0] += 2.0

    monkeypatch.setattr(checkpoint_module, "refuse_bad_weights", slow)
    writer.write(make_state(), {})
    assert (writer.written, writer.seconds) == (1, 2.0)
    for later, at_end, within in ((59, False, False), (61, False, False), (99, False, False), (101, True, True)):
        now[0] = 102.0 + later
        assert (writer.is_due(epoch_end=True), writer.is_due(epoch_end=False)) == (at_end, within)
    now[0] = 102.0 + 59
    assert not writer.is_due(epoch_end=True, last=True)
    now[0] = 102.0 + 60
    assert writer.is_due(epoch_end=True, last=True)
    writer.every_seconds = 3
    for later, due in ((2.9, False), (3, True)):
        now[0] = 102.0 + later
        assert (writer.is_due(epoch_end=True), writer.is_due(epoch_end=False)) == (due, due)


def test_weights_that_are_not_finite_leave_the_last_checkpoint(tmp_path: Path) -> None:
    state = make_state()
    write(tmp_path / "c.pt", state, {"n": 1})
    with torch.no_grad():
        next(state.model.parameters())[0, 0] = torch.inf
    with pytest.raises(TrainingDiverged, match="a weight of the network is not finite after update 0"):
        write(tmp_path / "c.pt", state, {"n": 2})
    kept = read_checkpoint(tmp_path / "c.pt", FACTS)
    assert kept is not None
    assert kept.progress == {"n": 1}


def test_version_1_is_read(tmp_path: Path) -> None:
    write(tmp_path / "c.pt", make_state(), {"n": 1})
    content = torch.load(tmp_path / "c.pt", weights_only=True)
    del content["hardware"], content["random"]
    torch.save({**content, "version": 1, "facts": {**FACTS, "precision": "bfloat16"}}, tmp_path / "c.pt")
    old = read_checkpoint(tmp_path / "c.pt", FACTS)
    assert old is not None
    assert old.hardware == {"precision": "bfloat16"}
    old.restore(make_state(), CPU)


def test_a_part_that_is_missing_or_of_another_network_is_damage(tmp_path: Path) -> None:
    write(tmp_path / "c.pt", make_state(), {"n": 1})
    content = torch.load(tmp_path / "c.pt", weights_only=True)
    torch.save({**content, "model": {}}, tmp_path / "c.pt")
    other = read_checkpoint(tmp_path / "c.pt", FACTS)
    assert other is not None
    with pytest.raises(ArtefactError, match=r"cannot be read: Error.*Remove it to start this fold anew"):
        other.restore(make_state(), CPU)
    del content["optimizer"]
    torch.save(content, tmp_path / "c.pt")
    with pytest.raises(ArtefactError, match="cannot be read: it lacks optimizer"):
        read_checkpoint(tmp_path / "c.pt", FACTS)


def test_weights_are_plain_safetensors(tmp_path: Path) -> None:
    state = make_state()
    write_weights(tmp_path / "model.safetensors", state.model)
    stored = load_file(tmp_path / "model.safetensors")
    for name, tensor in state.model.state_dict().items():
        assert torch.equal(stored[name], tensor)


def test_other_images_are_refused_unless_the_checkpoint_does_not_know_its_own(tmp_path: Path) -> None:
    write(tmp_path / "c.pt", make_state(), {"n": 1}, {**FACTS, PIXELS: "p1"})
    with pytest.raises(ArtefactError, match=r"was started with another set of images \(files were replaced since\)"):
        read_checkpoint(tmp_path / "c.pt", {**FACTS, PIXELS: "p2"})
    write(tmp_path / "old.pt", make_state(), {"n": 1})
    old = read_checkpoint(tmp_path / "old.pt", {**FACTS, PIXELS: "p2"})
    assert old is not None
    assert old.progress == {"n": 1}
