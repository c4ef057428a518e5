"""Convolutions as products: what torch's own convolution computes, and only where it is worth it."""

from __future__ import annotations

import copy

import pytest
import timm
import torch
from torch import Tensor, nn

from ensemble.models.small_maps import SmallMapConv2d, multiply_small_maps

CHANNELS_LAST = torch.channels_last


def images_of(height: int, width: int, channels: int = 256) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, channels, height, width, generator=generator).contiguous(memory_format=CHANNELS_LAST)


def as_product(convolution: nn.Conv2d) -> SmallMapConv2d:
    module = multiply_small_maps(copy.deepcopy(convolution))
    assert isinstance(module, SmallMapConv2d)
    return module


def with_gradients(module: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    images = images.clone().requires_grad_()
    maps = module(images)
    return maps, *torch.autograd.grad(maps.square().sum(), [images, *module.parameters()])


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "size"),
    [
        ((3, 3), (1, 1), (1, 1), (1, 1)),
        ((3, 3), (1, 1), (1, 1), (2, 2)),
        ((3, 3), (2, 2), (1, 1), (1, 2)),
        ((3, 3), (2, 2), (1, 1), (4, 3)),
        ((3, 3), (1, 1), (0, 0), (4, 4)),
        ((3, 3), (3, 1), (2, 0), (5, 3)),
        ((1, 3), (2, 2), (0, 1), (4, 4)),
        ((5, 2), (1, 1), (2, 0), (2, 3)),
        ((7, 7), (2, 2), (3, 3), (3, 3)),
        ((2, 2), (2, 2), (0, 0), (5, 5)),
    ],
)
def test_maps_and_gradients_are_those_of_the_convolution(
    kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int], size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(256, 256, kernel, stride=stride, padding=padding).to(memory_format=CHANNELS_LAST)
    wanted = with_gradients(convolution, images_of(*size))
    found = with_gradients(as_product(convolution), images_of(*size))
    for got, expected in zip(found, wanted, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=2e-3)
    assert found[0].is_contiguous(memory_format=CHANNELS_LAST)


def test_only_small_maps_of_many_channels_in_float32_are_multiplied(monkeypatch: pytest.MonkeyPatch) -> None:
    multiplied: list[tuple[int, ...]] = []
    linear = torch.nn.functional.linear
    monkeypatch.setattr(
        "torch.nn.functional.linear", lambda *args: multiplied.append(tuple(args[0].shape)) or linear(*args)
    )
    few, many = (as_product(nn.Conv2d(channels, channels, 3, padding=1, bias=False)) for channels in (256, 512))
    few(images_of(5, 2)), many(images_of(10, 5, 512))
    with torch.autocast("cpu", torch.bfloat16):
        many(images_of(2, 2, 512))
    many.double()(images_of(2, 2, 512).double())
    assert multiplied == []
    few(images_of(3, 3)), many.float()(images_of(7, 7, 512)), many(images_of(1, 1, 512))
    assert len(multiplied) == 9 + 9 + 1
    assert multiplied[-1] == (3, 1, 1, 512)


def test_nothing_is_multiplied_by_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    products = []
    linear = torch.nn.functional.linear
    monkeypatch.setattr(
        "torch.nn.functional.linear", lambda *args: products.append(args[0].shape[1:3].numel()) or linear(*args)
    )
    as_product(nn.Conv2d(256, 256, 3, padding=1))(images_of(2, 2))
    assert sum(products) == 16  # of 36


def test_frozen_weights_and_images_get_no_gradient() -> None:
    module = as_product(nn.Conv2d(256, 256, 3, padding=1))
    images = images_of(2, 2)
    module(images).sum().backward()
    assert images.grad is None
    assert module.weight.grad is not None
    module.requires_grad_(False)
    wanted = images.clone().requires_grad_()
    module(wanted).sum().backward()
    assert wanted.grad is not None


@pytest.mark.parametrize(
    "untouched",
    [
        nn.Conv2d(256, 128, 3),
        nn.Conv2d(256, 256, 1),
        nn.Conv2d(256, 256, 3, groups=256),
        nn.Conv2d(256, 256, 3, dilation=2),
        nn.Conv2d(256, 256, 3, padding="same"),
        nn.Conv2d(256, 256, 3, padding=1, padding_mode="reflect"),
    ],
    ids=["few channels", "1 x 1", "depthwise", "dilated", "same", "reflected"],
)
def test_other_convolutions_stay_as_they_are(untouched: nn.Conv2d) -> None:
    assert type(multiply_small_maps(untouched)) is nn.Conv2d


def test_a_resnet_keeps_its_weights_and_its_logits() -> None:
    torch.manual_seed(0)
    model = timm.create_model("resnet18", in_chans=1, num_classes=3)
    quick = multiply_small_maps(copy.deepcopy(model))
    assert sum(isinstance(module, SmallMapConv2d) for module in quick.modules()) == 7
    assert list(quick.state_dict()) == list(model.state_dict())
    images = images_of(48, 48, channels=1)
    torch.testing.assert_close(quick(images), model(images), rtol=1e-4, atol=1e-4)
