"""Words of a v1 file in kfgit's notation: names made valid as KFP does it, and text that must stay as it is.

A v1 file knows neither `$( … )` nor Jinja, so both are taken out of its text: `$(date)` and `{{ x }}` mean what they
meant to the program that reads them.
"""

from __future__ import annotations

import re
from itertools import pairwise

from kfgit.document import Entry, Mapping, Node, Scalar, Sequence
from kfgit.packages.faults import Faults
from kfgit.source import Span

_JINJA = re.compile(r"\{(?=[{%#])")
_JINJA_READS = re.compile(r"\{(?=[{%#])|\r")
_ARGO = re.compile(r"\{\{\s*(?:workflow|pod)\.[\w.]+\s*\}\}")


def component_name(name: str) -> str:
    """As kfp 2.17.0 has it (dsl/utils.py, maybe_rename_for_k8s)."""
    return re.sub("-+", "-", re.sub("[^-0-9a-z]+", "-", name.lower())).strip("-")


def port_name(name: str) -> str:
    """As kfp 2.17.0 has it (dsl/utils.py, sanitize_input_name)."""
    return re.sub("[^_0-9a-z]+", "_", name.lower()).strip("_")


def mapping(span: Span, **entries: Node) -> Mapping:
    """A map whose keys nobody wrote: they stand where the map does."""
    return Mapping({key.rstrip("_"): Entry(span, node) for key, node in entries.items()}, span)


def literal(text: str, span: Span) -> Scalar:
    """A text that Jinja gives back as it is."""
    if _JINJA.search(text):
        text = _JINJA_READS.sub(lambda found: "{{ '{' }}" if found.group() == "{" else r"{{ '\r' }}", text)
    return Scalar(text, span)


def escaped(text: str) -> str:
    """A text that means itself where `$( … )` is a reference: in scripts and arguments, and in values."""
    return text.replace("$(", "$$(")


def argument_pieces(text: str, span: Span) -> list[Scalar]:
    """A text in pieces that mean nothing to Jinja or as references; put together again they are the text.

    Pieces, because a template has limits of size that a program given in an argument may exceed.
    """
    cuts = [0, *(found.end() for found in _JINJA.finditer(text)), len(text)]
    return [Scalar(escaped(text[a:b]), span) for a, b in pairwise(cuts)]


def whole(pieces: list[Node], span: Span) -> Node:
    """Pieces as one argument."""
    match pieces:
        case []:
            return Scalar("", span)
        case [Scalar() as only]:
            return only
        case _:
            return mapping(span, concat=Sequence(tuple(pieces), span))


def words(node: Scalar) -> str | None:
    """The text of a scalar that is not empty; KFP refuses numbers, which cannot be meant otherwise."""
    match node.value:
        case None:
            return None
        case bool() as flag:
            return str(flag).lower()
        case value:
            return str(value)


def warn_of_argo(faults: Faults, text: str, span: Span) -> None:
    """v1 ran on Argo alone, and its files use Argo's variables."""
    found = _ARGO.search(text)
    if found is not None:
        message = f"`{found.group()}` is Argo's notation, which KFP 2 does not fill in"
        help_ = "pass `$(run.id)` as an input, or lay `env: {POD: {fieldPath: metadata.name}}` over it"
        faults.warn("argo-placeholder", message, span, help_)
