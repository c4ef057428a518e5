"""Why ids of two sources do not meet: what they would have to be spelled without."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection

_ENDING = re.compile(r"\.[A-Za-z]{2,5}(\.gz)?$")


def _visible(text: str) -> str:
    """Without characters that nobody sees, and with accents in one piece."""
    return unicodedata.normalize("NFC", "".join(one for one in text if unicodedata.category(one) != "Cf"))


_GUESSES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("spaces around them", str.strip),
    ("quotes around them", lambda text: text.strip(" \"'")),
    ("upper and lower case", str.casefold),
    ("zeros in front, which spreadsheets and pandas drop", lambda text: text.lstrip("0")),
    ("'.0' at the end, which pandas adds to whole numbers", lambda text: text.removesuffix(".0")),
    ("file endings", lambda text: _ENDING.sub("", text)),
    ("folders in front", lambda text: text.rpartition("/")[2]),
    ("'-' and '_'", lambda text: text.replace("-", "_")),
    ("characters that cannot be seen, or accents in two pieces", _visible),
)


def why_not(missing: Collection[str], foreign: Collection[str]) -> str:
    """A hint where most of the ids that do not meet would, were they spelled alike; else nothing.

    Args:
        missing: Ids that were looked for.
        foreign: Ids that are there and were not asked for.
    """
    if not len(missing) or not len(foreign):
        return ""
    for words, plain in _GUESSES:
        known = {plain(text) for text in missing}
        if sum(plain(text) in known for text in foreign) * 2 > min(len(missing), len(foreign)):
            return f". They differ by {words}: ids are compared as text, as they stand"
    return ""
