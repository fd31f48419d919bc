"""Sentences about keys: unknown, missing, or beside the wrong others."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from kfgit.diagnostics import Diagnostic, Related, did_you_mean
from kfgit.schema.bundles import Schema
from kfgit.schema.case import Case
from kfgit.schema.words import close, flow, joined, mended, short

_About: TypeAlias = tuple[Diagnostic, tuple[str, ...]]


def _tell_unknown(case: Case) -> _About:
    key: str = case.rule
    properties: Schema = case.schema.get("properties", {})
    free = [known for known in properties if known not in case.value]
    alias = case.schema.get("x-kfgit-aliases", {}).get(key)
    meant = alias if alias in free else close(key, free)
    inner = next((name for name in properties if key in properties[name].get("properties", {})), None)
    taken = alias or close(key, properties)
    hints = case.schema.get("x-kfgit-hints", {})
    hint = next((hints[pattern] for pattern in hints if re.fullmatch(pattern, key)), None)
    if hint is not None:
        meant, help_ = None, hint
    elif meant is None and inner is not None:
        meant, help_ = inner, f"`{key}` stands under `{inner}`"
    elif meant is not None:
        help_ = f"did you mean `{meant}`?"
    elif taken is not None:
        help_ = f"did you mean `{taken}`? it stands here already, so keep one of them"
    elif free:
        help_ = did_you_mean(key, free, what="keys that may stand here")
    else:
        help_ = f"remove `{key}`: {joined(properties, 'and')} are all that may stand here"
    message = f"unknown key `{key}` in {case.subject}"
    return Diagnostic("unknown-key", message, case.key_span(key), help_), (meant,) if meant else ()


def _tell_missing(case: Case) -> _About:
    key: str = case.rule
    examples = case.schema.get("properties", {}).get(key, {}).get("examples")
    help_ = f"add it, for example `{key}: {flow(examples[0])}`" if examples else f"add `{key}`"
    message = f"`{key}` is missing in {case.subject}"
    return Diagnostic("missing-key", message, case.holder_span(), help_), (key,)


def _tell_condition(case: Case) -> _About:
    message = "`when` is missing in a branch of `switch`: only the last of several may leave it out"
    help_ = "add it, for example `when: $(inputs.x) > 1`, or move the branch to the end"
    return Diagnostic("missing-key", message, case.holder_span(), help_), ("when",)


def _tell_missing_choice(case: Case) -> _About:
    what = case.schema["x-kfgit-what"]
    message = f"{what} needs exactly one of {joined(case.rule, 'and')}"
    return Diagnostic("missing-key", message, case.holder_span(), "add one of them"), tuple(case.rule)


def _tell_exclusive(case: Case) -> _About:
    present: tuple[str, ...] = case.rule
    what, choice = case.schema["x-kfgit-what"], case.schema.get("x-kfgit-choice", ())
    message = f"{what} cannot have both {joined(present, 'and')}"
    if set(present) <= set(choice):
        message = f"{what} has exactly one of {joined(choice, 'and')}; here: {joined(present, 'and')}"
    first = Related(f"`{present[0]}` stands here", case.key_span(present[0]))
    span = case.key_span(present[1])
    return Diagnostic("exclusive-keys", message, span, "keep one of them", related=(first,)), present


def _tell_misplaced(case: Case) -> _About:
    key, companions = case.rule
    message = f"`{key}` is allowed only beside {joined(companions, 'or')}"
    return Diagnostic("misplaced-key", message, case.key_span(key), f"remove `{key}`"), companions


def _tell_refused(case: Case) -> _About:
    key: str = case.rule
    reason = case.schema["x-kfgit-refused"][key]
    message = f"{case.schema['x-kfgit-what']} cannot have `{key}`: {reason}"
    choice = tuple(case.schema.get("x-kfgit-choice", ()))
    return Diagnostic("misplaced-key", message, case.key_span(key), f"remove `{key}`"), choice


def _tell_name(case: Case) -> _About:
    key: str = case.rule
    span = case.key_span(key)
    if key in case.schema.get("x-kfgit-reserved", ()):
        return Diagnostic("reserved-name", f"the name `{key}` is reserved", span, "choose another name"), ()
    message = f"`{short(key)}` is not {case.form}"
    return Diagnostic("bad-format", message, span, mended(key, case.schema) or f"use {case.form}"), ()


KEY_ERRORS: dict[str, Callable[[Case], _About]] = {
    "unknown-key": _tell_unknown,
    "missing-key": _tell_missing,
    "missing-companion": _tell_missing,
    "missing-condition": _tell_condition,
    "missing-choice": _tell_missing_choice,
    "exclusive-keys": _tell_exclusive,
    "misplaced-key": _tell_misplaced,
    "refused-key": _tell_refused,
    "name": _tell_name,
}
