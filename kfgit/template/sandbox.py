"""Jinja's sandbox, closed where Jinja leaves it open: arithmetic, filters and what is missing are bounded and told."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kfgit.diagnostics import did_you_mean
from kfgit.template.faults import Fault, TemplateFault
from kfgit.template.grammar import FILTERS, TESTS

if TYPE_CHECKING:
    from types import CodeType

    from jinja2.sandbox import ImmutableSandboxedEnvironment

SCOPE = ("vars", "env", "git", "project")
MAX_OUTPUT = 65_536
_MAX_INT = 10**30


@lru_cache(maxsize=2)
def sandbox(comment: tuple[str, str]) -> ImmutableSandboxedEnvironment:
    """The one Jinja environment for values, and the one for files, which may hold comments."""
    import jinja2  # noqa: PLC0415 - see render
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415 - see render

    class Missing(jinja2.StrictUndefined):
        """Says which variable is missing and which ones there are."""

        __slots__ = ()

        def _fail_with_undefined_error(self, *_args: Any, **_kwargs: Any) -> Any:
            name = str(self._undefined_name)
            owner = self._undefined_obj
            if isinstance(owner, Mapping):
                known = [str(key) for key in owner]
                message = f"there is no variable `{name}` here"
            else:
                known, message = list(SCOPE), f"there is no variable `{name}` in templates"
            raise Fault(
                TemplateFault("unknown-variable", message, did_you_mean(name, known, what="variables"))
            )

        __str__ = __iter__ = __len__ = __bool__ = __eq__ = __ne__ = __hash__ = _fail_with_undefined_error
        __add__ = __radd__ = __sub__ = __mul__ = __getitem__ = __getattr__ = _fail_with_undefined_error
        __lt__ = __le__ = __gt__ = __ge__ = __call__ = __contains__ = _fail_with_undefined_error

    class Sandbox(ImmutableSandboxedEnvironment):
        """Jinja's sandbox with arithmetic bounded too, which it leaves open."""

        intercepted_binops = frozenset({"+", "*", "%"})

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
            result = super().call_binop(context, operator, left, right)
            if isinstance(result, int) and abs(result) > _MAX_INT:
                raise Fault(TemplateFault("template-too-large", "the number is too large"))
            if isinstance(result, str | list | tuple) and len(result) > MAX_OUTPUT:
                raise Fault(TemplateFault("template-too-large", "the value is too large"))
            return result

    environment = Sandbox(
        undefined=Missing,
        keep_trailing_newline=True,
        cache_size=0,
        autoescape=False,
        comment_start_string=comment[0],
        comment_end_string=comment[1],
    )
    environment.globals.clear()
    environment.filters = {name: _bounded(environment.filters[name]) for name in FILTERS}
    environment.tests = {
        name: environment.tests[name] for name in environment.tests if name in TESTS or not name.isalpha()
    }
    return environment


def _bounded(filter_: Any) -> Any:
    """The same filter; what it makes may not be larger than a value may be."""
    import functools  # noqa: PLC0415 - only with Jinja

    @functools.wraps(filter_)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        for number in (*args[1:], *kwargs.values()):
            if isinstance(number, int) and abs(number) > MAX_OUTPUT:
                raise Fault(TemplateFault("template-too-large", "a filter's argument is too large"))
        result = filter_(*args, **kwargs)
        if hasattr(result, "__next__"):
            result = list(result)
        if isinstance(result, str | list | tuple) and len(result) > MAX_OUTPUT:
            raise Fault(TemplateFault("template-too-large", "the value is too large"))
        return result

    return bounded
