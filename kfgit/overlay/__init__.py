"""One environment's view of the documents: base, overlay, patches, then Jinja.

Nodes that an environment does not touch stay the same objects, so what is not changed is neither copied nor
checked twice. Every value keeps the span of the text it came from, and rendered ones remember their variables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping as MappingOf, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kfgit import template
from kfgit.diagnostics import Checked, Diagnostic, Related, did_you_mean, is_typo, nearest
from kfgit.document import Mapping
from kfgit.overlay.generating import SUFFIX as TEMPLATE_SUFFIX, generate
from kfgit.overlay.located import API_VERSION, KINDS, PROJECT_FILE, Located, environment_of, locate
from kfgit.overlay.merge import Removal, merge, removals
from kfgit.overlay.patches import apply_patches
from kfgit.overlay.rendering import rendered, scope_of, template_variables
from kfgit.source import SourceFile

__all__ = [
    "API_VERSION",
    "KINDS",
    "PROJECT_FILE",
    "TEMPLATE_SUFFIX",
    "Located",
    "Removal",
    "View",
    "environment_of",
    "locate",
    "merge",
    "view",
]


@dataclass(frozen=True, slots=True)
class View:
    """The documents as one environment sees them.

    `additions` are those that have no base; `removed` is what its overlays and patches took away from the others.
    """

    environment: str
    documents: tuple[Located, ...]
    additions: frozenset[tuple[str, str]]
    removed: MappingOf[tuple[str, str], Sequence[Removal]]


def view(
    documents: Iterable[Located],
    environment: str,
    git: MappingOf[str, Any],
    templates: Iterable[SourceFile] = (),
) -> Checked[View]:
    """What `environment` sees: its overlays merged, its patches applied, its templates rendered."""
    faults: list[Diagnostic] = []
    documents = tuple(documents)
    if templates:
        homes = {(d.kind, d.name): d for d in documents if d.kind in {"Environment", "Project"}}
        generated = generate(templates, *scope_of(homes, environment, git))
        faults += generated.diagnostics
        documents = (*documents, *generated.value)
    base = _unique((d for d in documents if d.environment is None), faults)
    own = _unique((d for d in documents if d.environment == environment), faults)
    merged, additions = _merge_overlays(base, own, faults)
    removed = {key: list(removals(base[key].node, own[key].node)) for key in own if key in base}
    patched = apply_patches(merged, environment, faults, removed)
    scope, sources = scope_of(patched, environment, git)
    faults += template_variables(sources.roots["vars"])
    work = template.Work()
    shown = tuple(rendered(document, scope, sources, faults, work) for document in patched.values())
    return Checked(View(environment, shown, additions, removed), tuple(faults))


def _unique(documents: Iterable[Located], faults: list[Diagnostic]) -> dict[tuple[str, str], Located]:
    unique: dict[tuple[str, str], Located] = {}
    for document in documents:
        key = (document.kind, document.name)
        first = unique.setdefault(key, document)
        if first is not document:
            unique[key] = replace(first, unsound=True)
            message = f"the {document.kind} `{document.name}` is written twice"
            related = (Related("first written here", first.name_span),)
            faults.append(
                Diagnostic(
                    "duplicate-document",
                    message,
                    document.name_span,
                    "rename or remove one of them",
                    related=related,
                )
            )
    return unique


def _merge_overlays(
    base: dict[tuple[str, str], Located], own: dict[tuple[str, str], Located], faults: list[Diagnostic]
) -> tuple[dict[tuple[str, str], Located], frozenset[tuple[str, str]]]:
    merged = dict(base)
    additions = set()
    for key, document in own.items():
        target = base.get(key)
        if target is not None:
            node = merge(target.node, document.node)
            if isinstance(node, Mapping):
                unsound = target.unsound or document.unsound
                merged[key] = replace(target, node=node, environment=document.environment, unsound=unsound)
            continue
        if document.kind not in {"Environment", "Project"}:
            names = [name for kind, name in base if kind == document.kind]
            fault = _addition_fault(document, names)
            if fault is not None:
                faults.append(fault)
                if fault.severity == "error":
                    continue
            additions.add(key)
        merged[key] = document
    return merged, frozenset(additions)


def _addition_fault(document: Located, names: list[str]) -> Diagnostic | None:
    what = f"{document.kind} `{document.name}`"
    if "apiVersion" not in document.node.entries:
        help_ = did_you_mean(document.name, names, what=f"documents of kind {document.kind}")
        return Diagnostic(
            "overlay-without-target", f"there is no {what} to lay this over", document.name_span, help_
        )
    close = nearest(document.name, names)
    if close is None or not is_typo(document.name, close):
        return None
    message = f"the {what} is new here, and one typo away from `{close}`"
    return Diagnostic(
        "addition-near-base",
        message,
        document.name_span,
        f"write `{close}` to change that one",
        severity="warning",
    )
