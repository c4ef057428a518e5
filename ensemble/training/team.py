"""The processes that train one fold together. Here: one alone, which is what most trainings are.

``ensemble.training.torchrun`` has the several; every method here says what all of them have to do together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from ensemble.data.shares import Share
from ensemble.files import locked

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from ensemble.data.loaders import ImageRows

Made = TypeVar("Made")


class Lock(Protocol):
    """Says whether a folder is still ours; see ``ensemble.files.HeldLock``."""

    def check(self) -> None:
        """Raise StorageError if it is not."""


class Team:
    """One process.

    Of several, all call the same methods in the same order. The first (``leads``) writes, shows and decides; where one
    of them raises an error, all of them end at their next call.

    Attributes:
        share: Which one this is, of how many.
        device: Where it computes, as ``--device`` names it; None: wherever the user says.
    """

    def __init__(self, share: Share = Share(), device: str | None = None) -> None:  # noqa: B008 - frozen
        self.share = share
        self.device = device

    @property
    def processes(self) -> int:
        """How many there are."""
        return self.share.processes

    @property
    def leads(self) -> bool:
        """Whether this is the one that writes and shows."""
        return self.share.rank == 0

    def agree(self, stop: str = "") -> str:
        """Wait for the others; returns why any of them wishes to stop, or empty.

        Args:
            stop: Why this one wishes to stop, or empty.

        Raises:
            EnsembleError: In the leader, what another one has raised.
            SystemExit: In the others.
        """
        return stop

    def leader_first(self) -> AbstractContextManager[None]:
        """What the block does is done by the leader first, then by the others."""
        return nullcontext()

    def from_leader(self, make: Callable[[], Made]) -> Made:
        """What ``make`` returns in the leader; it is called there alone. To be small, for it is sent."""
        return make()

    def check_same(self, facts: Mapping[str, object]) -> None:
        """See that all have the same facts, by name.

        Raises:
            DataError: This one has others than the leader.
        """

    def lock(self, path: Path) -> AbstractContextManager[Lock]:
        """The leader's lock on ``path``; see ``ensemble.files.locked``."""
        return locked(path)

    def before_batch(self, seed: int, batch: int) -> None:
        """Before the forward pass of a batch with this number, of an epoch with this seed, that all have got."""

    def own_rows(self, rows: ImageRows) -> ImageRows:
        """This process's part of a table's rows."""
        return rows

    def whole_batch(self, logits: torch.Tensor, share: Share, n_rows: int) -> torch.Tensor:  # noqa: ARG002
        """Logits of a whole batch, shape (n_rows, C), from those of this process's part of it.

        They carry the gradient of that part alone. The gradient of a mean over processes is a sum of these divided by
        ``processes``, so the loss is to be multiplied by that.
        """
        return logits

    def whole_table(self, logits: NDArray[np.float32], n_rows: int) -> NDArray[np.float32]:  # noqa: ARG002
        """Logits of all rows, shape (n_rows, C), in order, from those of this process's part of them."""
        return logits

    def share_gradients(
        self,
        model: nn.Module,  # noqa: ARG002
        *,
        some_unused: bool,  # noqa: ARG002
    ) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """The forward pass whose backward pass leaves the mean of all gradients; None: that of ``model`` itself.

        Args:
            model: Becomes the leader's in all.
            some_unused: Whether a step may leave weights without a gradient.
        """
        return None

    def gradients(self, *, complete: bool) -> AbstractContextManager[None]:  # noqa: ARG002
        """Around a batch; ``complete``: an update follows, so gradients are to be shared now."""
        return nullcontext()

    def spread_buffers(self, model: nn.Module) -> None:
        """Give all the leader's means and variances of batch normalisation."""


ALONE = Team()
"""One process, wherever the user says."""
