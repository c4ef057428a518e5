"""The tables that prediction writes, row by row; each gets its name when it is whole."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Self

from ensemble.errors import DataError
from ensemble.files import atomic_write, write_text
from ensemble.files_together import without_leftovers, written_together
from ensemble.prediction.images import ImageList
from ensemble.prediction.stream import PredictedRows
from ensemble.runs import check_folder
from ensemble.submission import Template, row_text


def companion(out: Path, what: str) -> Path:
    """``out.csv`` to ``out.<what>.csv``."""
    return out.with_name(f"{out.stem}.{what}.csv")


def check_output(out: Path, images: Path, *, probabilities: bool, overwrite: bool) -> None:
    """Refuse a place where the decisions cannot go.

    Args:
        out: Of the decisions.
        images: What is predicted.
        probabilities: Whether these are written, too.
        overwrite: Whether files that are there may be replaced.

    Raises:
        DataError: It is a folder, or no table by its name; or one of the files to be written or removed is what is
            predicted, or there already.
    """
    if out.suffix.lower() not in (".csv", ".txt") or out.is_dir():
        raise DataError(f"--out {out}: expected a file FOLDER/NAME.csv (or .txt)")
    touched = _all_files(out, probabilities=probabilities)
    if images.resolve() in [path.resolve() for path in touched]:
        raise DataError(
            f"--out {out}: {images} would be replaced or removed, but what is predicted is only read. Give another name"
        )
    check_folder(out.parent, "--out: the folder")
    if not overwrite and (there := [path for path in touched if path.exists()]):
        raise DataError(f"{there[0]} is there already. Give --overwrite to replace it, or another --out")


def _all_files(out: Path, *, probabilities: bool) -> list[Path]:
    """What is written, and the list of unreadable images, which is removed where there are none."""
    others = ("probabilities", "unreadable") if probabilities else ("unreadable",)
    return [out, *(companion(out, what) for what in others)]


class PredictionWriter:
    """Use it as a context; nothing gets its name if the block fails."""

    def __init__(self, out: Path, images: ImageList, class_names: Sequence[str], *, probabilities: bool) -> None:
        """Prepare.

        Args:
            out: Of the decisions.
            images: Whose rows they are.
            class_names: C names, the order of what comes.
            probabilities: Whether these are written, too.
        """
        self.out = out
        self.unreadable: list[tuple[str, str]] = []
        self._form = images.form
        self._columns = [list(class_names).index(name) for name in images.form.class_names]
        self._ids = images.form.image_ids
        self._wants_probabilities = probabilities
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            opening.enter_context(without_leftovers(*_all_files(self.out, probabilities=self._wants_probabilities)))
            unreadable = companion(self.out, "unreadable")  # an earlier call's goes, whether or not there is a new one
            opening.enter_context(written_together(removed=[unreadable]))
            opening.push(_if_whole(self._list_unreadable))
            self._decisions = self._begin(opening, self.out)
            self._probabilities = None
            if self._wants_probabilities:
                self._probabilities = self._begin(opening, companion(self.out, "probabilities"))
            self._open = opening.pop_all()
        return self

    def _begin(self, opening: ExitStack, path: Path) -> _Rows:
        rows = _Rows(opening.enter_context(atomic_write(path)), self._form)
        opening.push(_if_whole(rows.end))
        return rows

    def __exit__(self, *error: object) -> None:
        self._open.__exit__(*error)  # type: ignore[arg-type]

    def write(self, predicted: PredictedRows) -> None:
        """Append rows."""
        self.unreadable += [(str(self._ids[row]), problem) for row, problem in predicted.unreadable]
        decisions = predicted.decisions[:, self._columns].astype(int).tolist()
        for row, decided in zip(predicted.rows, decisions, strict=True):
            self._decisions.add(row, [str(one) for one in decided])
        if self._probabilities is not None:
            values = predicted.probabilities[:, self._columns].tolist()
            for row, chances in zip(predicted.rows, values, strict=True):
                self._probabilities.add(row, [repr(one) for one in chances])

    def _list_unreadable(self) -> None:
        if not self.unreadable:
            return
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["id", "problem"])
        writer.writerows(self.unreadable)
        write_text(companion(self.out, "unreadable"), text.getvalue())


def _if_whole(call: Callable[[], None]) -> Callable[..., None]:
    """What an ``ExitStack`` calls at its end, where nothing was raised."""

    def leave(kind: type[BaseException] | None, *_error: object) -> None:
        if kind is None:
            call()

    return leave


class _Rows:
    """A table in a template's form, as it grows."""

    def __init__(self, stream: BinaryIO, form: Template) -> None:
        self._stream, self._form = stream, form
        stream.write(form.head.encode())

    def add(self, row: int, texts: Sequence[str]) -> None:
        line = row_text(self._form, [str(self._form.image_ids[row]), *texts], self._form.quoted[row].tolist())
        self._stream.write((self._form.newline + line).encode())

    def end(self) -> None:
        self._stream.write(self._form.tail.encode())
