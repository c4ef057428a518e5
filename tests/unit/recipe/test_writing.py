import pytest

from ensemble.recipe import dump_recipe, load_recipe, recipe_differences, recipe_hash


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("model: {name: cnn2, args: {a: 1}}\naugment: [D4]\n", encoding="utf-8")
    return path


def test_the_resolved_recipe_holds_every_key_and_the_overrides(path):
    overrides = ["training.epochs=3", "data.path=a b"]
    text = dump_recipe(load_recipe(path, overrides), overrides)
    assert "# --set training.epochs=3\n# --set 'data.path=a b'\n" in text
    assert "  epochs: 3\n" in text
    assert "  accumulation_steps: 1\n" in text
    assert "  - {D4: {}}\n" in text


def test_an_override_of_several_lines_stays_in_its_comment(path):
    override = "model.args={b:\n  2}"
    copy = path.with_name("copy.yaml")
    recipe = load_recipe(path, [override])
    copy.write_text(dump_recipe(recipe, [override]), encoding="utf-8")
    assert load_recipe(copy) == recipe


def test_differences(path):
    before = load_recipe(path)
    after = load_recipe(
        path, ["training.epochs=3", "model.args={b: 2}", "augment=[]", "training.early_stopping={patience_epochs: 2}"]
    )
    assert recipe_differences(before, after) == [
        "augment: [{D4: {}}] → []",
        "model.args.a: 1 → (not set)",
        "model.args.b: (not set) → 2",
        "training.epochs: 15 → 3",
        "training.early_stopping: null → {patience_epochs: 2, inner_fraction: 0.1}",
    ]


def test_where_the_data_lies_is_no_difference(path):
    assert recipe_differences(load_recipe(path), load_recipe(path, ["data.path=elsewhere"])) == []


def test_a_fold_may_be_gone_on_with_and_without_recordings(path):
    plain, recorded = load_recipe(path), load_recipe(path, ["training.cuda_graphs=true"])
    assert recipe_hash(recorded) == recipe_hash(plain)
    assert recipe_differences(recorded, plain) == []


def test_where_settings_came_from_is_no_difference(path):
    plain, found = load_recipe(path), load_recipe(path, ["searched={trials: 40, fold: 0}"])
    assert recipe_hash(found) == recipe_hash(plain)
    assert recipe_differences(found, plain) == recipe_differences(plain, found) == []
    other = load_recipe(path, ["searched={trials: 20, fold: 0}"])
    assert recipe_differences(found, other) == []


def test_keys_that_came_later_count_in_the_hash_only_where_they_are_set(path):
    # As the release before them computed it.
    assert recipe_hash(load_recipe(path)) == "8948b494a50c9d4ede709f80aa4a23a58bdb9162ed54e4c7bd665ce565444b08"
    for override in (
        "training.compile=true",
        "training.sync_batchnorm=true",
        "training.tta=hflip",
        "training.score_epochs=last",
        "training.progressive=[{until: 0.5, size: 0.5}]",
    ):
        assert recipe_hash(load_recipe(path, [override])) != recipe_hash(load_recipe(path))
