"""From arrays in memory to a ``Source`` that can be blended and scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.arrays import ArrayError, checked_labels
from ensemble.blending.foreign.folds import made_folds
from ensemble.blending.foreign.ids import counted, unusable_ids
from ensemble.blending.foreign.labels import RESERVED
from ensemble.blending.foreign.values import Numbers
from ensemble.blending.members import Member
from ensemble.blending.source import Source
from ensemble.dataset.groups import NO_GROUPS
from ensemble.errors import first_few
from ensemble.predictions import SCALES, PredictionTable, Scale


def source_of_arrays(  # noqa: PLR0913 - everything that can be known of rows; one more object would only hide it
    labels: ArrayLike,
    members: Mapping[str, ArrayLike],
    *,
    scale: Scale = "probabilities",
    class_names: Sequence[str] | None = None,
    groups: ArrayLike | None = None,
    folds: ArrayLike | None = None,
    test: Mapping[str, ArrayLike] | None = None,
    test_groups: ArrayLike | None = None,
    image_ids: Sequence[str] | None = None,
    seed: int = 0,
) -> Source:
    """Members and rows in memory, checked as files would be: ``score_blend(source_of_arrays(labels, members))``.

    Args:
        labels: Shape (N, C), 0, 1 or NaN = not labelled.
        members: Name to what the member says of these rows, shape (N, C), in the same order; out-of-fold, or of rows
            that no member was trained on. At least one.
        scale: What the members' numbers are: ``"probabilities"`` in [0, 1], or ``"logits"``.
        class_names: C different names; None: ``class_0``, ``class_1``, …
        groups: Shape (N,), what belongs together, e.g. the patient; None: every row is independent.
        folds: Shape (N,), whole numbers, the fold of each row; no group may be in two. None: five are made.
        test: Likewise ``members`` for the test rows, shape (T, C), of the same names; None: there are none.
        test_groups: Shape (T,), the groups of the test rows.
        image_ids: N different names of the rows; None: ``"0"``, ``"1"``, …
        seed: Of the folds that are made.

    Raises:
        ArrayError: Shapes or values are not so: all problems together.
        FoldError: No folds can be made: too few rows or groups.
    """
    truth = checked_labels(labels)
    check = _Checks()
    names = check.class_names(class_names, truth.shape[1])
    ids = check.image_ids(image_ids, len(truth))
    group_of = check.texts(groups, "groups", len(truth))
    oof = check.members(members, "members", like=Numbers("", ids, names, truth, scale))
    tests = {} if test is None else check.test(test, members, like=Numbers("", ids, names, truth, scale))
    n_test = len(next(iter(tests.values())).values) if tests else 0
    group_of_test = check.texts(test_groups, "test_groups", n_test)
    given = check.folds(folds, len(truth), group_of)
    check.problems += [problem for numbers in oof.values() for problem in numbers.leaks(truth)]
    check.done()
    if given is None:
        given = made_folds(ids, truth, group_of, n_folds=None, seed=seed)
    return Source(
        name="arrays",
        class_names=names,
        image_ids=ids,
        labels=truth,
        folds=given,
        members=tuple(Member(name, _splits(name, oof, tests), {}) for name in oof),
        groups=group_of,
        groups_source=NO_GROUPS if group_of is None else "the array 'groups'",
        test_groups=group_of_test,
        without_test="no test rows were given",
        warnings=tuple(warning for name, numbers in oof.items() for warning in numbers.oddities(name, truth)),
    )


def _splits(name: str, oof: Mapping[str, Numbers], test: Mapping[str, Numbers]) -> dict[str, PredictionTable]:
    return {"oof": oof[name].table(), **({"test": test[name].table()} if test else {})}


class _Checks:
    """Turns what was given into arrays, and gathers what is wrong with it."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def done(self) -> None:
        """Raise if there was anything."""
        if self.problems:
            raise ArrayError.gather("these arrays cannot be blended", self.problems)

    def class_names(self, given: Sequence[str] | None, n_classes: int) -> tuple[str, ...]:
        names = tuple(f"class_{number}" for number in range(n_classes)) if given is None else tuple(map(str, given))
        if len(names) != n_classes or len(set(names)) < len(names):
            self.problems.append(
                f"class_names: expected {n_classes} different names, one a column of labels, got {first_few(names, 20)}"
            )
            self.done()
        if reserved := [name for name in names if name in RESERVED]:
            self.problems.append(f"class_names: a class cannot be called {first_few(reserved)}")
        return names

    def image_ids(self, given: Sequence[str] | None, n_rows: int) -> NDArray[np.str_]:
        if not n_rows:
            self.problems.append("labels: expected at least one row, got none")
            self.done()
        ids = np.array([str(row) for row in range(n_rows)] if given is None else [str(text) for text in given])
        if len(ids) != n_rows:
            self.problems.append(f"image_ids: expected {n_rows}, one a row of labels, got {len(ids)}")
            self.done()
        self.problems += unusable_ids(ids, where="image_ids")
        return ids

    def texts(self, given: ArrayLike | None, what: str, n_rows: int) -> NDArray[np.str_] | None:
        if given is None:
            return None
        array = np.asarray(given)
        if array.shape != (n_rows,):
            self.problems.append(f"{what}: expected shape ({n_rows},), one a row, got {array.shape}")
            return None
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            self.problems.append(f"{what}: expected one a row, got NaN for {int((~np.isfinite(array)).sum())} rows")
        return array.astype(np.str_)

    def members(self, given: Mapping[str, ArrayLike], what: str, *, like: Numbers) -> dict[str, Numbers]:
        """Every member's numbers, of the rows, classes and scale of ``like``."""
        if like.scale not in SCALES:
            self.problems.append(f"scale: expected one of {first_few(SCALES)}, got {like.scale!r}")
            self.done()
        if not given:
            self.problems.append(f"{what}: expected at least one member, got none")
        found = {}
        for name, values in given.items():
            array = np.asarray(values)
            if array.dtype.kind not in "biuf" or array.shape != like.values.shape:
                self.problems.append(
                    f"{what}[{name!r}]: expected numbers of shape {like.values.shape} (rows, classes), "
                    f"got {array.dtype} of shape {array.shape}"
                )
                continue
            numbers = replace(like, where=f"{what}[{name!r}]", values=array.astype(np.float64))
            found[name] = numbers
            self.problems += numbers.problems(remedy="Say scale='logits' if they are logits")
        return found

    def test(
        self, given: Mapping[str, ArrayLike], members: Mapping[str, ArrayLike], *, like: Numbers
    ) -> dict[str, Numbers]:
        if set(given) != set(members):
            self.problems.append(f"test: expected the members {first_few(members, 20)}, got {first_few(given, 20)}")
            return {}
        n_rows = len(np.atleast_1d(np.asarray(next(iter(given.values()), []))))
        ids = np.array([str(row) for row in range(n_rows)], dtype=np.str_)
        rows = replace(like, image_ids=ids, values=np.empty((n_rows, len(like.class_names))))
        return self.members(given, "test", like=rows)

    def folds(self, given: ArrayLike | None, n_rows: int, groups: NDArray[np.str_] | None) -> NDArray[np.int16] | None:
        if given is None:
            return None
        array = np.asarray(given)
        if array.shape != (n_rows,) or array.dtype.kind not in "iu":
            self.problems.append(
                f"folds: expected whole numbers of shape ({n_rows},), one a row, got {array.dtype}, {array.shape}"
            )
            return None
        present, numbers = np.unique(array, return_inverse=True)
        if len(present) < 2:
            self.problems.append(f"folds: expected at least 2 folds, got {len(present)}")
        if groups is not None:
            pairs = np.unique(np.stack([groups, array.astype(np.str_)]), axis=1)[0]
            names, counts = np.unique(pairs, return_counts=True)
            if len(split := names[counts > 1]):
                self.problems.append(f"folds: {counted(len(split), 'group')} in more than one: {first_few(split)}")
        return numbers.reshape(-1).astype(np.int16)
