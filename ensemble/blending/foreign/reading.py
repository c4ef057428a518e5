"""One pass over everything that the user gave, and the members' tables in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ensemble.blending.foreign.files import TableFiles, TableOptions
from ensemble.blending.foreign.folder import Folder, keep_named, look_through, open_with_classes
from ensemble.blending.foreign.joining import Joined, Wanted, join_tables
from ensemble.blending.foreign.labels import Labels
from ensemble.blending.foreign.notes import Notes
from ensemble.blending.foreign.table import OpenTable
from ensemble.errors import EnsembleError, first_few
from ensemble.files import sha256_of_file


@dataclass
class Reading:
    """What has been read so far.

    Attributes:
        files: What the user gave.
        options: How to take it.
        labels: The label table.
        notes: Problems and remarks.
        skipped: Files that were left out, name to reason.
        hashes: Of the members' files, by member and split. Its keys are all members, in order.
    """

    files: TableFiles
    options: TableOptions
    labels: Labels
    notes: Notes = field(default_factory=Notes)
    skipped: dict[str, str] = field(default_factory=dict)
    hashes: dict[str, dict[str, str]] = field(default_factory=dict)

    def open(self, folder: Folder, name: str, split: str) -> OpenTable | None:
        """Open the table called ``name``; None, with a problem or a reason to skip it noted, if it is no member's."""
        path = folder.files[name]
        labels, ignore_extra = self.files.labels.name, self.options.ignore_extra_columns
        try:
            table = open_with_classes(path, self.labels.class_names, labels=labels, ignore_extra=ignore_extra)
        except EnsembleError as error:
            self.notes.add_error(error)
            self.hashes.setdefault(name, {})
            return None
        if table is None:
            folder.skipped[path.name] = f"has no column of {labels}"
            return None
        self.hashes.setdefault(name, {})[split] = sha256_of_file(path)
        return table


def read_members(reading: Reading) -> Joined:
    """All members' tables of the labelled rows."""
    files, labels, notes = reading.files, reading.labels, reading.notes
    folder = look_through(files.oof, flag="--oof", taken=files.taken())
    keep_named(folder, files.members)
    notes.problems += folder.problems
    tables = {name: reading.open(folder, name, "oof") for name in folder.files}
    opened = {name: table for name, table in tables.items() if table is not None}
    reading.skipped |= folder.skipped
    if not opened and not notes.problems:
        seen = "; ".join(f"{name} ({why})" for name, why in folder.skipped.items()) or "nothing"
        notes.problems.append(
            f"expected a table with an id and the columns {first_few(labels.class_names)}, found {seen}"
        )
    wanted = Wanted(labels.image_ids, labels.class_names, files.labels.name, labels.values)
    return join_tables(opened, wanted, options=reading.options, notes=notes)
