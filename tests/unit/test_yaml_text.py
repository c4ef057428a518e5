import os
from pathlib import Path

import pytest

from ensemble.errors import DataError, RecipeError
from ensemble.yaml_text import describe, dump_yaml, load_yaml, parse_yaml_value


def read(tmp_path: Path, text: str | bytes):
    path = tmp_path / "file.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_yaml(path, error=RecipeError)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-3", 0.001),
        ("1.", 1.0),
        (".5", 0.5),
        ("+1", 1),
        ("017", 17),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("off", "off"),
        ("NO", "NO"),
        ("12:30", "12:30"),
        ("2020-01-01", "2020-01-01"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ('"007"', "007"),
        ("-.inf", -float("inf")),
        ("[1, {a: off}]", [1, {"a": "off"}]),
        ("1" + 500 * "0", float("inf")),
        ("0x" + 5000 * "f", float("inf")),
        ("0o" + 500 * "7", float("inf")),
        ("0x" + 500 * "0" + "1", 1),
    ],
)
def test_scalars_are_those_of_yaml_1_2(tmp_path, written, value):
    got = read(tmp_path, f"key: {written}\n").data["key"]
    assert got == value
    assert type(got) is type(value)
    assert parse_yaml_value(written) == value


def test_a_1_1_directive_does_not_change_what_off_means(tmp_path):
    assert read(tmp_path, "%YAML 1.1\n---\na: off\n").data == {"a": "off"}


def test_keys_are_text_as_written(tmp_path):
    assert read(tmp_path, "007: a\nnull: b\ntrue: c\n").data == {"007": "a", "null": "b", "true": "c"}


def test_byte_order_mark_and_windows_line_ends(tmp_path):
    assert read(tmp_path, b"\xef\xbb\xbfa: 1\r\nb: 2\r\n").data == {"a": 1, "b": 2}


def test_anchors(tmp_path):
    assert read(tmp_path, "a: &x {b: 1}\nc: *x\n").data == {"a": {"b": 1}, "c": {"b": 1}}


def test_line_of(tmp_path):
    document = read(tmp_path, "# comment\n\na: 1\nb:\n  - x\n  - y: 2\n    z: {k:\n      3}\n")
    lines = {
        ("a",): 3,
        ("b",): 4,
        ("b", 0): 5,
        ("b", 1, "z"): 7,
        ("b", 1, "z", "k"): 7,
        ("b", 1, "missing", "deep"): 6,
        ("b", 9): 4,
        ("missing",): 3,
    }
    assert {path: document.line_of(path) for path in lines} == lines


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", "line 2: the key 'a' is given twice, first on line 1"),
        ("a: {b: 1, b: 2}\n", "line 1: the key 'b' is given twice"),
        ("a: !!python/object:os.system {}\n", "line 1: the tag '.*os.system' is not allowed"),
        ("a: 1\nb: !!str 1\n", "line 2: the tag"),
        ("a: &x {b: 1}\nc: {<<: *x}\n", "line 2: the merge key '<<' is not part of YAML 1.2"),
        ("a: 1\n---\nb: 2\n", r"line 2: a second document \('---'\) starts here"),
        ("a: *y\n", r"line 1: the alias '\*y' has no anchor '&y' before it"),
        ("a: &x [*x]\n", r"the alias '\*x' has no anchor"),
        ("? [a, b]\n: 2\n", "line 1: expected text as the key"),
        ("a: [1\n", "line 2: while parsing a flow sequence that starts on line 1, expected ',' or ']'"),
        ("a: 1\nb:\n\tc: 1\n", r"line 3: .*indent with spaces, not tabs"),
        ("a: 1\n b: 2\n", "line 2: mapping values are not allowed here"),
        ("a: 1\nb: \x00\n", "line 2: unacceptable character"),
        ("a: 1\nb: " + 600 * "[", "line 2: nested too deeply: expected at most 50 levels"),
        ("- 1\n", r"line 1: expected a mapping \(key: value\) at the top, got the list \[1\]"),
        ("", r"line 1: expected a mapping \(key: value\) at the top, got nothing"),
        (b"a: \xff\n", "expected UTF-8 text, got byte 0xff"),
        ('a: "\\UFFFFFFFF"\n', r"line 1: expected an escape of at most \\U0010FFFF, .* got \\UFFFFFFFF"),
        ('a: 1\nb: "\\U00110000"\n', "line 2: expected an escape of at most"),
        ('a: 1\nb: ["\\ud800"]\n', r"line 2: expected characters, got half of one: the escape \\ud800"),
        ('"\\udfff": 1\n', "line 1: expected characters, got half of one"),
        ("%YAML 1." + 5000 * "1" + "\n---\na: 1\n", "line 1: expected YAML, but a number in it cannot be read"),
    ],
)
def test_refusals(tmp_path, text, message):
    with pytest.raises(RecipeError, match=message) as caught:
        read(tmp_path, text)
    assert str(tmp_path / "file.yaml") in str(caught.value)


def test_all_refusals_at_once(tmp_path):
    with pytest.raises(RecipeError, match="3 problems") as caught:
        read(tmp_path, "a: 1\na: 2\nb: !x 3\n---\nc\n")
    assert [f"line {n}:" in str(caught.value) for n in (2, 3, 4)] == [True] * 3


def test_a_missing_file_raises_the_callers_error(tmp_path):
    with pytest.raises(DataError, match="expected a YAML file, but it cannot be read"):
        load_yaml(tmp_path / "none.yaml", error=DataError)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "^while parsing"),
        ("a: b: c", "not allowed"),
        ("1\n---\n2", "second"),
        ('"\\UFFFFFFFF"', "expected an escape"),
    ],
)
def test_values_that_are_not_yaml(text, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse_yaml_value(text)
    assert "line" not in str(caught.value)


def test_dump_writes_blocks_and_lines():
    data = {"a": {"x": [1, 2.5], "y": {}}, "b": [{"T": {"p": 1e-05}}], "c": "off", "d": "1", "e": None, "f": []}
    assert dump_yaml(data) == 'a:\n  x: [1, 2.5]\n  y: {}\nb:\n  - {T: {p: 1e-05}}\nc: off\nd: "1"\ne: null\nf: []\n'


def test_describe_shortens():
    assert describe(None) == "nothing"
    assert describe(True) == "the truth value true"
    assert describe(3) == "the number 3"
    assert describe("1e-3") == 'the text "1e-3"'
    assert len(describe(list(range(100)))) < 75


def test_aliases_that_multiply_are_refused_before_they_are_written_out(tmp_path: Path) -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    with pytest.raises(RecipeError, match=r"line \d+: expected at most 20,000 values, but with its aliases"):
        read(tmp_path, "\n".join(["a0: &a0 [x]", *levels]))
    assert read(tmp_path, "a: &a [1, 2]\nb: [*a, *a]").data["b"] == [[1, 2], [1, 2]]


def test_files_that_are_too_large_or_none(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="at most 1,048,576 bytes, got 2,000,000"):
        read(tmp_path, 2_000_000 * "#")
    with pytest.raises(RecipeError, match="expected a YAML file, got a folder"):
        load_yaml(tmp_path, error=RecipeError)
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(RecipeError, match="got a pipe or device"):
        load_yaml(tmp_path / "pipe.yaml", error=RecipeError)
