import cv2
import numpy as np


def ids(gallery):
    return [picture.image_id for picture in gallery.pictures]


def test_the_seed_chooses_and_nothing_else(maker, look):
    folder = maker.write()
    first, again, other = (look(folder, seed=seed) for seed in (0, 0, 1))
    assert list(map(ids, first.by_class)) == list(map(ids, again.by_class))
    assert list(map(ids, first.by_class)) != list(map(ids, other.by_class))
    assert [gallery.total for gallery in first.by_class] == [20, 20]
    assert [len(gallery.pictures) for gallery in first.by_class] == [8, 8]


def test_examples_have_the_class_and_come_from_different_groups(maker, look):
    maker.grouped(size=4)
    findings = look(maker.write())
    for number, gallery in enumerate(findings.by_class):
        chosen = ids(gallery)
        assert all(maker.labels["train"][name][number] == 1 for name in chosen)
        assert len({maker.groups[name] for name in chosen}) == 8
    assert {picture.caption for picture in findings.by_class[0].pictures} == {"", "+ two"}


def test_combinations_have_examples_of_just_these_labels(maker, look):
    findings = look(maker.write())
    assert [gallery.title for gallery in findings.by_combination] == ["no finding", "two", "one", "one + two"]
    assert all(maker.labels["train"][name] == (0, 1) for name in ids(findings.by_combination[1]))


def test_large_images_are_shrunk_and_small_ones_kept(maker, look):
    for name in maker.labels["train"]:
        maker.images[name] = np.kron(maker.images[name], np.ones((10, 10), np.uint8))
    maker.labels["train"]["a01"] = (1, 1)
    large = look(maker.write()).by_class[0].pictures[0]
    assert (large.height, large.width) == (112, 101)
    assert cv2.imdecode(np.frombuffer(large.png, np.uint8), cv2.IMREAD_UNCHANGED).shape == (112, 101)


def test_dark_16_bits_are_made_visible(maker, look):
    for name, image in maker.images.items():
        maker.images[name] = image.astype(np.uint16) * 4
    png = look(maker.write()).by_class[0].pictures[0].png
    shown = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert shown.dtype == np.uint8
    assert shown.max() == 255
