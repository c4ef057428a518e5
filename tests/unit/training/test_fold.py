"""How a fold stops."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ensemble.errors import StorageError, Unfinished
from ensemble.training.fold import Fold


def make_fold(done: list[str], *, full: bool = False) -> Any:
    def save() -> None:
        done.append("saved")
        if full:
            raise StorageError("the disk is full")

    stop = SimpleNamespace(seen=lambda: done.append("seen"))
    team = SimpleNamespace(agree=lambda: done.append("all are there"))
    return SimpleNamespace(save=save, team=team, job=SimpleNamespace(pacing=SimpleNamespace(stop=stop)))


def test_no_process_ends_before_the_checkpoint_is_whole() -> None:
    done: list[str] = []
    with pytest.raises(Unfinished, match="stopped by SIGTERM, in epoch 1 of 2; the same command goes on"):
        Fold.stop(make_fold(done), "SIGTERM", "in epoch 1 of 2")
    assert done == ["seen", "saved", "all are there"]


def test_a_leader_that_cannot_save_fails_before_it_agrees_and_so_tells_those_that_wait() -> None:
    done: list[str] = []
    with pytest.raises(StorageError, match="the disk is full"):
        Fold.stop(make_fold(done, full=True), "SIGTERM", "in epoch 1 of 2")
    assert done == ["seen", "saved"]


def test_where_nothing_is_to_be_saved_nobody_waits() -> None:
    done: list[str] = []
    with pytest.raises(Unfinished):
        Fold.stop(make_fold(done), "SIGTERM", "while test rows were predicted", save=False)
    assert done == ["seen"]
