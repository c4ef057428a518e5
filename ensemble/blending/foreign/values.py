"""What a member's numbers are, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.stack import logits_of
from ensemble.errors import first_few
from ensemble.predictions import PredictionTable, Scale

_LOOKED_AT_FIRST = 64


@dataclass(frozen=True, eq=False)
class Numbers:
    """What one table says of N rows and C classes.

    Attributes:
        where: The file or the member, for messages.
        image_ids: Shape (N,).
        class_names: C names.
        values: Shape (N, C), float64, as they were given.
        scale: What they are.
    """

    where: str
    image_ids: NDArray[np.str_]
    class_names: tuple[str, ...]
    values: NDArray[np.float64]
    scale: Scale

    def problems(self, *, remedy: str) -> list[str]:
        """Numbers that cannot be used.

        Args:
            remedy: What to do about probabilities outside [0, 1].
        """
        with np.errstate(over="ignore"):
            finite = np.isfinite(self.values.astype(np.float32))
        found = self._bad(~finite, "expected a number in every field, but {n} are empty, NaN or infinite")
        if self.scale == "probabilities":
            outside = finite & ((self.values < 0) | (self.values > 1))
            usable = np.where(finite, self.values, 0.5)
            reach = f"from {usable.min():.4g} to {usable.max():.4g}" if usable.size else ""
            words = f"expected probabilities, but {{n}} values are outside [0, 1] ({reach})"
            found += [f"{problem}. {remedy}" for problem in self._bad(outside, words)]
        return found

    def _bad(self, wrong: NDArray[np.bool_], words: str) -> list[str]:
        if not wrong.any():
            return []
        columns = [self.class_names[column] for column in np.flatnonzero(wrong.any(axis=0)).tolist()]
        rows = self.image_ids[wrong.any(axis=1)]
        said = words.format(n=f"{int(wrong.sum()):,}")
        return [f"{self.where}: {said}: columns {first_few(columns)}, ids {first_few(rows)}"]

    def leaks(self, labels: NDArray[np.float64]) -> list[str]:
        """The problem of columns that are their label columns.

        Args:
            labels: Shape (N, C), of these rows; a class of one value only cannot leak.
        """
        found = [self.class_names[column] for column in range(len(self.class_names)) if self._is_label(column, labels)]
        if not found:
            return []
        what = "column equals" if len(found) == 1 else "columns equal"
        problem = (
            f"{self.where}: {what} the label column of that name: {first_few(found)}. Answers are no predictions: "
        )
        return [problem + "take the file away"]

    def _is_label(self, column: int, labels: NDArray[np.float64]) -> bool:
        labelled = ~np.isnan(labels[:, column])
        if not self._may_be_answers(column, labelled):
            return False
        truth = labels[labelled, column]
        return bool(len(truth)) and 0 < truth.mean() < 1 and np.array_equal(self.values[labelled, column], truth)

    def _may_be_answers(self, column: int, labelled: NDArray[np.bool_]) -> bool:
        """A look at a few labelled rows, which spares nearly every column the look at all."""
        return len(np.unique(self.values[np.flatnonzero(labelled)[:_LOOKED_AT_FIRST], column])) <= 2

    def oddities(self, name: str, labels: NDArray[np.float64]) -> list[str]:
        """Warnings of columns that are the same in every row, or that are the labels in another spelling.

        Args:
            name: The member.
            labels: Shape (N, C), of these rows.
        """
        if len(self.values) < 2:
            return []
        same = np.ptp(self.values, axis=0) == 0
        constant = [cls for cls, is_same in zip(self.class_names, same.tolist(), strict=True) if is_same]
        spelled = [cls for column, cls in enumerate(self.class_names) if self._follows(column, labels)]
        warnings = []
        if constant:
            warnings.append(f"{name!r} says the same of every row in {first_few(constant, 8)}")
        if spelled:
            warnings.append(
                f"{name!r} knows two numbers in {first_few(spelled, 8)}, and they are the labels exactly: answers, not "
                "predictions?"
            )
        return warnings

    def _follows(self, column: int, labels: NDArray[np.float64]) -> bool:
        values, truth = self.values[:, column], labels[:, column]
        if not self._may_be_answers(column, ~np.isnan(truth)):
            return False
        ends = [
            (values[truth == label].min(initial=np.inf), values[truth == label].max(initial=-np.inf))
            for label in (0, 1)
        ]
        (low, high), (other_low, other_high) = ends
        return bool(low == high != other_low == other_high)

    def look_like_probabilities(self) -> bool:
        """Whether numbers that are called logits all lie in [0, 1]."""
        return (
            self.scale == "logits" and bool(self.values.size) and bool(((self.values >= 0) & (self.values <= 1)).all())
        )

    def table(self) -> PredictionTable:
        """As float32 logits: probabilities of 0.999999999 and 0.99999999 stay two."""
        logits = logits_of(self.values) if self.scale == "probabilities" else self.values.astype(np.float32)
        return PredictionTable(self.image_ids, self.class_names, logits)
