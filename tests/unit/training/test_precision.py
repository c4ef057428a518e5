from collections.abc import Callable

import pytest
import torch

from ensemble.errors import RecipeError
from ensemble.training import precision
from ensemble.training.precision import choose_device, choose_precision, cpu_has_bfloat16, usable_cores

CPU = torch.device("cpu")
CUDA = torch.device("cuda:0")


@pytest.mark.parametrize(("has", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_auto_on_a_cpu_follows_its_instructions(has: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: has)
    chosen = choose_precision("auto", CPU)
    assert chosen.name == expected
    assert "bfloat16 instructions" in chosen.reason


@pytest.mark.parametrize(
    ("capability", "expected"), [((6, 1), "float32"), ((7, 5), "float16"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")]
)
def test_auto_on_cuda_follows_its_generation(
    capability: tuple[int, int], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    assert choose_precision("auto", CUDA).name == expected


def test_only_float16_scales_the_loss() -> None:
    assert not choose_precision("bfloat16", CPU).scaler().is_enabled()
    assert precision.Precision("float16", "", "cpu").scaler().is_enabled()


def test_bfloat16_runs_in_bfloat16() -> None:
    with choose_precision("bfloat16", CPU).autocast():
        assert torch.nn.Linear(2, 2)(torch.ones(1, 2)).dtype == torch.bfloat16
    with choose_precision("float32", CPU).autocast():
        assert torch.nn.Linear(2, 2)(torch.ones(1, 2)).dtype == torch.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: choose_precision("float16", CPU), "float16 needs a CUDA or MPS device"),
        (lambda: choose_precision("int8", CPU), "expected auto, float32, bfloat16 or float16, got 'int8'"),
        (lambda: choose_device("gpu"), "expected auto, cpu, cuda"),
        (lambda: choose_device("cuda:x"), "expected auto, cpu, cuda"),
        (lambda: choose_device("cpu:"), "expected auto, cpu, cuda"),
        (lambda: choose_device("cuda:01"), "expected auto, cpu, cuda"),
        (lambda: choose_device("cuda:²"), "expected auto, cpu, cuda"),
        (lambda: choose_device("cuda:99"), "this machine has . such devices"),
    ],
)
def test_errors(call: Callable[[], object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        call()


def test_the_processor_is_asked() -> None:
    assert isinstance(cpu_has_bfloat16(), bool)
    assert usable_cores() >= 1
    assert choose_device("cpu") == CPU


@pytest.mark.parametrize("has", [True, False])
def test_imitated_bfloat16_is_warned_of(has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: has)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: (8, 0) if has else (7, 5))
    for device, name in ((CPU, "processor"), (CUDA, "GPU")):
        chosen = choose_precision("bfloat16", device)
        assert chosen.name == "bfloat16"
        warned = f"this {name} has no bfloat16 instructions and imitates them, several times slower than float32"
        assert (warned in chosen.reason) == (not has)
    assert choose_precision("float32", CPU).reason == "the recipe asks for it"
