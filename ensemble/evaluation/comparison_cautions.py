"""What a reader of a comparison must know, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ensemble.blending import Source, find_copies
from ensemble.errors import first_few
from ensemble.evaluation.cautions import FEW_POSITIVE_GROUPS, settings_searched
from ensemble.evaluation.rows import LabelledRows
from ensemble.standings import MemberFacts

_LISTED = 8


def comparison_cautions(source: Source, *, rows: LabelledRows, facts: Mapping[str, MemberFacts]) -> list[str]:
    """All warnings, the gravest first.

    Args:
        source: Members and rows.
        rows: The training rows.
        facts: What each member is, by name.
    """
    return [
        *_epochs_picked(source),
        *settings_searched(source),
        *_unlabelled(source, rows),
        *_few_to_draw(source, rows),
        *_copies(source),
        *_other_budgets(facts),
        *_other_machines(facts),
    ]


def _epochs_picked(source: Source) -> Iterator[str]:
    if names := [member.name for member in source.members if member.epoch_picked]:
        yield (
            f"epoch picked on these rows: {first_few(names, _LISTED)} (training.select: best_on_fold). All scores of "
            "these members are flattered, and so are their places in the ranking and the blend's score"
        )


def _unlabelled(source: Source, rows: LabelledRows) -> Iterator[str]:
    columns = zip(source.class_names, rows.labels.T, strict=True)
    if names := [name for name, column in columns if np.isnan(column).all()]:
        yield f"no row is labelled for {first_few(names, _LISTED)}: left out of every mean"


def _few_to_draw(source: Source, rows: LabelledRows) -> Iterator[str]:
    n_groups = rows.n_groups()
    if n_groups is not None and n_groups < FEW_POSITIVE_GROUPS:
        yield f"only {n_groups} groups: bootstrap intervals over so few are too narrow"
        return
    named = zip(source.class_names, rows.positive_groups().tolist(), strict=True)
    few = [f"{name} ({count})" for name, count in named if count < FEW_POSITIVE_GROUPS]
    if few:
        unit = "images" if n_groups is None else "groups"
        more = f" (+{len(few) - _LISTED} more)" if len(few) > _LISTED else ""
        yield (
            f"{', '.join(few[:_LISTED])}{more}: fewer than {FEW_POSITIVE_GROUPS} positive {unit}, too few to be drawn "
            "from again and again: the intervals are too narrow"
        )


def _copies(source: Source) -> Iterator[str]:
    whole = [c for c in find_copies({member.name: member.tables["oof"] for member in source.members}) if c.whole]
    if whole:
        pairs = [f"{copy.first} = {copy.second}" for copy in whole]
        yield (
            f"members that are copies of one another: {first_few(pairs, _LISTED)}. One opinion counts twice in the "
            "blend, and leaving one of them out changes little"
        )


def _other_budgets(facts: Mapping[str, MemberFacts]) -> Iterator[str]:
    sizes = sorted({" × ".join(map(str, one.image_size)) for one in facts.values()})
    epochs = sorted({one.epochs for one in facts.values()})
    differing = [f"image sizes ({', '.join(sizes)} pixels)"] if len(sizes) > 1 else []
    differing += [f"numbers of epochs ({', '.join(map(str, epochs))})"] if len(epochs) > 1 else []
    if differing:
        yield (
            f"members were trained at different {' and '.join(differing)}: this compares members as they were "
            "trained, not architectures under one budget"
        )


def _other_machines(facts: Mapping[str, MemberFacts]) -> Iterator[str]:
    machines = dict.fromkeys(machine for one in facts.values() for machine in one.machines)
    if len(machines) > 1:
        yield (
            f"folds were trained on {len(machines)} different devices or settings ({first_few(machines, 4)}): their "
            "seconds and images/s cannot be compared"
        )
