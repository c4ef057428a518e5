import cv2
import numpy as np
import pytest

from ensemble.data.audit.similarity import LEAST_CORRELATION, MOST_BITS, find_near_pairs

LEAKS = {
    "identical images across splits",
    "identical images across folds",
    "near-duplicates across splits",
    "near-duplicates across folds",
    "groups across splits",
}


def shaded(image):
    """The same picture, a little darker and flatter: other pixels, the same scene."""
    return np.round(image * 0.8 + 12).astype(np.uint8)


def test_a_clean_set_has_no_trap_but_the_note_that_there_are_no_groups(traps):
    found = traps()
    assert list(found) == ["no groups"]
    assert found["no groups"].gravity == "note"


def test_a_clean_set_with_groups_has_none_at_all(maker, traps):
    maker.grouped()
    assert not traps()


@pytest.mark.parametrize(("twin", "name"), [("b3", "holdout"), ("c3", "test")])
def test_identical_images_across_splits(maker, traps, twin, name):
    maker.images[twin] = maker.images["a07"]
    trap = traps()["identical images across splits"]
    assert trap.gravity == "leak"
    assert "1 set of identical images (2 images) lies in more than one split: 'a07' (train, fold" in trap.text
    assert f"= '{twin}' ({name})" in trap.text
    assert [picture.image_id for picture in trap.pictures] == ["a07", twin]


def test_identical_pixels_count_whatever_the_file(maker, traps):
    maker.images["a07"] = maker.images["b3"].astype(np.uint16) * 257
    maker.images["a08"] = cv2.cvtColor(maker.images["b4"], cv2.COLOR_GRAY2BGR)
    maker.endings["b4"] = ".bmp"
    assert "2 sets of identical images (4 images) lie in" in traps()["identical images across splits"].text


def test_identical_images_across_folds_and_within_one(maker, look):
    for name in ("a01", "a02", "a03", "a04", "a05", "a06"):
        maker.images[name] = maker.images["a00"]
    found = {trap.name: trap for trap in look(maker.write()).traps}
    across = found["identical images across folds"]
    assert across.gravity == "leak"
    assert "1 set of identical images (7 images)" in across.text
    assert "= 4 more" in across.text
    one, other = across.pictures
    assert one.caption != other.caption
    maker.grouped(size=8)  # a00 to a07 are one group, so folds keep them together
    found = {trap.name: trap for trap in look(maker.write()).traps}
    assert not set(found) & LEAKS
    assert found["identical images"].gravity == "caution"
    assert "together in one split and fold" in found["identical images"].text


def test_contradicting_labels_of_identical_images(maker, traps):
    maker.images["a02"] = maker.images["a00"]  # labels 0,0 and 0,1
    maker.images["a04"] = maker.images["a08"]  # 0,0 both
    trap = traps()["contradicting labels"]
    assert trap.gravity == "caution"
    assert "1 set of identical images (2 images)" in trap.text
    assert "'a00' (0,0) = 'a02' (0,1)" in trap.text


def test_a_missing_label_contradicts_nothing(maker, traps):
    maker.labels["train"]["a02"] = (0, "")
    maker.images["a02"] = maker.images["a00"]
    assert "contradicting labels" not in traps()


def test_near_duplicates_across_splits(maker, traps):
    maker.grouped()
    maker.images["b3"] = shaded(maker.images["a07"])
    trap = traps()["near-duplicates across splits"]
    assert trap.gravity == "leak"
    assert "1 pair of near-duplicates in different splits, of 1 train and 1 holdout images: 'a07' (train" in trap.text
    assert "The holdout's score may be too good" in trap.text


def test_near_duplicates_of_test_images_are_said_to_flatter_the_test_score(maker, traps):
    maker.images["c3"] = cv2.resize(maker.images["a07"], (72, 80))
    assert "The test score may be too good" in traps()["near-duplicates across splits"].text


def test_near_duplicates_in_one_group_are_information(maker, look):
    maker.grouped()
    for place in range(0, 40, 2):
        maker.images[f"a{place + 1:02d}"] = shaded(maker.images[f"a{place:02d}"])
    findings = look(maker.write())
    assert [(trap.gravity, trap.name) for trap in findings.traps] == [("note", "near-duplicates kept together")]
    assert "20 pairs in training, in one group (folds keep them together)" in findings.traps[0].text
    assert findings.repeats.near_pairs == {"in training, in one group (folds keep them together)": 20}


def test_without_groups_the_same_images_call_for_groups(maker, traps):
    for place in range(0, 40, 2):
        maker.images[f"a{place + 1:02d}"] = shaded(maker.images[f"a{place:02d}"])
    trap = traps()["near-duplicates across folds"]
    assert trap.gravity == "leak"
    assert "images look like repeats of the same patient: give groups.csv" in trap.text
    assert "(+" in trap.text
    assert len(trap.pictures) == 6


def test_one_pair_alone_does_not_call_for_groups(maker, look):
    for other in range(1, 8):
        maker.images[f"a{other:02d}"] = maker.scene(0)
    # Of seven shaded copies of one image some lie in other folds than it, wherever the folds put them.
    maker.images["a00"] = shaded(maker.scene(0))
    found = {trap.name: trap for trap in look(maker.write()).traps}
    assert "Look whether they are of one patient" in found["near-duplicates across folds"].text


def test_groups_that_do_not_hold_the_copies_together_are_doubted(maker, traps):
    maker.grouped(size=1)
    for place in range(0, 40, 2):
        maker.images[f"a{place + 1:02d}"] = shaded(maker.images[f"a{place:02d}"])
    assert "look whether one patient has two names" in traps()["near-duplicates across folds"].text


def test_flat_and_tiny_images_are_neither_pairs_nor_leaks(maker, look):
    for number in range(20):
        maker.images[f"a{number:02d}"] = np.full((40, 36), number, np.uint8)
    for number in range(20, 30):
        maker.images[f"a{number:02d}"] = maker.scene(number, (12, 50))
    maker.images["b0"] = np.zeros((40, 36), np.uint8)
    findings = look(maker.write())
    assert {trap.name for trap in findings.traps} == {"blank images", "no groups"}
    assert "21 images of nearly one grey: 'a00', 'a01', 'a02', 'a03', 'a04' (+16 more)" in findings.traps[0].text
    assert (findings.repeats.flat, findings.repeats.tiny, findings.repeats.compared) == (21, 10, 29)


def test_many_alike_are_counted_and_not_stored(scan_of):
    """2,000 images of one scene: 2 million pairs, of which 24 are kept."""
    scan, rows = scan_of(2000)
    near = find_near_pairs(scan, rows)
    assert near.counts.sum() == 2000 * 1999 // 2
    assert all(len(part) <= 24 for part in near.examples)
    assert near.involved.any(axis=0).all()


def test_pairs_are_those_of_a_plain_loop(scan_of):
    scan, rows = scan_of(60, scenes=4, noise=60)
    bits = np.unpackbits(scan.bits, axis=1)
    thumbs = scan.thumbs.reshape(60, -1).astype(float)
    expected = [
        (i, j)
        for i in range(60)
        for j in range(i + 1, 60)
        if (bits[i] != bits[j]).sum() <= MOST_BITS
        and np.corrcoef(thumbs[i], thumbs[j])[0, 1] >= LEAST_CORRELATION
        and scan.pixels[i] != scan.pixels[j]
    ]
    near = find_near_pairs(scan, rows)
    assert 0 < len(expected) < 60 * 59 // 2
    assert near.counts.sum() == len(expected)
    involved = np.zeros(60, dtype=bool)
    involved[np.array(expected).ravel()] = True
    np.testing.assert_array_equal(near.involved.any(axis=0), involved)
