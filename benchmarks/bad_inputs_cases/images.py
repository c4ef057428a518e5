"""Image files that are damaged, foreign or of an unusual kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from bad_inputs_cases.case import Case
from bad_inputs_cases.common import CHECK, LOOK, picture, sound_dataset


def _with(file: str, content: bytes | Callable[[bytes], bytes], *command: str) -> Callable[[Path], list[str]]:
    """A dataset whose first image, ``i00.png``, is taken away and this file put there in its place."""

    def make(folder: Path) -> list[str]:
        images = sound_dataset(folder) / "images"
        sound = (images / "i00.png").read_bytes()
        (images / "i00.png").unlink()
        (images / file).parent.mkdir(parents=True, exist_ok=True)
        (images / file).write_bytes(content if isinstance(content, bytes) else content(sound))
        return list(command or LOOK)

    return make


def encoded(ending: str, image: np.ndarray | None = None) -> bytes:
    """A picture in the format that goes with a file ending."""
    done, content = cv2.imencode(ending, picture(0) if image is None else image)
    assert done
    return bytes(content)


CASES = [
    Case("an empty image file", _with("i00.png", b""), "i00.png: expected an image, but its 0 bytes"),
    Case("an empty image file, --check", _with("i00.png", b"", *CHECK), "i00.png: expected an image, but its 0 bytes"),
    Case("text called .png", _with("i00.png", b"not an image at all"), "cannot be decoded: it is damaged, or none"),
    Case("a PNG cut off in its head", _with("i00.png", lambda png: png[:20]), "cannot be decoded: it is damaged"),
    Case("a PNG cut off in its pixels", _with("i00.png", lambda png: png[: len(png) // 2]), "cannot be decoded"),
]
