from __future__ import annotations

import pytest

from ensemble.dataset.settings import DatasetSettings, read_settings
from ensemble.errors import RecipeError


@pytest.fixture
def read(tmp_path):
    def _read(text: str) -> DatasetSettings:
        path = tmp_path / "dataset.yaml"
        path.write_text(text)
        return read_settings(path)

    return _read


def test_without_the_file_nothing_is_stated(tmp_path):
    assert read_settings(tmp_path / "dataset.yaml") == DatasetSettings()


def test_nothing_after_a_key_states_nothing(read):
    assert read("name:\ngroups: ~\n") == DatasetSettings()


def test_one_file_or_a_list(read):
    assert read("groups: a.csv\n").groups == ("a.csv",)
    assert read("groups: [a.csv, b/c.csv]\n").groups == ("a.csv", "b/c.csv")


def test_all_problems_with_their_lines(read):
    with pytest.raises(RecipeError) as caught:
        read("name: 3\nfold_sed: 1\nn_folds: 1\nzebra: 1\n")
    text = str(caught.value)
    assert "4 problems" in text
    assert "line 1, name: expected text, got the number 3" in text
    assert "line 2, fold_sed: there is no such key; did you mean 'fold_seed'?" in text
    assert "line 3, n_folds: expected a whole number of at least 2" in text
    assert "line 4, zebra: there is no such key; the keys are name, images" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("images: ../elsewhere", "expected a folder below the dataset's folder"),
        ("images: /elsewhere", "expected a folder below"),
        ("images: {val: x}", "or one each: {train"),
        ('images: "a\\0b"', "a folder below the dataset's folder .*control characters"),
        ('groups: ["a.csv", "b\\nc.csv"]', "a file below the dataset's folder .*control characters"),
        ("train_labels: 'a\\b.csv'", "expected a file below"),
        ("groups: [1]", "or a list of such files"),
        ("groups: []", "or a list of such files"),
        ("class_names: [1, 2]", "a list of different column names"),
        ("class_names: [a, a]", "a list of different column names"),
        ("class_names: a", "a list of different column names"),
        ("n_folds: true", "a whole number of at least 2, got the truth value true"),
        ("n_folds: 5.0", "a whole number of at least 2"),
        ("fold_seed: -1", "a whole number of at least 0"),
        ("holdout: off", "expected true or false, got the text"),
        ("not_labelled: [0]", "what stands for no label"),
        ("not_labelled: []", "what stands for no label"),
        ("not_labelled: true", "what stands for no label"),
        ("id_column: ''", "expected a column's name"),
        ("groups: a.csv\ngroup_column: b", "lines 1 and 2: expected groups or group_column, got both"),
    ],
)
def test_values_of_another_kind(read, text, message):
    with pytest.raises(RecipeError, match=message):
        read(text)


def test_another_ending_is_not_silently_passed_over(tmp_path):
    (tmp_path / "dataset.yml").write_text("name: a\n")
    with pytest.raises(RecipeError, match=r"expected the name dataset.yaml"):
        read_settings(tmp_path / "dataset.yaml")
