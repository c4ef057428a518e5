"""The hub's weights: from the cache where they are, and one quick, clear error where they cannot be had."""

import http.server
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest
import timm
import torch
from safetensors.torch import save_file

from ensemble.errors import RecipeError
from ensemble.models import build_model, hub

SIZE = (64, 64)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without a name server: no name is resolved, and nothing lies in the cache."""

    def resolve(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda *args, **kwargs: None)


@pytest.mark.parametrize("name", ["convnext_tiny", "tf_efficientnet_lite0", "vit_small_patch16_224"])
def test_without_a_network_there_is_one_error_soon(name: str, no_network: None, capfd: pytest.CaptureFixture) -> None:
    started = time.monotonic()
    message = (
        rf"^model\.pretrained: timm's weights of {name} are not on this machine and could not be fetched from the hub "
        r"\(OSError: https://huggingface\.co does not answer: .*Name or service not known\)\. Without them: "
        r"--set model\.pretrained=false \(random weights\)\. With a file .*--set model\.pretrained=path/to"
    )
    with pytest.raises(RecipeError, match=message):
        build_model(name, num_classes=3, image_size=SIZE, pretrained=True)
    assert time.monotonic() - started < 5
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["resnet10t.c3_in1k", "vit_tiny_patch16_224.augreg_in21k_ft_in1k"])
def test_weights_in_the_cache_need_no_network(
    name: str, no_network: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    colour = timm.create_model(name)
    file = tmp_path / "model.safetensors"
    save_file(colour.state_dict(), file)
    asked = []

    def cached(repository: str, filename: str, *, revision: str | None) -> str | None:
        asked.append((repository, filename, revision))
        return str(file) if filename == file.name else None

    monkeypatch.setattr(hub, "try_to_load_from_cache", cached)
    grey = build_model(name, num_classes=3, image_size=SIZE, pretrained=True)
    assert asked == [(f"timm/{name}", "model.safetensors", None)]
    first = timm.models.get_pretrained_cfg(name).first_conv
    expected = colour.get_submodule(first).weight.sum(dim=1, keepdim=True)
    torch.testing.assert_close(grey.get_submodule(first).weight, expected)


def test_a_model_without_a_place_on_the_hub_is_left_to_timm() -> None:
    assert hub.weights_source("cnn2") == {}


@pytest.fixture
def server() -> Iterator[str]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(403)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def test_any_answer_is_one(server: str) -> None:
    hub.refuse_if_unreachable(server)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(OSError, match=rf"{address} does not answer: .*refused"):
        hub.refuse_if_unreachable(address)


def test_a_certificate_that_only_the_client_trusts_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def untrusted(*args: object, **kwargs: object) -> None:
        raise URLError(ssl.SSLCertVerificationError("self-signed"))

    monkeypatch.setattr(hub, "urlopen", untrusted)
    hub.refuse_if_unreachable("https://huggingface.co")


def test_who_chose_to_be_offline_is_not_asked_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda *args, **kwargs: None)
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "urlopen", lambda *args, **kwargs: pytest.fail("the network was asked"))
    with pytest.raises(RecipeError, match=r"could not be fetched from the hub \(OSError: HF_HUB_OFFLINE is set\)"):
        build_model("resnet10t", num_classes=3, image_size=SIZE, pretrained=True)
