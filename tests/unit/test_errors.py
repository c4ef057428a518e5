import pickle

import pytest

from ensemble import errors


def test_gather_numbers_several_problems() -> None:
    error = errors.DataError.gather("labels.csv cannot be used", ["line 2: a", "line 5: b"])
    assert str(error) == "labels.csv cannot be used, 2 problems:\n  1. line 2: a\n  2. line 5: b"


def test_gather_keeps_one_problem_on_one_line() -> None:
    assert str(errors.RecipeError.gather("x.yaml", ["line 3: lr"])) == "x.yaml: line 3: lr"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.RecipeError, 2),
        (errors.DataError, 2),
        (errors.FoldError, 2),
        (errors.AlignmentError, 2),
        (errors.ArtefactError, 2),
        (errors.TrainingDiverged, 1),
        (errors.OutOfMemory, 1),
        (errors.EnsembleError, 1),
    ],
)
def test_exit_codes(kind: type[errors.EnsembleError], code: int) -> None:
    assert kind("x").exit_code == code


def test_first_few_says_how_many_more() -> None:
    assert errors.first_few(range(7)) == "'0', '1', '2', '3', '4' (+2 more)"
    assert errors.first_few(["a"]) == "'a'"


def test_a_very_long_text_is_cut() -> None:
    assert errors.first_few(["a" * 5000]) == f"'{'a' * 100}'…"


def test_one_thing_and_many_things() -> None:
    said = [errors.many(count, "image") for count in (0, 1, 2, 12000)]
    assert said == ["0 images", "1 image", "2 images", "12,000 images"]


EVIL = "a\x1b[2J\x07\r\x9b1m\u202e\u2028\udcff"


def test_a_message_commands_no_terminal_whatever_was_put_into_it() -> None:
    error = errors.DataError.gather(f"{EVIL}.csv", [f"line 1: {EVIL}", "line 2: ü × 日本 \xa0 …"])
    assert str(error).splitlines()[1] == r"  1. line 1: a\x1b[2J\x07\r\x9b1m\u202e\u2028\udcff"
    assert "ü × 日本 \xa0 …" in str(error)
    str(error).encode()
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_very_long_message_keeps_its_beginning_and_the_remedy_at_its_end() -> None:
    said = str(errors.DataError(f"file.csv: {'x' * 10**6}. Do that instead"))
    assert len(said) < 20_100
    assert said.startswith("file.csv: xxx")
    assert said.endswith("x. Do that instead")
    assert "980,0" in said
    assert "characters left out" in said
