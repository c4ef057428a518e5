from __future__ import annotations

import pytest

from ensemble.dataset import read_dataset
from ensemble.dataset.template_kind import template_kind
from ensemble.errors import DataError
from ensemble.tables import read_table

CLASSES = ("one", "two", "healthy skin")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("id,labels\ne,one two\nf,\n", "a space-separated list of labels in one column ('labels', as in 'one two')"),
        ("id,said\ne,two\nf,one\n", "a space-separated list of labels in one column ('said', as in 'two')"),
        ("id,Finding\ne,one|two\n", "a '|'-separated list of labels in one column ('Finding', as in 'one|two')"),
        ('id,Finding\ne,"one,two"\n', "a comma-separated list of labels in one column ('Finding', as in 'one,two')"),
        ("image,PredictionString\ne,\nf,\n", "a space-separated list of labels in one column ('PredictionString')"),
        (
            "id,finding,value\ne,one,0\ne,two,0\n",
            "one row for each image and class (the classes stand in the column 'fi",
        ),
        ("id,value\ne_one,0\ne_healthy skin,0\n", "one row for each image and class (in one id, as in 'e_one')"),
        ("id\ne\n", "ids alone"),
        ("id,one,three\ne,0,0\n", ""),
        ("id,three,four\ne,0,0\n", ""),
        ("id,probability\ne,0.5\n", ""),
        ("id,x,y\n", ""),
    ],
)
def test_templates_are_called_what_they_are(tmp_path, text, kind):
    path = tmp_path / "t.csv"
    path.write_text(text)
    found = template_kind(read_table(path), CLASSES)
    assert found.startswith(kind)
    assert bool(found) == bool(kind)


def test_a_template_of_another_kind_is_complained_of_once(make):
    with pytest.raises(DataError) as caught:
        read_dataset(make({"sample_submission.csv": "id,class,value\ne,one,0\ne,two,0\nx,one,0\n"}))
    text = str(caught.value)
    assert "dataset: sample_submission.csv: expected a sample submission with a 0/1 column for every class" in text
    assert "(id,one,two), but this is one row for each image and class" in text
    assert "template: FILE in dataset.yaml" in text
