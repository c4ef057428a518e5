"""The translated step: the same weights as without, and one error where it cannot be had."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from ensemble.errors import RecipeError
from ensemble.models.small_maps import multiply_small_maps
from ensemble.recipe import DataSettings, ModelSettings, Recipe, TrainingSettings
from ensemble.training import compiled
from ensemble.training.checks import check_recipe
from ensemble.training.compiled import check_compiler, compile_forward

# Some releases of torch warn of parts of their own compiler.
pytestmark = pytest.mark.filterwarnings("ignore:.*script_method. is deprecated:DeprecationWarning")

CPU = torch.device("cpu")


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of torch.compile but the C++ compiler, which takes ten seconds."""
    monkeypatch.setattr(compiled, "_BACKEND", "aot_eager")


def plain() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 36, 2))


def with_small_maps() -> nn.Module:
    """Its second convolution sees 2 x 2 positions."""
    first, second = nn.Conv2d(1, 256, 4, stride=4), nn.Conv2d(256, 256, 3, padding=1)
    return multiply_small_maps(nn.Sequential(first, second, nn.Flatten(), nn.Linear(4 * 256, 2)))


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("network", [plain, with_small_maps])
def test_gradients_are_those_of_the_model_itself(network: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    model = network()
    images = torch.randn(3, 1, 8, 8)
    found = []
    for forward in (model, compile_forward(model)):
        forward(images).square().mean().backward()
        found.append([weight.grad.clone() for weight in model.parameters()])
        model.zero_grad(set_to_none=True)
    torch.testing.assert_close(found[1], found[0])
    check_compiler(CPU)


def test_small_maps_are_translated_with_what_is_around_them() -> None:
    whole = torch.compile(with_small_maps(), dynamic=False, backend="aot_eager", fullgraph=True)
    whole(torch.randn(3, 1, 8, 8)).sum().backward()


def test_without_a_compiler_the_recipe_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_compiler(graph: object, example: object) -> object:
        raise RuntimeError("InvalidCxxCompiler: no working C++ compiler found")

    monkeypatch.setattr(compiled, "_BACKEND", no_compiler)
    recipe = Recipe(
        model=ModelSettings(name="cnn2"),
        data=DataSettings(image_size=(16, 16)),
        training=TrainingSettings(compile=True),
    )
    with pytest.raises(RecipeError, match=r"training\.compile: torch cannot translate for cpu here .*no working C\+\+"):
        check_recipe(recipe, n_classes=2, title="r.yaml")
    with pytest.raises(RecipeError, match=r"torch cannot translate this network .*Set it to false"):
        compile_forward(nn.Linear(2, 2))(torch.zeros(1, 2))


def test_too_little_memory_is_no_missing_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(graph: object, example: object) -> object:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(compiled, "_BACKEND", short)
    with pytest.raises(RuntimeError, match="CUDA out of memory"):
        check_compiler(CPU)
    with pytest.raises(RuntimeError, match="CUDA out of memory"):
        compile_forward(nn.Linear(2, 2))(torch.zeros(1, 2))
