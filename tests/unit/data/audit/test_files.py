import cv2
import numpy as np
import pytest
from PIL import Image

from ensemble.data.audit.files import read_facts

GREY = np.arange(48 * 40, dtype=np.uint32).reshape(48, 40) % 251


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("L", "grey, 8 bits"),
        ("1", "grey, 1 bit"),
        ("P", "palette holding grey, 8 bits"),
        ("RGB", "RGB holding grey, 8 bits"),
        ("RGBA", "RGBA holding grey, 8 bits"),
        ("LA", "grey with alpha, 8 bits"),
        ("I;16", "grey, 16 bits"),
    ],
)
def test_modes(tmp_path, mode, expected):
    path = tmp_path / "a.png"
    if mode == "I;16":
        Image.fromarray(GREY.astype(np.uint16) * 200).save(path)
    else:
        Image.fromarray(GREY.astype(np.uint8)).convert(mode).save(path)
    facts = read_facts(path)
    assert facts.properties["mode"] == expected
    assert facts.properties["file format"] == "PNG"
    assert (facts.height, facts.width) == (48, 40)
    assert facts.histogram.sum() == pytest.approx(1)


def test_colour(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.dstack([GREY, GREY // 2, GREY]).astype(np.uint8))
    assert read_facts(tmp_path / "a.png").properties["mode"] == "RGB colour, 8 bits"


def test_the_content_counts_and_not_the_name(tmp_path):
    Image.fromarray(GREY.astype(np.uint8)).save(tmp_path / "a.png", format="JPEG", quality=80)
    properties = read_facts(tmp_path / "a.png").properties
    assert properties["file format"] == "JPEG"
    assert properties["JPEG tables"].startswith("mean ")


def test_another_quality_has_other_tables(tmp_path):
    tables = set()
    for quality in (60, 90):
        Image.fromarray(GREY.astype(np.uint8)).save(tmp_path / "a.jpg", quality=quality)
        tables.add(read_facts(tmp_path / "a.jpg").properties["JPEG tables"])
    assert len(tables) == 2


def test_embedded_descriptions_are_named(tmp_path):
    image = Image.fromarray(GREY.astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.jpg", exif=exif, dpi=(300, 300))
    properties = read_facts(tmp_path / "a.jpg").properties
    assert properties["embedded metadata"] == "EXIF, resolution"
    assert properties["orientation tag"] == "6"


def test_grey_values_are_those_of_the_full_scale(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((20, 20), 65535, np.uint16))
    assert read_facts(tmp_path / "a.png").histogram[-1] == 1
    cv2.imwrite(str(tmp_path / "a.png"), np.full((20, 20), 255, np.uint8))
    facts = read_facts(tmp_path / "a.png")
    assert facts.histogram[-1] == 1
    assert facts.flat
