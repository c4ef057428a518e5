"""``dataset.yaml``: what differs from the layout that is found by itself. Every key is optional."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ensemble.errors import RecipeError
from ensemble.yaml_text import YamlDocument, describe, load_yaml

SPLITS = ("train", "holdout", "test")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class DatasetSettings:
    """The keys of ``dataset.yaml``; None or empty where not stated.

    Attributes:
        name: The dataset's name.
        images: Split to the folder of its images, relative to the dataset's folder.
        train_labels: The label table, relative to the dataset's folder; likewise ``holdout_labels`` and ``template``.
        groups: Tables of ids and groups.
        id_column: The ids' column in all tables but the template, whose first column it is.
        group_column: The column of the label tables that holds the group.
        class_names: Which columns of the label tables are classes, in this order.
        not_labelled: Numbers and texts that mean in the label tables what an empty field means, e.g. -1.
        n_folds: Number of folds.
        fold_seed: Seed of the folds.
        holdout: False to divide the holdout's rows into the folds, too.
    """

    name: str | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    train_labels: str | None = None
    holdout_labels: str | None = None
    template: str | None = None
    groups: tuple[str, ...] = ()
    id_column: str | None = None
    group_column: str | None = None
    class_names: tuple[str, ...] = ()
    not_labelled: tuple[str | float, ...] = ()
    n_folds: int | None = None
    fold_seed: int | None = None
    holdout: bool | None = None


def read_settings(path: Path) -> DatasetSettings:
    """Read ``dataset.yaml``; without the file, nothing is stated.

    Raises:
        RecipeError: Unknown keys or values of another kind, all of them, each with its line.
    """
    if (other := path.with_suffix(".yml")).exists():
        raise RecipeError(f"{other}: expected the name {path.name}. Rename the file: under this name it is not read")
    if not path.exists():
        return DatasetSettings()
    document = load_yaml(path, error=RecipeError)
    if problems := _problems(document):
        raise RecipeError.gather(f"{path} cannot be used", problems)
    stated: dict[str, Any] = {key: value for key, value in document.data.items() if value is not None}
    for key in ("groups", "class_names", "not_labelled"):
        if key in stated:
            stated[key] = tuple(stated[key]) if isinstance(stated[key], list) else (stated[key],)
    if isinstance(images := stated.get("images"), str):
        stated["images"] = dict.fromkeys(SPLITS, images)
    return DatasetSettings(**stated)


def _problems(document: YamlDocument) -> list[str]:
    problems = []
    for key, value in document.data.items():
        where = f"line {document.line_of((key,))}, {key}"
        if key not in _EXPECTED:
            near = difflib.get_close_matches(key, _EXPECTED, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the keys are {', '.join(_EXPECTED)}"
            problems.append(f"{where}: there is no such key; {hint}")
        elif value is not None and not _EXPECTED[key][0](value):
            problems.append(f"{where}: expected {_EXPECTED[key][1]}, got {describe(value)}")
    if document.data.get("groups") is not None and document.data.get("group_column") is not None:
        where = f"lines {document.line_of(('groups',))} and {document.line_of(('group_column',))}"
        problems.append(f"{where}: expected groups or group_column, got both. Keep one")
    return problems


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_inside(value: Any) -> bool:
    """A relative path that does not leave the folder it is relative to, and that every system takes."""
    if not _is_text(value) or "\\" in value or _CONTROL.search(value):
        return False
    path = PurePosixPath(value)
    return not path.is_absolute() and ".." not in path.parts


def _are_files(value: Any) -> bool:
    return _is_inside(value) or (isinstance(value, list) and bool(value) and all(map(_is_inside, value)))


def _are_images(value: Any) -> bool:
    if isinstance(value, dict):
        return bool(value) and set(value) <= set(SPLITS) and all(map(_is_inside, value.values()))
    return _is_inside(value)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_text, value)) and len(set(value)) == len(value)


def _are_not_labels(value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return bool(values) and all(_is_text(one) or (_is_number(one) and one not in (0, 1)) for one in values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


_FOLDER = "a folder below the dataset's folder (relative, without '..' and control characters; a link may stand there)"
_FILE = "a file below the dataset's folder (relative, without '..' and control characters)"
_EXPECTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_is_text, "text"),
    "images": (_are_images, f"{_FOLDER}, or one each: {{train: ..., holdout: ..., test: ...}}"),
    "train_labels": (_is_inside, _FILE),
    "holdout_labels": (_is_inside, _FILE),
    "template": (_is_inside, _FILE),
    "groups": (_are_files, f"{_FILE}, or a list of such files"),
    "id_column": (_is_text, "a column's name"),
    "group_column": (_is_text, "a column's name"),
    "class_names": (_are_names, "a list of different column names (text: quote numbers)"),
    "not_labelled": (_are_not_labels, "what stands for no label, e.g. -1 or [-1, unknown]; not 0 or 1"),
    "n_folds": (lambda value: _is_whole(value, least=2), "a whole number of at least 2"),
    "fold_seed": (lambda value: _is_whole(value, least=0), "a whole number of at least 0"),
    "holdout": (lambda value: isinstance(value, bool), "true or false"),
}
