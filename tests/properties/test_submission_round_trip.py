from __future__ import annotations

import csv
import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ensemble.submission import read_template, write_submission

TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)


@given(
    ids=st.lists(TEXTS, min_size=1, max_size=6, unique=True),
    form=st.tuples(st.sampled_from([",", ";", "\t"]), st.sampled_from(["\n", "\r\n"]), st.booleans()),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_ids_in_any_form_come_back_as_they_were(tmp_path_factory, ids, form, seed):
    separator, newline, ends = form
    rng = np.random.default_rng(seed)
    decisions = rng.random((len(ids), 2)) < 0.5
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=separator, lineterminator=newline).writerows(
        [["id", "one", "two"], *([image_id, 0, 0] for image_id in ids)]
    )
    text = stream.getvalue() if ends else stream.getvalue().removesuffix(newline)
    folder = tmp_path_factory.mktemp("submission")
    (folder / "template.csv").write_bytes(text.encode())
    template = read_template(folder / "template.csv")
    assert template.image_ids.tolist() == ids
    order = rng.permutation(len(ids))
    write_submission(folder / "s.csv", template, template.image_ids[order], ("one", "two"), decisions[order])
    written = (folder / "s.csv").read_bytes().decode()
    rows = list(csv.reader(io.StringIO(written, newline=""), delimiter=separator))
    assert rows[1:] == [[image_id, *map(str, row)] for image_id, row in zip(ids, decisions.astype(int), strict=True)]
    assert written.endswith(newline) == ends
