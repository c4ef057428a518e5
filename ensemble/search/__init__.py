"""The only package that imports optuna, and only when a search runs."""

from ensemble.search.numbers import STUDY_VERSION, maximise, maximise_weights

__all__ = ["STUDY_VERSION", "maximise", "maximise_weights"]
