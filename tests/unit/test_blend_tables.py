"""``python -m ensemble.blend --oof``: the whole command on a small folder of tables."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ensemble import blend
from ensemble.errors import ArtefactError, DataError, StorageError
from ensemble.files import locked, sha256_of_file
from ensemble.metrics import macro_f1
from ensemble.predictions import read_predictions
from ensemble.report import artefacts
from ensemble.thresholds import decide

CLASSES = ("left, upper", "right")
N, N_TEST = 90, 12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``oof/``, ``test/`` (ids in reverse), ``labels.csv`` and ``sample.csv``."""
    rng = np.random.default_rng(0)
    labels = (rng.random((N, 2)) < 0.4).astype(int)
    ids, test_ids = [f"{number:03d}" for number in range(N)], [f"t{number}" for number in reversed(range(N_TEST))]
    write(tmp_path / "labels.csv", ids, labels)
    write(tmp_path / "sample.csv", sorted(test_ids), np.zeros((N_TEST, 2), int), separator=";")
    for name in ("one", "two"):
        write(tmp_path / "oof" / f"{name}.csv", ids, np.clip(0.4 * labels + 0.6 * rng.random((N, 2)), 0, 1))
        write(tmp_path / "test" / f"{name}.csv", test_ids, rng.random((N_TEST, 2)))
    return tmp_path


def write(path: Path, ids: list[str], values: np.ndarray, separator: str = ",") -> None:
    path.parent.mkdir(exist_ok=True)
    rows = [separator.join([image_id, *map(str, row)]) for image_id, row in zip(ids, values.tolist(), strict=True)]
    path.write_text("\n".join([separator.join(["id", f'"{CLASSES[0]}"', CLASSES[1]]), *rows, ""]))


def arguments(folder: Path, *more: str) -> list[str]:
    given = ["--oof", str(folder / "oof"), "--labels", str(folder / "labels.csv"), "--out", str(folder / "out")]
    return [*given, "--trials", "0", *more]


def run(folder: Path, *more: str) -> dict[str, object]:
    assert blend.main(arguments(folder, *more)) == 0
    content: dict[str, object] = json.loads((folder / "out" / "blend.json").read_text())
    return content


def test_everything_goes_into_one_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = run(folder, "--test", str(folder / "test"), "--trials", "2")
    shown = capsys.readouterr().out
    for words in (
        "macro-F1, cross-fitted",
        "oof: 90 training rows in 5 folds, 12 test",
        "no groups: every image counted as independent",
        "if test rows were scored by a mean of several models",
        "remark      2 tables do not say the scale: taken as probabilities",
        "the submission on your 12 test rows",
        "report      " + str(folder / "out" / "report.html"),
        "submission  " + str(folder / "out" / "submission.csv"),
    ):
        assert words in shown
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        ".lock",
        "blend.json",
        "folds.csv",
        "oof.parquet",
        "optuna_cold.journal",
        "optuna_warm.journal",
        "report.html",
        "submission.csv",
        "test.parquet",
    ]
    assert sum(summary["members"].values()) == pytest.approx(1)  # type: ignore[attr-defined]
    assert summary["labels_sha256"] == sha256_of_file(folder / "labels.csv")
    assert summary["folds_sha256"] == sha256_of_file(folder / "out" / "folds.csv")
    assert summary["member_tables_sha256"]["two"]["test"] == sha256_of_file(  # type: ignore[index]
        folder / "test" / "two.csv"
    )
    assert summary["skipped"] == {}


def test_what_is_written_reproduces_every_decision(folder: Path) -> None:
    summary = run(folder, "--test", str(folder / "test"))
    thresholds = [summary["thresholds"][name] for name in CLASSES]  # type: ignore[index]
    oof = read_predictions(folder / "out" / "oof.parquet")
    labels = np.loadtxt(folder / "labels.csv", delimiter=",", skiprows=1, usecols=(1, 2))
    assert macro_f1(labels, decide(oof.probabilities(), thresholds)) == summary["scores"]["in_sample"]  # type: ignore[index]
    test = read_predictions(folder / "out" / "test.parquet")
    lines = (folder / "out" / "submission.csv").read_text().splitlines()
    assert lines[0] == 'id,"left, upper",right'
    expected = decide(test.probabilities(), thresholds).astype(int).tolist()
    assert lines[1:] == [f"t{N_TEST - 1 - row},{left},{right}" for row, (left, right) in enumerate(expected)]


def test_a_template_is_copied(folder: Path) -> None:
    run(folder, "--test", str(folder / "test"), "--template", str(folder / "sample.csv"))
    lines = (folder / "out" / "submission.csv").read_text().splitlines()
    assert lines[0] == 'id;"left, upper";right'
    assert [line.partition(";")[0] for line in lines[1:]] == sorted(f"t{number}" for number in range(N_TEST))


def test_nothing_old_lies_in_the_folder_and_folds_can_be_given_back(folder: Path) -> None:
    first = run(folder, "--test", str(folder / "test"))
    out = folder / "out"
    assert (out / "submission.csv").exists()
    again = run(folder, "--folds", str(out / "folds.csv"))
    assert not (out / "submission.csv").exists()
    assert not (out / "test.parquet").exists()
    assert (out / "folds.csv").exists()
    assert again["folds_sha256"] == first["folds_sha256"]
    untested = {**first["scores"], "test_interval95": None}  # type: ignore[dict-item]
    assert again["scores"] == untested
    (folder / "mine.csv").write_bytes((out / "folds.csv").read_bytes())
    run(folder, "--folds", str(folder / "mine.csv"))
    assert not (out / "folds.csv").exists()


def test_on_a_full_disk_the_earlier_blend_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(folder)
    before = {path.name: path.read_bytes() for path in (folder / "out").iterdir()}

    def full(path: Path, _content: object) -> None:
        raise StorageError(f"{path}: it cannot be written")

    monkeypatch.setattr(artefacts, "write_json", full)
    with pytest.raises(StorageError):
        blend.main(arguments(folder, "--thresholds", "prior"))
    assert {path.name: path.read_bytes() for path in (folder / "out").iterdir()} == before


def test_the_study_of_weights_is_that_of_all_rows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    content = run(folder, "--combine", "optuna", "--trials", "12")
    journal = folder / "out" / "optuna_weights.journal"
    assert "optuna_weights.journal (optuna-dashboard opens them)" in capsys.readouterr().out
    study = optuna.load_study(study_name=None, storage=JournalStorage(JournalFileBackend(str(journal))))
    best = study.best_trial.user_attrs["weights"]
    assert best["one"] != 0.5
    found = 0.5 * np.array([best["one"], best["two"]]) + 0.25  # shrunk half-way to the mean
    assert list(content["members"].values()) == pytest.approx(found.tolist())  # type: ignore[attr-defined]
    run(folder)
    assert not journal.exists()


def test_members_can_be_named(folder: Path) -> None:
    assert run(folder, "two")["members"] == {"two": 1.0}


def test_no_foreign_file_is_overwritten(folder: Path) -> None:
    (folder / "out").mkdir()
    mine = folder / "out" / "submission.csv"
    mine.write_text("mine")
    with pytest.raises(DataError, match=r"'submission.csv' there already, and not from a blend of ours"):
        run(folder)
    assert mine.read_text() == "mine"
    mine.unlink()
    (folder / "out" / "notes.txt").write_text("mine")
    run(folder)
    assert (folder / "out" / "notes.txt").read_text() == "mine"
    (folder / "out" / ".lock").unlink()
    run(folder)
    with pytest.raises(DataError, match=r"submission.csv would be overwritten"):
        run(folder, "--test", str(folder / "test"), "--template", str(mine))


def test_the_folder_must_not_hold_the_members(folder: Path) -> None:
    for out in (folder / "oof", folder / "oof" / "deep" / "er"):
        with pytest.raises(DataError, match=r"expected a folder outside of .*oof, whose tables are read"):
            run(folder, "--out", str(out))
    with pytest.raises(DataError, match=r"expected a folder outside of .*test"):
        run(folder, "--test", str(folder / "test"), "--out", str(folder / "test"))
    with pytest.raises(DataError, match=r"--out .*labels.csv: expected a folder"):
        run(folder, "--out", str(folder / "labels.csv"))
    assert sorted(path.name for path in (folder / "oof").iterdir()) == ["one.csv", "two.csv"]


def test_two_at_once_are_refused(folder: Path) -> None:
    script = f"import sys; from ensemble import blend; blend.main({arguments(folder)!r})"
    with locked(folder / "out" / ".lock"):
        done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert ArtefactError.__name__ in done.stderr
    assert "is in use by another process" in done.stderr


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--oof", "a"], "--oof needs --labels and --out, too"),
        (["--oof", "a", "--labels", "b"], "--oof needs --out, too"),
        (["--labels", "b"], "--labels: only with --oof DIR"),
        (["--n-folds", "0"], "--n-folds: only with --oof DIR"),
        (["--out", "b", "--only-common-rows"], "--only-common-rows, --out: only with --oof DIR"),
        (
            ["--oof", "a", "--labels", "b", "--out", "c", "--data", "d", "--name", "e"],
            "--data, --name: not with --oof, whose tables need no dataset",
        ),
        (["--oof", "a", "--labels", "b", "--out", "c", "--template", "d"], "--template and --test-groups need --test"),
        (["--oof", "a", "--labels", "b", "--out", "c", "--scale", "percent"], "invalid choice: 'percent'"),
        (["--seed", "-1"], "expected a whole number of at least 0, got '-1'"),
    ],
)
def test_usage_errors(given: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        blend.main(given)
    assert caught.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_wishes_are_checked_before_anything_is_read(folder: Path) -> None:
    with pytest.raises(DataError, match=r"metric: expected one of macro_f1, .*, got 'f1'"):
        run(folder, "--metric", "f1")
    with pytest.raises(DataError, match=r"macro_f1 has no beta"):
        run(folder, "--beta", "2")
    assert not (folder / "out").exists()


BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "timm", "albumentations", "cv2", "torchvision"}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Block())
from ensemble.blend import main
sys.exit(main(sys.argv[1:]))
"""


def test_tables_need_no_torch(folder: Path) -> None:
    root = str(Path(blend.__file__).resolve().parent.parent)
    command = [sys.executable, "-W", "error", "-c", BLOCKED, *arguments(folder, "--test", str(folder / "test"))]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={"PYTHONPATH": root})
    assert done.returncode == 0, done.stderr
    assert "submission.csv" in done.stdout
