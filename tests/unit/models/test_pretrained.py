"""Files of weights: adapted where that is meant, refused with a remedy where they do not fit."""

import logging
import random
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ensemble.errors import ArtefactError
from ensemble.models import build_model, check_model, load_weights
from ensemble.models.weight_files import read_weights

SIZE = (64, 64)
State = dict[str, Tensor]


def colour_model(name: str = "resnet10t", **settings: object) -> nn.Module:
    torch.manual_seed(0)
    model = timm.create_model(name, **{"in_chans": 3, "num_classes": 10, **settings}).eval()
    with torch.no_grad():
        for buffer in model.buffers():  # statistics that differ from those of a fresh model
            if buffer.dtype == torch.float32 and buffer.ndim == 1:
                buffer.uniform_(0.5, 1.5)
    return model


def saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def grey(name: str, path: Path, *, num_classes: int = 10, size: tuple[int, int] = SIZE) -> nn.Module:
    return build_model(name, num_classes=num_classes, image_size=size, pretrained=path).eval()


@pytest.mark.parametrize("name", ["resnet10t", "test_efficientnet", "test_convnext"])
def test_grey_images_give_the_colour_models_logits(name: str, tmp_path: Path) -> None:
    colour = colour_model(name)
    model = grey(name, saved(tmp_path / "weights.pth", colour.state_dict()))
    images = torch.randn(2, 1, *SIZE)
    with torch.no_grad():
        torch.testing.assert_close(model(images), colour(images.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("wrapping", ["state_dict_ema", "model_ema", "state_dict", "model"])
def test_wrapped_weights_are_found(wrapping: str, tmp_path: Path) -> None:
    state = {f"module.{key}": value for key, value in colour_model(in_chans=1).state_dict().items()}
    path = saved(tmp_path / "weights.pt", {"epoch": 3, wrapping: state, "optimizer": {"step": 1}})
    torch.testing.assert_close(grey("resnet10t", path).state_dict()["fc.weight"], state["module.fc.weight"])


def test_averaged_weights_come_before_raw_ones(tmp_path: Path) -> None:
    raw, averaged = colour_model().state_dict(), colour_model().state_dict()
    averaged["fc.bias"] = torch.full((10,), 7.0)
    path = saved(tmp_path / "weights.pt", {"state_dict": raw, "state_dict_ema": averaged})
    assert grey("resnet10t", path).fc.bias.unique().tolist() == [7.0]


def test_safetensors_are_read(tmp_path: Path) -> None:
    colour = colour_model()
    save_file(colour.state_dict(), tmp_path / "weights.safetensors")
    model = grey("resnet10t", tmp_path / "weights.safetensors")
    assert torch.equal(model.layer1[0].conv1.weight, colour.layer1[0].conv1.weight)


def test_another_number_of_classes_leaves_the_classifier_out_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    colour = colour_model()
    path = saved(tmp_path / "weights.pth", colour.state_dict())
    with caplog.at_level(logging.WARNING):
        model = grey("resnet10t", path, num_classes=3)
    assert model.fc.out_features == 3
    assert torch.equal(model.layer1[0].conv1.weight, colour.layer1[0].conv1.weight)
    assert [record.message for record in caplog.records] == [
        f"{path}: conv1.0 was made for 3 channels and is adapted to 1",
        f"{path}: the classifier (fc) has shape (10, 512) in the file and (3, 512) here: it starts from random weights",
    ]


def test_a_file_without_a_classifier_is_a_backbone(tmp_path: Path) -> None:
    state = {key: value for key, value in colour_model().state_dict().items() if not key.startswith("fc.")}
    model = timm.create_model("resnet10t", in_chans=3, num_classes=2)
    notices = load_weights(model, saved(tmp_path / "weights.pth", state), in_chans=3)
    assert [notice.partition(": ")[2] for notice in notices] == [
        "the classifier (fc) is not in the file and (2, 512) here: it starts from random weights"
    ]


def test_old_files_without_batch_counts_load(tmp_path: Path) -> None:
    state = {key: value for key, value in colour_model().state_dict().items() if "num_batches" not in key}
    assert load_weights(colour_model(), saved(tmp_path / "weights.pth", state), in_chans=3) == []


def test_position_embeddings_are_fitted_to_the_images(tmp_path: Path) -> None:
    colour = colour_model("test_vit")
    path = saved(tmp_path / "weights.pth", colour.state_dict())
    model = timm.create_model("test_vit", in_chans=1, num_classes=3, img_size=SIZE)
    notices = load_weights(model, path, in_chans=1)
    assert model.pos_embed.shape != colour.pos_embed.shape
    assert torch.equal(model.blocks[0].mlp.fc1.weight, colour.blocks[0].mlp.fc1.weight)
    assert notices[-1].endswith("names or shapes were converted by timm's rule for this architecture")


def test_weights_of_our_own_models_load_for_the_same_images(tmp_path: Path) -> None:
    first = build_model("cnn2", num_classes=3, image_size=SIZE, dense_layers=2)
    path = saved(tmp_path / "weights.pth", first.state_dict())
    again = build_model("cnn2", num_classes=3, image_size=SIZE, dense_layers=2, pretrained=path)
    assert all(torch.equal(first.state_dict()[key], again.state_dict()[key]) for key in first.state_dict())
    message = r"1 of another shape: 'head\.hidden\.0\.weight: \(128, 16384\) in the file, \(128, 9216\) in the model'.*"
    with pytest.raises(ArtefactError, match=message + r"set model\.args and data\.image_size as there"):
        build_model("cnn2", num_classes=3, image_size=(48, 48), dense_layers=2, pretrained=path)


def test_other_names_in_the_same_order_say_how_to_rename(tmp_path: Path) -> None:
    colour = colour_model("test_efficientnet")
    foreign = {f"_{key}": value for key, value in colour.state_dict().items()}
    path = saved(tmp_path / "weights.pth", foreign)
    with pytest.raises(ArtefactError) as caught:
        grey("test_efficientnet", path, num_classes=3)
    message = str(caught.value)
    n_tensors = len(foreign)
    assert message.startswith(f"{path}: its {n_tensors} tensors do not fit test_efficientnet, which has {n_tensors}. ")
    assert "missing in the file: 'conv_stem.weight', 'bn1.weight', 'bn1.bias', 'bn1.running_mean'" in message
    assert f"{n_tensors} unknown to the model: '_conv_stem.weight'" in message
    assert "(+" in message
    assert "the names alone differ: save it under timm's names" in message
    renamed = dict(zip(timm.create_model("test_efficientnet").state_dict(), foreign.values(), strict=True))
    model = grey("test_efficientnet", saved(path, renamed), num_classes=3)
    assert torch.equal(model.bn1.running_var, colour.bn1.running_var)


def test_another_architecture_says_so(tmp_path: Path) -> None:
    path = saved(tmp_path / "weights.pth", colour_model("test_convnext").state_dict())
    with pytest.raises(ArtefactError, match=r"do not fit resnet10t, .* set model\.name to the architecture"):
        grey("resnet10t", path)


def test_a_model_is_left_as_it_was_if_the_file_does_not_fit(tmp_path: Path) -> None:
    state = colour_model().state_dict()
    del state["layer4.0.conv1.weight"]
    model = timm.create_model("resnet10t", in_chans=3, num_classes=10)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ArtefactError, match=r"1 missing in the file: 'layer4\.0\.conv1\.weight'\. "):
        load_weights(model, saved(tmp_path / "weights.pth", state), in_chans=3)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_grey_weights_do_not_become_colour_ones(tmp_path: Path) -> None:
    path = saved(tmp_path / "weights.pth", colour_model(in_chans=1).state_dict())
    with pytest.raises(ArtefactError, match=r"1 of another shape: 'conv1\.0\.weight: "):
        load_weights(colour_model(), path, in_chans=3)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"model\.pretrained: .*nowhere\.pth is no file: expected weights as"):
        grey("resnet10t", tmp_path / "nowhere.pth")
    assert "is no file" in check_model("cnn2", num_classes=3, image_size=SIZE, pretrained=tmp_path)[0]


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights at all" * 100], ids=["empty", "text"])
def test_a_file_that_cannot_be_read(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ArtefactError, match=r"expected weights as \.safetensors, .* it cannot be read: .+"):
        grey("resnet10t", tmp_path / name)


@pytest.mark.filterwarnings("ignore")  # torch may also warn of what is damaged
@pytest.mark.parametrize("zipped", [True, False], ids=["new format", "old format"])
def test_a_damaged_file_is_read_or_refused_but_never_a_surprise(zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.zeros(3), "b": torch.ones(2)}, path, _use_new_zipfile_serialization=zipped)
    whole, chance, n_refused = path.read_bytes(), random.Random(0), 0  # noqa: S311
    for _ in range(100):
        damaged = bytearray(whole)
        for _ in range(5):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged[: chance.randrange(1, 2 * len(damaged))])
        try:
            read_weights(path)
        except ArtefactError:
            n_refused += 1
    assert n_refused > 20


def test_a_pickled_model_runs_no_code(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.pth", nn.Linear(1, 1))
    with pytest.raises(ArtefactError, match=r"not a pickled model\); it cannot be read") as caught:
        grey("resnet10t", path)
    assert "arbitrary code" not in str(caught.value), "torch's advice to load it all the same is not ours"


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ([torch.zeros(1)], "got one list"),
        ({}, "got nothing in it"),
        ({"net": {"a": torch.zeros(1)}, "epoch": 3}, "got entries that are no named tensors: 'net', 'epoch'"),
        ({3: torch.zeros(1)}, "got entries that are no named tensors: '3'"),
    ],
)
def test_a_file_of_something_else(content: object, got: str, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=rf"expected a state dict .*{got}\. Save model\.state_dict\(\) alone"):
        grey("resnet10t", saved(tmp_path / "weights.pth", content))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"hello world",
            r"its bytes are not those of such a file, or are damaged \(KeyError 101\)",
        ),
        (b"", r"or are damaged \(EOFError\)"),
        (b"<html><body>404", "it holds other things than tensors, or is damaged"),
        (b"\x80\x02}q\x00.", "Invalid magic number; corrupt file"),
    ],
)
def test_what_is_no_file_of_weights_is_said_in_words(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(ArtefactError, match=rf"it cannot be read: (.*, )?{said}\. Save model"):
        read_weights(tmp_path / "w.pth")
