"""What a comparison of members finds out and report shows: plain numbers, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ensemble.results import Interval, Rows


@dataclass(frozen=True)
class MemberFacts:
    """What a member is and what it cost, as its recipe and its runs say. None: a run of its time did not store it.

    Attributes:
        model: The network's name.
        weight_layers: Its convolutions, dense and recurrent layers.
        parameters: Its trainable numbers.
        pool: Kind of its pooling layers; None also where that is no setting.
        dense_layers: At its end; None also where that is no setting.
        image_size: (height, width) in pixels.
        batch_size: Images a batch.
        accumulation_steps: Batches an update.
        epochs: Planned.
        trained_epochs: K numbers, what each fold trained; fewer than planned where it stopped early.
        optimizer: Its name.
        learning_rate: Its largest.
        loss: What was minimised.
        training_seconds: Of all folds, evaluation after each epoch included.
        images_per_second: In training steps; the median over the folds.
        machines: Device, processor, precision and threads of its folds, each once.
    """

    model: str
    weight_layers: int | None
    parameters: int | None
    pool: str | None
    dense_layers: int | None
    image_size: tuple[int, int]
    batch_size: int
    accumulation_steps: int
    epochs: int
    trained_epochs: tuple[int, ...]
    optimizer: str
    learning_rate: float
    loss: str
    training_seconds: float | None
    images_per_second: float | None
    machines: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """One member on its own, on the out-of-fold rows.

    Attributes:
        name: The member.
        facts: What it is.
        cross_fitted: Macro-F1, each fold decided by exact thresholds fitted on the others, with its interval.
        in_sample: Macro-F1 with exact thresholds fitted on the rows that are scored; optimistic.
        at_half: Macro-F1 with all thresholds 0.5; likewise the two accuracies.
        subset_accuracy: Share of images of which every class is right.
        label_accuracy: Share of single labels that are right.
        auroc: Mean over classes; NaN where it is not defined.
        average_precision: Likewise.
        log_loss: Likewise.
        behind_best: Macro-F1 of the best member less its own, on the same resamples; None for the best.
        epoch_picked: Its epoch was picked on the out-of-fold rows: all of its scores are flattered.
    """

    name: str
    facts: MemberFacts
    cross_fitted: Interval
    in_sample: float
    at_half: float
    subset_accuracy: float
    label_accuracy: float
    auroc: float
    average_precision: float
    log_loss: float
    behind_best: Interval | None
    epoch_picked: bool


@dataclass(frozen=True)
class Pair:
    """Two members, side by side.

    Attributes:
        first: The one with the higher score.
        second: The other.
        difference: Of their cross-fitted macro-F1, at least 0, on the same resamples.
        error_correlation: Pearson's, of the errors p - y over the labelled rows of a class; the mean over classes
            that have one, NaN if none has.
        disagreement: Share of labelled cells that the two decide differently, cross-fitted.
    """

    first: str
    second: str
    difference: Interval
    error_correlation: float
    disagreement: float


@dataclass(frozen=True)
class Absence:
    """The blend without one member.

    Attributes:
        member: The one that is left out.
        without: Cross-fitted macro-F1 of the mean of all others.
        loss: The blend's score less that one, on the same resamples: above 0 the member helps.
    """

    member: str
    without: float
    loss: Interval


@dataclass(frozen=True)
class Comparison:
    """Everything that a comparison says.

    Attributes:
        rows: What was scored.
        standings: M members, the best first.
        blend: Cross-fitted macro-F1 of the mean of all; None for a single member, like all that follows.
        blend_gain: The blend's less the best member's, on the same resamples.
        pairs: Every two members, in the order of the ranking.
        neighbours: Those M - 1 of them that stand next to one another, from the top.
        absences: M, in the order of the ranking.
        n_resamples: Of the bootstrap.
        skipped: Members that were left out, and why.
        warnings: In words.
    """

    rows: Rows
    standings: tuple[Standing, ...]
    blend: Interval | None
    blend_gain: Interval | None
    pairs: tuple[Pair, ...]
    neighbours: tuple[Pair, ...]
    absences: tuple[Absence, ...]
    n_resamples: int
    skipped: Mapping[str, str]
    warnings: tuple[str, ...]
