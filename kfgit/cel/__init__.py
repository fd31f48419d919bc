"""Conditions: CEL as KFP's driver understands it, and `when`, the small part of it that kfgit lets people write.

    when text → parse_when → check_when → to_cel → text in the IR        (compiler)
    text in the IR → parse → check → evaluate                           (local engine)

Pure, no `eval`, bounded work for any text and any values. Held to answers recorded from KFP's own driver
(`tests/conformance/cel/conditions.json`). Left out: message literals, named time zones, scripts in regular
expressions. A name is imported when it is used: not every repository has conditions, and only the engine evaluates any.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kfgit.cel.checker import check
    from kfgit.cel.evaluation import evaluate, evaluate_any, holds
    from kfgit.cel.parser import parse
    from kfgit.cel.printing import negate_and_join, to_cel
    from kfgit.cel.rules import check_rule, names
    from kfgit.cel.syntax import (
        CelEvaluationError,
        CelSyntaxError,
        CelTypeError,
        Expr,
        Reference,
        references,
    )
    from kfgit.cel.when import parse_when
    from kfgit.cel.when_types import Problem, check_when

__all__ = [
    "CelEvaluationError",
    "CelSyntaxError",
    "CelTypeError",
    "Expr",
    "Problem",
    "Reference",
    "check",
    "check_rule",
    "check_when",
    "evaluate",
    "evaluate_any",
    "holds",
    "names",
    "negate_and_join",
    "parse",
    "parse_when",
    "references",
    "to_cel",
]

_HOMES = {
    "check": "checker",
    "evaluate": "evaluation",
    "evaluate_any": "evaluation",
    "holds": "evaluation",
    "check_rule": "rules",
    "names": "rules",
    "parse": "parser",
    "negate_and_join": "printing",
    "to_cel": "printing",
    "parse_when": "when",
    "Problem": "when_types",
    "check_when": "when_types",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'syntax')}"), name)
    globals()[name] = found
    return found
