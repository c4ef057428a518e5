"""How a blend's probabilities become decisions: thresholds, and where asked for, rules on the labels of an image.

Everything here is a fixed map of one row: a decision never depends on which other rows are decided with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from ensemble.errors import DataError
from ensemble.metric import Metric
from ensemble.thresholds.ascent import AscentThresholds
from ensemble.thresholds.calibration import Kind, calibrated
from ensemble.thresholds.cuts import RankedClass, rank_classes
from ensemble.thresholds.decide import decide
from ensemble.thresholds.expected import expected_f1_decisions
from ensemble.thresholds.rules import ThresholdRule

_FURTHEST = 1e6
_KNOTS = 256


@dataclass(frozen=True)
class LabelRules:
    """What is known about which labels an image can carry.

    Attributes:
        at_least_one: Every image has a label: one that no threshold calls gets the nearest to its threshold.
        exclusive: The class, by number, that never comes with another ("no finding"); None: there is none. Where it
            and others are called, the side that lies further above its threshold stays.
    """

    at_least_one: bool = False
    exclusive: int | None = None

    def check(self, n_classes: int) -> None:
        """Refuse a class that is not there.

        Raises:
            DataError: ``exclusive`` is no class.
        """
        if self.exclusive is not None and not 0 <= self.exclusive < n_classes:
            raise DataError(f"exclusive class: expected a number from 0 to {n_classes - 1}, got {self.exclusive}")

    def apply(
        self, decisions: NDArray[np.bool_], probabilities: NDArray[np.float64], thresholds: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Decisions that keep the rules; all arrays (N, C), thresholds (C,)."""
        if not self.at_least_one and self.exclusive is None:
            return decisions
        self.check(decisions.shape[1])
        margins = _margins(probabilities, thresholds)
        kept = decisions.copy()
        if self.exclusive is not None:
            _exclude(kept, margins, self.exclusive)
        if self.at_least_one:
            empty = ~kept.any(axis=1)
            kept[empty, np.argmax(margins[empty], axis=1)] = True
        return kept


def _margins(probabilities: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each score lies above its threshold, in logits; a class that is never called is furthest below."""
    limits = logit(np.clip(thresholds, 1e-300, 1 - 1e-16))
    margins = np.clip(logit(np.clip(probabilities, 1e-300, 1 - 1e-16)) - limits, -_FURTHEST, _FURTHEST)
    return np.where(thresholds > 1, -2 * _FURTHEST, margins)


def _exclude(kept: NDArray[np.bool_], margins: NDArray[np.float64], exclusive: int) -> None:
    """Where the exclusive class and others are called, keep the side with the larger margin."""
    others = np.arange(kept.shape[1]) != exclusive
    both = kept[:, exclusive] & kept[:, others].any(axis=1)
    strongest = np.where(kept, margins, -np.inf)[:, others].max(axis=1, initial=-np.inf)
    alone = both & (margins[:, exclusive] >= strongest)
    kept[np.ix_(alone, others)] = False
    kept[both & ~alone, exclusive] = False


NO_LABEL_RULES = LabelRules()


@dataclass(frozen=True, eq=False)
class ExpectedF1:
    """Calibrations by which the expected F1 of an image is maximised: for each class, straight lines between knots.

    Attributes:
        scores: C arrays of shape (n,), ascending probabilities of the blend, n at most 256; empty: never positive.
        chances: C arrays of shape (n,), the calibrated probability at each.
    """

    scores: tuple[NDArray[np.float64], ...]
    chances: tuple[NDArray[np.float64], ...]

    def __call__(self, probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Decisions, shape (N, C)."""
        calibrated = np.zeros(probabilities.shape)
        for column, (scores, chances) in enumerate(zip(self.scores, self.chances, strict=True)):
            if len(scores):
                calibrated[:, column] = np.interp(probabilities[:, column], scores, chances)
        return expected_f1_decisions(calibrated)


def _knots(one: RankedClass, chances: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distinct scores, evenly spread over the rows and denser at the top, where the positives are."""
    n = len(one.scores)
    places = np.unique(n - 1 - np.floor((n - 1) * np.linspace(0.0, 1.0, _KNOTS) ** 2).astype(np.intp))
    scores, first = np.unique(one.scores[places], return_index=True)
    return scores, chances[places][first]


@dataclass(frozen=True, eq=False)
class Decider:
    """A fixed map from probabilities to decisions.

    Attributes:
        thresholds: Shape (C,), float64. Where ``expected`` is there, it decides, and these are the best thresholds of
            the same metric, for orientation and for the label rules' margins.
        label_rules: Applied last.
        expected: Decides image by image; None: the thresholds do.
    """

    thresholds: NDArray[np.float64]
    label_rules: LabelRules = NO_LABEL_RULES
    expected: ExpectedF1 | None = None

    def __call__(self, probabilities: NDArray[Any]) -> NDArray[np.bool_]:
        """Decisions, shape (N, C), of probabilities of that shape in [0, 1]."""
        scores = np.asarray(probabilities, dtype=np.float64)
        decisions = decide(scores, self.thresholds) if self.expected is None else self.expected(scores)
        return self.label_rules.apply(decisions, scores, self.thresholds)


class DecisionRule(Protocol):
    """Chooses how to decide from labelled rows, and from nothing else; arguments as for ``ThresholdRule``."""

    def fit(  # noqa: D102
        self,
        labels: NDArray[np.float64],
        probabilities: NDArray[Any],
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,
    ) -> Decider: ...


def as_decider(found: NDArray[np.float64] | Decider) -> Decider:
    """What a rule of either kind found: thresholds, shape (C,), or a decider."""
    return found if isinstance(found, Decider) else Decider(found)


@dataclass(frozen=True)
class ByThresholds:
    """Thresholds by a rule, then the label rules."""

    rule: ThresholdRule
    label_rules: LabelRules = NO_LABEL_RULES

    def fit(
        self,
        labels: NDArray[np.float64],
        probabilities: NDArray[Any],
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,
    ) -> Decider:
        """See ``DecisionRule``."""
        return Decider(self.rule.fit(labels, probabilities, groups, rng), self.label_rules)


@dataclass(frozen=True)
class ByExpectedF1:
    """Image by image, for ``sample_f1``: calibrate each class, then maximise the expected F1 of every image.

    Attributes:
        kind: Platt's or the beta calibration.
        label_rules: Applied last.
    """

    kind: Kind = "beta"
    label_rules: LabelRules = NO_LABEL_RULES

    def fit(
        self,
        labels: NDArray[np.float64],
        probabilities: NDArray[Any],
        groups: NDArray[np.str_] | None,
        rng: np.random.Generator,
    ) -> Decider:
        """See ``DecisionRule``."""
        thresholds = AscentThresholds(Metric("sample_f1")).fit(labels, probabilities, groups, rng)
        ranked = rank_classes(labels, probabilities, groups)
        usable = [one for one in ranked if one.forced is None]
        chances = iter(calibrated(usable, self.kind) if usable else ())
        knots = []
        for one in ranked:
            if one.forced is None:
                knots.append(_knots(one, next(chances)))
            else:
                knots.append((np.array([0.0]), np.array([1.0])) if one.n_positives else (np.empty(0), np.empty(0)))
        scores, heights = zip(*knots, strict=True)
        return Decider(thresholds, self.label_rules, ExpectedF1(scores, heights))
