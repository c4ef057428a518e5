import cv2
import numpy as np
import pytest

from ensemble.errors import DataError


def test_groups_across_splits(maker, traps):
    maker.grouped()
    maker.groups["b0"] = "g3"
    trap = traps()["groups across splits"]
    assert trap.gravity == "leak"
    assert (
        "1 group in train and in holdout, with 2 train and 1 holdout images: 'g3'. Training refuses this" in trap.text
    )


def test_groups_across_training_and_test(maker, look):
    maker.grouped()
    maker.groups |= {"c1": "g3", "c2": "g4"}
    (trap,) = look(maker.write()).traps
    assert "2 groups in train and in test, with 4 train and 2 test images: 'g3', 'g4'" in trap.text
    assert "better than that on new patients" in trap.text


def test_rare_classes(maker, traps):
    for name in maker.labels["train"]:
        maker.labels["train"][name] = (int(name == "a05"), int(name > "a10"))
    trap = traps()["rare class"]
    assert trap.gravity == "caution"
    assert "class 'one' is positive in only 1 image: with 5 folds at least 4" in trap.text


def test_many_rare_classes_are_one_warning(maker, traps):
    maker.class_names = tuple("abcdef")
    for split in maker.labels.values():
        for place, name in enumerate(split):
            split[name] = (int(place < 2),) * 5 + (int(place % 2),)
    found = traps()
    assert "rare class" not in found
    assert "5 of 6 classes are positive in fewer images than there are folds (5)" in found["rare classes"].text


def test_labels_of_one_kind_and_missing_ones(maker, look):
    for name in maker.labels["val"]:
        maker.labels["val"][name] = (0, "")
    for name in maker.labels["train"]:
        maker.labels["train"][name] = (1, maker.labels["train"][name][1])
    maker.labels["train"]["a03"] = (1, "")
    texts = [trap.text for trap in look(maker.write()).traps]
    assert "in train every labelled image is positive for 'one'" in texts
    assert "in holdout no image is positive for 'one'" in texts
    assert "in holdout no image is labelled for 'two'" in texts
    assert "in train not every image is labelled; without a label: two (1)" in texts


def test_mixed_and_dark_depths(maker, traps):
    for name in ("a00", "b0"):
        maker.images[name] = maker.images[name].astype(np.uint16) * 16
    found = traps()
    assert "2 images of 16 bits and 58 of 8: all are kept with 16" in found["mixed depths"].text
    assert "less than an eighth of the range" in found["dark 16-bit images"].text


def test_full_range_16_bits_are_no_trap(maker, traps):
    for name, image in maker.images.items():
        maker.images[name] = image.astype(np.uint16) * 250
    assert list(traps()) == ["no groups"]


def test_kinds_of_pixels_that_training_does_not_know(maker, traps):
    for name in maker.test[:3]:
        maker.images[name] = cv2.cvtColor(maker.images[name], cv2.COLOR_GRAY2BGR)
    trap = traps()["other files in another split"]
    assert "test holds kinds of pixels that training does not: RGB holding grey, 8 bits (3 images)" in trap.text


def test_tables_that_were_not_read(maker, traps):
    folder = maker.write()
    (folder / "more_labels.csv").write_text("id,three\na00,1\n")
    assert "more_labels.csv: it holds ids, but has no name that is read" in traps()["tables not read"].text


def test_the_gravest_come_first(maker, look):
    maker.images["b3"] = maker.images["a07"]
    maker.images["a30"] = np.zeros((40, 36), np.uint8)
    assert [trap.gravity for trap in look(maker.write()).traps] == ["leak", "caution", "note"]


def test_damaged_images_are_named_together(maker, look):
    folder = maker.write()
    for name in ("a01", "b2"):
        (folder / "images" / f"{name}.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"2 images cannot be used: .*a01\.png.*b2\.png.*Replace these files"):
        look(folder)


@pytest.mark.parametrize("split", ["train", "holdout", "test"])
def test_facts_of_the_splits(maker, look, split):
    findings = look(maker.write())
    facts = {facts.name: facts for facts in findings.splits}[split]
    n_images = {"train": 40, "holdout": 10, "test": 10}[split]
    assert (facts.sizes == [40, 36]).all()
    assert facts.modes == {"grey, 8 bits": n_images}
    assert facts.formats == {"PNG": n_images}
    assert facts.intensity.sum() == pytest.approx(1)
    if split == "train":
        assert facts.labels_per_image == (10, 20, 10)
        assert facts.positives.tolist() == [20, 20]
    if split == "test":
        assert facts.positives is None


def test_classes_together(maker, look):
    findings = look(maker.write())
    assert findings.together.tolist() == [[20, 10], [10, 20]]
    assert findings.alone.tolist() == [10, 10]
    assert [combination.title for combination in findings.combinations] == ["no finding", "two", "one", "one + two"]
    assert findings.combinations[0].counts == {"train": 10, "holdout": 3}
    assert findings.division.sizes.tolist() == [8] * 5
    assert findings.division.positives.tolist() == [[4, 4]] * 5
