"""A restart calculates as the run did that it goes on with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ensemble.errors import ArtefactError
from ensemble.training.checkpoint import Checkpoint
from ensemble.training.job import Hardware
from ensemble.training.precision import choose_precision

HERE = Hardware(torch.device("cpu"), choose_precision("float32", torch.device("cpu")), workers=0, threads=2)


def stored(**hardware: object) -> Checkpoint:
    return Checkpoint(Path("fold_0/checkpoint.pt"), {"facts": {}, "hardware": hardware})


def test_without_a_checkpoint_nothing_changes() -> None:
    assert HERE.as_in(None) is HERE
    assert HERE.as_in(stored()) is HERE
    assert HERE.as_in(stored(**HERE.facts())) is HERE


def test_threads_and_precision_are_the_runs_and_that_is_said() -> None:
    taken = HERE.as_in(stored(device="cpu", precision="bfloat16", threads=1))
    assert (taken.precision.name, taken.precision.device_type, taken.threads) == ("bfloat16", "cpu", 1)
    assert taken.precision.reason == "the run was started with it"
    assert taken.notice == "goes on in bfloat16 with 1 thread, as it was started, for the same results"
    assert taken.facts() == {"device": "cpu", "precision": "bfloat16", "threads": 1, "processes": 1}


def test_on_a_gpu_threads_are_those_of_now() -> None:
    gpu = replace(HERE, device=torch.device("cuda"))
    taken = gpu.as_in(stored(device="cuda", precision=HERE.precision.name, threads=16, processes=1))
    assert (taken.threads, taken.notice) == (HERE.threads, "")


def test_other_processes_keep_their_own_threads_and_that_is_said() -> None:
    before = stored(device="cpu", precision="bfloat16", threads=4, processes=1)
    taken = replace(HERE, processes=3).as_in(before)
    assert (taken.precision.name, taken.threads, taken.processes) == ("bfloat16", 2, 3)
    assert taken.notice == "was started with 1 and goes on with 3 processes: results differ a little"
    older = stored(device="cpu", precision="float32", threads=2)
    assert "was started with 1 and goes on with 3" in replace(HERE, processes=3).as_in(older).notice


def test_a_version_1_checkpoint_knows_the_precision_alone() -> None:
    old = Checkpoint(Path("checkpoint.pt"), {"facts": {"precision": "bfloat16"}})
    assert (HERE.as_in(old).precision.name, HERE.as_in(old).threads) == ("bfloat16", 2)


def test_another_kind_of_device_is_refused() -> None:
    said = (
        r"checkpoint\.pt: this unfinished fold was started on cuda, and would go on on cpu.*Give --device cuda, or --ov"
    )
    with pytest.raises(ArtefactError, match=said):
        HERE.as_in(stored(device="cuda", precision="bfloat16", threads=2))
