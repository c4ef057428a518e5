"""The bad inputs, by what they are: each module has its ``CASES``."""

from __future__ import annotations

import importlib
import pkgutil

from bad_inputs_cases.case import Case


def all_cases() -> dict[str, tuple[Case, ...]]:
    """Module to its cases. A module is found by having some."""
    modules = {info.name: importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)}
    found = {name: tuple(module.CASES) for name, module in modules.items() if hasattr(module, "CASES")}
    names = [case.name for cases in found.values() for case in cases]
    if double := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two cases of one name: {', '.join(sorted(double))}")
    return found
