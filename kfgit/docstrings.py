"""What a docstring says of a function's inputs and outputs: the descriptions that KFP's SDK reads off it.

The SDK asks docstring_parser (kfp 2.17.0, dsl/component_factory.py, `extract_component_interface`): an input is
described under `Args:`, an output under `Returns:`, each as `name: text`. Only Google's style is read here, which is
that of KFP's own docs. An entry without a colon makes the whole docstring describe nothing, for the parser refuses it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_ENTRIES = ("Arguments", "Args", "Parameters", "Params", "Attributes")
_OTHER_ENTRIES = ("Raises", "Exceptions", "Except")
_TEXTS = ("Example", "Examples", "Returns", "Yields")
_TITLE = re.compile(rf"^({'|'.join((*_ENTRIES, *_OTHER_ENTRIES, *_TEXTS))}):[ \t\r\f\v]*$", re.MULTILINE)
_TYPED = re.compile(r"\s*(.+?)\s*\(\s*.*[^\s]+\s*\)")
_OUTPUTS = ("Returns:", "Returns", "Return:", "Return")


class Descriptions(NamedTuple):
    """Descriptions by the names of inputs and outputs."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


def descriptions(docstring: str | None) -> Descriptions:
    """The descriptions in a docstring as it stands in the source."""
    if not docstring:
        return Descriptions({}, {})
    text = inspect.cleandoc(docstring)
    title = next((title for title in _OUTPUTS if f"{title}\n" in text), None)
    # The SDK finds outputs by taking their section for one of inputs; of two such sections the later counts.
    outputs = _described(text.replace(title, "Args:")) if title is not None else {}
    return Descriptions(_described(text), outputs)


def _described(text: str) -> dict[str, str]:
    sections = dict(_sections(text))
    found: dict[str, str] = {}
    for title, section in sections.items():
        if title in _TEXTS:
            continue
        for entry in _entries(section):
            before, colon, after = entry.partition(":")
            if not colon:
                return {}
            if title in _ENTRIES:
                typed = _TYPED.match(before)
                found[typed[1] if typed else before] = _unindented(after)
    return found


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """Titles, and what is indented below each."""
    titles = list(_TITLE.finditer(text))
    for title, following in zip(titles, [*titles[1:], None], strict=False):
        body = text[title.end() : following.start() if following is not None else None]
        outside = re.search(r"\n\S", body)
        yield title[1], (body[: outside.start()] if outside is not None else body).strip("\n")


def _entries(section: str) -> Iterator[str]:
    """What begins at the indentation of the section's first line, with the lines that belong to it."""
    indent = section[: len(section) - len(section.lstrip())]
    starts = list(re.finditer(rf"^{re.escape(indent)}(?=\S)", section, re.MULTILINE))
    for start, following in zip(starts, [*starts[1:], None], strict=False):
        yield section[start.end() : following.start() if following is not None else None].strip("\n")


def _unindented(text: str) -> str:
    first, newline, rest = text.removeprefix(" ").partition("\n")
    return (first + newline + inspect.cleandoc(rest)).strip("\n")
