"""A backbone that stands still at first."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from ensemble.errors import RecipeError
from ensemble.models import build_model
from ensemble.training.frozen import freeze_backbone
from ensemble.training.optim import build_optimizer


def step(model: nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor) -> None:
    model(images).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


@pytest.mark.parametrize(("name", "args"), [("resnet10t", {"zero_init_last": False}), ("cnn2", {})])
def test_only_the_classifier_moves_until_all_do(name: str, args: dict[str, object]) -> None:
    torch.manual_seed(0)
    model = build_model(name, num_classes=2, image_size=(32, 32), args=args)
    optimizer = build_optimizer(model, "adamw", lr=1e-2, weight_decay=0.1, args={})
    backbone = freeze_backbone(model, epochs=1)
    images = torch.randn(4, 1, 32, 32)
    before = {key: value.clone() for key, value in model.state_dict().items()}

    backbone.prepare(model, epoch=0)
    step(model, optimizer, images)
    moved = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    classifier = {id(weight) for weight in model.get_classifier().parameters()}
    assert moved == {key for key, weight in model.named_parameters() if id(weight) in classifier}

    backbone.prepare(model, epoch=1)
    step(model, optimizer, images)
    still = {key for key, value in model.state_dict().items() if torch.equal(value, before[key])}
    assert still == set()
    assert all(module.training for module in model.modules())


def test_what_never_trains_stays_so() -> None:
    model = build_model("resnet10t", num_classes=2, image_size=(32, 32))
    first = next(model.parameters()).requires_grad_(False)
    backbone = freeze_backbone(model, epochs=1)
    for epoch in (0, 1):
        backbone.prepare(model, epoch)
        assert not first.requires_grad


def test_without_epochs_everything_trains() -> None:
    model = nn.Sequential(nn.Linear(2, 2)).eval()
    freeze_backbone(model, epochs=0).prepare(model, epoch=0)
    assert model.training
    assert all(weight.requires_grad for weight in model.parameters())


def test_a_network_without_a_known_classifier_is_refused() -> None:
    with pytest.raises(RecipeError, match="does not say which of its layers is the classifier"):
        freeze_backbone(nn.Sequential(nn.Linear(2, 2)), epochs=1)


def test_a_fold_goes_on_from_between_the_two_to_the_same_bits() -> None:
    """The optimizer knows nothing of weights that stood still, neither before the stop nor after it."""

    def begin() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = build_model("cnn2", num_classes=2, image_size=(16, 16))
        return model, build_optimizer(model, "adamw", lr=1e-2, weight_decay=0.1, args={})

    images = torch.randn(4, 1, 16, 16)
    model, optimizer = begin()
    backbone = freeze_backbone(model, epochs=1)
    backbone.prepare(model, epoch=0)
    step(model, optimizer, images)
    stored = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    backbone.prepare(model, epoch=1)
    step(model, optimizer, images)

    again, its_optimizer = begin()
    again.load_state_dict(stored[0])
    its_optimizer.load_state_dict(stored[1])
    freeze_backbone(again, epochs=1).prepare(again, epoch=1)
    step(again, its_optimizer, images)
    for key, value in again.state_dict().items():
        assert torch.equal(value, model.state_dict()[key]), key
