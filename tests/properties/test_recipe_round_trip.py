from pathlib import Path
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.recipe import Recipe, dump_recipe, load_recipe, recipe_differences
from ensemble.recipe.schema import LossName

positive = st.floats(min_value=1e-12, max_value=1e12)
text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=10)
args = st.dictionaries(
    text, st.none() | st.booleans() | st.integers(-(2**70), 2**70) | positive | text | st.lists(positive, max_size=3)
)
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True)
paths = st.from_regex(r"[a-z .~:#]{1,6}(/[a-z0-9 ]{1,6})?", fullmatch=True)


def section(**keys):
    return st.fixed_dictionaries({}, optional=keys)


sections = st.fixed_dictionaries(
    {"model": st.fixed_dictionaries({"name": text}, optional={"args": args, "pretrained": st.booleans() | paths})},
    optional={
        "data": section(
            path=paths.map(Path).map(str),
            image_size=st.tuples(st.integers(8, 8192), st.integers(8, 8192)).map(list),
            mean=st.floats(0, 1),
            std=st.floats(1e-9, 1),
            n_folds=st.none() | st.integers(2, 50),
            holdout=st.none() | st.booleans(),
        ),
        "augment": st.lists(st.dictionaries(names, args, min_size=1, max_size=1), max_size=3),
        "loss": section(
            name=st.sampled_from(get_args(LossName)),
            pos_weight=st.sampled_from(["none", "balanced"]) | st.lists(positive, min_size=1),
            args=args,
        ),
        "optimizer": section(lr=positive, weight_decay=positive, args=args),
        "schedule": section(name=st.sampled_from(["cosine", "none"]), warmup_epochs=positive | st.integers(0, 9)),
        "training": section(
            epochs=st.integers(1, 10**6),
            ema_decay=st.none() | st.floats(0.001, 0.999999),
            clip_norm=st.none() | positive,
            early_stopping=st.none() | st.fixed_dictionaries({"patience_epochs": st.integers(1, 99)}),
        ),
        "seed": st.integers(0, 2**63 - 1),
    },
)


@settings(max_examples=60)
@given(data=sections)
def test_a_dumped_recipe_is_read_back_equal(data, tmp_path_factory):
    import json

    recipe = Recipe.model_validate_json(json.dumps(data))
    path = tmp_path_factory.getbasetemp() / "recipe_round_trip.yaml"
    path.write_text(dump_recipe(recipe), encoding="utf-8", newline="")
    again = load_recipe(path)
    assert again == recipe
    assert recipe_differences(again, recipe) == []
    assert dump_recipe(again) == dump_recipe(recipe)
