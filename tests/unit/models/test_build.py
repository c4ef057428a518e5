"""Any model by name, and what is said of wishes that cannot be met."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from timm.models import build_model_with_cfg, get_pretrained_cfg

from ensemble.errors import OutOfMemory, RecipeError
from ensemble.models import build, build_model, check_model, origin_models

SIZE = (64, 64)


def problems(name: str, **wish: Any) -> list[str]:
    return check_model(name, **{"num_classes": 3, "image_size": SIZE, **wish})


@pytest.mark.parametrize("name", ["resnet10t", "test_vit", "test_efficientnet", "test_convnext"])
@pytest.mark.parametrize("size", [(64, 64), (96, 64)], ids=str)
def test_timm_models_by_name_at_the_recipes_size(name: str, size: tuple[int, int]) -> None:
    assert problems(name, image_size=size) == []
    model = build_model(name, num_classes=5, image_size=size).eval()
    assert model(torch.zeros(1, 1, *size)).shape == (1, 5)


def test_the_size_goes_to_models_that_are_made_for_one() -> None:
    assert get_pretrained_cfg("test_vit").fixed_input_size
    assert not get_pretrained_cfg("resnet10t").fixed_input_size
    model = build_model("test_vit", num_classes=3, image_size=(64, 32))
    assert model.patch_embed.img_size == (64, 32)


def test_our_settings_reach_our_models() -> None:
    model = build_model(
        "cnn2", num_classes=3, image_size=SIZE, pool="avg", dense_layers=2, args={"hidden_features": 17}
    )
    assert isinstance(model.stages[0][-1], torch.nn.AvgPool2d)
    assert model.head_hidden_size == 17


def test_args_reach_timm() -> None:
    model = build_model("resnet10t", num_classes=3, image_size=SIZE, args={"global_pool": "max", "drop_rate": 0.3})
    assert model.drop_rate == 0.3
    assert model.global_pool.pool_type == "max"


def test_building_and_checking_leave_no_trace_in_the_random_state() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    assert problems("cnn2") == []
    assert torch.equal(torch.random.get_rng_state(), before)


def test_equal_seeds_build_equal_timm_models() -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(build_model("resnet10t", num_classes=3, image_size=SIZE).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_an_unknown_name_comes_with_close_ones_and_ours() -> None:
    (problem,) = problems("resnt18")
    assert problem.startswith("model.name: neither timm nor this package has a model 'resnt18'. Close: resnet18, ")
    assert problem.endswith("Ours: " + ", ".join(origin_models()))
    assert "Close: vgg14" in problems("VGG-14")[0]
    assert "timm.list_models() lists all names" in problems("qqqqqq")[0]


def test_an_unknown_tag_comes_with_the_known_ones() -> None:
    (problem,) = problems("resnet18.nope")
    assert problem.startswith("model.name: timm has no weights 'nope' of resnet18; it has a1_in1k, ")
    assert "timm has no weights 'tag' of cnn2; it has none" in problems("cnn2.tag")[0]


def test_our_settings_on_a_timm_model_name_the_models_that_know_them() -> None:
    remedy = "do. What a timm model knows goes under model.args"
    assert problems("resnet10t", pool="max", dense_layers=1) == [
        f"model.pool: resnet10t does not know it, only cnn2, cnn3, vgg14, vgg21 {remedy}",
        f"model.dense_layers: resnet10t does not know it, only cnn2, cnn3, lstm, vgg14, vgg21 {remedy}",
    ]
    assert problems("lstm", pool="max")[0].startswith("model.pool: lstm does not know it")


def test_all_unknown_arguments_of_a_timm_model_are_named_at_once() -> None:
    assert problems("resnet10t", args={"foo": 1, "drop_rate": 0.1, "bar": 2}) == [
        "model.args.foo: timm's resnet10t does not know this argument",
        "model.args.bar: timm's resnet10t does not know this argument",
    ]


def test_an_unknown_argument_of_ours_comes_with_the_known_ones() -> None:
    (problem,) = problems("cnn2", args={"chans": 3})
    assert problem == "model.args.chans: cnn2 does not know it; it knows drop_rate, hidden_features, out_channels"


@pytest.mark.parametrize(
    ("key", "remedy"),
    [
        ("img_size", r"set data\.image_size"),
        ("in_chans", "images have one channel"),
        ("num_classes", "label table"),
        ("pretrained", r"set model\.pretrained"),
        ("checkpoint_path", r"set model\.pretrained to the file's path"),
        ("features_only", "members are classifiers"),
    ],
)
def test_arguments_that_the_recipe_states_elsewhere(key: str, remedy: str) -> None:
    with pytest.raises(RecipeError, match=rf"model 'resnet10t' cannot be built: model\.args\.{key}: .*{remedy}"):
        build_model("resnet10t", num_classes=3, image_size=SIZE, args={key: 1})


@pytest.mark.parametrize("name", ["resnet10t", "cnn2"])
def test_no_argument_sends_timm_to_a_place_of_the_recipes_choice(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *args, **_: asked.append(args))
    overlay = {"hf_hub_id": None, "url": (tmp_path / "sitecustomize.py").as_uri()}
    args = {"cache_dir": str(tmp_path), "pretrained_cfg_overlay": overlay}
    message = r"(?s)2 problems.*args\.cache_dir: .*args\.pretrained_cfg_overlay: .*it belongs to timm's factory"
    with pytest.raises(RecipeError, match=message):
        build_model(name, num_classes=3, image_size=SIZE, pretrained=name == "resnet10t", args=args)
    assert asked == []
    assert list(tmp_path.iterdir()) == []


def test_all_that_timms_factories_take_by_name_is_refused() -> None:
    """Read off timm, so that a later version's arguments are refused, too."""
    named = {
        key
        for factory in (timm.create_model, build_model_with_cfg)
        for key, one in inspect.signature(factory).parameters.items()
        if one.kind is not one.VAR_KEYWORD
    }
    assert {"pretrained_cfg", "checkpoint_path", "cache_dir", "model_cfg", "pretrained_strict", "scriptable"} <= named
    for key in (*named, "pretrained_custom_load", "features_only"):
        (problem,) = problems("resnet10t", args={key: 1})
        assert problem.startswith(f"model.args.{key}: it has no place here; ")


def test_pool_among_the_arguments_of_ours_is_sent_to_its_place() -> None:
    assert problems("cnn2", args={"pool": "avg"}) == ["model.args.pool: it has no place here; set model.pool"]
    assert problems("resnet10t", args={"pool": "avg"}) == [
        "model.args.pool: timm's resnet10t does not know this argument"
    ]


def test_a_value_that_the_model_refuses() -> None:
    (problem,) = problems("resnet10t", args={"global_pool": "nonsense", "foo": 1})[1:]
    assert problem.startswith("model.args: resnet10t cannot be built for images of 64 × 64 with args global_pool=")
    assert "Invalid pool type" in problem
    (problem,) = problems("cnn2", args={"out_channels": "many"})
    assert "TypeError" in problem


def test_too_little_memory_is_no_wrong_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(*_args: object, **_more: object) -> None:
        torch.empty(1 << 50, dtype=torch.uint8)

    said = r"^model: there is too little memory for cnn2 and images of 64 × 64 \(DefaultCPUAllocator: .*Make some free"
    with monkeypatch.context() as patched:
        patched.setattr(torch.nn.Conv2d, "forward", short)
        (problem,) = problems("cnn2")
        assert re.match(said, problem)
    monkeypatch.setattr(build.timm, "create_model", short)
    with pytest.raises(OutOfMemory, match=said):
        build_model("cnn2", num_classes=3, image_size=(64, 64))


def test_errors_of_our_models_pass_as_they_are() -> None:
    (problem,) = problems("vgg14", image_size=(16, 64))
    assert problem.startswith("data.image_size: this network halves the image 5 times")


def test_images_that_a_model_cannot_read() -> None:
    (problem,) = problems("test_convnext", image_size=(2, 2))
    assert problem.startswith("data.image_size: test_convnext cannot read images of 2 × 2 (RuntimeError: ")
    assert problem.endswith("Choose another size; the model's own is 160 × 160")


def test_a_network_that_gives_no_logits() -> None:
    assert problems("test_convnext", args={"global_pool": ""}) == [
        "model: test_convnext was expected to give logits of shape (2, 3) for two images, got (2, 3, 2, 2)"
    ]


def test_a_hub_out_of_reach_comes_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **kwargs: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(build, "weights_source", unreachable)
    message = (
        r"weights of resnet18 are not on this machine .*no route to host.*--set model\.pretrained=false .*"
        r"--set model\.pretrained=path/to/model\.safetensors"
    )
    with pytest.raises(RecipeError, match=message):
        build_model("resnet18", num_classes=3, image_size=SIZE, pretrained=True)


def test_checking_downloads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    create = timm.create_model

    def spy(*args: Any, pretrained: bool, **kwargs: Any) -> torch.nn.Module:
        asked.append(pretrained)
        return create(*args, pretrained=False, **kwargs)

    monkeypatch.setattr(build.timm, "create_model", spy)
    assert problems("resnet10t", pretrained=True) == []
    assert asked == [False]


def test_an_unknown_argument_keeps_the_hub_from_being_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    create = timm.create_model

    def spy(*args: Any, pretrained: bool, **kwargs: Any) -> torch.nn.Module:
        asked.append(pretrained)
        return create(*args, pretrained=False, **kwargs)

    monkeypatch.setattr(build.timm, "create_model", spy)
    monkeypatch.setattr(build, "weights_source", lambda name: {})
    with pytest.raises(RecipeError, match="does not know this argument"):
        build_model("resnet10t", num_classes=3, image_size=SIZE, pretrained=True, args={"foo": 1})
    assert asked == [True, False]


def test_a_model_without_weights_on_the_hub() -> None:
    assert problems("cnn2", pretrained=True) == [
        "model.pretrained: there are no weights of cnn2 on the hub; set it to false, or to a file's path"
    ]
