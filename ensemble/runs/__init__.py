"""Every path below ``runs/`` and ``submissions/``: spelled here, and only here.

::

    runs/<dataset>/folds.csv, folds.json                  <dataset>: as ``folder_name`` spells it
    runs/<dataset>/explore.html
    runs/<dataset>/cache/<hash>/
    runs/<dataset>/<member>/recipe.yaml, {oof,holdout,test}.parquet
    runs/<dataset>/<member>/fold_0/          checkpoint.pt model.safetensors metrics.csv train.log *.parquet run.json
    runs/<dataset>/blends/<name>/            blend.json, {oof,holdout,test}.parquet, the Optuna journal, predictions/
    runs/<dataset>/tuning/<study>/           study.journal, trials.csv, best.yaml
    runs/<dataset>/schedule.json, logs/                   how `run` divides the machine; what its trainings print
    runs/<dataset>/comparison/               comparison.md, comparison.csv, comparison_{pairs,without}.csv
    <out>/                                   likewise, of tables from anywhere; and submission.csv, folds.csv
    submissions/<name>.csv, <name>.json

``run.json`` is written last: its presence means that the fold is finished.
"""

from ensemble.runs.datasets import DatasetRuns, dataset_runs, only_dataset
from ensemble.runs.names import check_folder, check_name, check_outside
from ensemble.runs.paths import SPLITS, BlendPaths, ComparisonPaths, FoldPaths, MemberPaths

__all__ = [
    "SPLITS",
    "BlendPaths",
    "ComparisonPaths",
    "DatasetRuns",
    "FoldPaths",
    "MemberPaths",
    "check_folder",
    "check_name",
    "check_outside",
    "dataset_runs",
    "only_dataset",
]
