"""What a member's models say where they cannot look at images."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ensemble.errors import OutOfMemory
from ensemble.prediction import models
from ensemble.prediction.decoding import Preparation
from ensemble.prediction.models import MemberModels, load_member


def short(*_args: object, **_more: object) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def test_too_little_memory_for_a_batch_names_the_member_and_what_can_be_done() -> None:
    model: Any = SimpleNamespace(logits=short)
    member = MemberModels("a", (model,), 8, Preparation((4, 4), wide=False))
    said = (
        r"^memory ran out while member a looked at 3 images at once \(CUDA out of memory\. .*choose another --device$"
    )
    with pytest.raises(OutOfMemory, match=said):
        member.logits([np.zeros((4, 4), np.uint8)] * 3, ["x", "y", "z"])


def test_too_little_memory_for_the_models_names_the_member(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_load_model", short)
    files: Any = SimpleNamespace(name="a", recipe=None, folds=[SimpleNamespace(facts={})])
    with pytest.raises(OutOfMemory, match=r"^memory ran out while the models of member a were loaded \(CUDA out of"):
        load_member(files, ["x"], torch.device("cpu"), mirrored=False)
