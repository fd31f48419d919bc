"""Jinja's sandbox, closed where Jinja leaves it open: arithmetic, filters and what is missing are bounded and told."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kfgit.diagnostics import did_you_mean
from kfgit.template.faults import Fault, TemplateFault
from kfgit.template.grammar import FILTERS, TESTS
from kfgit.template.work import MAX_OUTPUT, Work, weight

if TYPE_CHECKING:
    from types import CodeType

SCOPE = ("vars", "env", "git", "project")
_MAX_INT = 10**30


@lru_cache(maxsize=2)
def sandbox(comment: tuple[str, str]) -> Any:
    """The one Jinja environment for values, and the one for files, which may hold comments."""
    import jinja2  # noqa: PLC0415 - see render

    def printed(value: Any) -> Any:
        """What a template prints is data, and not more than a value may be."""
        if isinstance(value, jinja2.Undefined):
            str(value)
        if value is not None and not isinstance(value, str | int | float | Mapping | list | tuple):
            raise Fault(TemplateFault("template-failed", "the template gives no text, number, list or map"))
        environment.work.spend(weight(value, MAX_OUTPUT))
        return value

    environment = _sandbox()(
        undefined=_missing(),
        finalize=printed,
        optimized=False,
        keep_trailing_newline=True,
        cache_size=0,
        autoescape=False,
        comment_start_string=comment[0],
        comment_end_string=comment[1],
    )
    environment.globals.clear()
    environment.filters = {
        name: _bounded(environment, _OWN.get(name, environment.filters[name])) for name in FILTERS
    }
    environment.tests = {
        name: _bounded(environment, test)
        for name, test in environment.tests.items()
        if name in TESTS or not name.isalpha()
    }
    return environment


def _missing() -> Any:
    """What stands for a variable that is not there."""
    import jinja2  # noqa: PLC0415 - see render

    class Missing(jinja2.StrictUndefined):
        """Says which variable is missing and which ones there are."""

        __slots__ = ()

        def _fail_with_undefined_error(self, *_args: Any, **_kwargs: Any) -> Any:
            name = str(self._undefined_name)
            owner = self._undefined_obj
            if isinstance(owner, Mapping):
                help_ = did_you_mean(name, [str(key) for key in owner], what="variables")
                message = f"there is no variable `{name}` here"
            elif owner is jinja2.utils.missing:
                help_ = did_you_mean(name, SCOPE, what="variables")
                message = f"there is no variable `{name}` in templates"
            else:
                help_ = "only a map has keys; use a filter such as `upper` or `length`"
                message = f"{_kind(owner)} has no `{name}`"
            raise Fault(TemplateFault("unknown-variable", message, help_))

        __str__ = __iter__ = __len__ = __bool__ = __eq__ = __ne__ = __hash__ = _fail_with_undefined_error
        __add__ = __radd__ = __sub__ = __mul__ = __getitem__ = __getattr__ = _fail_with_undefined_error
        __lt__ = __le__ = __gt__ = __ge__ = __call__ = __contains__ = _fail_with_undefined_error

    return Missing


def _sandbox() -> Any:
    """Jinja's sandbox, closed further."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415 - see render

    class Sandbox(ImmutableSandboxedEnvironment):
        """Jinja's sandbox with arithmetic bounded too, which it leaves open."""

        intercepted_binops = frozenset({"+", "*", "%"})
        work = Work()

        def getattr(self, obj: Any, attribute: str) -> Any:
            """A key of a map comes before the methods that maps have."""
            if isinstance(obj, Mapping) and attribute != "get":
                return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
            return super().getattr(obj, attribute)

        def call(self, context: Any, called: Any, *args: Any, **kwargs: Any) -> Any:
            """A method of a text or a map: it costs what its owner and its arguments weigh."""
            self.work.weighed([getattr(called, "__self__", ""), *args, *kwargs.values()])
            return self.work.weighed(super().call(context, called, *args, **kwargs))

        def _compile(self, source: str, filename: str) -> CodeType:
            """Without python's hints at what will fail, such as `0[:]`: rendering tells it."""
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                return super()._compile(source, filename)

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            """Bounds what one operation can make."""
            if operator == "%" and isinstance(left, str):
                raise Fault(
                    TemplateFault(
                        "template-not-allowed", "`%` cannot format text here", "join texts with `~`"
                    )
                )
            if operator == "*" and (
                isinstance(left, str | list | tuple) or isinstance(right, str | list | tuple)
            ):
                raise Fault(TemplateFault("template-not-allowed", "`*` multiplies numbers only"))
            self.work.weighed([left, right])
            result = super().call_binop(context, operator, left, right)
            if isinstance(result, int) and abs(result) > _MAX_INT:
                raise Fault(TemplateFault("template-too-large", "the number is too large"))
            if isinstance(result, str | list | tuple) and len(result) > MAX_OUTPUT:
                raise Fault(TemplateFault("template-too-large", "the value is too large"))
            return result

    return Sandbox


def _kind(value: Any) -> str:
    names = ((str, "a text"), (bool, "a boolean"), (int | float, "a number"), (list | tuple, "a list"))
    return next((name for type_, name in names if isinstance(value, type_)), "this value")


def _bounded(environment: Any, function: Any) -> Any:
    """The same filter or test; what it is given is paid for, and what it makes is no larger than a value may be."""
    import functools  # noqa: PLC0415 - only with Jinja

    @functools.wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        given = [value for value in (*args, *kwargs.values()) if isinstance(value, _DATA)]
        environment.work.weighed(given)
        for number in given[1:]:
            if isinstance(number, int) and abs(number) > MAX_OUTPUT:
                raise Fault(TemplateFault("template-too-large", "a filter's argument is too large"))
        result = function(*args, **kwargs)
        if hasattr(result, "__next__"):
            result = list(result)
        if isinstance(result, str | list | tuple) and len(result) > MAX_OUTPUT:
            raise Fault(TemplateFault("template-too-large", "the value is too large"))
        return result

    return bounded


_DATA = (str, int, float, Mapping, list, tuple)


def _joined(value: Any, d: str = "", attribute: str | None = None) -> str:
    """Jinja's `join`, for texts and numbers; what it will make is reckoned first."""
    parts = [str(item if attribute is None else item[attribute]) for item in value]
    if sum(map(len, parts)) + len(parts) * len(str(d)) > MAX_OUTPUT:
        raise Fault(TemplateFault("template-too-large", "the value is too large"))
    return str(d).join(parts)


def _replaced(s: str, old: str, new: str, count: int | None = None) -> str:
    """Jinja's `replace`; what it will make is reckoned first."""
    text, old, new = str(s), str(old), str(new)
    if len(text) + text.count(old) * max(len(new) - len(old), 0) > MAX_OUTPUT:
        raise Fault(TemplateFault("template-too-large", "the value is too large"))
    return text.replace(old, new, -1 if count is None else count)


def _summed(iterable: Any, attribute: str | None = None, start: float = 0) -> Any:
    """Jinja's `sum`, of numbers only."""
    numbers = [item if attribute is None else item[attribute] for item in iterable]
    if not all(isinstance(number, int | float) for number in (start, *numbers)):
        raise Fault(TemplateFault("template-failed", "`sum` adds numbers only"))
    return sum(numbers, start)


def _trimmed(value: str, chars: str | None = None) -> str:
    """Jinja's `trim`, of a few characters."""
    return str(value).strip(None if chars is None else str(chars)[:_MAX_TRIMMED])


def _items(value: Any) -> list[tuple[Any, Any]]:
    """Jinja's `items`, of maps only: what is missing is told."""
    if not isinstance(value, Mapping):
        str(value)  # tells what is missing
        raise Fault(TemplateFault("template-failed", f"`items` takes a map, not {_kind(value)}"))
    return list(value.items())


def _by_key(value: Any) -> list[tuple[Any, Any]]:
    """Jinja's `dictsort` by key; ours are texts."""
    return sorted(_items(value))


def _as_json(value: Any) -> str:
    """JSON as it is: Jinja's `tojson` escapes what HTML takes for its own."""
    return json.dumps(value, ensure_ascii=False, default=str)


_MAX_TRIMMED = 100
_OWN = {
    "dictsort": _by_key, "items": _items, "join": _joined, "replace": _replaced, "sum": _summed, "tojson": _as_json,
    "trim": _trimmed,
}  # fmt: skip
