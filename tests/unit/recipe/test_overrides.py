import pytest

from ensemble.errors import RecipeError
from ensemble.recipe import TransformSettings, load_recipe


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("model: {name: cnn2}\ntraining: {epochs: 15, early_stopping: null}\n", encoding="utf-8")
    return path


def test_values_are_yaml(path):
    recipe = load_recipe(
        path,
        [
            "training.epochs=3",
            "optimizer.lr = 1e-4",
            "data.image_size=[48, 64]",
            "data.path=some where/x=y",
            "model.args.drop_rate=0.1",
            "augment=[{HorizontalFlip: {p: 1}}]",
            "training.early_stopping.patience_epochs=2",
        ],
    )
    assert recipe.training.epochs == 3
    assert recipe.optimizer.lr == 1e-4
    assert recipe.data.image_size == (48, 64)
    assert str(recipe.data.path) == "some where/x=y"
    assert recipe.model.args == {"drop_rate": 0.1}
    assert recipe.augment == (TransformSettings(name="HorizontalFlip", args={"p": 1}),)
    assert recipe.training.early_stopping is not None
    assert recipe.training.early_stopping.patience_epochs == 2


def test_a_later_one_wins(path):
    assert load_recipe(path, ["seed=1", "seed=2"]).seed == 2
    assert load_recipe(path, ["training={epochs: 2}", "training.epochs=4"]).training.epochs == 4
    assert load_recipe(path, ["training.epochs=4", "training={epochs: 2}"]).training.epochs == 2


def test_null_takes_an_option_away(path):
    assert load_recipe(path, ["training.ema_decay=0.9", "training.ema_decay=null"]).training.ema_decay is None


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("training.epochs", "--set training.epochs: expected KEY=VALUE, e.g. training.epochs=3"),
        ("=3", "--set =3: expected KEY=VALUE"),
        ("training..epochs=3", "expected KEY=VALUE"),
        ("training.epohcs=3", "--set training.epohcs=3: unknown key 'training.epohcs'; did you mean 'epochs'?"),
        ("epochs=3", "--set epochs=3: unknown key 'epochs'; did you mean 'training.epochs'?"),
        ("augment.0.p=3", "--set augment.0.p=3: unknown key 'augment.0.p'"),
        ("training.epochs=[", "--set training.epochs=[: the value is not YAML (while parsing a flow node"),
        ("training.epochs=x", "--set training.epochs=x: training.epochs: expected a whole number, got the text x"),
        ("training=3", "--set training=3: training: expected a mapping (key: value), got the number 3"),
        ("training={epohcs: 3}", "--set training={epohcs: 3}: training.epohcs: unknown key; did you mean 'epochs'?"),
        ("schedule.min_lr=3", "--set schedule.min_lr=3: schedule.min_lr: expected at most optimizer.lr (0.001)"),
    ],
)
def test_complaints_name_the_override(path, override, complaint):
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, [override])
    assert complaint in str(caught.value)
    assert "line" not in str(caught.value).removeprefix(str(path))


def test_an_override_below_a_wrong_section_leaves_that_error_alone(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("model: {name: cnn2}\ntraining: 3\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"cannot be used: line 2: training: expected a mapping") as caught:
        load_recipe(path, ["training.epochs=3"])
    assert "problems" not in str(caught.value)
