"""Diagnostics as people, CI and code scanners read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from kfgit.diagnostics import Diagnostic, Related
from kfgit.render.envelope import envelope
from kfgit.render.style import Style, clean
from kfgit.source import Span, lines as source_lines

_TAB = "    "
# For each step and severity (docs.github.com, "Workflow commands for GitHub Actions").
_ANNOTATIONS = 10


def human(diagnostics: Iterable[Diagnostic], files: Mapping[str, bytes], style: Style) -> str:
    """Each with its source line and a caret, the way out, and a summary at the end."""
    found = list(diagnostics)
    wanted = {d.span.file for d in found} & set(files)
    lines = {file: source_lines(files[file]) for file in wanted}
    blocks = [_block(diagnostic, lines, style) for diagnostic in found]
    return "\n".join(blocks) + ("\n" if blocks else "")


def summary(
    diagnostics: Sequence[Diagnostic], documents: int, environments: Sequence[str], style: Style
) -> str:
    """One line about all of it."""
    errors = sum(d.severity == "error" for d in diagnostics)
    warnings = len(diagnostics) - errors
    where = f"{documents} {_many('document', documents)}, {len(environments)} {_many('environment', len(environments))}"
    if not errors and not warnings:
        return style.green("ok") + f": {where}"
    counts = [style.red(f"{errors} {_many('error', errors)}")] if errors else []
    counts += [style.yellow(f"{warnings} {_many('warning', warnings)}")] if warnings else []
    return f"{' and '.join(counts)} in {where}"


def _many(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _block(diagnostic: Diagnostic, files: Mapping[str, Sequence[str]], style: Style) -> str:
    paint = style.red if diagnostic.severity == "error" else style.yellow
    head = f"{paint(f'{diagnostic.severity}[{diagnostic.code}]')}: {style.bold(clean(diagnostic.message))}"
    span = diagnostic.span
    margin = " " * len(str(span.line))
    lines = [head, f"{margin}{style.cyan('-->')} {clean(span.start())}"]
    source = _line(files, span)
    if source is not None:
        lines += _excerpt(source, span, margin, paint, style)
    lines += [f"{margin} {style.cyan('=')} {note}" for note in _notes(diagnostic)]
    return "\n".join(lines) + "\n"


def _notes(diagnostic: Diagnostic) -> list[str]:
    notes = [f"help: {clean(diagnostic.help)}"] if diagnostic.help else []
    notes += [
        f"note: {clean(related.message)}: {clean(related.span.start())}" for related in diagnostic.related
    ]
    if diagnostic.environments:
        *others, last = (clean(name) for name in diagnostic.environments)
        notes.append(f"in the environment{'s ' + ', '.join(others) + ' and' if others else ''} {last}")
    return notes


def _excerpt(source: str, span: Span, margin: str, paint: Any, style: Style) -> list[str]:
    """The line with a mark below what is meant; of a long line the part around it."""
    first = 0 if span.column <= _WINDOW else span.column - _WINDOW // 2
    seen = source[first : first + 2 * _WINDOW]
    last = span.end_column if span.end_line == span.line else len(source) + 1
    before, marked = (
        clean(source[start:end].replace("\t", _TAB))
        for start, end in (
            (first, span.column - 1),
            (span.column - 1, min(max(last - 1, span.column), first + len(seen))),
        )
    )
    lead = "…" if first else ""
    shown = clean(seen.replace("\t", _TAB)) or " "
    bar = style.cyan("|")
    caret = paint("^" * max(1, len(marked.rstrip()) or 1))
    return [
        f"{margin} {bar}",
        f"{style.cyan(str(span.line))} {bar} {lead}{shown}{'…' if first + len(seen) < len(source) else ''}",
        f"{margin} {bar} {' ' * (len(lead) + len(before))}{caret}",
    ]


_WINDOW = 120


def _line(files: Mapping[str, Sequence[str]], span: Span) -> str | None:
    lines = files.get(span.file, ())
    return lines[span.line - 1] if 0 < span.line <= len(lines) else None


def as_json(diagnostics: Sequence[Diagnostic], documents: int) -> dict[str, Any]:
    """The `Diagnostics` object of CLI.md."""
    errors = sum(d.severity == "error" for d in diagnostics)
    counts = {"documents": documents, "errors": errors, "warnings": len(diagnostics) - errors}
    return envelope("Diagnostics", diagnostics=[_one(d) for d in diagnostics], summary=counts)


def _one(diagnostic: Diagnostic) -> dict[str, Any]:
    span = diagnostic.span
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "help": diagnostic.help,
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
        "environment": diagnostic.environment,
        "environments": list(diagnostic.environments),
        "related": [_related(related) for related in diagnostic.related],
    }


def _related(related: Related) -> dict[str, Any]:
    span = related.span
    return {"file": span.file, "line": span.line, "column": span.column, "message": related.message}


def github(diagnostics: Iterable[Diagnostic]) -> str:
    """Workflow commands that annotate a pull request (docs.github.com, "Workflow commands for GitHub Actions").

    Errors come first, since GitHub shows only the first few.
    """
    lines = []
    for d in sorted(diagnostics, key=lambda d: d.severity != "error"):
        title = _property(f"{d.code}" + (f" ({', '.join(d.environments)})" if d.environments else ""))
        end = max(d.span.end_line, d.span.line)
        place = f"file={_property(d.span.file)},line={d.span.line},endLine={end},col={d.span.column}"
        text = d.message + (f"\n{d.help}" if d.help else "")
        lines.append(f"::{d.severity} {place},title={title}::{_data(text)}\n")
    return "".join(lines)


def annotated(diagnostics: Sequence[Diagnostic]) -> str:
    """What is said where GitHub shows fewer annotations than there are; nothing elsewhere."""
    counts = Counter(d.severity for d in diagnostics)
    told = " and ".join(f"{count} {_many(severity, count)}" for severity, count in sorted(counts.items()))
    many = f"{told}; GitHub shows {_ANNOTATIONS} of each as annotations, the log has all of them"
    return many if any(count > _ANNOTATIONS for count in counts.values()) else ""


def _data(text: str) -> str:
    return clean(text.replace("\n", "\x00")).replace("%", "%25").replace("\\x00", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def sarif(diagnostics: Sequence[Diagnostic], version: str) -> dict[str, Any]:
    """SARIF 2.1.0, as code scanning takes it."""
    rules = sorted({d.code for d in diagnostics})
    driver = {
        "name": "kfgit",
        "version": version,
        "informationUri": "https://github.com/kfgit/kfgit",
        "rules": [_rule(code) for code in rules],
    }
    results = [_result(d) for d in diagnostics]
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }


def _rule(code: str) -> dict[str, Any]:
    from kfgit.explanations import EXPLANATIONS  # noqa: PLC0415 - only SARIF wants their titles

    about = EXPLANATIONS.get(code)
    return {"id": code, **({"shortDescription": {"text": about.title}} if about is not None else {})}


def _result(d: Diagnostic) -> dict[str, Any]:
    return {
        "ruleId": d.code,
        "level": d.severity,
        "message": {"text": d.message + (f". {d.help}" if d.help else "")},
        "locations": [{"physicalLocation": _location(d.span)}],
        "relatedLocations": [
            {"physicalLocation": _location(r.span), "message": {"text": r.message}} for r in d.related
        ],
        "properties": {"environment": d.environment, "environments": list(d.environments)},
    }


def _location(span: Span) -> dict[str, Any]:
    region = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
    return {"artifactLocation": {"uri": quote(span.file, errors="surrogateescape")}, "region": region}
