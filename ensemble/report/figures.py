"""Figures as SVG for a page: one look, the same bytes every time, no global state, matplotlib imported when called."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.report.html import INK, inline_svg

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#2f86a8", "#d4872b", "#6f9a4b", "#a35a9c", "#8a8f98", "#c0564f")
"""Told apart on light and on dark paper."""
LONGEST_NAME = 26
_MOST_LEVEL, _LONGEST_LEVEL = 6, 12  # names below a matrix that are written level, and their characters

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text
    "text.parse_math": False,  # a class may be called $x$
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def draw(
    paint: Callable[[Figure], None],
    *,
    size: tuple[float, float],
    label: str,
    layout: Literal["constrained"] | None = "constrained",
) -> Markup:
    """An SVG to put into a page.

    Args:
        paint: Draws into an empty figure.
        size: Width and height in inches; 10.6 fill a page.
        label: What the figure shows, for those who do not see it; different for each figure of a page.
        layout: None: ``paint`` sets the margins, which saves most of the time.
    """
    import matplotlib as mpl  # noqa: PLC0415 - costs half a second, needed only when something is drawn
    from matplotlib import style  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    stream = io.StringIO()
    with style.context(["default", _STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # measured only: the browser draws the text
        mpl.rcParams["svg.hashsalt"] = label
        figure = Figure(figsize=size, layout=layout)
        paint(figure)
        figure.savefig(stream, format="svg", metadata=_NO_METADATA)
    return inline_svg(stream.getvalue(), label=label)


def sparkline(values: NDArray[np.float64], *, at: float | None, label: str) -> Markup:
    """A curve that fits into a cell of a table, drawn without axes.

    Args:
        values: Shape (P,), >= 0, evenly spread from left to right; the height is that of the highest.
        at: Where a line marks a place, from 0, left, to 1; None: nowhere.
        label: What it shows, for those who do not see it.
    """
    from markupsafe import Markup, escape  # noqa: PLC0415 - only pages need it

    width, height = 90, 22
    across = np.linspace(0, width, len(values))
    down = height - 1 - (height - 2) * values / max(float(values.max()), 1e-9)
    kept = np.unique(np.linspace(0, len(values) - 1, 61).astype(int))
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across[kept], down[kept], strict=True))
    line = "" if at is None else f'<path d="M{width * at:.1f} 0V{height}" stroke="currentColor"/>'
    curve = f'<polyline points="{points}" stroke="{COLOURS[0]}" stroke-width="1.4"/>'
    head = f'<svg class="spark" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}" fill="none">'
    return Markup(f"{head}{curve}{line}</svg>")  # noqa: S704 - numbers, and a name that is escaped


def short(name: str) -> str:
    """A name that fits beside an axis."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def grouped_bars(axes: Axes, names: Sequence[str], values: Sequence[tuple[str, NDArray[np.float64]]]) -> None:
    """Horizontal bars, the first name on top.

    Args:
        axes: Where.
        names: C names.
        values: Title and shape (C,) for each bar of a name; NaN leaves a gap.
    """
    places, thick = np.arange(len(names)), 0.8 / max(1, len(values))
    for number, (title, numbers) in enumerate(values):
        offset = (number - (len(values) - 1) / 2) * thick
        axes.barh(places + offset, np.nan_to_num(numbers), thick * 0.92, color=COLOURS[number], label=title)
    name_rows(axes, names)


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Put the names at y = 0, 1, …, downwards."""
    axes.set_yticks(np.arange(len(names)), [short(name) for name in names])
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)


def heat_map(
    axes: Axes, shares: ArrayLike, *, rows: Sequence[str], columns: Sequence[str], texts: Sequence[Sequence[str]] | None
) -> None:
    """Cells filled by a share from 0 to 1 (NaN: empty), see-through where it is small, so that it suits any paper.

    Args:
        axes: Where.
        shares: Shape (rows, columns).
        rows: Names at the left.
        columns: Names below.
        texts: In the cells; None: none.
    """
    opacity = np.clip(np.nan_to_num(np.asarray(shares, dtype=np.float64)), 0, 1)
    axes.imshow(_tinted(opacity), interpolation="none", aspect="equal")
    name_rows(axes, rows)
    axes.tick_params(labelsize=float(np.clip(480 / max(len(rows), 1), 6, 9.5)))  # names must not run into one another
    axes.set_ylim(len(rows) - 0.5, -0.5)
    rotation = 90 if stand_upright(columns) else 0
    axes.set_xticks(np.arange(len(columns)), [short(name) for name in columns], rotation=rotation)
    axes.tick_params(axis="x", length=0)
    for row, line in enumerate(texts or ()):
        for column, text in enumerate(line):
            axes.text(column, row, text, ha="center", va="center", fontsize=8.5 if len(columns) <= 12 else 6.5)


def stand_upright(columns: Sequence[str]) -> bool:
    """Whether these names would run into one another side by side."""
    return len(columns) > _MOST_LEVEL or longest(columns) > _LONGEST_LEVEL


def longest(names: Sequence[str]) -> int:
    """Characters of the longest name, as it is shown."""
    return max((len(short(name)) for name in names), default=0)


def density(axes: Axes, x: NDArray[np.int64], y: NDArray[np.int64], *, n_bins: int = 40) -> None:
    """How many points lie where, darker where there are more (by the root of the count)."""
    spans = [_span(x), _span(y)]
    bins = [int(min(n_bins, high - low)) for low, high in spans]
    counts = np.histogram2d(x, y, bins=bins, range=spans)[0].T
    shown = np.sqrt(counts / counts.max())
    # A single odd image must be seen.
    opacity = np.where(counts > 0, 0.15 + 0.85 * shown, 0.0)
    extent = (*spans[0], *spans[1])
    axes.imshow(_tinted(opacity), interpolation="none", origin="lower", extent=extent, aspect="auto")


def _span(values: NDArray[np.int64]) -> tuple[float, float]:
    low, high = float(values.min()) - 0.5, float(values.max()) + 0.5
    return (low - 1, high + 1) if high - low < 3 else (low, high)


def _tinted(opacity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shape (..., 4): the first colour, as opaque as told."""
    colour = [int(COLOURS[0][start : start + 2], 16) / 255 for start in (1, 3, 5)]
    tint = np.broadcast_to(np.array(colour), (*opacity.shape, 3))
    return np.concatenate([tint, opacity[..., None]], axis=-1)
