"""What every architecture of ours keeps to, whatever else it does: one battery over all that are registered."""

import copy
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from timm.models import get_pretrained_cfg, model_entrypoint
from timm.optim import create_optimizer_v2
from torch import Tensor, nn

from ensemble.errors import RecipeError
from ensemble.models import build_model, check_model, origin_models
from ensemble.models.registry import settings_of

N_MODELS = 5
MODELS = origin_models()
SIZE = (48, 64)

every_model = pytest.mark.parametrize("name", MODELS)


def make(name: str, **settings: object) -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model(name, **{"in_chans": 1, "num_classes": 3, "img_size": SIZE, **settings})


def images(*shape: int) -> Tensor:
    return torch.randn(*(shape or (2, 1, *SIZE)), generator=torch.Generator().manual_seed(1))


def test_every_architecture_is_in_the_battery() -> None:
    assert MODELS == ("cnn2", "cnn3", "lstm", "vgg14", "vgg21")
    assert len(MODELS) == N_MODELS


@every_model
def test_the_name_is_ours_and_in_timms_lists(name: str) -> None:
    assert model_entrypoint(name).__module__.startswith("ensemble.models.")
    assert timm.list_models(name) == [name]
    assert not timm.list_pretrained(name)


@every_model
def test_the_default_configuration_is_for_grey_images(name: str) -> None:
    config = get_pretrained_cfg(name)
    assert config.input_size == (1, 224, 224)
    assert (config.mean, config.std) == ((0.485,), (0.229,))
    assert config.num_classes == 3
    model = timm.create_model(name)
    assert model.get_submodule(config.classifier) is model.get_classifier()
    assert model.get_submodule(config.first_conv).in_channels == 1
    assert model.get_classifier().out_features == 3


@every_model
def test_every_weight_gets_a_gradient_and_one_step_lowers_the_loss(name: str) -> None:
    model, batch = make(name), images(4, 1, *SIZE)
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    loss = nn.functional.binary_cross_entropy_with_logits(model(batch), labels)
    loss.backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())
    assert any(weight.grad.abs().max() > 0 for weight in model.parameters())
    optimizer.step()
    assert nn.functional.binary_cross_entropy_with_logits(model(batch), labels) < loss


@every_model
@pytest.mark.parametrize("size", [(64, 64), (224, 224), (48, 64), (65, 47)], ids=str)
def test_images_of_any_size_give_logits(name: str, size: tuple[int, int]) -> None:
    model = make(name, img_size=size).eval()
    with torch.no_grad():
        logits = model(images(1, 1, *size))
    assert logits.shape == (1, 3)
    assert logits.isfinite().all()


@every_model
@pytest.mark.parametrize(("num_classes", "in_chans"), [(1, 1), (19, 1), (3, 3)])
def test_any_number_of_classes_and_channels(name: str, num_classes: int, in_chans: int) -> None:
    model = make(name, num_classes=num_classes, in_chans=in_chans).eval()
    assert model(images(2, in_chans, *SIZE)).shape == (2, num_classes)


@every_model
@pytest.mark.parametrize("pool", ["max", "avg"])
@pytest.mark.parametrize("dense_layers", [1, 2])
def test_pools_and_dense_layers(name: str, pool: str, dense_layers: int) -> None:
    settings = {"dense_layers": dense_layers, "pool": pool}
    known = {key: value for key, value in settings.items() if key in settings_of(name)}
    model = make(name, **known)
    kinds = [type(module) for module in model.modules()]
    assert model(images()).shape == (2, 3)
    assert kinds.count(nn.Linear) - (name == "lstm") == dense_layers  # the LSTM projects its rows with one more
    if "pool" in known:
        assert (nn.MaxPool2d in kinds, nn.AvgPool2d in kinds) == (pool == "max", pool == "avg")


@every_model
def test_equal_seeds_give_equal_weights(name: str) -> None:
    first, second = make(name).state_dict(), make(name).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


@every_model
def test_weights_survive_a_file_and_a_copy(name: str, tmp_path: Path) -> None:
    model = make(name).to(memory_format=torch.channels_last).eval()
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, tmp_path / "model.safetensors")
    torch.manual_seed(9)
    other = timm.create_model(name, num_classes=3, img_size=SIZE).eval()
    other.load_state_dict(load_file(tmp_path / "model.safetensors"), strict=True)
    with torch.no_grad():
        expected = model(images())
        torch.testing.assert_close(other(images()), expected, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(copy.deepcopy(model)(images()), expected)


@every_model
def test_channels_last_changes_nothing_but_speed(name: str) -> None:
    model = make(name).eval()
    with torch.no_grad():
        plain = model(images())
        model.to(memory_format=torch.channels_last)
        strided = model(images().to(memory_format=torch.channels_last))
    torch.testing.assert_close(strided, plain, rtol=1e-3, atol=1e-3)


@every_model
def test_bfloat16_autocast_trains_on_the_cpu(name: str) -> None:
    # The smallest that VGG's five pools allow: processors without bfloat16 instructions crawl here.
    model, batch = make(name, img_size=32).to(memory_format=torch.channels_last), images(2, 1, 32, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(batch)
    logits.float().sum().backward()
    assert all(weight.dtype == torch.float32 for weight in model.parameters())
    assert all(weight.grad.isfinite().all() for weight in model.parameters())
    model.eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        low = model(batch).float()
    with torch.no_grad():
        torch.testing.assert_close(low, model(batch), rtol=0.1, atol=0.1)


@every_model
@pytest.mark.parametrize("dense_layers", [1, 2])
@torch.no_grad()
def test_timms_conventions_of_head_and_features(name: str, dense_layers: int) -> None:
    model = make(name, dense_layers=dense_layers).eval()
    features = model.forward_features(images())
    assert model.num_features in features.shape
    before_logits = model.forward_head(features, pre_logits=True)
    assert before_logits.shape == (2, model.head_hidden_size)
    logits = model(images())
    torch.testing.assert_close(model.forward_head(features), logits)
    torch.testing.assert_close(model.get_classifier()(before_logits), logits)
    model.reset_classifier(7)
    assert model.forward_head(features).shape == (2, 7)
    assert model.num_classes == model.get_classifier().out_features == 7
    model.reset_classifier(0)
    torch.testing.assert_close(model.forward_head(features), before_logits)


@every_model
def test_a_classifier_can_be_left_out_and_comes_back_in_the_models_dtype(name: str) -> None:
    model = make(name, num_classes=0).double().eval()
    assert isinstance(model.get_classifier(), nn.Identity)
    model.reset_classifier(2)
    assert model(images().double()).dtype == torch.float64


@every_model
def test_timms_optimizers_can_tell_its_layers_apart(name: str) -> None:
    optimizer = create_optimizer_v2(make(name), "adamw", lr=1e-3, weight_decay=0.01, layer_decay=0.9)
    scales = {group["lr_scale"] for group in optimizer.param_groups}
    assert len(scales) >= 3
    assert max(scales) == 1.0


@every_model
def test_what_it_cannot_do_is_said(name: str) -> None:
    model = make(name)
    with pytest.raises(RecipeError, match=r"built for images of .* = \(1, 48, 64\) and got \(1, 64, 64\)"):
        model(images(2, 1, 64, 64))
    with pytest.raises(RecipeError, match="no global pooling to set to 'avg'"):
        model.reset_classifier(3, "avg")
    with pytest.raises(RecipeError, match="no gradient checkpointing"):
        model.set_grad_checkpointing(enable=True)
    model.set_grad_checkpointing(enable=False)
    with pytest.raises(RecipeError, match="no weights of"):
        build_model(name, num_classes=3, image_size=SIZE, pretrained=True)


@every_model
def test_the_one_builder_makes_it(name: str) -> None:
    assert check_model(name, num_classes=4, image_size=SIZE) == []
    assert build_model(name, num_classes=4, image_size=SIZE)(images()).shape == (2, 4)
