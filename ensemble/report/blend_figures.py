"""The figures of a blend's page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from ensemble.curves import ClassCurve
from ensemble.report.figures import COLOURS, draw, grouped_bars, heat_map, longest, stand_upright
from ensemble.report.html import INK
from ensemble.results import BlendResult

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NUMBERS = 16
"""So many columns of a matrix get numbers in their cells."""
_WIDE = 10.6
_INCHES_A_CHARACTER, _ROOM = 0.08, 0.9
_NICE = (1e-6, 1e-5, 1e-4, 3e-4, 0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
_NICE_ABOVE = (0.997, 0.999, 0.9999, 0.99999, 0.999999)
_MOST_TICKS = 7
_PANELS = ((0.05, 0.345), (0.435, 0.275), (0.782, 0.213))
"""Left ends and widths of a class's three panels, as shares of the figure's width."""


def score_figure(result: BlendResult) -> Markup:
    """The scores on one line, with the two intervals."""
    scores = result.scores
    rows: list[tuple[str, float, tuple[float, float] | None]] = [
        ("cross-fitted", scores.cross_fitted, scores.cross_fitted_ci95)
    ]
    if scores.test_interval95 is not None:
        rows.append((f"on {result.rows.n_test:,} test rows", np.nan, scores.test_interval95))
    rows += [("in sample", scores.in_sample, None), ("at 0.5", scores.at_half, None)]
    rows += [] if scores.holdout is None else [("holdout", scores.holdout, None)]
    rows += [] if result.best_possible is None else [("best possible rule", result.best_possible, None)]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for place, (_, value, ends) in enumerate(rows):
            colour = COLOURS[0] if ends is not None else COLOURS[4]
            if ends is not None:
                axes.plot(ends, [place, place], color=colour, linewidth=5, alpha=0.35, solid_capstyle="butt")
            axes.plot([value], [place], "o", color=colour, markersize=6, markeredgewidth=0)
        axes.set_yticks(np.arange(len(rows)), [name for name, _, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", linewidth=0.4, alpha=0.35)
        axes.set_xlabel(result.choice.metric_title)

    return draw(paint, size=(_WIDE * 0.7, 0.6 + 0.27 * len(rows)), label="Scores and intervals")


def class_figure(curve: ClassCurve) -> Markup:
    """F, precision, recall and specificity against the threshold, and the reliability of the probabilities."""

    def paint(figure: Figure) -> None:
        panels = [figure.add_axes((left, 0.2, width, 0.77)) for left, width in _PANELS]
        x = logit(curve.cuts)
        _paint_f(panels[0], curve, x)
        _paint_rates(panels[1], curve, x)
        for axes in panels[:2]:
            _threshold_axis(axes, x)
            if 0 < curve.threshold < 1:
                axes.axvline(float(logit(curve.threshold)), color=INK, linewidth=1.1)
        _paint_reliability(panels[2], curve)

    return draw(paint, size=(_WIDE, 2.5), label=f"Curves of {curve.name}", layout=None)


def _paint_f(axes: Axes, curve: ClassCurve, x: NDArray[np.float64]) -> None:
    low, high = (float(np.clip(one, x[0], x[-1])) for one in logit(np.clip(curve.plateau, 1e-9, 1 - 1e-9)))
    axes.axvspan(low, high, color=COLOURS[4], alpha=0.3, linewidth=0)
    if curve.band.size:
        axes.fill_between(x, curve.band[0], curve.band[1], color=COLOURS[0], alpha=0.22, linewidth=0)
    axes.plot(x, curve.f, color=COLOURS[0], linewidth=1.5)
    folds = logit([one for one in curve.fold_thresholds if 0 < one < 1])
    top = 1.04 * max(float(np.max(curve.band[1], initial=0.0)), curve.best, 0.05)
    axes.plot(folds, np.full(len(folds), 0.035 * top), "|", color=COLOURS[5], markersize=8, markeredgewidth=1.4)
    axes.set_ylim(0, min(top, 1.02))
    axes.set_ylabel(f"F{curve.beta:g}, in sample", labelpad=2)


def _paint_rates(axes: Axes, curve: ClassCurve, x: NDArray[np.float64]) -> None:
    for values, colour in zip((curve.precision, curve.recall, curve.specificity), COLOURS[1:4], strict=True):
        axes.plot(x, values, color=colour, linewidth=1.3)
    axes.set_ylim(0, 1.02)


def _threshold_axis(axes: Axes, x: NDArray[np.float64]) -> None:
    low, high = expit(x[[0, -1]])
    ticks = [one for one in (*_NICE, *_NICE_ABOVE) if low < one < high]
    step = -(-len(ticks) // _MOST_TICKS) or 1
    shown = ticks[::step]
    axes.set_xlim(x[0], x[-1])
    axes.set_xticks(logit(np.array(shown)), [f"{one:g}" for one in shown])
    axes.set_xlabel("threshold", labelpad=1)


def _paint_reliability(axes: Axes, curve: ClassCurve) -> None:
    """Axes by the square root: most bins of a rare class lie near 0."""
    found = curve.reliability
    top = min(1.0, 1.08 * float(max(found.predicted.max(), found.high.max())))
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.7, alpha=0.6, linestyle=(0, (4, 3)))
    axes.vlines(np.sqrt(found.predicted), np.sqrt(found.low), np.sqrt(found.high), color=COLOURS[0], linewidth=1.1)
    axes.plot(np.sqrt(found.predicted), np.sqrt(found.observed), "o", color=COLOURS[0], markersize=4, markeredgewidth=0)
    ticks = _root_ticks(top)
    for set_ticks, set_limits in ((axes.set_xticks, axes.set_xlim), (axes.set_yticks, axes.set_ylim)):
        set_ticks(np.sqrt(ticks), [f"{one:g}" for one in ticks])
        set_limits(-0.02 * np.sqrt(top), 1.02 * np.sqrt(top))
    axes.set_xlabel("mean probability", labelpad=1)
    axes.set_ylabel("share positive", labelpad=2)


def _root_ticks(top: float) -> list[float]:
    """From 0 on, far enough apart for their numbers."""
    ticks = [0.0]
    for one in (0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0):
        if one <= top and np.sqrt(one) - np.sqrt(ticks[-1]) >= 0.15 * np.sqrt(top):
            ticks.append(one)
    return ticks


def correlation_figure(result: BlendResult) -> Markup | None:
    """How alike members err; shaded lightly enough for the numbers."""
    if result.likeness is None:
        return None
    names = [member.name for member in result.members]
    values = np.array(result.likeness.error_correlations)
    texts = None
    if len(names) <= MOST_NUMBERS:
        texts = [["" if np.isnan(one) else f"{one:.2f}".replace("-", "−") for one in line] for line in values.tolist()]
    side = float(np.clip(2.2 + 0.45 * len(names), 3.4, _WIDE * 0.85))
    label = "Correlation of members' errors"
    return _matrix(0.75 * values, names, names, texts=texts, size=(side * 1.1, side), label=label)


def class_weight_figure(result: BlendResult) -> Markup | None:
    """Each member's weight in each class."""
    if result.class_weights is None:
        return None
    names, columns = list(result.class_weights), list(result.class_names)
    values = np.array([result.class_weights[name] for name in names])
    texts = None
    if len(columns) <= MOST_NUMBERS:
        texts = [[f"{one:.2f}" for one in line] for line in values.tolist()]
    size = (float(np.clip(3 + 0.6 * len(columns), 3.4, _WIDE)), 1.6 + 0.3 * len(names))
    shares = 0.75 * values / max(float(values.max()), 1e-9)
    return _matrix(shares, names, columns, texts=texts, size=size, label="Members' weights in each class")


def _matrix(
    shares: NDArray[np.float64],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    texts: Sequence[Sequence[str]] | None,
    size: tuple[float, float],
    label: str,
) -> Markup:
    size = (size[0] + _beyond(rows), size[1] + (_beyond(columns) if stand_upright(columns) else 0.0))

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        heat_map(axes, shares, rows=rows, columns=columns, texts=texts)
        axes.set_aspect("auto")
        axes.tick_params(axis="x", labelsize=float(np.clip(500 / len(columns), 6, 9.5)))

    return draw(paint, size=size, label=label)


def _beyond(names: Sequence[str]) -> float:
    """Inches that names take beyond the room that a figure has for common ones."""
    return max(0.0, _INCHES_A_CHARACTER * longest(names) - _ROOM)


def rate_figure(result: BlendResult, names: Sequence[str]) -> Markup:
    """Training rate, and what is called positive, of the classes that are named."""
    chosen = [row for row in result.classes if row.name in set(names)]
    values = [
        ("positive in training", np.array([row.training_rate for row in chosen])),
        ("called positive, cross-fitted", np.array([(row.tp + row.fp) / max(row.labelled, 1) for row in chosen])),
        ("called positive on the test rows", np.array([row.test_rate or 0.0 for row in chosen])),
    ]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        grouped_bars(axes, [row.name for row in chosen], [(title, 100 * rate) for title, rate in values])
        axes.set_xlabel("% of rows")
        axes.legend(loc="lower right")

    return draw(
        paint, size=(_WIDE * 0.75, 0.9 + 0.56 * len(chosen)), label="Positives in training and on the test rows"
    )
