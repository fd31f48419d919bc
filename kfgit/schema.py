"""Documents against the JSON Schemas of their kinds, told with spans.

One set of files serves editors and this validator. Editors see documents before Jinja has rendered them, so
the files say of a typed field: a template (`if`), or else the type. `validate` runs after rendering and is
strict: it drops the template branch when a schema is loaded. jsonschema decides what is wrong; this module
decides how it is said: one mistake, one diagnostic, at the smallest span, and none for what merely follows
from another one. Nothing is read from disk: `project` hands the parsed files in.

The schemas have notes of our own. `x-kfgit-form` and `x-kfgit-help` name a form for people, `x-kfgit-aliases`
says what other tools call a key, `x-kfgit-fix` how a name is mended. Rules about keys are `x-kfgit-choice`,
`-exclusive`, `-only-with`, `-refused`, `-else-last` and `-reserved`; `oneOf`, `dependentSchemas` and `not` say
them to editors as well as they can, and are dropped here. So is `anyOf`: it helps editors with types, crons
and the times of a schedule, and `resolve` tells better what is wrong with those.
"""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping as MappingOf
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from kfgit.diagnostics import Diagnostic, Related, did_you_mean, nearest, ordered
from kfgit.document import Mapping, Node, Scalar, at, core_value, plain
from kfgit.source import Span

Schema: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str | int, ...]

COMBINED = "kfgit"


@dataclass(frozen=True, slots=True)
class Schemas:
    """The parsed schema files by file name, such as `pipeline.schema.json`."""

    files: MappingOf[str, Schema]
    # Validators by kind; they are costly to make, and follow from `files` alone.
    _validators: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def load(cls, files: MappingOf[str, Schema]) -> Schemas:
        """The schemas in files that someone else has read."""
        return cls(dict(files))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind of the language, in the order of the combined schema."""
        return tuple(self.files[f"{COMBINED}.schema.json"]["properties"]["kind"]["enum"])

    def validator(self, kind: str) -> Any:
        """The strict jsonschema validator of a kind, made once."""
        if kind not in self._validators:
            self._validators[kind] = _build(strict(self, kind))
        return self._validators[kind]


def validate(document: Node, kind: str, schemas: Schemas) -> tuple[Diagnostic, ...]:
    """What is wrong with the form of a rendered document, by place. KeyError for an unknown kind."""
    instance = plain(document)
    if _accepts(instance, kind, schemas):
        return ()
    cases = (_case(error, document) for error in schemas.validator(kind).iter_errors(instance))
    faults = [_fault(name, case) for name, case in cases if not case.is_told]
    return ordered(fault.diagnostic for fault in _without_cascades(faults))


def bundled(schemas: Schemas, kind: str | None = None) -> Schema:
    """The schema of a kind, or the combined one, in one piece: what other files define stands in `$defs`."""
    root = f"{(kind or COMBINED).lower()}.schema.json"
    definitions: Schema = {}
    pending = [root]
    while pending:
        target = pending.pop()
        if target not in definitions:
            definitions[target] = _moved(_lookup(schemas, target), target.partition("#")[0], pending)
    top = definitions.pop(root)
    return {**top, "$defs": {_label(target): definitions[target] for target in sorted(definitions)}}


def _lookup(schemas: Schemas, target: str) -> Schema:
    file, _, pointer = target.partition("#/$defs/")
    schema = schemas.files[file]
    found: Schema = schema["$defs"][pointer] if pointer else {k: v for k, v in schema.items() if k != "$defs"}
    return found


def _moved(part: Any, file: str, pending: list[str]) -> Any:
    """The part with references that hold inside the bundle; `pending` gets what they lead to."""
    if isinstance(part, list):
        return [_moved(item, file, pending) for item in part]
    if not isinstance(part, dict):
        return part
    moved = {key: _moved(value, file, pending) for key, value in part.items()}
    if isinstance(part.get("$ref"), str):
        target = part["$ref"] if not part["$ref"].startswith("#") else file + part["$ref"]
        pending.append(target)
        moved["$ref"] = f"#/$defs/{_label(target)}"
    return moved


def _label(target: str) -> str:
    file, _, pointer = target.partition("#/$defs/")
    stem = file.removesuffix(".schema.json")
    return f"{stem}.{pointer}" if pointer else stem


# From the files' schemas to strict ones.

_TEMPLATE = {"$ref": "#/$defs/common.template"}
_FOR_EDITORS = frozenset({"anyOf", "oneOf", "dependentSchemas", "not"})


def strict(schemas: Schemas, kind: str) -> Schema:
    """The schema of a kind for rendered documents: real types only, references inlined unless they recur."""
    whole = bundled(schemas, kind)
    definitions: Schema = whole.pop("$defs")
    top: Schema = _tightened(whole, definitions, frozenset())
    recurring: Schema = {}
    pending = list(_references(top))
    while pending:
        name = pending.pop()
        if name not in recurring:
            recurring[name] = _tightened(definitions[name], definitions, frozenset({name}))
            pending.extend(_references(recurring[name]))
    return {**top, "$defs": recurring}


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict) and isinstance(part.get("$ref"), str):
        yield part["$ref"].removeprefix("#/$defs/")
    if isinstance(part, (dict, list)):
        for item in part.values() if isinstance(part, dict) else part:
            yield from _references(item)


def _tightened(part: Any, definitions: Schema, inside: frozenset[str]) -> Any:
    if isinstance(part, list):
        return [_tightened(item, definitions, inside) for item in part]
    if not isinstance(part, dict):
        return part
    name = str(part.get("$ref", "")).removeprefix("#/$defs/")
    if name and name not in inside:
        beside = {key: value for key, value in part.items() if key != "$ref"}
        return _tightened({**definitions[name], **beside}, definitions, inside | {name})
    if part.get("if") == _TEMPLATE:
        beside = {key: value for key, value in part.items() if key not in {"if", "else"}}
        return _tightened({**part["else"], **beside}, definitions, inside)
    result = {k: _tightened(v, definitions, inside) for k, v in part.items() if k not in _FOR_EDITORS}
    if isinstance(result.get("pattern"), str):
        # Python's `$` also matches before a last newline; JSON Schema's does not.
        result["pattern"] = re.sub(r"\$$", r"\\Z", result["pattern"])
    return result


# The validator: jsonschema's, with keywords that tell each mistake on its own.


def _accepts(instance: Any, kind: str, schemas: Schemas) -> bool:
    """The one place that decides valid or not; a faster validator may stand in front here."""
    return bool(schemas.validator(kind).is_valid(instance))


def _build(schema: Schema) -> Any:
    from jsonschema import Draft202012Validator, ValidationError  # noqa: PLC0415 - 0.1 s that a start does not need
    from jsonschema.validators import extend  # noqa: PLC0415

    standard = Draft202012Validator.VALIDATORS

    def told(rule: _Rule) -> Callable[[Any, Any, Any, Any], Iterator[Any]]:
        def keyword(_validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
            for code, path, payload in rule(value, instance, schema):
                yield ValidationError("", validator=code, path=path, validator_value=payload)

        return keyword

    def additional(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        chosen = told(_unknown_keys) if value is False else standard["additionalProperties"]
        yield from chosen(validator, value, instance, schema) or ()

    def names(validator: Any, value: Any, instance: Any, _schema: Any) -> Iterator[Any]:
        for key in instance if isinstance(instance, dict) else ():
            if any(True for _ in validator.descend(key, value)):
                yield ValidationError("", validator="name", validator_value=key, schema=value)

    keywords = {keyword: told(rule) for keyword, rule in _RULES.items()}
    keywords |= {"additionalProperties": additional, "propertyNames": names}
    types = Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number})
    strict_validator: Any = extend(Draft202012Validator, keywords, type_checker=types)  # type: ignore[no-untyped-call]
    return strict_validator(schema)


def _is_integer(_checker: Any, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(checker: Any, value: Any) -> bool:
    return _is_integer(checker, value) or (isinstance(value, float) and math.isfinite(value))


# A rule: the keyword's value, the instance and the schema to (code, path below the instance, payload).
_Found: TypeAlias = Iterator[tuple[str, tuple[str | int, ...], Any]]
_Rule: TypeAlias = Callable[[Any, Any, Schema], _Found]


def _unknown_keys(_value: Any, instance: Any, schema: Schema) -> _Found:
    if isinstance(instance, dict):
        known = {*schema.get("properties", ()), *schema.get("x-kfgit-refused", ())}
        yield from (("unknown-key", (), key) for key in instance if key not in known)


def _required(keys: list[str], instance: Any, _schema: Schema) -> _Found:
    if isinstance(instance, dict):
        yield from (("missing-key", (), key) for key in keys if key not in instance)


def _dependent(needs: dict[str, list[str]], instance: Any, schema: Schema) -> _Found:
    if isinstance(instance, dict):
        for key in needs.keys() & instance.keys():
            yield from _required(needs[key], instance, schema)


def _choice(keys: list[str], instance: Any, _schema: Schema) -> _Found:
    if isinstance(instance, dict):
        present = tuple(key for key in instance if key in keys)
        if len(present) != 1:
            yield ("exclusive-keys" if present else "missing-choice"), (), present or tuple(keys)


def _exclusive(pairs: list[list[str]], instance: Any, _schema: Schema) -> _Found:
    if isinstance(instance, dict):
        clashes = ([key for key in instance if key in pair] for pair in pairs)
        clash = next((tuple(present) for present in clashes if len(present) > 1), None)
        if clash is not None:
            yield "exclusive-keys", (), clash


def _only_with(companions: dict[str, list[str]], instance: Any, _schema: Schema) -> _Found:
    if isinstance(instance, dict):
        for key in instance:
            if key in companions and not any(companion in instance for companion in companions[key]):
                yield "misplaced-key", (), (key, tuple(companions[key]))


def _refused(reasons: dict[str, str], instance: Any, _schema: Schema) -> _Found:
    if isinstance(instance, dict):
        yield from (("misplaced-key", (), (key, ())) for key in instance if key in reasons)


def _else_last(_value: Any, instance: Any, _schema: Schema) -> _Found:
    if isinstance(instance, list):
        for index, branch in enumerate(instance):
            is_else = 0 < index == len(instance) - 1
            if isinstance(branch, dict) and "when" not in branch and not is_else:
                yield "missing-condition", (index,), "when"


def _reserved(names: list[str], instance: Any, _schema: Schema) -> _Found:
    if instance in names:
        yield "reserved-name", (), instance


def _format(name: str, instance: Any, _schema: Schema) -> _Found:
    if isinstance(instance, str) and not _FORMATS[name](instance):
        yield "pattern", (), instance


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_expression(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(text)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


_FORMATS: dict[str, Callable[[str], bool]] = {"date-time": _is_time, "regex": _is_expression}

_RULES: dict[str, _Rule] = {
    "required": _required,
    "dependentRequired": _dependent,
    "format": _format,
    "x-kfgit-choice": _choice,
    "x-kfgit-exclusive": _exclusive,
    "x-kfgit-only-with": _only_with,
    "x-kfgit-refused": _refused,
    "x-kfgit-else-last": _else_last,
    "x-kfgit-reserved": _reserved,
}


# From jsonschema's errors to diagnostics.


class _Case(NamedTuple):
    """One error of the validator, with what is needed to tell it."""

    document: Node
    path: Path
    value: Any
    rule: Any
    schema: Schema

    @property
    def subject(self) -> str:
        """What the sentence is about."""
        if not self.path:
            return "the document"
        if isinstance(self.path[-1], str):
            return f"`{self.path[-1]}`"
        holder = next((step for step in reversed(self.path) if isinstance(step, str)), "document")
        return f"an item of `{holder}`"

    @property
    def is_told(self) -> bool:
        """Whether this is what `overlay` leaves of a template that failed, which it has told."""
        node = self.node()
        return isinstance(node, Scalar) and node.is_failed

    @property
    def form(self) -> str | None:
        """What people call the form that the schema asks for."""
        return self.schema.get("x-kfgit-form")

    def node(self) -> Node:
        """The node that the error is about; jsonschema's paths come from this very document."""
        found = at(self.document, self.path)
        assert found is not None, self.path
        return found

    def key_span(self, key: str) -> Span:
        """Where a key of the map stands."""
        node = self.node()
        assert isinstance(node, Mapping), self.path
        return node.entries[key].key_span

    def holder_span(self) -> Span:
        """The key that holds the map, else the map."""
        parent = at(self.document, self.path[:-1]) if self.path else None
        if isinstance(parent, Mapping) and isinstance(self.path[-1], str):
            return parent.entries[self.path[-1]].key_span
        return self.node().span

    def diagnostic(self, code: str, message: str, help_: str | None = None) -> Diagnostic:
        """A diagnostic at the value, with the places that a template took it from."""
        node = self.node()
        origins = node.origins if isinstance(node, Scalar) else ()
        related = tuple(Related(f"the value comes from `{origin.what}`", origin.span) for origin in origins)
        return Diagnostic(code, message, node.span, help_, related=related)


class _Fault(NamedTuple):
    """A diagnostic, and what tells a cascade: its error, its path, and the keys that it is about."""

    diagnostic: Diagnostic
    error: str
    path: Path
    keys: tuple[str, ...] = ()


def _without_cascades(faults: list[_Fault]) -> Iterator[_Fault]:
    unknown = [fault for fault in faults if fault.error == "unknown-key"]
    meant = {(fault.path, key) for fault in unknown for key in fault.keys}
    # A key that resembles nothing was meant as one of those that the map needs.
    meant |= {(f.path, key) for f in faults if f.error == "missing-choice" for u in unknown if (u.path, u.keys) == (f.path, ()) for key in f.keys}
    clashing = {fault.path for fault in faults if fault.error == "exclusive-keys"}
    unclear = clashing | {fault.path for fault in faults if fault.error == "missing-choice"}
    rank = list(_VALUE_ERRORS)
    values: dict[Path, _Fault] = {}
    for fault in faults:
        if fault.error in _VALUE_ERRORS:
            first = values.setdefault(fault.path, fault)
            values[fault.path] = min(first, fault, key=lambda f: rank.index(f.error))
        elif not _follows(fault, meant, unclear if fault.error == "misplaced-key" else clashing):
            yield fault
    yield from values.values()


def _follows(fault: _Fault, meant: set[tuple[Path, str]], broken: set[Path]) -> bool:
    """Whether a missing or misplaced key is only what another mistake at the same map looks like."""
    if not fault.error.startswith("mis"):
        return False
    return fault.path in broken or any((fault.path, key) in meant for key in fault.keys)


def _case(error: Any, document: Node) -> tuple[str, _Case]:
    path = tuple(error.absolute_path)
    return str(error.validator), _Case(document, path, error.instance, error.validator_value, error.schema)


def _fault(name: str, case: _Case) -> _Fault:
    if name in _KEY_ERRORS:
        diagnostic, keys = _KEY_ERRORS[name](case)
        return _Fault(diagnostic, name, case.path, keys)
    return _Fault(_VALUE_ERRORS[name](case), name, case.path)


_About: TypeAlias = tuple[Diagnostic, tuple[str, ...]]


def _tell_unknown(case: _Case) -> _About:
    key: str = case.rule
    properties: Schema = case.schema.get("properties", {})
    free = [known for known in properties if known not in case.value]
    alias = case.schema.get("x-kfgit-aliases", {}).get(key)
    meant = alias if alias in free else _close(key, free)
    inner = next((name for name in properties if key in properties[name].get("properties", {})), None)
    if meant is None and inner is not None:
        meant, help_ = inner, f"`{key}` stands under `{inner}`"
    elif meant is not None:
        help_ = f"did you mean `{meant}`?"
    else:
        help_ = did_you_mean(key, free, what="keys that may stand here")
    message = f"unknown key `{key}` in {case.subject}"
    return Diagnostic("unknown-key", message, case.key_span(key), help_), (meant,) if meant else ()


def _close(word: str, known: Iterable[str]) -> str | None:
    """The known word that was meant: the one that this begins, else the nearest."""
    begun = [name for name in known if len(word) > 1 and name.lower().startswith(word.lower())]
    return begun[0] if len(begun) == 1 else nearest(word, known)


def _tell_missing(case: _Case) -> _About:
    key: str = case.rule
    examples = case.schema.get("properties", {}).get(key, {}).get("examples")
    help_ = f"add it, for example `{key}: {_flow(examples[0])}`" if examples else f"add `{key}`"
    message = f"`{key}` is missing in {case.subject}"
    return Diagnostic("missing-key", message, case.holder_span(), help_), (key,)


def _tell_condition(case: _Case) -> _About:
    message = "`when` is missing in a branch of `switch`: only the last of several may leave it out"
    help_ = "add it, for example `when: $(inputs.x) > 1`, or move the branch to the end"
    return Diagnostic("missing-key", message, case.holder_span(), help_), ("when",)


def _tell_missing_choice(case: _Case) -> _About:
    what = case.schema["x-kfgit-what"]
    message = f"{what} needs exactly one of {_joined(case.rule, 'and')}"
    return Diagnostic("missing-key", message, case.holder_span(), "add one of them"), tuple(case.rule)


def _tell_exclusive(case: _Case) -> _About:
    present: tuple[str, ...] = case.rule
    what, choice = case.schema["x-kfgit-what"], case.schema.get("x-kfgit-choice", ())
    message = f"{what} cannot have both {_joined(present, 'and')}"
    if set(present) <= set(choice):
        message = f"{what} has exactly one of {_joined(choice, 'and')}; here: {_joined(present, 'and')}"
    first = Related(f"`{present[0]}` stands here", case.key_span(present[0]))
    span = case.key_span(present[1])
    return Diagnostic("exclusive-keys", message, span, "keep one of them", related=(first,)), present


def _tell_misplaced(case: _Case) -> _About:
    key, companions = case.rule
    span = case.key_span(key)
    if companions:
        message = f"`{key}` is allowed only beside {_joined(companions, 'or')}"
        return Diagnostic("misplaced-key", message, span, f"remove `{key}`"), companions
    reason = case.schema["x-kfgit-refused"][key]
    message = f"{case.schema['x-kfgit-what']} cannot have `{key}`: {reason}"
    return Diagnostic("misplaced-key", message, span, f"remove `{key}`"), ()


def _tell_name(case: _Case) -> _About:
    key: str = case.rule
    span = case.key_span(key)
    if key in case.schema.get("x-kfgit-reserved", ()):
        return Diagnostic("reserved-name", f"the name `{key}` is reserved", span, "choose another name"), ()
    message = f"`{_short(key)}` is not {case.form}"
    return Diagnostic("bad-format", message, span, _mended(key, case.schema)), ()


_KEY_ERRORS: dict[str, Callable[[_Case], _About]] = {
    "unknown-key": _tell_unknown,
    "missing-key": _tell_missing,
    "missing-condition": _tell_condition,
    "missing-choice": _tell_missing_choice,
    "exclusive-keys": _tell_exclusive,
    "misplaced-key": _tell_misplaced,
    "name": _tell_name,
}


def _tell_type(case: _Case) -> Diagnostic:
    types: list[str] = [case.rule] if isinstance(case.rule, str) else case.rule
    expected = case.form or " or ".join(_EXPECTED[name] for name in types)
    message = f"{case.subject} must be {expected}, not {_found(case.value)}"
    return case.diagnostic("wrong-type", message, _type_help(case, types))


def _type_help(case: _Case, types: list[str]) -> str | None:
    node = case.node()
    if isinstance(node, Scalar) and node.origins:
        return "a scalar that is exactly one `{{ … }}` has the type of its value, anything else is a string"
    if case.value is None:
        return "write a value, or remove the key"
    if isinstance(case.value, str):
        return _string_help(case.value, types) or case.schema.get("x-kfgit-help") or _example(case)
    return case.schema.get("x-kfgit-help") or _quote_help(case, types) or _example(case)


def _string_help(value: str, types: list[str]) -> str | None:
    """The way out for a string where something else belongs."""
    if "boolean" in types and value.lower() in _WORDS:
        return f"write `{_WORDS[value.lower()]}`"
    if {"integer", "number"} & set(types) and _NUMERIC.match(value):
        return f"write `{value}` without quotes"
    return f"write a list: `[{_flow(value)}]`" if types == ["array"] and len(value) < _SHORT else None


def _quote_help(case: _Case, types: list[str]) -> str | None:
    """The way out for a number or boolean where a string belongs; a float's own text is lost."""
    if not isinstance(case.value, (bool, int, float)) or "string" not in types:
        return None
    if isinstance(case.value, float):
        return "put it in quotes"
    text = _flow(case.value)
    return f'quote it: `"{text}"`' if re.search(case.schema.get("pattern", ""), text) else None


def _example(case: _Case) -> str | None:
    examples = case.schema.get("examples")
    if not examples or not case.path or isinstance(case.path[-1], int):
        return None
    return f"for example `{case.path[-1]}: {_flow(examples[0])}`"


def _tell_value(case: _Case) -> Diagnostic:
    allowed: list[str] = [case.schema["const"]] if "const" in case.schema else case.rule
    listed = _joined([item or '""' for item in allowed], "or")
    if not isinstance(case.value, str):
        return case.diagnostic("wrong-type", f"{case.subject} must be {listed}, not {_found(case.value)}")
    meant = allowed[0] if len(allowed) == 1 else _close(case.value, allowed)
    message = f"{case.subject} must be {listed}, not `{_short(case.value)}`"
    return case.diagnostic("bad-value", message, f"did you mean `{meant}`?" if meant else None)


def _tell_pattern(case: _Case) -> Diagnostic:
    message = f"{case.subject} must be {case.form}, not `{_short(case.value)}`"
    help_ = _mended(case.value, case.schema) or case.schema.get("x-kfgit-help") or _example(case)
    return case.diagnostic("bad-format", message, help_)


def _tell_least(case: _Case) -> Diagnostic:
    message = f"{case.subject} must be at least {case.rule}, not {case.value}"
    return case.diagnostic("out-of-range", message, _range_help(case.schema))


def _tell_most(case: _Case) -> Diagnostic:
    message = f"{case.subject} must be at most {case.rule}, not {case.value}"
    return case.diagnostic("out-of-range", message, _range_help(case.schema))


def _range_help(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    return f"write a number from {least} to {most}" if most is not None else f"write {least} or more"


def _tell_empty(case: _Case) -> Diagnostic:
    return case.diagnostic("empty", f"{case.subject} may not be empty", _example(case) or "write a value")


# Of several errors at one value the first of these is told.
_VALUE_ERRORS: dict[str, Callable[[_Case], Diagnostic]] = {
    "type": _tell_type,
    "const": _tell_value,
    "enum": _tell_value,
    "minLength": _tell_empty,
    "minItems": _tell_empty,
    "minProperties": _tell_empty,
    "pattern": _tell_pattern,
    "minimum": _tell_least,
    "maximum": _tell_most,
}

_EXPECTED = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "array": "a list",
    "object": "a map",
}
_WORDS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_WORDS |= {"true": "true", "false": "false"}
_NUMERIC = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?\Z")
_SHORT = 40
_PLAIN = re.compile(r"(?!- )[A-Za-z0-9_./$(<-]([A-Za-z0-9_./$()<>=@+ -]|:(?! ))*(?<![: ])\Z")


def _found(value: Any) -> str:
    if value is None:
        return "null"
    for type_, name in ((bool, "a boolean"), (str, "a string"), (dict, "a map"), (list, "a list")):
        if isinstance(value, type_):
            return name
    if isinstance(value, int):
        return "a number"
    return f"the number {value}" if math.isfinite(value) else "infinity or NaN"


def _mended(name: str, schema: Schema) -> str | None:
    """A name made legal, where the schema says how."""
    match schema.get("x-kfgit-fix"):
        case "name":
            mended = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].rstrip("-")
        case "identifier":
            mended = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
            mended = f"_{mended}" if mended[:1].isdigit() else mended
        case _:
            return None
    return f"write `{mended}`" if mended else None


def _joined(names: Iterable[str], word: str) -> str:
    *first, last = (f"`{name}`" for name in names)
    return f"{', '.join(first)} {word} {last}" if first else last


def _short(text: str) -> str:
    line = text.partition("\n")[0]
    return line if line == text and len(line) <= _SHORT else f"{line[: _SHORT - 1]}…"


def _flow(value: Any) -> str:
    """A value as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, str) and _PLAIN.match(value) and core_value(value) is value:
        return value
    return json.dumps(value, ensure_ascii=False)
