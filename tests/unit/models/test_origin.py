"""The origin's architectures, layer by layer."""

import importlib
import sys
import types

import pytest
import timm
import torch
from torch import nn

import ensemble.models
from ensemble.errors import RecipeError
from ensemble.models import ConvolutionalNet, RowLstm, registry


def parameters(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())


def convolutions(model: nn.Module) -> list[int]:
    return [module.out_channels for module in model.modules() if isinstance(module, nn.Conv2d)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cnn2", [32, 64]),
        ("cnn3", [32, 64, 128]),
        ("vgg14", [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]),
        ("vgg21", [64, 64, 128, 128, *[256] * 5, *[512] * 11]),
    ],
)
def test_convolutions_and_names_agree(name: str, expected: list[int]) -> None:
    model = timm.create_model(name, img_size=64)
    assert convolutions(model) == expected
    kinds = [type(module) for module in model.modules()]
    assert kinds.count(nn.BatchNorm2d) == len(expected)
    if name.startswith("vgg"):
        assert len(expected) + kinds.count(nn.Linear) == int(name.removeprefix("vgg"))


def test_cnn2_is_the_origins() -> None:
    stage = timm.create_model("cnn2", img_size=64).stages[1]
    assert [type(layer) for layer in stage] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d]
    assert stage[0].kernel_size == (3, 3)
    assert timm.create_model("cnn2", img_size=64).get_classifier().in_features == 64 * 16 * 16


def test_vgg14_flattens_to_what_vgg_16_reads_at_224_pixels() -> None:
    model = timm.create_model("vgg14")
    assert model.get_classifier().in_features == 512 * 7 * 7
    # VGG-16's convolutions for one channel without their biases, two numbers a channel of batch norm, 3 classes.
    assert parameters(model) == 14_714_688 - 2 * 64 * 9 - 4224 + 2 * 4224 + 3 * 25088 + 3


def test_two_dense_layers_with_a_relu_between_them() -> None:
    head = timm.create_model("cnn2", img_size=64, dense_layers=2, hidden_features=50, drop_rate=0.2).head
    assert [type(layer) for layer in head.hidden] == [nn.Linear, nn.ReLU]
    assert (head.fc.in_features, head.drop.p) == (50, 0.2)


def test_the_last_convolution_can_be_wider() -> None:
    model = timm.create_model("cnn2", img_size=64, out_channels=512)
    assert convolutions(model) == [32, 512]
    assert model.num_features == 512


def test_average_pooling_averages() -> None:
    model = timm.create_model("cnn2", img_size=8, pool="avg")
    torch.testing.assert_close(model.stages[0][-1](torch.arange(4.0).view(1, 1, 2, 2)).item(), 1.5)


def test_convolutions_start_at_hes_scale() -> None:
    torch.manual_seed(0)
    weight = timm.create_model("vgg14", img_size=64).stages[4][0].weight
    assert weight.std().item() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.01)


def test_stages_serve_as_timm_features() -> None:
    model = timm.create_model("cnn3", img_size=64, features_only=True)
    assert [tuple(found.shape) for found in model(torch.zeros(1, 1, 64, 64))] == [
        (1, 32, 32, 32),
        (1, 64, 16, 16),
        (1, 128, 8, 8),
    ]
    assert model.feature_info.channels() == [32, 64, 128]
    assert model.feature_info.reduction() == [2, 4, 8]


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("cnn2", {"pool": "min"}, r"model\.pool: expected max or avg, got 'min'"),
        ("cnn2", {"dense_layers": 3}, r"model\.dense_layers: expected 1 or 2, got 3"),
        ("cnn2", {"hidden_features": 64}, r"hidden_features: got 64, but one dense layer has no hidden width"),
        ("cnn2", {"out_channels": 0}, r"out_channels: expected a number of channels, 1 or more, got 0"),
        ("cnn2", {"img_size": 3}, r"halves the image 2 times, so it needs at least 4 pixels a side, got 3 × 3"),
        ("vgg14", {"img_size": (64, 31)}, r"halves the image 5 times, .* at least 32 pixels a side, got 64 × 31"),
        ("lstm", {"summary": "sum"}, r"model\.args\.summary: expected mean_max or last, got 'sum'"),
        ("lstm", {"img_size": 1}, r"needs at least 2 pixels a side, got 1 × 1"),
    ],
)
def test_settings_that_do_not_exist_are_refused(name: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        timm.create_model(name, **settings)


def plain_lstm() -> RowLstm:
    torch.manual_seed(0)
    settings = {"stem_channels": 0, "projection": 0, "num_layers": 1, "bidirectional": False, "summary": "last"}
    return timm.create_model("lstm", img_size=(5, 6), hidden_size=4, **settings).eval()


def test_the_origins_lstm_reads_rows_and_classifies_its_last_state() -> None:
    model, image = plain_lstm(), torch.randn(2, 1, 5, 6)
    _, (last, _) = model.lstm(image[:, 0])
    torch.testing.assert_close(model(image), model.head.fc(last[0]))
    assert {type(module) for module in model.modules()} == {
        RowLstm,
        type(model.head),
        nn.Identity,
        nn.LSTM,
        nn.Linear,
        nn.Dropout,
    }


def test_the_last_state_of_each_direction_is_where_it_ends() -> None:
    torch.manual_seed(0)
    model = timm.create_model("lstm", img_size=(6, 8), summary="last", num_layers=1, hidden_size=4).eval()
    image = torch.randn(2, 1, 6, 8)
    rows = model.project(model.stem(image).transpose(1, 2).flatten(2))
    _, (last, _) = model.lstm(rows)
    torch.testing.assert_close(
        model.forward_head(model.forward_features(image), pre_logits=True), torch.cat([*last], 1)
    )


def test_a_row_is_all_channels_of_one_line() -> None:
    model = plain_lstm()
    image = torch.zeros(1, 1, 5, 6)
    changed = image.clone()
    changed[0, 0, 3] = 1.0
    differ = (model.forward_features(image) != model.forward_features(changed)).any(dim=2)[0]
    assert differ.tolist() == [False, False, False, True, True]


@pytest.mark.parametrize("module", ["origin_cnn", "origin_vgg"])
def test_loading_a_module_again_warns_of_nothing(module: str) -> None:
    importlib.reload(getattr(ensemble.models, module))
    assert isinstance(timm.create_model("cnn2", img_size=8), ConvolutionalNet)


def test_a_name_of_somebody_else_still_gets_timms_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_CLASSES", {})
    for number, home in enumerate(("first_home", "second_home")):
        monkeypatch.setitem(sys.modules, home, types.ModuleType(home))

        def clash(*, pretrained: bool = False) -> nn.Module:
            return nn.Identity()

        clash.__module__, clash.__name__ = home, "ensemble_test_clash"
        if number == 0:
            registry.register(nn.Identity)(clash)
        else:
            with pytest.warns(UserWarning, match="Overwriting ensemble_test_clash"):
                registry.register(nn.Identity)(clash)
