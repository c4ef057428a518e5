"""timm's weights from the hub: taken from this machine where they are, and no long wait where there is no network.

Left alone, the hub's client asks the network even for weights that it has, and tries for most of a minute before it
says that there is none.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from huggingface_hub import constants, try_to_load_from_cache
from timm.models import get_pretrained_cfg

# As timm looks for them.
_FILES = ("model.safetensors", "pytorch_model.bin")
_TIMEOUT_SECONDS = 5


def weights_source(name: str) -> Mapping[str, Any]:
    """Arguments by which ``timm.create_model`` finds the weights of ``name``: a file where the hub's cache holds them.

    Raises:
        OSError: They are not in the cache, and the hub cannot be reached.
    """
    config = get_pretrained_cfg(name)
    if config is None or not config.hf_hub_id:
        return {}
    cached = next(_cached(config), None)
    if cached is None:
        refuse_if_unreachable(constants.ENDPOINT)
        return {}
    # custom_load is about the file behind the model's URL; the hub's copy is a plain state dict, unless it says "hf".
    return {} if config.custom_load == "hf" else {"pretrained_cfg_overlay": {"file": str(cached), "custom_load": False}}


def _cached(config: Any) -> Iterator[Path]:
    repository, _, revision = config.hf_hub_id.partition("@")
    for file in (config.hf_hub_filename,) if config.hf_hub_filename else _FILES:
        found = try_to_load_from_cache(repository, file, revision=revision or None)
        if isinstance(found, str):
            yield Path(found)


def refuse_if_unreachable(address: str) -> None:
    """Ask once whether a server answers, anything at all.

    Raises:
        OSError: It does not, or shall not be asked. A certificate that this Python does not trust is an answer: the
            hub's client has its own.
    """
    if constants.HF_HUB_OFFLINE:
        raise OSError("HF_HUB_OFFLINE is set")
    try:
        with urlopen(Request(address, method="HEAD"), timeout=_TIMEOUT_SECONDS):  # noqa: S310 - the hub's own address
            return
    except HTTPError:
        return
    except URLError as error:
        if isinstance(error.reason, ssl.SSLError):
            return
        raise OSError(f"{address} does not answer: {error.reason}") from error
