"""The recorded step: which batches are replayed, and that a replay computes what the network computes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch
from torch import nn

from ensemble.errors import RecipeError
from ensemble.models import build_model
from ensemble.recipe import DataSettings, ModelSettings, Recipe, TrainingSettings
from ensemble.training.build import build_state
from ensemble.training.checks import check_recipe
from ensemble.training.compiled import Forward
from ensemble.training.engine import TrainingState
from ensemble.training.graphed import GraphedForward, obstacle, record_on_gpu
from ensemble.training.job import Hardware
from ensemble.training.precision import choose_precision

on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


class Recorder:
    """Records nothing, but tells what it was asked for."""

    def __init__(self, *, room: bool = True, refuses: bool = False) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.replays = 0
        self._room, self._refuses = room, refuses

    def __call__(self, model: nn.Module, images: torch.Tensor) -> Forward | None:
        self.shapes.append(tuple(images.shape))
        if self._refuses:
            raise RuntimeError("operation not permitted when stream is capturing")

        def replay(images: torch.Tensor) -> torch.Tensor:
            self.replays += 1
            return model(images)

        return replay if self._room else None


def network() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(2))


@pytest.mark.parametrize("room", [True, False])
def test_full_batches_are_replayed_if_there_is_room_and_others_computed(room: bool) -> None:
    model, recorder = network(), Recorder(room=room)
    forward = GraphedForward(model, 4, recorder)
    for n in (4, 4, 3, 4):
        images = torch.randn(n, 1, 2, 2)
        assert torch.equal(forward(images), model(images))
    assert recorder.shapes == [(4, 1, 2, 2)]
    assert recorder.replays == 3 * room


def test_another_size_and_other_frozen_weights_are_recorded_anew() -> None:
    model, recorder = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4, 2)), Recorder()
    forward = GraphedForward(model, 1, recorder)
    for size in (4, 4, 8, 8):
        forward(torch.randn(1, 1, size, size))
    assert [shape[-1] for shape in recorder.shapes] == [4, 8]
    next(model.parameters()).requires_grad_(False)
    forward(torch.randn(1, 1, 8, 8))
    assert [shape[-1] for shape in recorder.shapes] == [4, 8, 8]


def test_what_cannot_be_recorded_is_one_error() -> None:
    forward = GraphedForward(network(), 2, Recorder(refuses=True))
    with pytest.raises(RecipeError, match=r"cuda_graphs: this network cannot be recorded \(operation not .* to false"):
        forward(torch.randn(2, 1, 2, 2))


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Everything but the recording itself, on the processor; the argument is what a GPU's memory would hold then."""
    taken = [0]
    monkeypatch.setattr(torch.cuda, "device", lambda _device: nullcontext())
    monkeypatch.setattr(torch.random, "fork_rng", lambda _devices: nullcontext())
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _device: taken[0])
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (100 - taken[0], 100))

    def rehearse(network: nn.Module, examples: tuple[torch.Tensor], *, allow_unused_input: bool) -> nn.Module:
        assert allow_unused_input
        for _ in range(3):
            network(*examples)
        return network

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", rehearse)
    return lambda share: taken.__setitem__(0, share)


@pytest.mark.parametrize(("share", "recorded"), [(10, True), (40, False), (90, False)])
def test_rehearsals_leave_no_trace(no_gpu: Callable[[int], None], share: int, recorded: bool) -> None:
    no_gpu(share)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
    images = torch.randn(4, 1, 4, 4)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    forward = record_on_gpu(choose_precision("float32", torch.device("cpu")))(model, images)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())
    assert (forward is not None) == recorded
    if forward is not None:
        assert torch.equal(forward(images), model(images))


def test_recurrent_layers_are_refused_before_anything_is_tried() -> None:
    lstm = Recipe(
        model=ModelSettings(name="lstm"),
        data=DataSettings(image_size=(16, 16)),
        training=TrainingSettings(cuda_graphs=True),
    )
    with pytest.raises(RecipeError, match=r"training\.cuda_graphs: recurrent layers cannot be recorded"):
        check_recipe(lstm, n_classes=2, title="r.yaml")  # on a processor, too: it may be another machine that trains
    check_recipe(recipe(cuda_graphs=True), n_classes=2, title="r.yaml")


def recipe(**training: object) -> Recipe:
    return Recipe(
        model=ModelSettings(name="cnn2"),
        data=DataSettings(image_size=(16, 16)),
        training=TrainingSettings(**training),  # type: ignore[arg-type]
    )


def built(device: torch.device, **training: object) -> tuple[TrainingState, list[str]]:
    hardware = Hardware(device, choose_precision("auto", device), 0, 1)
    return build_state(recipe(**training), hardware, n_classes=2, n_batches=4)


def test_a_processor_records_nothing() -> None:
    state, notices = built(torch.device("cpu"), cuda_graphs=True)
    assert state.forward is None
    assert notices == []


@pytest.mark.parametrize(
    ("training", "processes", "why"),
    [
        ({}, 1, ""),
        ({}, 2, "several processes train together"),
        ({"compile": True}, 1, "training.compile is true"),
        ({"accumulation_steps": 2}, 1, "training.accumulation_steps is more than 1"),
    ],
)
def test_where_gradients_must_stay_or_others_are_asked_nothing_is_recorded(
    training: dict[str, object], processes: int, why: str
) -> None:
    assert obstacle(recipe(**training).training, processes) == why


@on_gpu
def test_a_gpu_replays_where_it_is_asked_to() -> None:
    gpu = torch.device("cuda")
    assert isinstance(built(gpu, cuda_graphs=True)[0].forward, GraphedForward)
    assert built(gpu)[0].forward is None


@on_gpu
@pytest.mark.parametrize("precision", ["bfloat16", "float16", "float32"])
@pytest.mark.parametrize("name", ["cnn2", "resnet18", "vit_tiny_patch16_224"])
def test_replayed_steps_are_those_of_the_network(name: str, precision: str) -> None:
    gpu = torch.device("cuda")
    wanted = choose_precision(precision, gpu)
    ends = []
    for replayed in (False, True):
        torch.manual_seed(0)
        model = build_model(name, num_classes=2, image_size=(32, 32), args={}).to(gpu).train()
        forward = GraphedForward(model, 4, record_on_gpu(wanted)) if replayed else model
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
        torch.manual_seed(1)
        for n in (4, 4, 2, 4):
            images = torch.randn(n, 1, 32, 32, generator=torch.Generator().manual_seed(n)).to(gpu)
            with wanted.autocast():
                logits = forward(images)
            nn.functional.binary_cross_entropy_with_logits(logits.float(), torch.ones_like(logits).float()).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        ends.append({key: value.clone() for key, value in model.state_dict().items()})
    for key, value in ends[0].items():
        torch.testing.assert_close(ends[1][key], value, rtol=1e-3, atol=1e-3, msg=key)
