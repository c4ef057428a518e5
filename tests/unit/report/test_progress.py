"""Plain lines and the log; the bar is looked at by people."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from ensemble.report.progress import FoldProgress
from ensemble.training.job import FoldStart


def make_progress(log: Path, *, terminal: bool = False) -> tuple[FoldProgress, io.StringIO]:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=terminal, width=120)
    return FoldProgress(console, title="small fold 0", epochs=3, log=log), shown


def test_notices_and_where_it_goes_on_are_plain_lines_in_the_log_too(tmp_path: Path) -> None:
    progress, shown = make_progress(tmp_path / "train.log")
    with progress:
        progress.fold_started(n_images=10, start=FoldStart(1), notices=["[x] kernels were summed"])
    lines = ["small fold 0  note: [x] kernels were summed", "small fold 0  going on after epoch 1 of 3"]
    assert shown.getvalue().splitlines() == lines
    assert (tmp_path / "train.log").read_text().splitlines() == lines


def test_within_an_epoch_the_images_are_said(tmp_path: Path) -> None:
    progress, shown = make_progress(tmp_path / "train.log")
    with progress:
        progress.fold_started(n_images=2000, start=FoldStart(1, 1200), notices=[])
    assert shown.getvalue() == "small fold 0  going on in epoch 2 of 3, after 1,200 of 2,000 images\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [(KeyboardInterrupt(), "stopped: KeyboardInterrupt"), (OSError("disk full"), "stopped: disk full")],
)
def test_the_log_says_what_stopped_the_fold(error: BaseException, line: str, tmp_path: Path) -> None:
    progress, _ = make_progress(tmp_path / "train.log")
    progress.fold_started(n_images=10, start=FoldStart(), notices=[])
    with pytest.raises(type(error)), progress:
        raise error
    assert (tmp_path / "train.log").read_text().splitlines() == [line]


def test_a_fold_that_did_not_start_leaves_the_log_alone(tmp_path: Path) -> None:
    progress, _ = make_progress(tmp_path / "train.log")
    with pytest.raises(OSError, match="in use"), progress:
        raise OSError("in use")
    assert not (tmp_path / "train.log").exists()


def test_a_bar_is_drawn_and_asks_for_the_loss_rarely(tmp_path: Path) -> None:
    progress, shown = make_progress(tmp_path / "train.log", terminal=True)
    asked = []
    with progress:
        progress.fold_started(n_images=100, start=FoldStart(1), notices=[])
        for _ in range(100):
            progress.batch_done(1, lambda: asked.append(1) or 0.25)
        progress.predicting("test", 4)
        progress.predicted(4)
    assert len(asked) < 5
    assert "predicting test rows" in shown.getvalue()


def test_the_epoch_whose_weights_are_kept_is_said_and_logged(tmp_path: Path) -> None:
    progress, shown = make_progress(tmp_path / "train.log")
    with progress:
        progress.fold_started(n_images=10, start=FoldStart(3), notices=[])
        progress.weights_kept(2, "the lowest loss on the inner slice, 0.1000")
    line = "small fold 0  keeps the weights of epoch 2 of 3: the lowest loss on the inner slice, 0.1000"
    assert shown.getvalue().splitlines()[1:] == [line]
    assert (tmp_path / "train.log").read_text().splitlines()[1:] == [line]
