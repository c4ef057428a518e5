import cv2
import numpy as np
import pytest


def positives(maker, name="train"):
    return [image_id for image_id, labels in maker.labels[name].items() if labels[0] == 1]


def enlarge(maker, n_images=120):
    """More training images of the same kind."""
    for number in range(40, n_images):
        maker.labels["train"][f"a{number:03d}"] = (number % 2, (number // 2) % 2)
        maker.images[f"a{number:03d}"] = maker.scene(1000 + number)


def told(trap):
    return trap.text.split(":")[0]


def test_a_mode_that_tells_a_class(maker, traps):
    enlarge(maker)
    for name in positives(maker)[:40]:
        maker.images[name] = cv2.cvtColor(maker.images[name], cv2.COLOR_GRAY2BGR)
    trap = traps()["file property tells a label"]
    assert trap.gravity == "caution"
    assert told(trap) == "mode tells 1 of 2 classes"
    assert (
        "one (positive on 100.0% of the 40 images with 'RGB holding grey, 8 bits', on 25.0% of the others" in trap.text
    )


def test_a_size_that_tells_a_class(maker, traps):
    enlarge(maker)
    for place, name in enumerate(positives(maker)):
        maker.images[name] = maker.scene(5000 + place, (40, 50))
    # Width and shape say the same here.
    trap = traps()["file property tells a label"]
    assert "one (the larger, the likelier: AUROC 1.000, p < 1e-12 corrected)" in trap.text


def test_an_encoding_that_tells_a_class(maker, look):
    enlarge(maker)
    maker.endings = dict.fromkeys(positives(maker), ".jpg")
    texts = [told(trap) for trap in look(maker.write()).traps if trap.name == "file property tells a label"]
    assert texts == ["file format tells 1 of 2 classes"]  # and not once more for the JPEG tables


def test_a_property_without_a_relation_is_no_trap(maker, look):
    enlarge(maker)
    for place, name in enumerate(list(maker.labels["train"])):
        if place // 4 % 2:
            maker.images[name] = cv2.cvtColor(maker.images[name], cv2.COLOR_GRAY2BGR)
    findings = look(maker.write())
    assert findings.n_tests == 2
    assert not any(association.strong for association in findings.associations)
    assert "file property tells a label" not in {trap.name for trap in findings.traps}


@pytest.mark.parametrize("n_positive", [3, 8, 9])
def test_few_cases_are_never_warned_of(maker, look, n_positive):
    """Fewer than 10, even if they are all of one kind: no cry of wolf."""
    enlarge(maker)
    for place, name in enumerate(maker.labels["train"]):
        maker.labels["train"][name] = (int(place < n_positive), place % 2)
    for name in positives(maker):
        maker.images[name] = cv2.cvtColor(maker.images[name], cv2.COLOR_GRAY2BGR)
    findings = look(maker.write())
    assert "file property tells a label" not in {trap.name for trap in findings.traps}


def test_a_patient_is_one_witness(maker, look):
    """60 positives of another mode are certain of 60 patients, and an accident of three."""
    enlarge(maker)
    for name in positives(maker):
        maker.images[name] = cv2.cvtColor(maker.images[name], cv2.COLOR_GRAY2BGR)
    everything = [*maker.images]
    maker.groups = {name: name for name in everything}
    assert "file property tells a label" in {trap.name for trap in look(maker.write()).traps}
    for place, name in enumerate(positives(maker)):
        maker.groups[name] = f"patient{place % 3}"
    others = [name for name in maker.labels["train"] if name not in set(positives(maker))]
    for place, name in enumerate(others):
        maker.groups[name] = f"other{place % 3}"
    assert "file property tells a label" not in {trap.name for trap in look(maker.write()).traps}


def test_random_properties_are_seldom_significant(maker, look, scan_of):
    from dataclasses import replace

    from ensemble.data.audit.association import find_associations

    scan, rows = scan_of(400)
    rng = np.random.default_rng(1)
    n_strong = 0
    for _ in range(20):
        levels = {name: rng.choice(["x", "y", "z"], 400) for name in ("mode", "file format", "folder")}
        sizes = rng.integers(30, 60, (400, 2))
        labels = (rng.random((400, 10)) < 0.1).astype(float)
        found, n_tests = find_associations(
            replace(scan, properties=levels, sizes=sizes), replace(rows, labels=labels), [str(c) for c in range(10)]
        )
        assert n_tests == 120
        n_strong += sum(association.strong for association in found)
    assert n_strong == 0
