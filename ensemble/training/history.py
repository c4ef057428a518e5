"""What each epoch brought (``metrics.csv``), and which epoch's weights are kept."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ensemble.files import write_text
from ensemble.recipe import Recipe, TrainingSettings


@dataclass(frozen=True)
class EpochRow:
    """One row of ``metrics.csv``.

    Attributes:
        epoch: From 1.
        train_loss: Mean over the training images, augmented, while the weights moved.
        train_images_per_second: Of training steps alone; evaluation is excluded.
        fold_loss: On the held-out fold; NaN, as the next two, where the recipe has the last epoch alone scored.
        fold_macro_f1: On the held-out fold, at 0.5.
        fold_macro_average_precision: On the held-out fold.
        inner_loss: On the inner slice that early stopping watches; NaN without.
        learning_rate: Of the last update.
        seconds: The whole epoch, evaluation included.
    """

    epoch: int
    train_loss: float
    train_images_per_second: float
    fold_loss: float
    fold_macro_f1: float
    fold_macro_average_precision: float
    learning_rate: float
    seconds: float
    inner_loss: float = math.nan

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> EpochRow:
        """The inverse of ``dataclasses.asdict``."""
        return cls(**{one.name: values[one.name] for one in fields(cls)})


def write_metrics(path: Path, rows: Sequence[EpochRow]) -> None:
    """Write all rows so far; the file always holds whole rows."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [one.name for one in fields(EpochRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(_as_text(row) for row in rows)
    write_text(path, text.getvalue())


def _as_text(row: EpochRow) -> dict[str, str]:
    return {
        name: "" if isinstance(value, float) and math.isnan(value) else f"{value:.8g}"
        for name, value in asdict(row).items()
    }


def selection(training: TrainingSettings) -> str:
    """What decides whose weights are kept: ``best_on_fold``, ``lowest_inner_loss`` (early stopping) or ``last``."""
    if training.select == "last" and training.early_stopping is not None:
        return "lowest_inner_loss"
    return training.select


def flattering(recipe: Recipe) -> dict[str, str]:
    """What flatters out-of-fold scores, as notes of a table: how the epoch was chosen, and a search for settings."""
    notes = {"select": selection(recipe.training)}
    return notes if recipe.searched is None else {**notes, "searched": "by tune"}


@dataclass(eq=False)
class BestEpoch:
    """Keeps the weights of the epoch with the highest score, and counts epochs without a better one.

    Attributes:
        epoch: Of the kept weights, from 1; 0 before the first offer.
        waited: Epochs since.
    """

    epoch: int = 0
    score: float = -math.inf
    waited: int = 0
    weights: dict[str, torch.Tensor] | None = None

    def offer(self, epoch: int, score: float, model: nn.Module, *, keep_weights: bool = True) -> None:
        """Take over ``model``'s weights if ``score`` is higher than any before. NaN is never higher."""
        if not score > self.score:
            self.waited += 1
            return
        self.epoch, self.score, self.waited = epoch, score, 0
        if keep_weights:
            self.weights = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}

    def to_state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"epoch": self.epoch, "score": self.score, "waited": self.waited, "weights": self.weights}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> BestEpoch:
        """The inverse of ``to_state``."""
        return cls(state["epoch"], state["score"], state["waited"], state["weights"])


@dataclass(eq=False)
class History:
    """What the epochs so far brought.

    Attributes:
        rows: One an epoch.
        chosen: By the held-out fold, where the recipe selects so.
        watched: By the inner slice that early stopping watches.
    """

    rows: list[EpochRow] = field(default_factory=list)
    chosen: BestEpoch = field(default_factory=BestEpoch)
    watched: BestEpoch = field(default_factory=BestEpoch)

    def write(self, path: Path) -> None:
        """Make ``metrics.csv`` hold just these rows; without any, there is none."""
        if self.rows:
            write_metrics(path, self.rows)
        else:
            path.unlink(missing_ok=True)

    def should_stop(self, training: TrainingSettings) -> bool:
        """Whether early stopping has waited long enough."""
        stopping = training.early_stopping
        return stopping is not None and self.watched.waited >= stopping.patience_epochs

    def choose_weights(self, model: nn.Module) -> int:
        """Leave the last epoch's weights in ``model``, or put those in that were kept; returns whose they are."""
        kept = self.chosen if self.chosen.weights is not None else self.watched
        if kept.weights is None:
            return len(self.rows)
        model.load_state_dict(kept.weights)
        return kept.epoch

    def why_chosen(self, training: TrainingSettings, epoch: int) -> str:
        """In words; empty where the last epoch's weights are kept whatever they are."""
        by = selection(training)
        if by == "last":
            return ""
        if by == "best_on_fold":
            what = "the highest average precision on the held-out fold, whose scores are marked for that"
            known = self.chosen.weights is not None
        else:
            what = f"the lowest loss on the inner slice, {self.rows[epoch - 1].inner_loss:.4f}"
            known = self.watched.weights is not None
        why = what if known else "the last, as no epoch's is a number that could be compared"
        stopped = f"; stopped after {self.watched.waited} without a lower inner loss"
        return why + (stopped if self.should_stop(training) else "")

    def to_state(self) -> dict[str, Any]:
        """For a checkpoint."""
        rows = [asdict(row) for row in self.rows]
        return {"rows": rows, "chosen": self.chosen.to_state(), "watched": self.watched.to_state()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> History:
        """The inverse of ``to_state``."""
        rows = [EpochRow.from_mapping(row) for row in state["rows"]]
        return cls(rows, BestEpoch.from_state(state["chosen"]), BestEpoch.from_state(state["watched"]))
