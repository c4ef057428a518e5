"""Folds: made once per dataset, even in everything that is counted, and shared by all members.

``stratified_group_folds`` is the splitter, good to use alone::

    from ensemble.folds import measure_imbalance, stratified_group_folds

    folds = stratified_group_folds(labels, patients, n_folds=5, seed=0)      # (N,) int16, 0 to 4
    print(measure_imbalance(labels, folds, groups=patients))

``open_folds`` and ``read_folds`` keep the result in ``runs/<dataset>/folds.csv``.
"""

from ensemble.folds.fold_file import FoldFile, read_folds
from ensemble.folds.imbalance import Imbalance, measure_imbalance, rare_classes
from ensemble.folds.shared import ensure_folds, open_folds, preview_folds
from ensemble.folds.stratify import stratified_group_folds
from ensemble.folds.wish import FoldWish

__all__ = [
    "FoldFile",
    "FoldWish",
    "Imbalance",
    "ensure_folds",
    "measure_imbalance",
    "open_folds",
    "preview_folds",
    "rare_classes",
    "read_folds",
    "stratified_group_folds",
]
