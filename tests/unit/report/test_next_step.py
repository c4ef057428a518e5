"""Commands that are printed can be pasted."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from ensemble.report.next_step import blend_members, train_again
from ensemble.train import build_parser


def test_the_missing_folds_are_trained_by_the_same_command() -> None:
    typed = ["my recipes/a.yaml", "--fold", "1", "--data", "my data", "--set", "training.epochs=3", "--overwrite"]
    typed += ["--name", "b", "--folds", "f.csv", "--seed", "7", "--workers", "0", "--device", "cpu", "--runs", "out"]
    typed += ["--time-limit", "90m", "--checkpoint-seconds", "5", "--cache", "c"]
    first = build_parser().parse_args(typed)
    for missing, one in (([2], 2), ([0, 2], None)):
        words = shlex.split(train_again(first, missing))
        assert words[:3] == ["python", "-m", "ensemble.train"]
        again = vars(build_parser().parse_args(words[3:]))
        assert again == {**vars(first), "fold": one, "all_folds": one is None, "overwrite": False}


def test_flags_that_were_not_given_are_not_shown() -> None:
    first = build_parser().parse_args(["recipes/cnn2.yaml", "--fold", "0"])
    assert train_again(first, [1]) == "python -m ensemble.train recipes/cnn2.yaml --fold 1"
    assert blend_members(Path("my data"), Path("runs")) == "python -m ensemble.blend --data 'my data'"


def test_several_processes_are_started_again_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    first = build_parser().parse_args(["recipes/cnn2.yaml", "--fold", "0"])
    assert train_again(first, [1]) == "torchrun --nproc-per-node 2 -m ensemble.train recipes/cnn2.yaml --fold 1"
