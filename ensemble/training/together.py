"""Several processes that train one fold together: torch's DistributedDataParallel, set up by timm.

What is exchanged, and where. Numbers of a step (logits of a batch, gradients, buffers) go over NCCL on GPUs and gloo on
CPUs. Everything else (may we go on? who wishes to stop? what went wrong?) goes over gloo in a group of its own, so that
no GPU waits. A process that has failed joins the question that the others ask next, and all end with one message. So
before numbers are exchanged, all must have agreed that they got there.
"""

from __future__ import annotations

import inspect
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from timm.utils.distributed import distribute_bn
from torch import distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ensemble.data.loaders import ImageRows
from ensemble.data.shares import Share
from ensemble.errors import EXIT_UNFINISHED, DataError, EnsembleError, WorkerDied
from ensemble.files import locked
from ensemble.processes import say_unheard
from ensemble.seeds import derive_seed
from ensemble.stopping import signals_deferred
from ensemble.training.endings import LOST, End, end_by, is_loss
from ensemble.training.team import Lock, Made, Team

# The leader may decode a million images, or write to a slow disk, while the others wait.
_PATIENCE = timedelta(days=7)
# A process that has failed waits so long for the others to ask: they may be in a slow step. One that was interrupted
# for a second time is not to wait at all, but what it knows should be told if the others are there.
_FAILED_WAITS, _INTERRUPTED_WAITS = timedelta(seconds=60), timedelta(seconds=5)
# torch is about to give it another name.
_SYNC_BUFFERS = next(
    name
    for name in ("forward_sync_buffers", "broadcast_buffers")
    if name in inspect.signature(DistributedDataParallel.__init__).parameters
)


class _LeadersLock:
    """Stands for the lock that the leader holds, and looks after."""

    def check(self) -> None:
        pass


class TorchrunTeam(Team):
    """One of several; see ``Team`` for what the methods do."""

    def __init__(self, share: Share, device: str) -> None:
        super().__init__(share, device)
        self._questions: Any = dist.new_group(backend="gloo", timeout=_PATIENCE)
        self._parallel: DistributedDataParallel | None = None
        self._over = False

    def agree(self, stop: str = "") -> str:
        """Ask and answer over gloo. See ``Team``."""
        with self._company():
            failed, asked = self._ask(failed=False, asked=bool(stop))
            words = self._collect(None if failed else stop) if failed or asked else []
            self._over = failed  # before a signal that came meanwhile is answered
        if failed:
            self._end(words)
        return next(filter(None, words), "")

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """Two questions: the leader is through; all are through. See ``Team``."""
        if not self.leads:
            self.agree()
        yield
        if self.leads:
            self.agree()
        self.agree()

    def from_leader(self, make: Callable[[], Made]) -> Made:
        """Sent over gloo. See ``Team``."""
        made = [make() if self.leads else None]
        self.agree()
        with self._company():
            dist.broadcast_object_list(made, src=0, group=self._questions)
        result: Made = made[0]  # type: ignore[assignment]
        return result

    def check_same(self, facts: Mapping[str, object]) -> None:
        """Compared with what the leader sends. See ``Team``."""
        leaders = self.from_leader(lambda: dict(facts))
        if other := [name for name in facts if facts[name] != leaders[name]]:
            raise DataError(
                f"on {socket.gethostname()} there is another {' and another '.join(other)} than where process 0 runs. "
                "All processes need the same dataset, runs folder and package versions under the same paths"
            )
        self.agree()

    def lock(self, path: Path) -> AbstractContextManager[Lock]:
        """Held by the leader. See ``Team``."""
        return locked(path) if self.leads else nullcontext(_LeadersLock())

    def before_batch(self, seed: int, batch: int) -> None:
        """Agree that all have got it, and set the random state of this process and batch. See ``Team``."""
        self.agree()
        # So that a restart, with however many processes, needs nobody's random state but these numbers.
        torch.manual_seed(derive_seed(seed, "batch", batch, "process", self.share.rank))

    def own_rows(self, rows: ImageRows) -> ImageRows:
        """Contiguous, as ``whole_table`` puts them together. See ``Team``."""
        return rows.subset(np.arange(len(rows))[self.share.of(len(rows)).rows])

    def whole_batch(self, logits: torch.Tensor, share: Share, n_rows: int) -> torch.Tensor:
        """Sum of what each has, zeros elsewhere. See ``Team``."""
        part = share.of(n_rows)
        whole = logits.new_zeros((n_rows, logits.shape[1]))
        if part.counts:
            whole[part.rows] = logits.detach()
        with self._company():
            dist.all_reduce(whole)
        if not part.counts:
            return whole + 0.0 * logits.sum()  # a gradient of zeros, for the exchange of gradients waits for all
        whole[part.rows] = logits
        return whole

    def whole_table(self, logits: NDArray[np.float32], n_rows: int) -> NDArray[np.float32]:
        """Sum of what each has, zeros elsewhere. See ``Team``."""
        self.agree()
        part = self.share.of(n_rows)
        whole = np.zeros((n_rows, logits.shape[1]), dtype=np.float32)
        if part.counts:
            whole[part.rows] = logits
        with self._company():
            dist.all_reduce(torch.from_numpy(whole), group=self._questions)
        return whole

    def share_gradients(self, model: nn.Module, *, some_unused: bool) -> Callable[[torch.Tensor], torch.Tensor]:
        """Torch's DistributedDataParallel. See ``Team``."""
        self.agree()
        device = next(model.parameters()).device
        settings: dict[str, Any] = {
            "device_ids": [device] if device.type == "cuda" else None,
            "find_unused_parameters": some_unused,
            _SYNC_BUFFERS: False,  # while training nobody reads them; see spread_buffers
        }
        with self._company():
            self._parallel = DistributedDataParallel(model, **settings)
        return self._parallel

    def gradients(self, *, complete: bool) -> AbstractContextManager[None]:
        """Not exchanged before the last batch of an update. See ``Team``."""
        return nullcontext() if complete or self._parallel is None else self._parallel.no_sync()

    def spread_buffers(self, model: nn.Module) -> None:
        """By timm. See ``Team``."""
        self.agree()
        with self._company():
            distribute_bn(model, self.processes, reduce=False)

    def tell(self, error: BaseException) -> None:
        """Let the others know that this process ends, and why.

        Raises:
            SystemExit: In all but the leader, whose own error is the one that is shown.
            WorkerDied: In the leader, where ``error`` is torch's word for a process that is gone.
        """
        end = end_by(error)
        if not self._over and end is not None:
            self._over = True
            waits = _INTERRUPTED_WAITS if isinstance(error, KeyboardInterrupt) else _FAILED_WAITS
            try:
                with self._company():
                    self._ask(failed=True, asked=False, within=waits)
                    self._collect(end)
            except WorkerDied:
                if not self.leads:
                    self._say_alone(end)
                    os._exit(end.exit_code)  # they are gone, or do not answer: torch would wait for them at its end
        if not self.leads and end is not None:
            raise SystemExit(end.exit_code) from error
        if is_loss(error):
            raise WorkerDied(LOST) from error

    def _say_alone(self, end: End) -> None:
        """The others are within a step and learn of nothing but our end, and what this process prints is not shown."""
        if end.exit_code != EXIT_UNFINISHED and end.said != LOST:
            say_unheard(self.share.rank, self.processes, end.said)

    def _ask(self, *, failed: bool, asked: bool, within: timedelta | None = None) -> tuple[bool, bool]:
        """Whether any has failed, and whether any asks to stop."""
        flags = torch.tensor([failed, asked], dtype=torch.int32)
        work: Any = dist.all_reduce(flags, op=dist.ReduceOp.MAX, group=self._questions, async_op=True)
        work.wait(_PATIENCE if within is None else within)
        any_failed, any_asked = flags.tolist()
        return bool(any_failed), bool(any_asked)

    def _collect(self, word: object) -> list[Any]:
        words: list[Any] = [None] * self.processes
        dist.all_gather_object(words, word, group=self._questions)
        return words

    def _end(self, ends: list[End | None]) -> None:
        """End as those that have failed did."""
        rank, end = next((rank, end) for rank, end in enumerate(ends) if end is not None)
        if not self.leads:
            raise SystemExit(end.exit_code)
        error = EnsembleError(f"process {rank} of {self.processes}: {end.said}")
        error.exit_code = end.exit_code
        raise error

    @contextmanager
    def _company(self) -> Iterator[None]:
        """An exchange, which no signal breaks off in the middle. A process that is gone is one error."""
        try:
            with signals_deferred():
                yield
        except RuntimeError as error:
            if not is_loss(error):
                raise
            self._over = True
            raise WorkerDied(LOST) from error
