"""What the environment says of processes that were started together."""

from __future__ import annotations

import pytest

from ensemble.errors import RecipeError
from ensemble.processes import Place, may_speak, place, refuse_several


def as_torchrun(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    given = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4", **variables}
    for name, value in given.items():
        monkeypatch.setenv(name, value)


def test_without_a_launcher_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert place() == Place(0, 1, 0, 1)
    assert may_speak()
    refuse_several("a blend")


def test_torchrun_says_where_a_process_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    as_torchrun(monkeypatch)
    assert place() == Place(rank=5, count=8, local_rank=1, local_count=4)
    assert not may_speak()
    with pytest.raises(RecipeError, match="torchrun has started 8 processes, and a blend is one process's work"):
        refuse_several("a blend")
    as_torchrun(monkeypatch, LOCAL_RANK="0")
    assert may_speak()


def test_a_world_of_one_is_nothing_special(monkeypatch: pytest.MonkeyPatch) -> None:
    as_torchrun(monkeypatch, WORLD_SIZE="1", RANK="0", LOCAL_RANK="0")
    assert place() == Place()


@pytest.mark.parametrize("wrong", [{"RANK": ""}, {"WORLD_SIZE": "two"}, {"LOCAL_WORLD_SIZE": "-1"}])
def test_half_an_environment_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str]) -> None:
    as_torchrun(monkeypatch, **wrong)
    with pytest.raises(RecipeError, match=r"not as torchrun does \(RANK=.*start them with torchrun, or unset WORLD_SI"):
        place()
