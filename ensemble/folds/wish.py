"""What people ask of the folds, where they ask it, and what follows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ensemble.errors import FoldError

if TYPE_CHECKING:
    from ensemble.dataset import Dataset
    from ensemble.folds.fold_file import FoldFile

_T = TypeVar("_T", int, bool)
DEFAULT_N_FOLDS = 5
DEFAULT_SEED = 0


@dataclass(frozen=True)
class FoldWish:
    """What a recipe, ``--set`` or the command line says of the folds; None where it says nothing.

    Attributes:
        n_folds: The number of folds.
        fold_seed: The seed of the splitter.
        holdout: False adds the holdout's rows to the folds.
        file: A fold file of one's own.
    """

    n_folds: int | None = None
    fold_seed: int | None = None
    holdout: bool | None = None
    file: Path | None = None


@dataclass(frozen=True)
class Stated:
    """A wish with what ``dataset.yaml`` says put in: a value is None if neither says anything.

    Attributes:
        n_folds: The number of folds and who stated it; likewise ``fold_seed`` and ``holdout``.
        file: A fold file of one's own.
    """

    n_folds: tuple[int, str] | None
    fold_seed: tuple[int, str] | None
    holdout: tuple[bool, str] | None
    file: Path | None


def merge_wishes(dataset: Dataset, wish: FoldWish) -> Stated:
    """Put together what ``dataset.yaml`` and the recipe say.

    Raises:
        FoldError: They contradict one another, or a fold file is given together with a fold seed.
    """
    problems: list[str] = []
    n_folds = _one_of("n_folds", dataset.n_folds, wish.n_folds, problems)
    fold_seed = _one_of("fold_seed", dataset.fold_seed, wish.fold_seed, problems)
    holdout = _one_of("holdout", dataset.holdout_wanted, wish.holdout, problems)
    if wish.file is not None and fold_seed is not None:
        problems.append(
            f"{fold_seed[1]} says fold_seed {fold_seed[0]}, but the folds come from {wish.file}, which has no seed: "
            "leave one of them out"
        )
    if problems:
        raise FoldError.gather(f"the folds of dataset {dataset.name!r}", problems)
    return Stated(n_folds, fold_seed, holdout, wish.file)


def _one_of(name: str, in_dataset: _T | None, wished: _T | None, problems: list[str]) -> tuple[_T, str] | None:
    if in_dataset is not None and wished is not None and in_dataset != wished:
        problems.append(
            f"dataset.yaml says {name} {in_dataset}, the recipe (or --set) says data.{name} {wished}: make them agree, "
            "or leave one of them out"
        )
    if wished is not None:
        return wished, "the recipe (or --set)"
    return None if in_dataset is None else (in_dataset, "dataset.yaml")


def differences(stated: Stated, folds: FoldFile, *, have: str) -> list[str]:
    """What is wanted, by whom, and is not so in ``folds``, a sentence each.

    Args:
        stated: What is wanted now.
        folds: Those that stand, or will be made.
        have: What to say of them: ``were made with``, or ``have``.
    """
    facts = [
        ("n_folds", stated.n_folds, folds.n_folds),
        ("fold_seed", stated.fold_seed, folds.fold_seed),
        ("holdout", stated.holdout, not folds.holdout_in_folds),
    ]
    return [
        f"{wanted[1]} says {name} {wanted[0]}, but they {have} {'none' if stands is None else stands}"
        for name, wanted, stands in facts
        if wanted is not None and wanted[0] != stands
    ]


def check_stated(stated: Stated, stored: FoldFile, *, where: Path) -> None:
    """Refuse a wish that differs from the folds that stand.

    Args:
        stated: What is wanted now.
        stored: What ``folds.csv`` is.
        where: The path of ``folds.csv``.

    Raises:
        FoldError: Names each difference, and how to start anew.
    """
    if problems := differences(stated, stored, have="were made with"):
        raise FoldError.gather(
            f"{where} stands and all members share it; {start_anew(where)}. The wish that differs", problems
        )


def start_anew(where: Path) -> str:
    """The remedy for folds that are not wanted any more."""
    return f"to start anew, remove {where.parent} (with its trained members) or give another --runs"
