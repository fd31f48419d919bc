"""jsonschema's word on a document, with keywords that tell each mistake on its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from kfgit.schema.bundles import Schema
from kfgit.schema.rules import RULES, Rule, unknown_keys


def build(schema: Schema) -> Any:
    """The validator of a strict schema."""
    from jsonschema import Draft202012Validator, ValidationError  # noqa: PLC0415 - 0.1 s that a start does not need
    from jsonschema.validators import extend  # noqa: PLC0415

    standard = Draft202012Validator.VALIDATORS

    def told(rule: Rule) -> Callable[[Any, Any, Any, Any], Iterator[Any]]:
        def keyword(_validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
            for code, path, payload in rule(value, instance, schema):
                yield ValidationError("", validator=code, path=path, validator_value=payload)

        return keyword

    def additional(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        chosen = told(unknown_keys) if value is False else standard["additionalProperties"]
        yield from chosen(validator, value, instance, schema) or ()

    def names(validator: Any, value: Any, instance: Any, _schema: Any) -> Iterator[Any]:
        for key in instance if isinstance(instance, dict) else ():
            if any(True for _ in validator.descend(key, value)):
                yield ValidationError("", validator="name", validator_value=key, schema=value)

    keywords = {keyword: told(rule) for keyword, rule in RULES.items()}
    keywords |= {"additionalProperties": additional, "propertyNames": names}
    types = Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number})
    strict_validator: Any = extend(Draft202012Validator, keywords, type_checker=types)  # type: ignore[no-untyped-call]
    return strict_validator(schema)


def _is_integer(_checker: Any, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(checker: Any, value: Any) -> bool:
    return _is_integer(checker, value) or (isinstance(value, float) and math.isfinite(value))
