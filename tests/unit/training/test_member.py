"""What may be discarded, and which folds may stand beside one another."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ensemble.errors import ArtefactError, FoldError, TrainingDiverged
from ensemble.files import write_json
from ensemble.recipe import ModelSettings, Recipe, TrainingSettings
from ensemble.runs import dataset_runs
from ensemble.training import attempt
from ensemble.training import member as member_module
from ensemble.training.job import Hardware
from ensemble.training.member import Member, merge_member, train_fold
from ensemble.training.member import finished_folds as finished_of
from ensemble.training.precision import choose_precision
from ensemble.training.start import check_start, start_member

N_FOLDS = 3


def make_member(
    folder: Path, *, epochs: int = 2, folds_sha256: str = "f1", dataset: str = "d1", pixels: str = "p1"
) -> Member:
    runs = dataset_runs(folder, "toy")
    recipe = Recipe(model=ModelSettings(name="cnn2"), training=TrainingSettings(epochs=epochs))
    return Member(
        recipe,
        SimpleNamespace(content_hash=dataset),  # type: ignore[arg-type]
        SimpleNamespace(n_folds=N_FOLDS, sha256=folds_sha256),  # type: ignore[arg-type]
        SimpleNamespace(sha256=pixels),  # type: ignore[arg-type]
        runs,
        runs.member("small"),
        Hardware(torch.device("cpu"), choose_precision("float32", torch.device("cpu")), 0, torch.get_num_threads()),
        [],
    )


def finished_folds(member: Member) -> list[int]:
    return finished_of(member.paths, N_FOLDS)


def finish(member: Member, *folds: int) -> None:
    """As if these folds had been trained, and the member merged."""
    start_member(member, folds=folds, overwrite=False)
    for fold in folds:
        write_json(member.paths.fold(fold).run, {"version": 1, **member.facts(fold)})
        member.paths.fold(fold).weights.touch()
    member.paths.table("oof").touch()


def test_overwrite_discards_the_fold_and_what_was_merged_from_it(tmp_path: Path) -> None:
    member = make_member(tmp_path)
    finish(member, 0, 1, 2)
    start_member(member, folds=[1], overwrite=True)
    assert finished_folds(member) == [0, 2]
    assert not member.paths.fold(1).weights.exists()
    assert not member.paths.table("oof").exists()


def test_another_recipe_is_refused_and_overwrites_all_folds(tmp_path: Path) -> None:
    finish(make_member(tmp_path), 0, 2)
    changed = make_member(tmp_path, epochs=5)
    with pytest.raises(ArtefactError, match=r"training\.epochs.*discard what was trained: folds 0, 2 are finished"):
        start_member(changed, folds=[1], overwrite=False)
    assert finished_folds(changed) == [0, 2]
    start_member(changed, folds=[1], overwrite=True)
    assert finished_folds(changed) == []
    start_member(changed, folds=[1], overwrite=False)


def test_a_lost_recipe_is_not_replaced_by_another(tmp_path: Path) -> None:
    member = make_member(tmp_path)
    finish(member, 0)
    member.paths.recipe.unlink()
    with pytest.raises(ArtefactError, match=r"recipe\.yaml is missing, and fold 0 is finished without it"):
        start_member(member, folds=[1], overwrite=False)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"folds_sha256": "f2"}, "fold file"),
        ({"dataset": "d2"}, "dataset"),
        ({"pixels": "p2"}, r"set of images \(files were replaced since\)"),
    ],
)
def test_what_is_refused_discards_nothing(changes: dict[str, str], word: str, tmp_path: Path) -> None:
    member = make_member(tmp_path)
    finish(member, 0, 1)
    with pytest.raises(FoldError, match=f"another {word}.*--all-folds --overwrite"):
        start_member(make_member(tmp_path, **changes), folds=[0], overwrite=True)
    assert finished_folds(member) == [0, 1]
    assert member.paths.table("oof").exists()
    start_member(make_member(tmp_path, **changes), folds=range(N_FOLDS), overwrite=True)
    assert finished_folds(member) == []


def test_overwrite_of_a_fold_in_training_discards_nothing(tmp_path: Path) -> None:
    member = make_member(tmp_path)
    finish(member, 0, 1)
    hold = "import sys; from pathlib import Path; from ensemble.files import locked\n"
    hold += "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(member.paths.fold(1).lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(ArtefactError, match="in use by another process"):
            start_member(member, folds=[0, 1], overwrite=True)
        other.communicate()
    assert finished_folds(member) == [0, 1]
    assert member.paths.table("oof").exists()


def test_what_a_killed_start_or_merge_left_is_removed(tmp_path: Path) -> None:
    member = make_member(tmp_path)
    works: list[Callable[[], object]] = [
        lambda: start_member(member, folds=[0], overwrite=False),
        lambda: merge_member(member),
    ]
    for work in works:
        member.paths.folder.mkdir(parents=True, exist_ok=True)
        for name in ("recipe.yaml", "oof.parquet"):
            (member.paths.folder / f".{name}.0123.tmp").touch()
        work()
        assert not list(member.paths.folder.glob(".*.tmp"))


def test_a_member_started_anew_meanwhile_is_neither_trained_nor_merged_with_the_old_recipe(tmp_path: Path) -> None:
    early = make_member(tmp_path)
    finish(early, 0)
    start_member(make_member(tmp_path, epochs=5), folds=[0], overwrite=True)
    with pytest.raises(ArtefactError, match="was started with another recipe"):
        train_fold(early, 1, None)  # type: ignore[arg-type]
    with pytest.raises(ArtefactError, match="was started with another recipe"):
        merge_member(early)


def test_a_fold_of_a_release_that_stored_no_fact_of_the_images_stays_readable(tmp_path: Path) -> None:
    member = make_member(tmp_path)
    finish(member, 0)
    facts = member.facts(0)
    del facts["pixels_sha256"]
    write_json(member.paths.fold(0).run, {"version": 1, **facts})
    start_member(make_member(tmp_path, pixels="p2"), folds=[1], overwrite=False)


def test_a_failed_first_start_does_not_keep_the_name_for_its_recipe(tmp_path: Path) -> None:
    start_member(make_member(tmp_path), folds=[0], overwrite=False)
    changed = make_member(tmp_path, epochs=5)
    check_start(changed.paths, changed.recipe, n_folds=N_FOLDS, overwrite=False)
    start_member(changed, folds=[0], overwrite=False)
    assert "epochs: 5" in changed.paths.recipe.read_text()
    changed.paths.fold(0).checkpoint.touch()
    again = make_member(tmp_path, epochs=6)
    for refused in (
        lambda: check_start(again.paths, again.recipe, n_folds=N_FOLDS, overwrite=False),
        lambda: start_member(again, folds=[0], overwrite=False),
    ):
        with pytest.raises(ArtefactError, match=r"training\.epochs.*--overwrite"):
            refused()
    assert "epochs: 5" in changed.paths.recipe.read_text()


def test_a_fold_in_its_first_epoch_keeps_the_name(tmp_path: Path) -> None:
    member = make_member(tmp_path)
    start_member(member, folds=[1], overwrite=False)
    hold = "import sys; from pathlib import Path; from ensemble.files import locked\n"
    hold += "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(member.paths.fold(1).lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(ArtefactError, match="in use by another process"):
            start_member(make_member(tmp_path, epochs=5), folds=[0], overwrite=False)
        other.communicate()
    assert "epochs: 2" in member.paths.recipe.read_text()


@pytest.mark.parametrize("kept", [True, False])
def test_divergence_says_what_a_changed_recipe_needs(
    kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = make_member(tmp_path)
    start_member(member, folds=[0], overwrite=False)

    def diverge(*_args: object, **_more: object) -> None:
        raise TrainingDiverged("the training loss is not finite. Try a lower optimizer.lr")

    monkeypatch.setattr(attempt, "fit_fold", diverge)
    monkeypatch.setattr(member_module, "rows_of_fold", lambda _member, _fold: None)
    if kept:
        finish(member, 1)
        member.paths.fold(0).checkpoint.parent.mkdir(exist_ok=True)
        member.paths.fold(0).checkpoint.touch()
        monkeypatch.setattr(member_module, "read_checkpoint", lambda _path, _facts: None)
    with pytest.raises(TrainingDiverged, match=r"^small fold 0: .*Try a lower optimizer\.lr\.") as caught:
        train_fold(member, 0, None)  # type: ignore[arg-type]
    remedy = "A changed recipe needs --overwrite, which discards fold_0/checkpoint.pt, fold_1, or --name OTHER"
    assert (remedy in str(caught.value)) == kept
