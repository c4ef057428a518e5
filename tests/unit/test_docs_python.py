"""Every Python block of the README and of docs/ runs as it stands, given the arrays that it speaks of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from ensemble.blending import MemberStack
from ensemble.evaluation import BlendWishes, scorecard

ROOT = Path(__file__).parents[2]
OWN_TESTS = ("sklearn.md",)  # test_docs_sklearn runs it, and compares what it prints
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
N, CLASSES = 120, 3


@cache
def given() -> Mapping[str, Any]:
    """What a reader is taken to have: 120 labelled rows of 40 patients, two members, 60 test rows."""
    rng = np.random.default_rng(0)
    labels = (rng.random((N, CLASSES)) < 0.3).astype(float)
    logits = (3 * labels - 2 + rng.standard_normal((2, N, CLASSES))).astype(np.float32)
    first, second = expit(logits.astype(np.float64))
    test = {name: rng.random((60, CLASSES)) for name in ("resnet", "convnext")}
    patients = np.arange(N) // 3
    return {
        "labels": labels,
        "patients": patients,
        "groups": patients.astype(str),
        "stack": MemberStack(("a", "b"), logits),
        "probabilities": first,
        "probabilities_a": first,
        "probabilities_b": second,
        "p_resnet": first,
        "p_convnext": second,
        "test_probabilities": test["resnet"],
        "test_members": test,
        "decisions": first >= 0.5,
        "other": second >= 0.5,
        "any_multilabel_classifier": OneVsRestClassifier(LogisticRegression()),
        "X": logits[0],
        "Y": labels.astype(int),
    }


def pages() -> list[Path]:
    every = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [page for page in every if blocks(page) and page.name not in OWN_TESTS]


def blocks(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def test_blocks_are_found() -> None:
    assert {page.name for page in pages()} >= {"README.md", "blending.md", "honest-scores.md", "tables.md"}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scorecard, "BlendWishes", lambda: BlendWishes(trials=1))  # the default's 100 take seconds
    names = dict(given())
    for block in blocks(page):
        exec(compile(block, page.name, "exec"), names)  # noqa: S102 - our own pages
