import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from ensemble.errors import RecipeError
from ensemble.recipe import DataSettings, LossSettings, ModelSettings, Recipe, TransformSettings, load_recipe
from ensemble.recipe.keys import all_keys, is_known, section_at, suggestion
from ensemble.recipe.training import EarlyStopping
from ensemble.yaml_text import load_yaml


def test_only_the_models_name_has_no_default():
    recipe = Recipe(model=ModelSettings(name="cnn2"))
    assert recipe.data.image_size == (224, 224)
    assert (recipe.data.mean, recipe.data.std) == (0.485, 0.229)
    assert (recipe.data.n_folds, recipe.data.fold_seed, recipe.data.holdout) == (None, None, None)
    assert recipe.training.select == "last"
    with pytest.raises(ValidationError, match="name"):
        ModelSettings()


def test_the_page_on_recipes_lists_every_key_with_its_default(tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "recipes.md").read_text(encoding="utf-8")
    block = re.search(r"## Every key and its default\s+```yaml\n(.*?)```", page, re.DOTALL)[1]
    (tmp_path / "all.yaml").write_text(block, encoding="utf-8")
    assert load_recipe(tmp_path / "all.yaml") == Recipe(model=ModelSettings(name="resnet18"))
    listed = load_yaml(tmp_path / "all.yaml", error=RecipeError).data
    whole = Recipe(model=ModelSettings(name="resnet18")).model_dump(mode="json")
    assert listed.keys() == whole.keys()
    for section, keys in whole.items():
        if isinstance(keys, dict):
            assert listed[section].keys() == keys.keys()


def test_it_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Recipe(model=ModelSettings(name="cnn2")).seed = 3


def test_python_callers_may_give_tuples_and_paths():
    assert DataSettings(image_size=(48, 64), path=Path("x")).image_size == (48, 64)
    assert LossSettings(pos_weight=(1, 2.5)).pos_weight == (1.0, 2.5)
    assert TransformSettings(name="Affine", args={"p": 0.5}).args == {"p": 0.5}


def test_keys_of_the_schema():
    keys = set(all_keys())
    assert {"data.image_size", "training.early_stopping.patience_epochs", "model.pretrained", "seed"} <= keys
    assert section_at(("training", "early_stopping")) is EarlyStopping
    assert section_at(("data", "path")) is None
    assert is_known(("model", "args", "anything", "below"))
    assert is_known(("optimizer", "args", "betas"))
    assert not is_known(("data", "path", "below"))
    assert not is_known(("nothing",))
    assert not is_known(())


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (("training", "epohcs"), "; did you mean 'epochs'?"),
        (("epochs",), "; did you mean 'training.epochs'?"),
        (("data", "batch_size"), "; did you mean 'training.batch_size'?"),
        (("training", "progressive", 0, "sise"), "; did you mean 'size'?"),
        (("schedule", "zzz"), "; known here: name, warmup_epochs, min_lr"),
        (("data", "path", "zzz"), ""),
    ],
)
def test_suggestions(path, said):
    assert suggestion(path) == said
