"""What the inputs of ``fuzz.py`` share: how bytes are damaged, and what a refusal must be like."""

from __future__ import annotations

from hypothesis import strategies as st

from ensemble.errors import EnsembleError, printable

READ, REFUSED = "read", "refused"
EDITS = st.lists(
    st.tuples(st.sampled_from(["flip", "insert", "remove", "cut", "double"]), st.floats(0, 1), st.integers(0, 255)),
    max_size=3,
)
# A problem may list twenty names of a hundred characters; there are thirty problems at most.
_LONGEST_LINE, _MOST_LINES = 4000, 32


def damaged(content: bytes, edits: list[tuple[str, float, int]]) -> bytes:
    """The content after some edits, each at a place given as a share of its length."""
    for kind, share, byte in edits:
        place = int(share * len(content))
        before, after = content[:place], content[place:]
        content = {
            "flip": before + bytes(b ^ (byte or 1) for b in after[:1]) + after[1:],
            "insert": before + bytes([byte]) + after,
            "remove": before + after[1 + byte % 8 :],
            "cut": before,
            "double": before + after[: byte + 1] + after,
        }[kind]
    return content


def refused(error: EnsembleError) -> str:
    """See that the message is one that can be shown and read."""
    said = str(error)
    assert said.strip()
    assert printable(said) == said, said
    assert len(lines := said.split("\n")) <= _MOST_LINES, said
    assert max(map(len, lines)) <= _LONGEST_LINE, said
    return REFUSED
