"""Seeds derived from names, so that no two uses of one seed share a stream."""

from __future__ import annotations

import hashlib


def derive_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed for one purpose.

    ``derive_seed(0, "fold", 2)`` depends on nothing but its arguments: not on the order in which things run, and not
    on Python's hash randomisation.

    Args:
        seed: The user's seed.
        names: What the stream is for.
    """
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1
