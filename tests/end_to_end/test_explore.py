from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from ensemble import demo
from ensemble.dataset import read_dataset
from ensemble.errors import DataError, FoldError
from ensemble.explore import main
from ensemble.folds import FoldWish, open_folds
from ensemble.runs import dataset_runs


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "phantoms"
    assert demo.main([str(folder), "--images", "60"]) == 0
    return folder


def files_in(folder: Path) -> dict[str, float]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_tables_page_and_nothing_else(tmp_path: Path, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files_in(dataset)
    assert main([str(dataset), "--runs", str(tmp_path / "runs")]) == 0
    said = capsys.readouterr().out
    assert said.startswith("dataset  phantoms: 60 train, 15 holdout, 15 test images, 3 classes\n")
    assert "they are" in said
    assert "not written yet" in said
    page = tmp_path / "runs" / "phantoms" / "explore.html"
    assert said.endswith(f"page        {page}\n")
    assert files_in(dataset) == before
    assert list(files_in(tmp_path / "runs")) == ["phantoms", "phantoms/explore.html"]
    sources = re.findall(r'(?:src|href)="([^"]*)"', page.read_text())
    assert all(source.startswith(("#", "data:image/png;base64,")) for source in sources)


def test_the_same_command_writes_the_same_page_anew_whatever_the_workers(tmp_path: Path, dataset: Path) -> None:
    pages = []
    for workers in ("1", "3"):
        flags = ["--out", str(tmp_path / "look.html"), "--runs", str(tmp_path), "--workers", workers]
        assert main([str(dataset), *flags]) == 0
        pages.append((tmp_path / "look.html").read_bytes())
    assert pages[0] == pages[1]


def test_folds_that_stand_are_shown(tmp_path: Path, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = dataset_runs(tmp_path, "phantoms")
    open_folds(runs, read_dataset(dataset), FoldWish())
    before = runs.folds_csv.read_bytes()
    assert main([str(dataset), "--runs", str(tmp_path)]) == 0
    # Lines are wrapped wherever the temporary folder's name ends.
    assert f"3foldsof{runs.folds_csv}" in "".join(capsys.readouterr().out.split())
    runs.folds_csv.write_bytes(before + b"x,y,1\n")
    assert main([str(dataset), "--runs", str(tmp_path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "caution folds: no folds are shown:" in said
    assert "was changed after it was written" in said
    with pytest.raises(FoldError, match="was changed after it was written"):
        main([str(dataset), "--check", "--runs", str(tmp_path)])


def test_check_refuses_folds_that_cannot_be_made(tmp_path: Path, dataset: Path) -> None:
    folder = tmp_path / "phantoms"
    shutil.copytree(dataset, folder)
    settings = folder / "dataset.yaml"
    settings.write_text(settings.read_text().replace("n_folds: 3", "n_folds: 61"))
    with pytest.raises(FoldError, match="n_folds is 61, but there are only"):
        main([str(folder), "--check", "--runs", str(tmp_path / "runs")])


def test_check_looks_and_writes_nothing(tmp_path: Path, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files_in(dataset)
    assert main([str(dataset), "--check", "--runs", str(tmp_path / "runs")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"nothing wrong in {dataset}: 90 images found, their heads are sound"
    )
    assert files_in(dataset) == before
    assert not (tmp_path / "runs").exists()
    with pytest.raises(DataError, match="--check writes no page"):
        main([str(dataset), "--check", "--out", str(tmp_path / "page.html")])


def test_check_names_what_is_wrong_with_tables_and_heads_and_exits_with_2(tmp_path: Path, dataset: Path) -> None:
    folder = tmp_path / "phantoms"
    shutil.copytree(dataset, folder)
    images = sorted((folder / "images").iterdir())
    images[0].write_bytes(b"")
    images[1].write_bytes(b"GIF89a no image")
    images[2].write_bytes(images[2].read_bytes()[:200])  # cut off behind its head: only decoding finds it
    command = [sys.executable, "-m", "ensemble.explore", str(folder), "--check", "--runs", str(tmp_path / "runs")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "2 images cannot be used" in done.stderr
    assert images[0].name in done.stderr
    assert images[1].name in done.stderr
    labels = folder / "train_labels.csv"
    labels.write_text(labels.read_text().replace(",0", ",9", 1) + "zz,0,0,0\n")
    with pytest.raises(DataError, match=r"3 problems(.|\n)*'9'(.|\n)*'zz' \(line 62\)"):
        main([str(folder), "--check"])


def test_check_refuses_groups_on_both_sides_unless_the_holdout_joins_the_folds(
    tmp_path: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "phantoms"
    shutil.copytree(dataset, folder)
    groups = folder / "val_groups.csv"
    first = (folder / "train_groups.csv").read_text().splitlines()[1].split(",")[1]
    head, line, *rest = groups.read_text().splitlines()
    groups.write_text("\n".join([head, f"{line.split(',')[0]},{first}", *rest, ""]))
    with pytest.raises(DataError, match="1 groups are on both sides of training and holdout"):
        main([str(folder), "--check", "--runs", str(tmp_path)])
    with (folder / "dataset.yaml").open("a") as stream:
        stream.write("holdout: false\n")
    (folder / "images" / "left over.png").write_bytes((folder / "images" / f"{line.split(',')[0]}.png").read_bytes())
    assert main([str(folder), "--check", "--runs", str(tmp_path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "note images without id: 1 image without an id in any table: 'images/left over.png'. They are not" in said


def test_a_trap_is_found_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "phantoms"
    assert demo.main([str(folder), "--images", "20"]) == 0
    ids = [line.split(",")[0] for line in (folder / "train_labels.csv").read_text().splitlines()[1:]]
    test_ids = [line.split(",")[0] for line in (folder / "sample_submission.csv").read_text().splitlines()[1:]]
    image = cv2.imread(str(folder / "images" / f"{ids[0]}.png"), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(folder / "images" / f"{test_ids[0]}.png"), image)
    capsys.readouterr()
    assert main([str(folder), "--runs", str(tmp_path / "runs")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "leak identical images across splits: 1 set of identical images (2 images) lies" in said
    assert f"'{ids[0]}' (train, fold " in said
    assert f"= '{test_ids[0]}' (test)" in said


def test_bad_data_is_the_error_that_train_gives(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    (folder / "train_labels.csv").write_text("id,one\na,1\nb,2\nc,0\n")
    cv2.imwrite(str(folder / "images" / "a.png"), np.zeros((4, 4), np.uint8))
    messages = []
    for run in (lambda: main([str(folder), "--runs", str(tmp_path / "runs")]), lambda: read_dataset(folder)):
        with pytest.raises(DataError, match="cannot be used as a dataset, 2 problems") as caught:
            run()
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert not (tmp_path / "runs").exists()


def test_places_that_are_refused(tmp_path: Path, dataset: Path) -> None:
    (tmp_path / "mine.html").write_text("<p>mine</p>")
    for out, message in (
        (tmp_path / "mine.html", "is there already and is no page of this command"),
        (tmp_path, "expected a file, but this is a folder"),
        (dataset / "look.html", "expected a place outside the dataset's folder"),
        (tmp_path / "look.png", "expected a name that ends in .html"),
        (tmp_path / "mine.html" / "x.html", "expected a folder, or a place for one"),
    ):
        with pytest.raises(DataError, match=message):
            main([str(dataset), "--out", str(out), "--runs", str(tmp_path / "runs")])
    with pytest.raises(DataError, match="expected a place outside the dataset's folder"):
        main([str(dataset), "--runs", str(dataset / "runs")])
    assert (tmp_path / "mine.html").read_text() == "<p>mine</p>"


def test_bad_input_is_one_message_and_exit_code_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ensemble.explore", str(tmp_path / "nowhere")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path / 'nowhere'}: expected a dataset, but there is no such folder.")
    assert "Traceback" not in done.stderr


def test_help_imports_nothing_heavy_and_a_run_needs_no_torch(tmp_path: Path, dataset: Path) -> None:
    heavy = "{'torch', 'timm', 'cv2', 'numpy', 'matplotlib', 'jinja2', 'rich', 'albumentations', 'PIL'}"
    code = f"""
import sys, ensemble.explore as explore
try:
    explore.main(["--help"])
except SystemExit:
    pass
print(sorted({heavy} & set(sys.modules)), file=sys.stderr)
explore.main([{str(dataset)!r}, "--runs", {str(tmp_path)!r}])
print(sorted({{'torch', 'timm', 'albumentations', 'matplotlib.pyplot'}} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == ["[]", "[]"]
