"""YAML as plain data, with the lines where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ensemble.errors import EnsembleError, quoted
from ensemble.yaml_text.scalars import plain_value
from ensemble.yaml_text.writing import describe

_MOST_BYTES = 2**20
_MOST_VALUES = 20_000  # once aliases are written out: some that refer to one another could make billions of them
_DEEPEST = 50
_BEYOND_UNICODE = re.compile(r"\\U(?!000|0010)[0-9a-fA-F]{8}")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class YamlDocument:
    """One YAML document.

    Attributes:
        path: Where it was read.
        data: dict, list, str, int, float, bool and None, nested.
    """

    path: Path
    data: dict[str, Any]
    lines: _Lines = field(repr=False)

    def line_of(self, key_path: Sequence[str | int]) -> int:
        """The 1-based line of a key or list item, or of the nearest parent that is in the file.

        Args:
            key_path: Keys and list positions from the top, e.g. ``("augment", 0, "Affine")``.
        """
        place = self.lines
        for key in key_path:
            if key not in place.parts:
                break
            place = place.parts[key]
        return place.line


@dataclass(frozen=True)
class _Lines:
    """Where a value stands, and where its parts stand."""

    line: int
    parts: dict[str | int, _Lines] = field(default_factory=dict)


def load_yaml(path: Path, *, error: type[EnsembleError]) -> YamlDocument:
    """Read a file that holds one mapping.

    Args:
        path: UTF-8 text.
        error: The class to raise.

    Raises:
        EnsembleError: As ``error``: the file is missing, larger than 1 MiB or not UTF-8, is not YAML, holds a key
            twice, a tag, several documents, more than 20,000 values (aliases written out) or more than 50 levels of
            them, or anything else than a mapping. Says file and line.
    """
    if path.exists() and not path.is_file():
        raise error(f"{path}: expected a YAML file, got a {'folder' if path.is_dir() else 'pipe or device'}")
    if path.is_file() and path.stat().st_size > _MOST_BYTES:
        raise error(f"{path}: expected a YAML file of at most {_MOST_BYTES:,} bytes, got {path.stat().st_size:,}")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as reason:
        raise error(f"{path}: expected a YAML file, but it cannot be read ({reason.strerror})") from reason
    except UnicodeDecodeError as reason:
        raise error(f"{path}: expected UTF-8 text, got byte 0x{reason.object[reason.start]:02x}") from reason
    data, lines, problems = _parse(text)
    if not problems and not isinstance(data, dict):
        problems = [f"line {lines.line}: expected a mapping (key: value) at the top, got {describe(data)}"]
    if problems:
        raise error.gather(f"{path} cannot be read as YAML", problems)
    return YamlDocument(path, data, lines)


def parse_yaml_value(text: str) -> Any:
    """The value that ``text`` has on the right of a ``key:``, e.g. ``3``, ``[0.1, 2]`` or ``{p: 0.5}``.

    Raises:
        ValueError: It is not one YAML value; the message says why, without a line.
    """
    data, _, problems = _parse(text)
    if problems:
        raise ValueError(problems[0].split(": ", 1)[1].replace(" that starts on line 1", ""))
    return data


def _parse(text: str) -> tuple[Any, _Lines, list[str]]:
    """Value, lines, and everything that is wrong with the text."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - 90 ms that most commands do not need
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    reader = _Reader(iter(YAML(typ="safe", pure=True).parse(text)))
    try:
        data, lines = reader.document()
    except YAMLError as reason:
        return None, _Lines(1), [*reader.problems, _syntax_problem(reason, text)]
    except _TooMuchError as reason:
        return None, _Lines(1), [str(reason)]
    except (ValueError, ArithmeticError) as reason:  # of an escape, or a directive's version, that is no such number
        return None, _Lines(1), [*reader.problems, _number_problem(reason, text)]
    return data, lines, reader.problems


def _syntax_problem(reason: Any, text: str) -> str:
    mark, start = getattr(reason, "problem_mark", None), getattr(reason, "context_mark", None)
    line = mark.line if mark else text.count("\n", 0, getattr(reason, "position", 0))
    context = f"{reason.context} that starts on line {start.line + 1}, " if start and reason.context else ""
    said = reason.problem if mark else str(reason).splitlines()[0]
    hint = " (indent with spaces, not tabs)" if "\\t" in said else ""
    return f"line {line + 1}: {context}{said}{hint}"


def _number_problem(reason: Exception, text: str) -> str:
    found = _BEYOND_UNICODE.search(text)
    if found is None:
        return f"line 1: expected YAML, but a number in it cannot be read ({reason})"
    line = text.count("\n", 0, found.start()) + 1
    return f"line {line}: expected an escape of at most \\U0010FFFF, the last character that there is, got {found[0]}"


class _TooMuchError(Exception):
    """More than can be meant; says the line and what is too much."""


class _Reader:
    """Builds plain data from a stream of parser events, and gathers what is refused."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.problems: list[str] = []
        self._events = events
        self._anchors: dict[str, tuple[Any, _Lines]] = {}
        self._sizes: dict[str, int] = {}
        self._n_values = self._depth = 0

    def document(self) -> tuple[Any, _Lines]:
        next(self._events)  # the stream's start
        if _kind(next(self._events)) == "StreamEnd":
            return None, _Lines(1)
        node = self._node(next(self._events))
        next(self._events)  # the document's end
        event = next(self._events)
        if _kind(event) != "StreamEnd":
            self._refuse(event, "a second document ('---') starts here; expected one")
        return node

    def _refuse(self, event: Any, why: str) -> None:
        self.problems.append(f"line {event.start_mark.line + 1}: {why}")

    def _node(self, event: Any) -> tuple[Any, _Lines]:
        kind, before = _kind(event), self._n_values
        self._count(event, self._sizes.get(event.anchor, 1) if kind == "Alias" else 1)
        if kind == "Alias":
            return self._alias(event)
        if event.tag is not None:
            self._refuse(event, f"the tag {quoted(str(event.tag))} is not allowed: only plain values are read")
        build = {"Scalar": self._scalar, "SequenceStart": self._list, "MappingStart": self._mapping}[kind]
        self._depth += 1
        value, parts = build(event)
        self._depth -= 1
        node = value, _Lines(event.start_mark.line + 1, parts)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
            self._sizes[event.anchor] = self._n_values - before
        return node

    def _count(self, event: Any, more: int) -> None:
        """Refuse more values, and deeper ones, than can be meant, before they are made."""
        self._n_values += more
        line = event.start_mark.line + 1
        if self._depth >= _DEEPEST:
            raise _TooMuchError(f"line {line}: nested too deeply: expected at most {_DEEPEST} levels")
        if self._n_values > _MOST_VALUES:
            raise _TooMuchError(
                f"line {line}: expected at most {_MOST_VALUES:,} values, but with its aliases written out it has more"
            )

    def _alias(self, event: Any) -> tuple[Any, _Lines]:
        if event.anchor not in self._anchors:
            self._refuse(
                event, f"the alias {quoted(f'*{event.anchor}')} has no anchor {quoted(f'&{event.anchor}')} before it"
            )
        return self._anchors.get(event.anchor, (None, _Lines(event.start_mark.line + 1)))

    def _scalar(self, event: Any) -> tuple[Any, dict[str | int, _Lines]]:
        self._refuse_surrogates(event)
        return (event.value if event.style else plain_value(event.value)), {}

    def _list(self, _event: Any) -> tuple[list[Any], dict[str | int, _Lines]]:
        items = []
        while _kind(event := next(self._events)) != "SequenceEnd":
            items.append(self._node(event))
        return [value for value, _ in items], {index: lines for index, (_, lines) in enumerate(items)}

    def _mapping(self, _event: Any) -> tuple[dict[str, Any], dict[str | int, _Lines]]:
        data: dict[str, Any] = {}
        parts: dict[str | int, _Lines] = {}
        while _kind(event := next(self._events)) != "MappingEnd":
            key, line = self._key(event), event.start_mark.line + 1
            value, lines = self._node(next(self._events))
            if key in data:
                self._refuse(event, f"the key {quoted(key)} is given twice, first on line {parts[key].line}")
            else:
                data[key], parts[key] = value, replace(lines, line=line)
        return data, parts

    def _key(self, event: Any) -> str:
        if _kind(event) != "Scalar":
            self._refuse(event, "expected text as the key, got a list, a mapping or an alias")
            return str(self._node(event)[0])
        if event.value == "<<" and not event.style:
            self._refuse(event, "the merge key '<<' is not part of YAML 1.2: write the keys out")
        self._refuse_surrogates(event)
        return str(event.value)

    def _refuse_surrogates(self, event: Any) -> None:
        """Halves of characters, which escapes can make and no file can hold."""
        if found := _SURROGATE.search(event.value):
            self._refuse(event, f"expected characters, got half of one: the escape \\u{ord(found[0]):04x}")


def _kind(event: Any) -> str:
    return type(event).__name__.removesuffix("Event")
