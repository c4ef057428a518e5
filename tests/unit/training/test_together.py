"""Three processes over gloo: gradients, tables and words are as if there were one; and they end together."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap

import pytest
from torch import distributed as dist

from ensemble.data.shares import Share
from ensemble.errors import DataError, OutOfMemory, RecipeError
from ensemble.processes import Place, place
from ensemble.training import together, torchrun
from ensemble.training.endings import LOST, End, end_by
from ensemble.training.together import TorchrunTeam

SHORT = "there is too little memory ({}). Make some free"
PROCESSES = 3
SCRIPT = """
import sys
from contextlib import suppress
import numpy as np, torch
from torch import nn
from ensemble.command import run_command
from ensemble.data.shares import Share
from ensemble.errors import StorageError
from ensemble.processes import place
from ensemble.training.losses import build_loss, loss_names
from ensemble.training.torchrun import joined

def network():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 4))
    model.register_parameter("idle", nn.Parameter(torch.zeros(1)))
    return model

def gradients_are_those_of_the_whole_batch(team):
    alone, together = network(), network()
    with torch.no_grad():
        together[0].weight += team.share.rank  # the leader's are taken
    forward = team.share_gradients(together, some_unused=True)
    for name in loss_names():
        rng = np.random.default_rng(1)
        labels = rng.integers(0, 2, (16, 4)).astype(np.float32)
        if name in loss_names(masking=True):
            labels[rng.random(labels.shape) < 0.4] = np.nan
            labels[:3] = np.nan  # a part without any label
        loss = build_loss(name, labels=labels)
        for sizes in ([16], [7, 4, 1]):  # the second: three batches an update, the last two too small for all
            for model in (alone, together):
                model.zero_grad()
            for number, size in enumerate(sizes):
                team.before_batch(0, number)
                share = Share(team.share.rank, team.processes, least=2)
                part = share.of(size)
                inputs, known = torch.from_numpy(rng.random((size, 5), np.float32)), torch.from_numpy(labels[:size])
                loss(alone(inputs), known).backward()
                with team.gradients(complete=number + 1 == len(sizes)):
                    whole = team.whole_batch(forward(inputs[part.rows]), share, size)
                    (loss(whole, known) * team.processes).backward()
            for one, other in zip(alone.parameters(), together.parameters(), strict=True):
                if one.grad is None:
                    assert other.grad is None
                else:
                    torch.testing.assert_close(other.grad, one.grad, rtol=1e-4, atol=1e-6)

def main(argv):
    with joined(place(), "cpu") as team:
        gradients_are_those_of_the_whole_batch(team)
        for n_rows in (1, 2, 10):
            table = np.random.default_rng(n_rows).random((n_rows, 3), np.float32)
            whole = team.whole_table(table[team.share.of(n_rows).rows], n_rows)
            assert np.array_equal(whole, table)
        norm = nn.BatchNorm1d(2)
        norm.running_mean += team.share.rank + 1
        team.spread_buffers(norm)
        assert norm.running_mean.tolist() == [1, 1]
        assert team.from_leader(lambda: f"said by {team.share.rank}") == "said by 0"
        assert team.agree() == ""
        assert team.agree("SIGTERM" if team.share.rank == 2 else "") == "SIGTERM"
        team.check_same({"fold file": "f1"})
        print("all is well", team.share.rank)
        if team.share.rank == 1:
            raise StorageError("the disk of process 1 is full")
        team.from_leader(lambda: "never sent")
        raise AssertionError

sys.exit(run_command(main, together=True))
"""


def test_three_processes_are_as_one() -> None:
    with socket.socket() as free:
        port = 20_000 + os.getpid() % 10_000  # systems give connections higher ones: nobody takes it meanwhile
        while free.connect_ex(("127.0.0.1", port)) == 0:
            port += 1
    world = {"WORLD_SIZE": PROCESSES, "LOCAL_WORLD_SIZE": PROCESSES, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = []
    for rank in range(PROCESSES):
        given = {**world, "RANK": rank, "LOCAL_RANK": rank, "OMP_NUM_THREADS": 1}
        environment = {**os.environ, **{name: str(value) for name, value in given.items()}}
        command = [sys.executable, "-W", "error::UserWarning", "-c", textwrap.dedent(SCRIPT)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        processes.append(subprocess.Popen(command, env=environment, text=True, **pipes))  # type: ignore[call-overload]
    try:  # each imports torch: more than a minute where many share the cores
        said = [process.communicate(timeout=400) for process in processes]
    finally:
        for process in processes:
            process.kill()  # one that waits for another would go on
    assert [process.returncode for process in processes] == [1, 1, 1], said
    assert said[0] == ("all is well 0\n", "error: process 1 of 3: the disk of process 1 is full\n")
    assert said[1:] == [("", "")] * 2


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (DataError("no labels"), End(2, "no labels")),
        (KeyboardInterrupt("SIGTERM"), End(75, "interrupted by SIGTERM")),
        (OSError(28, "No space left on device", "runs/x"), End(1, "runs/x: No space left on device")),
        (RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer"), End(1, LOST)),
        (dist.DistBackendError("NCCL error"), End(1, LOST)),
        (OutOfMemory("memory ran out in epoch 1"), End(1, "memory ran out in epoch 1")),
        (MemoryError("Unable to allocate 9 TiB"), End(1, SHORT.format("Unable to allocate 9 TiB"))),
        (
            dist.DistBackendError("NCCL error\nfailure 2 'out of memory'"),
            End(1, SHORT.format("failure 2 'out of memory'")),
        ),
        (RuntimeError("shape mismatch"), None),
        (AssertionError(), None),
    ],
)
def test_how_a_process_ends_is_told_but_for_faults_of_the_program(error: BaseException, end: End | None) -> None:
    assert end_by(error) == end


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (OutOfMemory("memory ran out in epoch 1"), 1, "error: process 1 of 3: memory ran out in epoch 1\n"),
        (KeyboardInterrupt("SIGTERM"), 75, ""),
        (RuntimeError("Connection closed by peer"), 1, ""),
    ],
)
def test_a_process_that_fails_while_the_others_are_within_a_step_is_heard(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def unanswered(**_question: object) -> None:
        raise RuntimeError("[gloo] Timed out waiting 60000ms for recv operation to complete")

    def end(code: int) -> None:
        raise SystemExit(code)

    team = TorchrunTeam.__new__(TorchrunTeam)
    team.share, team._over = Share(1, 3), False
    monkeypatch.setattr(team, "_ask", unanswered)
    monkeypatch.setattr(together.os, "_exit", end)
    with pytest.raises(SystemExit) as caught:
        team.tell(error)
    assert caught.value.code == code
    assert capfd.readouterr().err == said


@pytest.mark.parametrize(
    ("local_rank", "said"), [("1", "error: process 1 of 8: torchrun has started 4 processes"), ("0", "")]
)
def test_a_process_that_fails_before_it_has_met_the_others_is_heard_once(
    local_rank: str, said: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    given = {"RANK": "1", "WORLD_SIZE": "8", "LOCAL_RANK": local_rank, "LOCAL_WORLD_SIZE": "4"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("sys.__stderr__", sys.stderr)
    with pytest.raises(RecipeError, match="has 2 GPUs"), torchrun.joined(place(), "cuda"):
        pytest.fail("joined")
    heard = capfd.readouterr().err
    assert heard.startswith(said)
    assert bool(heard) == bool(said)


def test_devices_are_given_by_rank_and_there_have_to_be_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Place(rank=5, count=8, local_rank=1, local_count=4)
    for gpus, wanted, device in ((0, "auto", "cpu"), (4, "auto", "cuda"), (4, "cuda", "cuda"), (4, "cpu", "cpu")):
        monkeypatch.setattr("torch.cuda.device_count", lambda gpus=gpus: gpus)
        assert torchrun._device(here, wanted) == device
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(RecipeError, match=r"4 processes on .*, which has 2 GPUs for them: give --nproc-per-node 2, or"):
        torchrun._device(here, "auto")
    with pytest.raises(RecipeError, match="--device cuda:1: torchrun gives each process its own GPU"):
        torchrun._device(here, "cuda:1")
