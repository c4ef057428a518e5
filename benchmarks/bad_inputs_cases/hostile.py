"""Files that were made to run code, to reach out of their folder, or to fill memory.

Planted code makes the file ``mark_of(folder)``; what lies outside holds ``SECRET``. The harness sees both.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from bad_inputs import SECRET, Case, mark_of, outside

from bad_inputs_cases._dataset import HOLDOUT, TEMPLATE, TRAIN, YAML, write_dataset
from bad_inputs_cases.images import CHECK, LOOK, SEEN

RECIPE = "data: {image_size: 32, n_folds: 2}\nmodel: {name: cnn2}\noptimizer: {name: adam, lr: 1e-3}\n"
TRAINING = ["train", "small.yaml", "--fold", "0", "--data", "data", "--runs", "runs", "--device", "cpu"]
BLEND = ["blend", "--oof", "oof", "--labels", "labels.csv", "--out", "blended"]
SCRIPT = "<script>alert(1)</script>"


class _Planted:
    """Unpickled, it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return exec, (f"open({str(self.mark)!r}, 'w').close()",)


def planted_pickle(folder: Path) -> bytes:
    """A pickle that runs code when it is read."""
    return pickle.dumps(_Planted(mark_of(folder)))


def planted_array(folder: Path) -> bytes:
    """A ``.npy`` file of Python objects, likewise."""
    stream = io.BytesIO()
    np.save(stream, np.array([_Planted(mark_of(folder))], dtype=object), allow_pickle=True)
    return stream.getvalue()


def planted_checkpoint(folder: Path) -> bytes:
    """What ``torch.save`` makes of an object that runs code, likewise."""
    import torch

    stream = io.BytesIO()
    torch.save({"version": 2, "facts": _Planted(mark_of(folder))}, stream)
    return stream.getvalue()


def _secret(folder: Path) -> Path:
    path = outside(folder) / "secret.csv"
    path.write_text(f"id,one,two\n{SECRET},1,0\n")
    return path


def _picture_outside(folder: Path) -> Path:
    source = folder / "data" / "images" / "a.png"
    target = outside(folder) / "x.png"
    target.write_bytes(source.read_bytes())
    return target


def _ids(folder: Path, first_id: str) -> list[str]:
    write_dataset(folder, {TRAIN: f"id,one,two\n{first_id},1,0\nb,0,1\nc,0,0\n"})
    _picture_outside(folder)
    return list(CHECK)


def _absolute(folder: Path) -> list[str]:
    return _ids(folder, str(outside(folder) / "x.png"))


def _link(folder: Path, what: str) -> list[str]:
    """``a.png``, or its folder ``p``, is a link that leads out."""
    data = write_dataset(folder, {TRAIN: f"id,one,two\n{what},1,0\nb,0,1\nc,0,0\n"})
    target = _picture_outside(folder)
    if what == "a":
        (data / "images" / "a.png").unlink()
        (data / "images" / "a.png").symlink_to(target)
    else:
        (data / "images" / "p").symlink_to(target.parent)
    return list(CHECK)


def _linked_folders(folder: Path) -> list[str]:
    data = write_dataset(folder, {})
    (data / "images").rename(folder / "store")
    (data / "images").symlink_to(folder / "store")
    data.rename(folder / "real")
    (folder / "data").symlink_to(folder / "real")
    return list(CHECK)


def _settings(folder: Path, text: str) -> list[str]:
    _secret(folder)
    write_dataset(folder, {YAML: text})
    return list(CHECK)


def _recipe(folder: Path, text: str) -> list[str]:
    write_dataset(folder, {})
    (folder / "small.yaml").write_text(text.replace("MARK", str(mark_of(folder))))
    return list(TRAINING)


def _weights(folder: Path, content: Callable[[Path], bytes], file: str) -> list[str]:
    write_dataset(folder, {})
    (folder / "small.yaml").write_text(RECIPE)
    (folder / file).write_bytes(content(folder))
    return [*TRAINING, "--set", f"model.pretrained={file}"]


def _npy(folder: Path) -> list[str]:
    images = write_dataset(folder, {}) / "images"
    (images / "a.png").unlink()
    (images / "a.npy").write_bytes(planted_array(folder))
    return list(LOOK)


def _table(folder: Path, file: str, content: Callable[[Path], bytes]) -> Sequence[str]:
    (folder / "oof").mkdir()
    rows = "".join(f"r{i},{i % 2},{i // 2 % 2}\n" for i in range(40))
    (folder / "labels.csv").write_text(f"id,one,two\n{rows}")
    (folder / "oof" / file).write_bytes(content(folder))
    return BLEND


def _planted_npz(folder: Path) -> bytes:
    stream = io.BytesIO()
    ids = np.array([_Planted(mark_of(folder))] * 40, dtype=object)
    np.savez(stream, id=ids, class_names=np.array(["one", "two"]), probabilities=np.zeros((40, 2)))
    return stream.getvalue()


def _npz_bomb(_folder: Path) -> bytes:
    """A small file whose directory says that one array unpacks to 4 GB."""
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        id=np.array([f"r{i}" for i in range(40)]),
        class_names=np.array(["one", "two"]),
        probabilities=np.zeros((40, 2)),
    )
    content = bytearray(stream.getvalue())
    entry = content.rindex(b"PK\x01\x02")  # in the directory at the end, whose entries are in the order of the arrays
    content[entry + 24 : entry + 28] = (2**32 - 16).to_bytes(4, "little")
    return bytes(content)


def _names(folder: Path) -> list[str]:
    write_dataset(
        folder,
        {
            TRAIN: f'id,{SCRIPT},"""><img src=x onerror=alert(2)>"\na,1,0\nb,0,1\nc,0,0\n',
            HOLDOUT: None,
            TEMPLATE: None,
        },
    )
    return list(LOOK)


def case(name: str, expect: str, make: Callable[[Path], Sequence[str]], exit_code: int = 2) -> Case:
    return Case(name, make, expect, exit_code)


_OUT = "1 of 3 ids cannot be used"
_INSIDE = "expected a file below the dataset's folder"
CASES = (
    case("an id that leads out: ../../outside/x", _OUT, partial(_ids, first_id="../../outside/x")),
    case("an id that leads out in its middle", _OUT, partial(_ids, first_id="p/../../../outside/x")),
    case("an id that is an absolute path", _OUT, _absolute),
    case("an id with backslashes", _OUT, partial(_ids, first_id="..\\..\\outside\\x")),
    case("an id that begins with ~", "1 of its 3 images is missing", partial(_ids, first_id="~/x")),
    case("an id with a line break", _OUT, partial(_ids, first_id='"a\nb"')),
    case("an image that is a link that leads out", "is a link that leads out", partial(_link, what="a")),
    case("a folder of images that is a link that leads out", "is a link that leads out", partial(_link, what="p/x")),
    case("read right: dataset and image folder are links", "6 images found", _linked_folders, 0),
    case("dataset.yaml: a table outside", _INSIDE, partial(_settings, text="train_labels: ../outside/secret.csv\n")),
    case("dataset.yaml: images at an absolute path", "expected a folder below", partial(_settings, text="images: /\n")),
    case(
        "dataset.yaml: a tag that makes an object",
        "is not allowed: only plain values are read",
        partial(_settings, text="name: !!python/object/apply:os.system ['touch ../outside/RAN']\n"),
    ),
    case(
        "a recipe: a tag that makes an object",
        "is not allowed: only plain values are read",
        partial(_recipe, text="seed: !!python/object/apply:os.system ['touch MARK']\n" + RECIPE),
    ),
    case(
        "a recipe: a dotted path as the model",
        "os.system",
        partial(_recipe, text=RECIPE.replace("cnn2", "os.system")),
    ),
    case(
        "a recipe: an expression as a number",
        "expected",
        partial(_recipe, text=RECIPE.replace("1e-3", "__import__('os').system('touch MARK')")),
    ),
    case(
        "a recipe: an unknown transform by its path",
        "albumentations.core.serialization.load",
        partial(_recipe, text=RECIPE + "augment: [{albumentations.core.serialization.load: {filepath: MARK}}]\n"),
    ),
    case(
        "a recipe: a billion laughs",
        "",
        partial(
            _recipe,
            text="a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))
            + RECIPE,
        ),
    ),
    case(
        "a recipe: weights from an address of its own",
        "model.args.cache_dir: it has no place here",
        partial(
            _recipe,
            text=RECIPE.replace(
                "cnn2",
                "resnet10t, args: {cache_dir: ., pretrained_cfg_overlay: {hf_hub_id: null, url: 'file:///MARK'}}",
            ),
        ),
    ),
    case(
        "a recipe: an escape beyond Unicode",
        "expected an escape of at most",
        partial(_recipe, text='seed: "\\UFFFFFFFF"'),
    ),
    case(
        "dataset.yaml: a folder with a NUL in its name",
        "control characters",
        partial(_settings, text='images: "a\\0b"\n'),
    ),
    case("a recipe nested 5,000 deep", "", partial(_recipe, text="data: " + "[" * 5000 + "]" * 5000 + "\n")),
    case("weights that are a pickle", "it cannot be read", partial(_weights, content=planted_pickle, file="w.pth")),
    case(
        "weights that are a checkpoint with an object",
        "it cannot be read",
        partial(_weights, content=planted_checkpoint, file="w.pt"),
    ),
    case(
        "weights called safetensors that are a pickle",
        "it cannot be read",
        partial(_weights, content=planted_pickle, file="w.safetensors"),
    ),
    case("an image .npy of Python objects", "Arrays of Python objects are not read", _npy),
    case(
        "an NPZ table with Python objects",
        "Arrays of Python objects are not read",
        partial(_table, file="m.npz", content=_planted_npz),
    ),
    case("a pickle called .npz", "got another kind of file", partial(_table, file="m.npz", content=planted_pickle)),
    case("a pickle called .parquet", "cannot be read", partial(_table, file="m.parquet", content=planted_pickle)),
    case("a pickle called .csv", "m.csv", partial(_table, file="m.csv", content=planted_pickle)),
    case(
        "an NPZ table that claims to unpack to 4 GB",
        "expected arrays of at most",
        partial(_table, file="m.npz", content=_npz_bomb),
    ),
    case("classes called <script>", SEEN, _names, 0),
)
