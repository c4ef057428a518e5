"""Recipes for ``fuzz.py``: sound ones of odd values, written in odd ways; some are spoilt then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fuzz_parts import EDITS, READ, damaged, refused
from hypothesis import strategies as st

from ensemble.errors import RecipeError
from ensemble.recipe import Recipe, dump_recipe, load_recipe
from ensemble.yaml_text import dump_yaml, flow_text

_TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12) | st.sampled_from(
    ["null", "1e-3", "<script>alert(1)</script>", "[bold]", "../../x", "a: b", "# no", "\x1b[2J", "\u202e", "'\"", "&a"]
)
_FINITE = st.floats(allow_nan=False, allow_infinity=False)
_ARGUMENTS = st.dictionaries(
    _TEXTS,
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | _FINITE | _TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
        max_leaves=4,
    ),
    max_size=3,
)
_SHARES = st.floats(0, 1, exclude_min=True, exclude_max=True)
_POSITIVE = st.floats(min_value=5e-324, max_value=1e300)
_SIDES = st.integers(8, 8192)
_COUNTS = st.integers(1, 2**63 - 1)
_WORD = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True)
# What a recipe may say: by section and key. Keys that must fit one another are left at what fits all others.
_FITTING: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "data": {
        "path": st.from_regex(r"[^\x00]{1,20}", fullmatch=True).filter(lambda text: Path(text).as_posix() == text),
        "image_size": _SIDES | st.tuples(_SIDES, _SIDES).map(list),
        "mean": st.floats(0, 1),
        "std": st.floats(0, 1, exclude_min=True),
        "n_folds": st.integers(2, 2**40) | st.none(),
        "fold_seed": st.integers(0, 2**63 - 1) | st.none(),
        "holdout": st.booleans() | st.none(),
    },
    "model": {
        "name": _TEXTS,
        "pool": st.sampled_from(["max", "avg", None]),
        "dense_layers": _COUNTS,
        "args": _ARGUMENTS,
    },
    "loss": {
        "name": st.sampled_from(["bce", "asl", "soft_f1"]),
        "pos_weight": st.sampled_from(["none", "balanced"]) | st.lists(_POSITIVE, min_size=1, max_size=3),
        "args": _ARGUMENTS,
    },
    "optimizer": {"name": _TEXTS, "lr": _POSITIVE, "weight_decay": st.floats(0, 1e300), "args": _ARGUMENTS},
    "schedule": {"name": st.sampled_from(["cosine", "none"]), "warmup_epochs": st.floats(0, 1e300)},
    "training": {
        "epochs": _COUNTS,
        "batch_size": _COUNTS,
        "accumulation_steps": _COUNTS,
        "ema_decay": _SHARES | st.none(),
        "clip_norm": _POSITIVE | st.none(),
        "select": st.sampled_from(["last", "best_on_fold"]),
        "compile": st.booleans(),
    },
}
_ALONE: dict[str, st.SearchStrategy[Any]] = {
    "precision": st.sampled_from(["auto", "float32", "bfloat16", "float16"]),
    "seed": st.integers(0, 2**63 - 1),
    "augment": st.lists(_WORD | st.dictionaries(_WORD, _ARGUMENTS, min_size=1, max_size=1), max_size=3),
}
_ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS | st.lists(_TEXTS, max_size=2) | _ARGUMENTS


@st.composite
def fitting_recipes(draw: st.DrawFn) -> dict[str, Any]:
    """A recipe that is to be read: each key is there or not, each value is allowed."""
    recipe = {}
    for name, keys in _FITTING.items():
        chosen = draw(st.lists(st.sampled_from(sorted(keys)), max_size=4, unique=True))
        recipe[name] = {key: draw(keys[key]) for key in chosen}
    recipe["model"].setdefault("name", "cnn2")
    recipe |= {name: draw(values) for name, values in _ALONE.items() if draw(st.booleans())}
    return {name: recipe[name] for name in draw(st.permutations(sorted(recipe)))}


def recipes(data: st.DataObject, folder: Path) -> str:
    """What fits has to be read as it was meant; two of three recipes are spoilt, by a value, a key or their bytes."""
    recipe = data.draw(fitting_recipes())
    sound = json.dumps(recipe)
    spoilt = data.draw(st.sampled_from(["", "value", "bytes"]))
    if spoilt == "value":
        _misfit(data, recipe)
    text = data.draw(st.sampled_from([dump_yaml, flow_text, _as_json]))(recipe)
    before, after = (
        data.draw(st.sampled_from(["", "\ufeff", "# a note\n", "---\n"])),
        data.draw(st.sampled_from(["", "\n# end"])),
    )
    edits = data.draw(EDITS.filter(bool)) if spoilt == "bytes" else []
    path = folder / "recipe.yaml"
    path.write_bytes(damaged(f"{before}{text}{after}".encode(), edits))
    try:
        loaded = load_recipe(path)
    except RecipeError as error:
        if not spoilt:
            raise AssertionError(f"a sound recipe was refused: {text}") from error
        return refused(error)
    if not spoilt:
        assert loaded == Recipe.model_validate_json(sound), text
    path.write_text(dump_recipe(loaded), encoding="utf-8")
    again = load_recipe(path)
    assert again == loaded or ".nan" in dump_recipe(loaded)
    return READ


def _as_json(recipe: dict[str, Any]) -> str:
    text = json.dumps(recipe, indent=1)
    # JSON writes rare characters as two halves, which are two characters to YAML.
    return text if "\\ud" not in text else flow_text(recipe)


def _misfit(data: st.DataObject, recipe: dict[str, Any]) -> None:
    """Another value, or another key, anywhere."""
    name = data.draw(st.sampled_from(list(recipe)))
    if isinstance(recipe[name], dict) and data.draw(st.booleans()):
        recipe[name][data.draw(st.sampled_from(sorted(_FITTING[name])) | _TEXTS)] = data.draw(_ANYTHING)
    elif data.draw(st.booleans()):
        recipe[name] = data.draw(_ANYTHING)
    else:
        recipe[data.draw(_TEXTS)] = data.draw(_ANYTHING)
