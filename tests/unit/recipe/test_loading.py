from pathlib import Path

import pytest

from ensemble.errors import RecipeError
from ensemble.recipe import EarlyStopping, TransformSettings, load_recipe

GOOD = """# A comment
data:      {path: data/origin, image_size: 64, mean: 0.485, std: 0.229, n_folds: 3, fold_seed: 1, holdout: false}
augment:   [{HorizontalFlip: {p: 0.5}}, D4, {Transpose: }]
model:     {name: vgg14, pool: max, dense_layers: 1, pretrained: weights/x.safetensors, args: {drop_rate: 0.1}}
loss:      {name: bce, pos_weight: [1, 2.5]}
optimizer: {name: sgd, lr: 1e-3, weight_decay: 0, args: {momentum: 0.9}}
schedule:  {name: cosine, warmup_epochs: 1, min_lr: 1e-6}
training:
  epochs: 15
  batch_size: 48
  early_stopping: {patience_epochs: 3}
precision: bfloat16
seed: 7
"""


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "recipe.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("number", ["0x" + 20_000 * "f", "0o" + 20_000 * "7", 20_000 * "9"])
def test_numbers_too_long_to_be_written_out_are_refused(write, number):
    with pytest.raises(RecipeError, match=r"seed: expected a whole number, got the number \.inf"):
        load_recipe(write(GOOD.replace("seed: 7", f"seed: {number}")))


def test_every_section_is_read(write):
    recipe = load_recipe(write(GOOD))
    assert recipe.data.path == Path("data/origin")
    assert recipe.data.image_size == (64, 64)
    assert (recipe.data.n_folds, recipe.data.fold_seed, recipe.data.holdout) == (3, 1, False)
    assert recipe.augment == (
        TransformSettings(name="HorizontalFlip", args={"p": 0.5}),
        TransformSettings(name="D4"),
        TransformSettings(name="Transpose"),
    )
    assert recipe.model.pretrained == Path("weights/x.safetensors")
    assert recipe.model.args == {"drop_rate": 0.1}
    assert recipe.loss.pos_weight == (1.0, 2.5)
    assert recipe.optimizer.lr == 0.001
    assert recipe.optimizer.args == {"momentum": 0.9}
    assert recipe.training.early_stopping == EarlyStopping(patience_epochs=3, inner_fraction=0.1)
    assert (recipe.precision, recipe.seed) == ("bfloat16", 7)


def test_height_and_width(write):
    assert load_recipe(write("data: {image_size: [48, 64]}\nmodel: {name: x}\n")).data.image_size == (48, 64)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("training: {epohcs: 3}", "training.epohcs: unknown key; did you mean 'epochs'?"),
        ("epochs: 3", "epochs: unknown key; did you mean 'training.epochs'?"),
        ("training: {epochs: true}", "training.epochs: expected a whole number, got the truth value true"),
        ("training: {epochs: 3.0}", "training.epochs: expected a whole number, got the number 3.0"),
        ("training: {epochs: 0}", "training.epochs: expected 1 or more, got the number 0"),
        ("training: {epochs: '3'}", 'training.epochs: expected a whole number, got the text "3"'),
        ("training: {ema_decay: 1}", "training.ema_decay: expected less than 1, got the number 1"),
        ("training: {clip_norm: 0}", "training.clip_norm: expected more than 0, got the number 0"),
        ("training: {select: best}", "training.select: expected last or best_on_fold, got the text best"),
        ("training: {early_stopping: {}}", "training.early_stopping.patience_epochs: this key is missing"),
        (
            "training: {score_epochs: last, select: best_on_fold}",
            "training.score_epochs: expected all with early_stopping or",
        ),
        ("training:", "training: expected a mapping (key: value), got nothing"),
        ("optimizer: {lr: .inf}", "optimizer.lr: expected a finite number, got the number .inf"),
        ("optimizer: {lr: true}", "optimizer.lr: expected a number, got the truth value true"),
        ("optimizer: {name: ''}", 'optimizer.name: expected a name, got the text ""'),
        ("optimizer: {args: [1]}", "optimizer.args: expected a mapping (key: value), got the list [1]"),
        ("schedule: {min_lr: 1}", "schedule.min_lr: expected at most optimizer.lr (0.001), got the number 1"),
        ("training: {progressive: [{until: 0.5, size: 1}]}", "training.progressive.0.size: expected less than 1"),
        (
            "training: {progressive: [{until: 0.5, size: 0.5}, {until: 0.4, size: 0.7}]}",
            "training.progressive: expected parts in order, each with a later end (until) and larger images (size)",
        ),
        (
            "training: {freeze_backbone_epochs: 1}",
            "training.freeze_backbone_epochs: expected 0, as model.pretrained is false",
        ),
        (
            "training: {freeze_backbone_epochs: 9, epochs: 2}",
            "training.freeze_backbone_epochs: expected at most training.epochs (2), got the number 9",
        ),
        ("schedule: {name: cosin}", "schedule.name: expected cosine or none, got the text cosin"),
        ("data: {path: 3}", "data.path: expected text, got the number 3"),
        ("data: {holdout: off}", "data.holdout: expected true or false, got the text off"),
        ("data: {mean: 123.6}", "data.mean: expected 1 or less, got the number 123.6"),
        ("data: {n_folds: 1}", "data.n_folds: expected 2 or more, got the number 1"),
        ("data: {image_size: [64]}", "data.image_size: expected a whole number from 8 to 8192, or"),
        ("data: {image_size: 4}", "data.image_size: expected a whole number from 8 to 8192, or"),
        ("data: {image_size: [64, 64.5]}", "data.image_size: expected a whole number from 8 to 8192, or"),
        ("data: {image_size: true}", "data.image_size: expected a whole number from 8 to 8192, or"),
        (
            "loss: {name: m}",
            "loss.name: expected bce, cross_entropy, asl, poly, twoway, zlpr, db, soft_f1 or bce_soft_f1, got the",
        ),
        ("loss: {args: [1]}", "loss.args: expected a mapping (key: value), got the list"),
        ("loss: {pos_weight: [1, -2]}", "loss.pos_weight: expected none, balanced or a list of numbers above 0"),
        ("loss: {pos_weight: [true]}", "loss.pos_weight: expected none, balanced or a list of numbers above 0"),
        ("loss: {pos_weight: equal}", "loss.pos_weight: expected none, balanced or a list of numbers above 0"),
        ("augment: [{a.b: {}}]", "augment.0: expected one transform as {Name: {argument: value}} or Name"),
        ("augment: [D4, {A: 1}]", "augment.1: expected one transform as"),
        ("augment: [{A: {}, B: {}}]", "augment.0: expected one transform as"),
        ("augment: {HorizontalFlip: {}}", "augment: expected a list, got the mapping {HorizontalFlip: {}}"),
        ("precision: fp16", "precision: expected auto, float32, bfloat16 or float16, got the text fp16"),
        ("seed: -1", "seed: expected 0 or more, got the number -1"),
    ],
)
def test_complaints_name_line_key_expected_and_got(write, line, complaint):
    path = write(f"# a comment\nmodel: {{name: cnn2}}\n{line}\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert f"{path} cannot be used: line 3: {complaint}" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("model: {pool: min}", "model.name: this key is missing"),
        ("model: {pool: min}", "model.pool: expected max or avg, got the text min"),
        (
            "model: {name: 3, pretrained: 3}",
            "model.pretrained: expected true, false or a file's path, got the number 3",
        ),
        ("model: {name: x, dense_layers: true}", "model.dense_layers: expected a whole number, got the truth value"),
        ("seed: 0", "line 1: model: this key is missing"),
    ],
)
def test_complaints_about_the_model(write, line, complaint):
    with pytest.raises(RecipeError) as caught:
        load_recipe(write(f"{line}\n"))
    assert complaint in str(caught.value)


def test_everything_at_once_overrides_first_then_in_the_files_order(write):
    path = write("model:\n  nme: x\ntraining:\n  epochs: 0\n  epohcs: 3\nsed: 1\n")
    with pytest.raises(RecipeError, match="cannot be used, 7 problems:") as caught:
        load_recipe(path, ["lr=3", "seed=-1"])
    problems = [line.split(". ", 1)[1] for line in str(caught.value).splitlines()[1:]]
    assert problems == [
        "--set lr=3: unknown key 'lr'; did you mean 'optimizer.lr'?",
        "--set seed=-1: seed: expected 0 or more, got the number -1",
        "line 1: model.name: this key is missing",
        "line 2: model.nme: unknown key; did you mean 'name'?",
        "line 4: training.epochs: expected 1 or more, got the number 0",
        "line 5: training.epohcs: unknown key; did you mean 'epochs'?",
        "line 6: sed: unknown key; did you mean 'seed'?",
    ]


def test_the_format_version_need_not_be_stated_but_must_be_known(write):
    assert load_recipe(write(GOOD)) == load_recipe(write(f"{GOOD}version: 1\n"))
    later = "recipe.yaml, line 14: recipe of format version 2, written for a later release; this release reads up to 1"
    with pytest.raises(RecipeError, match=later) as caught:
        load_recipe(write(f"{GOOD}version: 2\nnews: 1\n"))
    assert "news" not in str(caught.value)
    for wrong in ("0", "true", "'1'", "1.5"):
        with pytest.raises(RecipeError, match="version: expected 1, the only format version so far, got"):
            load_recipe(write(f"{GOOD}version: {wrong}\n"))


def test_text_that_is_not_unicode(write):
    with pytest.raises(RecipeError, match="line 1: expected characters, got half of one"):
        load_recipe(write('model: {name: "\\ud800"}\n'))


def test_a_missing_recipe_says_where_to_get_one(tmp_path):
    with pytest.raises(RecipeError, match=r"python -m ensemble.train --copy vgg14$"):
        load_recipe(tmp_path / "vgg14.yaml")
    with pytest.raises(RecipeError, match=r"python -m ensemble.train --copy origin/05_cnn2$"):
        load_recipe(tmp_path / "origin" / "05_cnn2.yaml")
    with pytest.raises(RecipeError, match=r"no such recipe\. Those that come with the package: cnn2, "):
        load_recipe(tmp_path / "vgg15.yaml")
