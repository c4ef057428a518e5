"""The figures of a dataset's page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ensemble.findings import Division, Findings, GroupFacts, SplitFacts
from ensemble.report.figures import COLOURS, density, draw, grouped_bars, heat_map, name_rows, short

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_BARS = 8
"""So many classes get bars for their companions; more get a heat map."""
MOST_NUMBERS = 24
"""So many classes get numbers in the cells of a matrix."""
MOST_PANELS = 12
_WIDE = 10.6


def class_rates(findings: Findings) -> Markup:
    """Share of the labelled images that are positive, for each class and split."""
    labelled = [split for split in findings.splits if split.positives is not None]
    values = [(split.name, _rates(split)) for split in labelled]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        grouped_bars(axes, findings.class_names, [(title, 100 * rate) for title, rate in values])
        axes.set_xlabel("positive, % of labelled images")
        axes.legend(loc="lower right")

    height = 0.9 + len(findings.class_names) * (0.2 + 0.13 * len(values))
    return draw(paint, size=(_WIDE * 0.75, height), label="Positives of each class and split")


def _rates(split: SplitFacts) -> NDArray[np.float64]:
    if split.positives is None or split.unlabelled is None:
        return np.array([])
    labelled = len(split) - split.unlabelled
    return np.where(labelled > 0, split.positives / np.maximum(1, labelled), np.nan)


def labels_per_image(findings: Findings) -> Markup:
    """How many images carry 0, 1, 2, … labels."""
    labelled = [split for split in findings.splits if split.labels_per_image is not None]
    most = max(len(split.labels_per_image or ()) for split in labelled)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        thick = 0.8 / len(labelled)
        for number, split in enumerate(labelled):
            shares = 100 * np.array(split.labels_per_image) / len(split)
            offset = (number - (len(labelled) - 1) / 2) * thick
            axes.bar(np.arange(len(shares)) + offset, shares, thick * 0.92, color=COLOURS[number], label=split.name)
        axes.set_xticks(np.arange(most))
        axes.set_xlabel("positive classes of an image")
        axes.set_ylabel("% of images")
        axes.legend()

    return draw(paint, size=(min(_WIDE, 3 + 0.45 * most), 2.8), label="Images by their number of labels")


def co_occurrence(findings: Findings) -> Markup:
    """Images that are positive for two classes; the diagonal holds each class's positives."""
    counts, names = findings.together, findings.class_names
    shares = np.sqrt(counts / max(1, counts.max()))
    texts = [[f"{count:,}" for count in line] for line in counts.tolist()] if len(names) <= MOST_NUMBERS else None

    def paint(figure: Figure) -> None:
        heat_map(figure.subplots(), shares, rows=names, columns=names, texts=texts)

    return draw(paint, size=_square(len(names)), label="Co-occurrence of classes")


def companions(findings: Findings) -> Markup:
    """For each class: alone, and with which others."""
    names = findings.class_names
    totals = np.maximum(1, np.diag(findings.together))[:, None]
    shares = np.concatenate([findings.alone[:, None], findings.together], axis=1) / totals
    if len(names) <= MOST_BARS:
        return _companion_bars(names, shares)
    own = np.eye(len(names), dtype=bool)
    shares[:, 1:][own] = np.nan
    texts = None
    if len(names) <= MOST_NUMBERS:
        texts = [["" if np.isnan(share) else f"{100 * share:.0f}" for share in line] for line in shares.tolist()]

    def paint(figure: Figure) -> None:
        heat_map(figure.subplots(), shares, rows=names, columns=["alone", *names], texts=texts)

    return draw(paint, size=_square(len(names)), label="With which other classes each class comes")


def _companion_bars(names: tuple[str, ...], shares: NDArray[np.float64]) -> Markup:
    columns = min(3, len(names))
    lines = -(-len(names) // columns)

    def paint(figure: Figure) -> None:
        grid = figure.subplots(lines, columns, squeeze=False, sharex=True).ravel()
        for number, axes in enumerate(grid):
            if number >= len(names):
                axes.set_axis_off()
                continue
            others = [place for place in range(len(names)) if place != number]
            titles = ["alone", *(names[place] for place in others)]
            chosen = np.concatenate([shares[number, :1], shares[number, 1:][others]])
            axes.barh(np.arange(len(titles)), 100 * chosen, 0.7, color=[COLOURS[4], *[COLOURS[0]] * len(others)])
            name_rows(axes, titles)
            axes.set_xlim(0, 100)
            axes.set_title(short(names[number]), loc="left", fontweight="bold")
            axes.set_xlabel("% of its positives" if number >= len(names) - columns else "")

    size = (_WIDE, lines * (0.7 + 0.24 * len(names)) + 0.2)
    return draw(paint, size=size, label="With which other classes each class comes")


def _square(n_classes: int) -> tuple[float, float]:
    """A matrix grows with its classes up to the page's width."""
    side = float(np.clip(2.2 + 0.42 * n_classes, 3.6, _WIDE))
    return side, side * (0.95 if n_classes > MOST_BARS else 0.8)


def size_figure(findings: Findings) -> Markup:
    """Heights and widths, a panel a split."""

    def paint(figure: Figure) -> None:
        panels = figure.subplots(1, len(findings.splits), squeeze=False, sharex=True, sharey=True)[0]
        for axes, split in zip(panels, findings.splits, strict=True):
            density(axes, split.sizes[:, 1], split.sizes[:, 0])
            axes.set_title(f"{split.name}, {len(split):,}", loc="left")
            axes.set_xlabel("width, pixels")
        everything = np.concatenate([split.sizes for split in findings.splits])
        low, high = everything.min(axis=0), everything.max(axis=0)
        margin = 0.5 + 0.03 * (high - low)
        panels[0].set_ylim(low[0] - margin[0], high[0] + margin[0])
        panels[0].set_xlim(low[1] - margin[1], high[1] + margin[1])
        panels[0].set_ylabel("height, pixels")

    return draw(paint, size=(1 + 2.8 * len(findings.splits), 3), label="Heights and widths of the images")


def intensity_figure(findings: Findings) -> Markup:
    """Mean histogram of each split."""

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for number, split in enumerate(findings.splits):
            _curve(axes, split.intensity, COLOURS[number], split.name)
        _grey_axes(axes, np.stack([split.intensity for split in findings.splits]))
        axes.set_xlabel("grey value, share of full scale")
        axes.set_ylabel("% of pixels")
        axes.legend()

    return draw(paint, size=(_WIDE * 0.75, 2.8), label="Grey values of each split")


def intensity_by_class(findings: Findings) -> tuple[Markup, int]:
    """Mean histograms of negative and positive images, of the classes where they differ most; and how many classes."""
    pairs = findings.class_intensity
    differences = np.nan_to_num(np.abs(pairs[:, 0] - pairs[:, 1]).sum(axis=1), nan=-1)
    chosen = np.sort(np.argsort(-differences, kind="stable")[:MOST_PANELS])
    columns = min(3, len(chosen))
    lines = -(-len(chosen) // columns)

    def paint(figure: Figure) -> None:
        grid = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).ravel()
        for axes in grid[len(chosen) :]:
            axes.set_axis_off()
        for axes, number in zip(grid, chosen.tolist(), strict=False):
            for value, title, colour in ((0, "negative", COLOURS[4]), (1, "positive", COLOURS[1])):
                if not np.isnan(pairs[number, value]).any():
                    _curve(axes, pairs[number, value], colour, title)
            axes.set_title(short(findings.class_names[number]), loc="left")
        _grey_axes(grid[0], np.nan_to_num(pairs[chosen].reshape(-1, pairs.shape[-1])))
        if grid[0].get_legend_handles_labels()[1]:  # a class without labels has no curve
            grid[0].legend()

    return draw(paint, size=(_WIDE, 0.4 + 1.7 * lines), label="Grey values of each class"), len(chosen)


def _curve(axes: Axes, shares: NDArray[np.float64], colour: str, label: str) -> None:
    axes.stairs(100 * shares, np.linspace(0, 1, len(shares) + 1), color=colour, label=label, linewidth=1.3)


def _grey_axes(axes: Axes, shares: NDArray[np.float64]) -> None:
    """The ends, black and white, often tower over all else: what lies between them sets the scale."""
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 115 * max(float(shares[:, 1:-1].max()), 1e-3))


def fold_rates(findings: Findings, division: Division) -> Markup:
    """Rate of each class in each fold, against the rate in all folds."""
    rates = 100 * division.positives / np.maximum(1, division.labelled)
    overall = 100 * division.positives.sum(axis=0) / np.maximum(1, division.labelled.sum(axis=0))

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        rows = np.arange(len(findings.class_names))
        axes.hlines(rows, rates.min(axis=0), rates.max(axis=0), color=COLOURS[4], linewidth=1)
        for fold in rates:
            axes.plot(fold, rows, "o", markersize=4.5, color=COLOURS[0], alpha=0.7, markeredgewidth=0)
        axes.plot(overall, rows, "|", markersize=13, color=COLOURS[1], markeredgewidth=2)
        name_rows(axes, findings.class_names)
        axes.set_xlim(left=0)
        axes.set_xlabel("positive, % of labelled images: a dot a fold; the bar is all folds")

    return draw(paint, size=(_WIDE * 0.75, 0.9 + 0.28 * len(findings.class_names)), label="Classes over the folds")


def group_sizes(groups: GroupFacts) -> Markup:
    """How many groups have how many images."""
    sizes = np.array(list(groups.sizes.values()))

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        # Edges between whole numbers: bins that hold one size more than their neighbours would look like peaks.
        step = max(1, round((sizes.max() - sizes.min()) / 40))
        edges = np.arange(sizes.min() - 0.5, sizes.max() + step, step)
        axes.hist(sizes, bins=edges.tolist(), color=COLOURS[0], rwidth=0.9)
        axes.set_xlabel("training images of a group")
        axes.set_ylabel("groups")

    return draw(paint, size=(_WIDE * 0.6, 2.5), label="Groups by their number of images")
