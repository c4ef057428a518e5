"""What a comparison leaves on disk: Markdown for people, CSV in full precision for programs."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ensemble.errors import DataError, first_few
from ensemble.files import write_text
from ensemble.files_together import without_leftovers, written_together
from ensemble.report.comparison import dataset_line, groups_line
from ensemble.report.sheets import Sheet, correlation_matrix, sheets
from ensemble.results import Interval
from ensemble.runs import ComparisonPaths
from ensemble.standings import Comparison, Standing

# An underscore between letters or digits is no emphasis.
_SPECIAL = re.compile(r"[\\`*\[\]<>|~]|(?<![^\W_])_|_(?![^\W_])")
_HEADING = "<!-- comparison of members by timm-ensemble, format version 1 -->"


def check_place(paths: ComparisonPaths) -> None:
    """Refuse a folder of a user's that holds files of the names to be written.

    Raises:
        DataError: Such files are there, and no comparison of ours beside them.
    """
    standing = [path for path in _files(paths) if path.exists()]
    if standing and not _is_ours(paths.markdown):
        raise DataError(
            f"{paths.folder} holds {first_few([path.name for path in standing])}, which no comparison of ours wrote, "
            "so nothing is overwritten. Move these files away, or give another --out"
        )


def write_comparison(paths: ComparisonPaths, comparison: Comparison) -> None:
    """Write all files; what an earlier comparison left and this one does not have is removed."""
    optional = {paths.pairs: _pair_rows(comparison), paths.without: _without_rows(comparison)}
    stale = [path for path, rows in optional.items() if not rows]
    with without_leftovers(*_files(paths)), written_together(removed=stale):
        write_text(paths.members, _csv([_member_row(place, one) for place, one in enumerate(comparison.standings, 1)]))
        for path, rows in optional.items():
            if rows:
                write_text(path, _csv(rows))
        write_text(paths.markdown, _markdown(comparison))


def _files(paths: ComparisonPaths) -> tuple[Path, ...]:
    return (paths.markdown, paths.members, paths.pairs, paths.without)


def _is_ours(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(_HEADING)) == _HEADING.encode()


def _member_row(place: int, one: Standing) -> dict[str, Any]:
    facts = one.facts
    height, width = facts.image_size
    return {
        "place": place,
        "member": one.name,
        "model": facts.model,
        "weight_layers": facts.weight_layers,
        "parameters": facts.parameters,
        "pool": facts.pool,
        "dense_layers": facts.dense_layers,
        "height": height,
        "width": width,
        "batch_size": facts.batch_size,
        "accumulation_steps": facts.accumulation_steps,
        "epochs": facts.epochs,
        "fewest_trained_epochs": min(facts.trained_epochs),
        "most_trained_epochs": max(facts.trained_epochs),
        "optimizer": facts.optimizer,
        "learning_rate": facts.learning_rate,
        "loss": facts.loss,
        "subset_accuracy": one.subset_accuracy,
        "label_accuracy": one.label_accuracy,
        "macro_f1_at_half": one.at_half,
        "macro_f1_in_sample": one.in_sample,
        **_ends("macro_f1_cross_fitted", one.cross_fitted),
        **_ends("behind_best", one.behind_best),
        "macro_auroc": one.auroc,
        "macro_average_precision": one.average_precision,
        "macro_log_loss": one.log_loss,
        "training_seconds": facts.training_seconds,
        "images_per_second": facts.images_per_second,
        "epoch_picked": int(one.epoch_picked),
    }


def _pair_rows(comparison: Comparison) -> list[dict[str, Any]]:
    return [
        {
            "first": pair.first,
            "second": pair.second,
            **_ends("difference", pair.difference),
            "error_correlation": pair.error_correlation,
            "disagreement": pair.disagreement,
        }
        for pair in comparison.pairs
    ]


def _without_rows(comparison: Comparison) -> list[dict[str, Any]]:
    blend = comparison.blend
    return [
        {
            "member": one.member,
            "macro_f1_of_blend": None if blend is None else blend.point,
            "macro_f1_without": one.without,
            **_ends("loss", one.loss),
        }
        for one in comparison.absences
    ]


def _ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    if interval is None:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"))
    return {name: interval.point, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Python's shortest text of a float reads back as the same float; what does not exist is empty."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "" if missing else repr(value) if isinstance(value, float) else str(value)


def _markdown(comparison: Comparison) -> str:
    rows = comparison.rows
    lines = [_HEADING, f"# Members of {_escaped(rows.dataset)}, compared", ""]
    lines += [f"{dataset_line(rows)}. Groups: {_escaped(groups_line(rows))}.", ""]
    matrix = [correlation_matrix(comparison)] if len(comparison.standings) > 2 else []
    for sheet in [*sheets(comparison), *matrix]:
        lines += _markdown_table(sheet)
    notes = [f"- {_escaped(warning)}" for warning in comparison.warnings]
    notes += [f"- skipped: {_escaped(name)}: {_escaped(reason)}" for name, reason in comparison.skipped.items()]
    return "\n".join([*lines, *(["## Read this too", "", *notes] if notes else [])]).rstrip("\n") + "\n"


def _markdown_table(sheet: Sheet) -> list[str]:
    rules = [":--" if place in sheet.words else "--:" for place in range(len(sheet.head))]
    body = [
        _line([f"**{_escaped(cell)}**" if number in sheet.strong and cell else _escaped(cell) for cell in row])
        for number, row in enumerate(sheet.rows)
    ]
    notes = [line for note in sheet.notes for line in (_escaped(note), "")]
    return [f"## {sheet.title}", "", _line(map(_escaped, sheet.head)), _line(rules), *body, "", *notes]


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    plain = " ".join(text.split())
    return _SPECIAL.sub(r"\\\g<0>", plain)
