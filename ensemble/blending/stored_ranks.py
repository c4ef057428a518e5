"""The distributions of a blend of ranks on disk: too many numbers for ``blend.json``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.ranks import MeanOfRanks, Places
from ensemble.errors import ArtefactError
from ensemble.files import atomic_write


def write_ranks(path: Path, combination: MeanOfRanks) -> None:
    """Write the distributions as safetensors, atomically; the same ones give the same bytes."""
    from safetensors.numpy import save  # noqa: PLC0415 - only blends of ranks need it

    arrays: dict[str, NDArray[np.float32]] = {}
    for member, classes in enumerate(combination.places):
        for column, place in enumerate(classes):
            arrays[f"{member}.{column}.scores"] = np.ascontiguousarray(place.scores)
            arrays[f"{member}.{column}.places"] = np.ascontiguousarray(place.places)
    with atomic_write(path) as stream:
        stream.write(save(arrays))


def read_ranks(path: Path, *, n_members: int, n_classes: int) -> MeanOfRanks:
    """Read what ``write_ranks`` wrote.

    Args:
        path: The file.
        n_members: M of the blend.
        n_classes: C.

    Raises:
        ArtefactError: It is missing, damaged, or of another number of members or classes.
    """
    from safetensors import SafetensorError  # noqa: PLC0415
    from safetensors.numpy import load  # noqa: PLC0415

    try:
        arrays = load(path.read_bytes())
        places = tuple(
            tuple(
                Places(arrays[f"{member}.{column}.scores"], arrays[f"{member}.{column}.places"])
                for column in range(n_classes)
            )
            for member in range(n_members)
        )
    except (OSError, SafetensorError, KeyError) as error:
        said = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        raise ArtefactError(
            f"{path}: expected the distributions of {n_members} members and {n_classes} classes, got none that can be "
            f"read ({said}). Make the blend again"
        ) from error
    return MeanOfRanks(places)
