from __future__ import annotations

import csv
import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ensemble.submission import read_template, write_submission

TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)

QUOTING = [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]


def as_text(ids, values, *, ends, **form_of):
    stream = io.StringIO(newline="")
    rows = [[image_id, *row] for image_id, row in zip(ids, values.tolist(), strict=True)]
    csv.writer(stream, **form_of).writerows([["id", "one", "two"], *rows])
    return stream.getvalue() if ends else stream.getvalue().removesuffix(form_of["lineterminator"])


@given(
    ids=st.lists(TEXTS, min_size=1, max_size=6, unique=True),
    form=st.tuples(
        st.sampled_from([",", ";", "\t"]), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.sampled_from(QUOTING)
    ),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_ids_in_any_form_come_back_as_they_were(tmp_path_factory, ids, form, seed):
    separator, newline, ends, quoting = form
    rng = np.random.default_rng(seed)
    decisions = rng.random((len(ids), 2)) < 0.5
    zeros = np.zeros((len(ids), 2), dtype=int)
    form_of = {"delimiter": separator, "lineterminator": newline, "quoting": quoting}
    folder = tmp_path_factory.mktemp("submission")
    (folder / "template.csv").write_bytes(as_text(ids, zeros, ends=ends, **form_of).encode())
    template = read_template(folder / "template.csv")
    assert template.image_ids.tolist() == ids
    order = rng.permutation(len(ids))
    write_submission(folder / "s.csv", template, template.image_ids[order], ("one", "two"), decisions[order])
    assert (folder / "s.csv").read_bytes().decode() == as_text(ids, decisions.astype(int), ends=ends, **form_of)
