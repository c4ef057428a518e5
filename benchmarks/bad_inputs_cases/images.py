"""Image files that are damaged, foreign, too large or of an unusual kind."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from bad_inputs import Case
from PIL import Image

from bad_inputs_cases._dataset import FINE, write_dataset

PICTURE = np.round(127 + 60 * np.sin(np.arange(40 * 36).reshape(40, 36) / 7)).astype(np.uint8)
DEEP = PICTURE.astype(np.uint16) * 257
CHECK, LOOK = ("explore", "data", "--check"), ("explore", "data", "--runs", "runs")
SEEN = "page runs/data/explore.html"


def encoded(ending: str, image: np.ndarray = PICTURE) -> bytes:
    """The picture in the format that goes with a file's ending, as OpenCV writes it."""
    done, content = cv2.imencode(ending, image)
    if not done:
        raise ValueError(f"OpenCV writes no {ending}")
    return bytes(content)


def saved(kind: str, image: np.ndarray = PICTURE, **how: object) -> bytes:
    """Likewise, as Pillow writes it."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind, **how)
    return stream.getvalue()


def array(values: np.ndarray) -> bytes:
    """A ``.npy`` file."""
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=True)
    return stream.getvalue()


def png_that_claims(height: int, width: int) -> bytes:
    """A small PNG whose head names another size, with the checksum that goes with it."""
    content = bytearray(encoded(".png"))
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    return bytes(content)


def _make(folder: Path, file: str, content: bytes, command: Sequence[str]) -> list[str]:
    images = write_dataset(folder, {}) / "images"
    (images / "a.png").unlink()
    (images / file).write_bytes(content)
    return list(command)


def image(name: str, expect: str, content: bytes, *, file: str = "a.png", command: Sequence[str] = LOOK) -> Case:
    """A dataset of which one image is this file."""
    return Case(name, partial(_make, file=file, content=content, command=command), expect)


def read(name: str, content: bytes, file: str) -> Case:
    """Likewise, where it has to be read right."""
    return Case(f"read right: {name}", partial(_make, file=file, content=content, command=LOOK), SEEN, 0)


def _several(kind: str) -> bytes:
    colour = np.stack([PICTURE] * 3, axis=-1)
    return saved(kind, colour, save_all=True, append_images=[Image.fromarray(255 - colour)])


def _half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :]


def _links_to_itself(folder: Path) -> list[str]:
    images = write_dataset(folder, {}) / "images"
    (images / "a.png").unlink()
    (images / "a.png").symlink_to("a.png")
    return list(CHECK)


def _folder(folder: Path) -> list[str]:
    images = write_dataset(folder, {}) / "images"
    (images / "a.png").unlink()
    (images / "a.png").mkdir()
    return list(CHECK)


def _pipe(folder: Path) -> list[str]:
    import os

    images = write_dataset(folder, {}) / "images"
    (images / "a.png").unlink()
    os.mkfifo(images / "a.png")
    return list(CHECK)


def _many_damaged(folder: Path) -> list[str]:
    images = write_dataset(folder, {}) / "images"
    for path in images.iterdir():
        path.write_bytes(b"")
    return list(LOOK)


def _training(change: Callable[[Path], None], folder: Path) -> list[str]:
    data = write_dataset(folder, {})
    change(data / "images")
    (folder / "small.yaml").write_text(
        "data: {image_size: 32, n_folds: 2}\nmodel: {name: cnn2}\noptimizer: {name: adam, lr: 1e-3}\n"
    )
    return ["train", "small.yaml", "--fold", "0", "--data", "data", "--runs", "runs", "--device", "cpu"]


def _cut(images: Path) -> None:
    (images / "b.png").write_bytes(_half((images / "b.png").read_bytes()))


DAMAGED = "cannot be decoded: it is damaged, or none"
CASES = (
    image("an empty image", "a.png: expected an image, but its 0 bytes", b""),
    image("an empty image, --check", "a.png: expected an image, but its 0 bytes", b"", command=CHECK),
    image("text called .png", DAMAGED, b"no image at all", command=CHECK),
    image("a web page called .png", DAMAGED, b"<!DOCTYPE html><html>login</html>", command=CHECK),
    image("a PNG cut off in its head", DAMAGED, encoded(".png")[:20], command=CHECK),
    *(
        image(f"half a {ending[1:].upper()}", DAMAGED, _half(encoded(ending)), file=f"a{ending}")
        for ending in (".png", ".jpg", ".bmp", ".tif", ".webp")
    ),
    image("a PNG with one wrong byte in its pixels", DAMAGED, _flipped(encoded(".png"), 200)),
    image("a PNG that claims 60,000 × 60,000", "too many pixels", png_that_claims(60_000, 60_000), command=CHECK),
    image("a PNG that claims 8,200 × 8,200", "expected at most 67,108,864 pixels", png_that_claims(8200, 8200)),
    image("a PNG of no width", "a.png: expected an image", png_that_claims(5, 0)),
    image("a GIF called .png", DAMAGED, saved("GIF"), command=CHECK),
    image("a TIFF of two pages", "expected one image, got more than one pages", _several("TIFF"), file="a.tif"),
    image("an animated PNG", "expected one image, got 2 frames", _several("PNG")),
    image("an animated WebP", "expected one image, got 2 frames", _several("WEBP"), file="a.webp"),
    image("a TIFF of 32-bit numbers", "got float32", encoded(".tiff", PICTURE.astype(np.float32)), file="a.tiff"),
    image(
        "a 16-bit TIFF with alpha",
        "TIFF with alpha is read with 8 bits",
        encoded(".tif", np.stack([DEEP] * 4, -1)),
        file="a.tif",
    ),
    image("a .npy of floats", "expected uint8 or uint16, got float64", array(PICTURE / 255), file="a.npy"),
    image("a .npy volume", "expected an image of shape", array(np.zeros((9, 9, 9), np.uint8)), file="a.npy"),
    image("half a .npy", "it cannot be read", _half(array(PICTURE)), file="a.npy"),
    image(
        "a .npy that claims 60,000 × 60,000",
        "it cannot be read",
        array(PICTURE).replace(b"(40, 36), }", b"(60000, 60000), }"),
        file="a.npy",
    ),
    image("a DICOM head and nothing more", "expected a DICOM image", b"\0" * 128 + b"DICM", file="a.dcm"),
    Case("six damaged images", _many_damaged, "6 images cannot be used"),
    Case("an image that is a link to itself", _links_to_itself, "1 of its 3 images is missing: 'a' (line 2)"),
    Case("an image that is a folder", _folder, "1 of its 3 images is missing: 'a' (line 2)"),
    Case("an image that is a pipe", _pipe, "1 of its 3 images is missing: 'a' (line 2)"),
    Case("training with a damaged image", partial(_training, _cut), "data/images/b.png: expected an image"),
    read("16-bit PNG", encoded(".png", DEEP), "a.png"),
    read("16-bit TIFF", encoded(".tif", DEEP), "a.tif"),
    read("JPEG", encoded(".jpg"), "a.jpg"),
    read("BMP", encoded(".bmp"), "a.bmp"),
    read("WebP", encoded(".webp"), "a.webp"),
    read("RGB that holds grey", encoded(".png", np.stack([PICTURE] * 3, -1)), "a.png"),
    read("RGBA", encoded(".png", np.stack([PICTURE] * 4, -1)), "a.png"),
    read("a palette", saved("PNG", np.asarray(Image.fromarray(PICTURE).convert("P"))), "a.png"),
    read("16-bit .npy", array(DEEP), "a.npy"),
    read("a JPEG called .png", encoded(".jpg"), "a.png"),
    Case("read right: --check of images", lambda folder: (write_dataset(folder, {}), list(CHECK))[1], FINE, 0),
)
