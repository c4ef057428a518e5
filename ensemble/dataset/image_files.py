"""From ids to image files. Files are listed, never opened."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.dataset.ids import IMAGE_ENDINGS, is_fit, split_ending
from ensemble.dataset.labels import IdTable
from ensemble.dataset.spelling import why_not
from ensemble.errors import many, quoted
from ensemble.tables import shortened

# So many files are looked through for one that lies in an unusual place.
_MOST_SEARCHED = 200_000


@dataclass
class _Listing:
    """The images in one folder: stem to file names, and which of these are links that lead out; and its sub-folders."""

    names: dict[str, list[str]] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    leading_out: set[str] = field(default_factory=set)


class ImageIndex:
    """The image files below a dataset's folder. A folder is listed once, when an id first points into it.

    The dataset's folder and its image folders may be links; a link below an image folder must stay inside it.

    Args:
        folder: The dataset's folder.
        image_folders: Where images may be, relative to ``folder``; ``"."`` is the folder itself.
    """

    def __init__(self, folder: Path, image_folders: Sequence[str]) -> None:
        self._folder = folder
        self._real = {name: os.path.realpath(folder / name) for name in image_folders}
        self._listings: dict[tuple[str, str], _Listing] = {}

    def find(self, image_folders: Sequence[str], image_id: str) -> tuple[list[str], bool]:
        """Files that an id may mean.

        Args:
            image_folders: Where to look.
            image_id: With or without an ending, perhaps with sub-folders.

        Returns:
            The files' paths relative to the dataset's folder; and whether one was left out as its link leads out.
        """
        parent, _, name = image_id.rpartition("/")
        stem, ending = split_ending(name)
        found: list[str] = []
        leading_out = False
        for image_folder in image_folders:
            listing = self._listing(image_folder, parent)
            for match in _matching(listing.names.get(stem, []), name, ending):
                if match in listing.leading_out:
                    leading_out = True
                else:
                    found.append(_joined(image_folder, parent, match))
        return list(dict.fromkeys(found)), leading_out

    def files(self, image_folders: Sequence[str]) -> Iterator[str]:
        """All image files, relative to the dataset's folder; a file may come twice.

        Folders of images are looked through to their ends; of the dataset's folder itself, where images may lie beside
        the tables, only the files in it. Links to folders are not followed.
        """
        for image_folder in image_folders:
            parents = [""]
            while parents:
                parent = parents.pop()
                listing = self._listing(image_folder, parent)
                for names in listing.names.values():
                    yield from (_joined(image_folder, parent, name) for name in names)
                if image_folder != ".":
                    parents += [_joined(parent, name) for name in listing.folders]

    def stems(self) -> set[str]:
        """The names, without ending, of all images that were listed."""
        return {stem for listing in self._listings.values() for stem in listing.names}

    def elsewhere(self, image_id: str) -> str | None:
        """A file that is called like an id but lies where none is looked for, relative to the dataset's folder.

        None if there is none among the first files; links are not followed.
        """
        stem, ending = split_ending(image_id.rpartition("/")[2])
        seen = 0
        for folder, _, names in os.walk(self._folder):
            for name in sorted(names):
                own_stem, own_ending = split_ending(name)
                if own_ending and own_stem == stem and ending in ("", own_ending):
                    return Path(folder, name).relative_to(self._folder).as_posix()
            seen += len(names)
            if seen > _MOST_SEARCHED:
                return None
        return None

    def describe(self, image_folders: Sequence[str]) -> str:
        """Where an id was looked for, and what the files there are called."""
        if not image_folders:
            return "dataset.yaml names no folder of images for them"
        places = []
        for name in image_folders:
            names = self._listing(name, "").names
            example = f" (holds e.g. {next(iter(names.values()))[0]!r})" if names else " (holds no images)"
            places.append(f"{name.rstrip('/')}/{example if (self._folder / name).is_dir() else ' (no such folder)'}")
        return f"Looked in {', '.join(places)}"

    def _listing(self, image_folder: str, parent: str) -> _Listing:
        key = image_folder, parent
        if key not in self._listings:
            self._listings[key] = self._list(image_folder, parent)
        return self._listings[key]

    def _list(self, image_folder: str, parent: str) -> _Listing:
        listing = _Listing()
        folder = self._folder / image_folder / parent
        if not folder.is_dir():
            return listing
        outside = not self._is_inside(image_folder, os.path.realpath(folder))
        with os.scandir(folder) as entries:
            for entry in entries:
                stem, ending = split_ending(entry.name)
                if entry.is_dir(follow_symlinks=False):
                    listing.folders.append(entry.name)
                if not ending or not _is_file(entry):
                    continue
                listing.names.setdefault(stem, []).append(entry.name)
                if outside or (entry.is_symlink() and not self._is_inside(image_folder, os.path.realpath(entry.path))):
                    listing.leading_out.add(entry.name)
        return listing

    def _is_inside(self, image_folder: str, real_path: str) -> bool:
        """Whether a path is in the image folder; in any of them, for ids that name an image folder themselves."""
        roots = self._real.values() if image_folder == "." else [self._real[image_folder]]
        return any(real_path == root or real_path.startswith(root.rstrip("/") + "/") for root in roots)


def _is_file(entry: os.DirEntry[str]) -> bool:
    """As ``entry.is_file()``; a link that leads to itself is none."""
    try:
        return entry.is_file()
    except OSError:
        return False


def _matching(names: Sequence[str], name: str, ending: str) -> list[str]:
    """Of files with the right stem, those that the id means: the very name if it is there, else the same ending."""
    if name in names:
        return [name]
    return [match for match in names if not ending or split_ending(match)[1] == ending]


def _joined(*parts: str) -> str:
    return "/".join(part.rstrip("/") for part in parts if part not in ("", "."))


def find_images(
    index: ImageIndex, table: IdTable, image_folders: Sequence[str], problems: list[str]
) -> NDArray[np.str_]:
    """The file of every image.

    Args:
        index: The dataset's images.
        table: N rows. Ids that are not fit to be ids are passed over: that was said before.
        image_folders: Where to look, relative to the dataset's folder.
        problems: Images that are missing, there twice or behind a link that leads out are added here.

    Returns:
        Shape (N,), relative to the dataset's folder, in the order of the ids; empty text where there was a problem.
    """
    missing: list[str] = []
    outside: list[str] = []
    lost: list[str] = []
    double, files = [], []
    for line, image_id in zip(table.table.lines.tolist(), table.image_ids.tolist(), strict=True):
        found, leading_out = index.find(image_folders, image_id) if is_fit(image_id) else ([""], False)
        files.append(found[0] if len(found) == 1 else "")
        if len(found) > 1:
            double.append(f"{image_id!r} ({', '.join(sorted(found))})")
        elif not found:
            (outside if leading_out else missing).append(f"{quoted(image_id)} (line {line})")
            if not leading_out:
                lost.append(image_id)
    if missing:
        problems.append(
            f"{table.name}: {_share(missing, table)} missing: {shortened(missing)}. "
            f"{index.describe(image_folders)} for the id, and for the id with {' '.join(IMAGE_ENDINGS)}. "
            f"{_remedy(index, lost)}"
        )
    if outside:
        problems.append(
            f"{table.name}: {_share(outside, table)} {'a link that leads' if len(outside) == 1 else 'links that lead'} "
            "out of the image folder: "
            f"{shortened(outside)}. Put the files themselves there, or make the whole image folder a link"
        )
    if double:
        problems.append(
            f"{table.name}: {many(len(double), 'id')} {'matches' if len(double) == 1 else 'match'} more than one "
            f"file: {shortened(double)}. Keep one file each, or "
            "name the folder that counts in dataset.yaml (images: FOLDER)"
        )
    return np.array(files, dtype=np.str_)


def _share(some: Sequence[str], table: IdTable) -> str:
    return f"{len(some)} of its {many(len(table), 'image')} {'is' if len(some) == 1 else 'are'}"


def _remedy(index: ImageIndex, lost: Sequence[str]) -> str:
    """What to do about missing images with these ids."""
    names = [split_ending(image_id.rpartition("/")[2])[0] for image_id in lost]
    if spelling := why_not(names, index.stems() - set(names)):
        return f"There are images of nearly these names{spelling}. Correct the ids, or rename the files"
    elsewhere = index.elsewhere(lost[0])
    if elsewhere is None:
        return "Put the files there, or name their folder in dataset.yaml (images: FOLDER)"
    return (
        f"For {quoted(lost[0])} there is {elsewhere}: name the folder in dataset.yaml (images: "
        f"{os.path.dirname(elsewhere)}), or write the ids with the sub-folder before them"  # noqa: PTH120 - no path yet
    )


def shared_files(ids_and_files: Iterable[tuple[str, str]]) -> list[str]:
    """The problem of two ids that mean one file, e.g. ``a.PNG`` and ``a.png``; empty without any."""
    by_file: dict[str, list[str]] = {}
    for image_id, file in ids_and_files:
        by_file.setdefault(file, []).append(image_id)
    shared = [f"{' = '.join(map(repr, ids))} ({file})" for file, ids in by_file.items() if file and len(set(ids)) > 1]
    return [f"expected one id a file, but {len(shared)} files have more: {shortened(shared)}"] if shared else []
