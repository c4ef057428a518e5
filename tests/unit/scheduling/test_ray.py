"""Ray as an engine, without Ray: what is handed over, what is told, and what is refused."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ensemble import run
from ensemble.errors import EXIT_BAD_INPUT, EXIT_FAILED, EXIT_UNFINISHED, EngineError
from ensemble.scheduling import ray_task
from ensemble.scheduling.local import Outcome
from ensemble.scheduling.plan import PlannedRun, Progress, read_progress
from ensemble.scheduling.ray import run_all
from ensemble.scheduling.ray_cluster import Node, connected, room_on
from ensemble.scheduling.ray_task import note_start, place_of, train_on_node, wait_for_lock
from ensemble.scheduling.split import Slot
from ensemble.stopping import StopRequest

ROOT = Path(__file__).parents[3]


class RayError(Exception):
    """As Ray's."""


class TaskCancelledError(RayError):
    """As Ray's."""


_EXCEPTIONS = SimpleNamespace(RayError=RayError, TaskCancelledError=TaskCancelledError)


@dataclass(eq=False)
class Task:
    """What was handed over; run when it is waited for."""

    function: Callable[..., Any]
    run: PlannedRun
    folder: Path
    result: Any = None
    ended: bool = False


@dataclass
class FakeRay:
    """Ray with one node, which runs a task when it is waited for.

    Attributes:
        loses: Runs whose node is lost once, in their first start.
        breaks: Runs whose node is lost each time.
    """

    loses: set[str] = field(default_factory=set)
    breaks: set[str] = field(default_factory=set)
    on_wait: Callable[[], None] = lambda: None
    options: dict[str, Any] = field(default_factory=dict)
    most: int = 0
    exceptions: Any = field(default_factory=lambda: _EXCEPTIONS)

    def get_runtime_context(self) -> Any:
        return SimpleNamespace(get_node_id=lambda: "0123456789")

    def remote(self, **options: Any) -> Callable[[Any], Any]:
        self.options = options
        return lambda function: SimpleNamespace(remote=lambda run, folder: Task(function, run, folder))

    def wait(self, tasks: Sequence[Task], *, num_returns: int, timeout: float) -> tuple[list[Task], list[Task]]:
        self.most = max(self.most, len(tasks))
        self.on_wait()
        first = next((task for task in tasks if not task.ended), None)
        if first is None:
            return list(tasks), []
        if first.run.member in self.loses:
            self.loses.remove(first.run.member)
            note_start(first.run, "a node that is gone")
            return [], list(tasks)
        first.ended = True
        if first.run.member in self.breaks:
            first.result = RayError("the node died")
        else:
            first.result = first.function(first.run, first.folder)
        return [first], [task for task in tasks if task is not first]

    def get(self, task: Task) -> Any:
        if isinstance(task.result, Exception):
            raise task.result
        return task.result

    def cancel(self, task: Task, *, force: bool = False) -> None:
        task.ended, task.result = True, TaskCancelledError("cancelled")


@dataclass
class Diary:
    """A watcher that remembers."""

    began: list[tuple[str, bool]] = field(default_factory=list)
    ended_as: dict[str, int] = field(default_factory=dict)
    waiting: list[int] = field(default_factory=list)

    def started(self, run: PlannedRun) -> None:
        self.began.append((run.member, run.started))

    def looked(self, running: Mapping[PlannedRun, Progress], waiting: Sequence[PlannedRun]) -> None:
        self.waiting.append(len(waiting))

    def ended(self, outcome: Outcome) -> None:
        self.ended_as[outcome.run.member] = outcome.exit_code


def run_of(folder: Path, name: str, program: str) -> PlannedRun:
    log, progress = folder / f"{name}.log", folder / f"{name}.progress.json"
    return PlannedRun(name, 0, ("python of the planner", "-c", program), log, progress, lock=folder / name / ".lock")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    ray = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", ray)  # type: ignore[arg-type]
    return ray


def test_one_that_fails_does_not_stop_the_others_and_says_why(tmp_path: Path, fake: FakeRay) -> None:
    runs = [
        run_of(tmp_path, "a", "print('hello')"),
        run_of(tmp_path, "b", "import sys; print('one'); sys.exit('error: no such thing')"),
        run_of(tmp_path, "c", "import os; os.kill(os.getpid(), 9)"),
    ]
    diary = Diary()
    outcomes = {one.run.member: one for one in run_all(runs, [Slot(cpus=2)] * 2, StopRequest(), diary)}
    assert diary.began == [("a", False), ("b", False), ("c", False)]
    assert diary.ended_as == {"a": 0, "b": 1, "c": -signal.SIGKILL}
    assert outcomes["b"].last_lines[-2:] == ("one", "error: no such thing")
    assert "start 1\nhello" in runs[0].log.read_text()
    assert fake.most == 2
    assert (fake.options["num_cpus"], fake.options["num_gpus"]) == (2, 0)
    assert fake.options["max_retries"] > 0
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["a.log", "b.log", "c.log"]


def test_a_task_whose_node_is_lost_is_told_as_going_on(tmp_path: Path, fake: FakeRay) -> None:
    fake.loses, fake.breaks = {"a"}, {"b"}
    diary = Diary()
    outcomes = run_all(
        [run_of(tmp_path, "a", "print('hello')"), run_of(tmp_path, "b", "0")], [Slot()], StopRequest(), diary
    )
    assert diary.began == [("a", False), ("a", True)]
    assert [(one.run.member, one.exit_code) for one in outcomes] == [("a", 0), ("b", EXIT_FAILED)]
    assert "start 2\nhello" in (tmp_path / "a.log").read_text()
    assert outcomes[1].last_lines == ("Ray: RayError: the node died",)


def test_a_request_to_stop_cancels_what_runs_and_hands_over_no_more(tmp_path: Path, fake: FakeRay) -> None:
    stop, diary, runs = StopRequest(), Diary(), [run_of(tmp_path, name, "0") for name in "abc"]

    def ask() -> None:
        if not stop.reason:
            note_start(runs[0], "here")
            fake.loses = {"a"}  # still runs
            stop.reason = "a test"

    fake.on_wait = ask
    outcomes = run_all(runs, [Slot(), Slot()], stop, diary)
    assert [(one.run.member, one.exit_code) for one in outcomes] == [("a", EXIT_UNFINISHED)]
    assert diary.began[0] == ("a", False)
    assert not place_of(runs[0]).exists()


def test_a_task_without_the_shared_folder_says_so(tmp_path: Path) -> None:
    code, lines = train_on_node(run_of(tmp_path, "a", "0"), tmp_path / "elsewhere", "n1")
    assert code == EXIT_BAD_INPUT
    assert f"node n1 has no folder {tmp_path / 'elsewhere'}" in lines[0]


@pytest.mark.parametrize("answer", ["signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))", "'it only starts'"])
def test_a_cancelled_task_has_its_training_saved(answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    polite = (
        f"import pathlib, signal, sys, time\n{answer}\npathlib.Path({str(tmp_path / 'up')!r}).touch()\ntime.sleep(60)"
    )

    class Interrupting:
        monotonic = staticmethod(ray_task.time.monotonic)

        @staticmethod
        def sleep(_seconds: float) -> None:
            if (tmp_path / "up").exists():
                raise KeyboardInterrupt  # as Ray does

    monkeypatch.setattr(ray_task, "time", Interrupting)
    code, lines = train_on_node(run_of(tmp_path, "a", polite), ROOT, "n1")
    assert code == EXIT_UNFINISHED
    assert lines == ("-- on node n1, start 1",)


def test_the_lock_of_a_lost_node_is_waited_for(tmp_path: Path) -> None:
    run = run_of(tmp_path, "a", "0")
    assert run.lock is not None
    holder = (
        "import sys, time, pathlib\n"
        "from ensemble.files import locked\n"
        f"with locked(pathlib.Path({str(run.lock)!r})):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()"
    )
    words = [sys.executable, "-c", holder]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        wait_for_lock(run, seconds=0.3)  # gives up: the training then says who is in the way
        assert read_progress(run.progress).doing == "waiting for the fold's lock"
        process.kill()
        wait_for_lock(run, seconds=60)


def test_room_on_nodes_is_counted_and_none_is_refused() -> None:
    nodes = [Node(0, 0), Node(9, 2), Node(4, 0)]
    assert room_on(nodes, cpus=4, gpus=0) == 3
    assert room_on(nodes, cpus=1, gpus=1) == 2
    with pytest.raises(EngineError, match=r"no node has room for a training that needs 10 CPUs and 0 GPUs"):
        room_on(nodes, cpus=10, gpus=0)


def test_what_is_wrong_with_ray_is_one_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=str(EXIT_BAD_INPUT)):
        run.main(["a.yaml", "--address", "auto"])
    assert "give --engine ray" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "ray", None)  # type: ignore[arg-type]
    with pytest.raises(EngineError, match=r"pip install 'timm-ensemble\[ray\]'"):
        run.main(["a.yaml", "--engine", "ray"])


@pytest.mark.parametrize(
    ("address", "said"),
    [("here", "expected auto, host:port"), ("127.0.0.1:1", "nothing answers"), ("ray://x", "expected")],
)
def test_an_address_where_nobody_is(fake: FakeRay, address: str, said: str) -> None:
    with pytest.raises(EngineError, match=said), connected(address):
        pytest.fail("connected")


def test_a_cluster_that_refuses(fake: FakeRay) -> None:
    def init(**_: object) -> None:
        raise ConnectionError("versions differ")

    fake.init = init  # type: ignore[attr-defined]
    with (
        pytest.raises(EngineError, match=r"no Ray cluster at auto, .* \(versions differ\). Start it"),
        connected("auto"),
    ):
        pytest.fail("connected")


def test_an_instance_of_our_own_is_quiet_and_ends_with_the_block(fake: FakeRay) -> None:
    seen: dict[str, Any] = {}

    def init(**options: Any) -> None:
        seen.update(options)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # Ray takes it for itself

    fake.init, fake.shutdown = init, lambda: seen.update(ended=True)  # type: ignore[attr-defined]
    before = signal.getsignal(signal.SIGTERM)
    with connected(None, cpus=4096) as ray:
        assert ray is fake
        assert signal.getsignal(signal.SIGTERM) == before
    assert (seen["address"], seen["num_cpus"], seen["ended"]) == ("local", 4096, True)
    assert (seen["include_dashboard"], seen["log_to_driver"]) == (False, False)
