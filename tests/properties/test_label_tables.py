from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.dataset import read_dataset
from ensemble.dataset.ids import is_fit
from ensemble.errors import EnsembleError
from ensemble.tables import read_table

IDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8).filter(
    lambda text: is_fit(text) and not text.lstrip().startswith('"')
)
SPELLED = {
    0.0: ["0", " 0", "0.0", "False", "false", "-0"],
    1.0: ["1", "1 ", "1.0", "True", "TRUE", "1e0", "+1"],
    None: ["", " ", "NaN", "na", "-1", "unknown"],
}
FORMS = st.tuples(
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-8-sig"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
ANYTHING = st.text(st.characters(exclude_categories=("Cs",)), max_size=60).map(str.encode)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    (folder / "dataset.yaml").write_text("not_labelled: [-1, unknown]\n")
    return folder


@st.composite
def tables(draw):
    ids = draw(st.lists(IDS, min_size=1, max_size=6, unique_by=lambda text: text.rpartition(".")[0] or text))
    labels = [[draw(st.sampled_from(list(SPELLED))) for _ in range(2)] for _ in ids]
    return ids, labels, [[draw(st.sampled_from(SPELLED[label])) for label in row] for row in labels]


@settings(deadline=None)
@given(table=tables(), form=FORMS)
def test_any_spelling_of_a_label_table_is_read_as_it_was_meant(folder, table, form):
    (ids, labels, texts), (separator, newline, encoding, quoting) = table, form
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=separator, lineterminator=newline, quoting=quoting)
    writer.writerows([["id", " one", "two "], *([image_id, *row] for image_id, row in zip(ids, texts, strict=True))])
    (folder / "train_labels.csv").write_bytes(stream.getvalue().encode(encoding))
    if all(label is None for row in labels for label in row):
        with pytest.raises(EnsembleError, match="expected 0 or 1 in some field"):
            read_dataset(folder, images=False)
        return
    dataset = read_dataset(folder, images=False)
    assert (dataset.train.image_ids.tolist(), dataset.class_names) == (ids, ("one", "two"))
    expected = [[np.nan if label is None else label for label in row] for row in labels]
    np.testing.assert_array_equal(dataset.train.labels, expected)


@settings(deadline=None)
@given(content=st.binary(max_size=60) | ANYTHING)
def test_whatever_a_file_holds_it_is_a_table_or_an_error_with_its_name(folder, content):
    path = folder / "any.csv"
    path.write_bytes(content)
    try:
        table = read_table(path)
    except EnsembleError as error:
        said = str(error)
    else:
        said = str(path)
        assert [len(column) for column in table.columns.values()] == [len(table)] * len(table.header)
    assert str(path) in said
