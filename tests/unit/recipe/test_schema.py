from pathlib import Path

import pytest
from pydantic import ValidationError

from ensemble.recipe import DataSettings, LossSettings, ModelSettings, Recipe, TransformSettings
from ensemble.recipe.keys import all_keys, is_known, section_at, suggestion
from ensemble.recipe.training import EarlyStopping


def test_only_the_models_name_has_no_default():
    recipe = Recipe(model=ModelSettings(name="cnn2"))
    assert recipe.data.image_size == (224, 224)
    assert (recipe.data.mean, recipe.data.std) == (0.485, 0.229)
    assert (recipe.data.n_folds, recipe.data.fold_seed, recipe.data.holdout) == (None, None, None)
    assert recipe.training.select == "last"
    with pytest.raises(ValidationError, match="name"):
        ModelSettings()


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
