"""Memory that ran out is told from other errors, whoever raises it, and becomes one that says what to do."""

from __future__ import annotations

import errno

import pytest
import torch

from ensemble.errors import DataError, OutOfMemory
from ensemble.memory import lack_of_memory, memory_errors

CUDA = "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 7.79 GiB of which 1.00 GiB is"
ADVICE = " If reserved but unallocated memory is large try setting PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True."
CPU = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 90 bytes. Error code 12 (Cannot)"
WORKER = f"""Caught RuntimeError in DataLoader worker process 0.
Original Traceback (most recent call last):
  File "loaders.py", line 1, in _batch  # out of memory
RuntimeError: [enforce fail at alloc_cpu.cpp:124] err == 0. {CPU}"""


@pytest.mark.parametrize(
    ("error", "lack"),
    [
        (torch.OutOfMemoryError(f"{CUDA}.{ADVICE}"), CUDA),
        (RuntimeError(f"[enforce fail at alloc_cpu.cpp:124] err == 0. {CPU}"), CPU),
        (
            RuntimeError("[enforce fail at a\\alloc_cpu.cpp:72] data. DefaultCPUAllocator: not enough memory"),
            "DefaultCPUAllocator: not enough memory",
        ),
        (RuntimeError(WORKER), CPU),
        (
            RuntimeError("MPS backend out of memory (MPS allocated: 9.07 GB)."),
            "MPS backend out of memory (MPS allocated: 9.07 GB)",
        ),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be"), "CUDA error: out of memory"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), "cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        (RuntimeError("NCCL error in: a.cpp\nCuda failure 2 'out of memory'"), "Cuda failure 2 'out of memory'"),
        (RuntimeError("std::bad_alloc"), "std::bad_alloc"),
        (MemoryError("Unable to allocate 9 TiB for an array"), "Unable to allocate 9 TiB for an array"),
        (MemoryError("pages are gone"), "pages are gone"),
        (MemoryError(), "no more could be had"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "[Errno 12] Cannot allocate memory"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"), ""),
        (RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer"), ""),
        (OSError(errno.ENOSPC, "No space left on device"), ""),
        (ValueError("out of memory"), ""),
    ],
)
def test_what_could_not_be_had_is_in_the_allocators_words(error: BaseException, lack: str) -> None:
    assert lack_of_memory(error) == lack


def test_torchs_own_refusal_becomes_one_error() -> None:
    said = r"^memory ran out in epoch 1 \(DefaultCPUAllocator: .*allocate 1125899906842624 bytes.*\)\. Take less$"
    with pytest.raises(OutOfMemory, match=said), memory_errors(lambda: "in epoch 1", "Take less"):
        torch.empty(1 << 50, dtype=torch.uint8)


@pytest.mark.parametrize("error", [RuntimeError("shape mismatch"), DataError("no labels"), OSError("gone")])
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)), memory_errors(lambda: "", ""):
        raise error
