"""Python components: the interface of a function read off its text, and the command KFP runs it with.

The file is parsed, never imported or executed. KFP's lightweight component carries the text of one function, so a
name of the module around it does not exist at run time; `read` says so. The command is that of the SDK
(kfp 2.17.0, dsl/component_factory.py), byte for byte, since engines and caches recognise it.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import symtable
import tokenize
import typing
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kfgit import docstrings
from kfgit.diagnostics import MAX_PER_FILE, Diagnostic, Related, did_you_mean
from kfgit.source import Span

KFP_REQUIREMENT = "kfp==2.17.0"
DEFAULT_IMAGE = "python:3.11"

PARAMETER_TYPES = {
    "str": "string", "int": "int", "float": "float", "bool": "bool", "list": "list", "dict": "dict",
    "List": "list", "Dict": "dict",
}  # fmt: skip
ARTIFACT_TYPES = (
    "Artifact", "Dataset", "Model", "Metrics", "ClassificationMetrics", "SlicedClassificationMetrics", "HTML",
    "Markdown",
)  # fmt: skip
# What `from kfp.dsl import *` and `from typing import *` put around the function.
_GIVEN = (
    frozenset(ARTIFACT_TYPES)
    | frozenset(
        "kfp dsl Input Output InputPath OutputPath PipelineTaskFinalStatus TaskConfig get_uri ContainerSpec"
        " ConcatPlaceholder IfPresentPlaceholder If Elif Else OneOf Condition ExitHandler ParallelFor Collected"
        " PipelineTask component container_component pipeline importer __name__ __doc__ __file__ __builtins__".split()
    )
    | frozenset(typing.__all__)
)
_SYNTAX_HELP = "mend the python file: kfgit reads it with the syntax of python 3.11 or later"
_PATHS = {"InputPath": "path", "OutputPath": "path"}
# Python's syntax trees take some 400 times the memory of their text.
MAX_SOURCE = 150_000


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output as the signature has it. `type` is written as in kfgit's documents."""

    name: str
    type: str
    span: Span
    default: Any = None
    has_default: bool = False
    optional: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Function:
    """A function that can travel: its text and its ports."""

    name: str
    source: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    span: Span
    whole: bool = True


def read(
    text: str, name: str, path: str, wanted_at: Span, around: Collection[str] = ()
) -> tuple[Function | None, tuple[Diagnostic, ...]]:
    """The function `name` in the python text of `path`; None where it is not there or not python.

    The names `around` are there when it runs, beside those of KFP.
    """
    if len(text) > MAX_SOURCE:
        message = f"`{path}` has more than {MAX_SOURCE:,} characters"
        help_ = "put the function into a module of its own: it travels alone"
        return None, (Diagnostic("python-too-large", message, wanted_at, help_),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _read(text, name, path, wanted_at, around)


def _read(
    text: str, name: str, path: str, wanted_at: Span, around: Collection[str]
) -> tuple[Function | None, tuple[Diagnostic, ...]]:
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as fault:
        return None, (_syntax(fault, path, wanted_at),)
    functions = {
        node.name: node for node in module.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    node = functions.get(name)
    if node is None:
        message = f"there is no function `{name}` in `{path}`"
        return None, (
            Diagnostic(
                "unknown-function", message, wanted_at, did_you_mean(name, functions, what="functions")
            ),
        )
    reader = _Reader(path, text)
    if isinstance(node, ast.AsyncFunctionDef):
        reader.fault("python-signature", f"`{name}` is async; KFP calls plain functions", node, "write `def`")
    inputs, outputs = reader.signature(node)
    reader.check_names(module, node, frozenset(around))
    function = Function(name, _source(text, node), inputs, outputs, reader.span(node))
    return function, tuple(reader.diagnostics)


def _syntax(fault: BaseException, path: str, wanted_at: Span) -> Diagnostic:
    if isinstance(fault, SyntaxError) and fault.lineno:
        line, column = fault.lineno, max(fault.offset or 1, 1)
        span = Span(path, line, column, line, column + 1)
        return Diagnostic(
            "python-syntax",
            f"this is not python: {fault.msg}",
            span,
            _SYNTAX_HELP,
            related=(Related("used here", wanted_at),),
        )
    return Diagnostic("python-syntax", f"`{path}` cannot be read as python", wanted_at, _SYNTAX_HELP)


def _source(text: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """The function's text as the SDK cuts it: from `def` on, without decorators, with comments in its body."""
    lines = [f"{line}\n" for line in text.removesuffix("\n").split("\n")]
    try:
        return "".join(inspect.getblock(lines[node.lineno - 1 :]))
    except (tokenize.TokenError, SyntaxError):
        return "".join(lines[node.lineno - 1 : node.end_lineno])


class _Reader:
    """Reads one signature, collecting what is wrong."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.diagnostics: list[Diagnostic] = []
        self._lines = text.split("\n")
        self._text = text

    def span(self, node: ast.AST) -> Span:
        line, end = getattr(node, "lineno", 1), getattr(node, "end_lineno", 1) or 1
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            start = self._lines[line - 1].find(node.name, node.col_offset)
            return Span(self.path, line, start + 1, line, start + 1 + len(node.name))
        first = self._column(line, getattr(node, "col_offset", 0))
        last = self._column(end, getattr(node, "end_col_offset", 0) or 0)
        return Span(self.path, line, first, end, last)

    def _column(self, line: int, offset: int) -> int:
        """Ast counts UTF-8 bytes, people count characters."""
        text = self._lines[line - 1] if line <= len(self._lines) else ""
        if text.isascii():
            return min(offset, len(text)) + 1
        return len(text.encode()[:offset].decode("utf-8", "replace")) + 1

    def fault(self, code: str, message: str, node: ast.AST, help_: str | None = None) -> None:
        if len(self.diagnostics) <= MAX_PER_FILE:
            self.diagnostics.append(Diagnostic(code, message, self.span(node), help_))

    def signature(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef
    ) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
        inputs: list[Port] = []
        outputs: list[Port] = []
        arguments = node.args
        for stars, extra in (("*", arguments.vararg), ("**", arguments.kwarg)):
            if extra is not None:
                self.fault(
                    "python-signature", f"`{stars}{extra.arg}` cannot be an input", extra, "name each input"
                )
        for argument, default in _defaults(arguments):
            self._argument(argument, default, inputs, outputs)
        outputs.extend(self._returns(node.returns))
        self._names(inputs, outputs)
        told = docstrings.descriptions(ast.get_docstring(node, clean=False))
        return _described(inputs, told.inputs), _described(outputs, told.outputs)

    def _names(self, inputs: Sequence[Port], outputs: Sequence[Port]) -> None:
        """An input and an output may share a name, two outputs may not; KFP keeps `Output` for the returned value."""
        for port in inputs:
            if port.name == "Output":
                message = "KFP takes `Output` as the name of a returned value"
                self.diagnostics.append(
                    Diagnostic("python-signature", message, port.span, "rename the parameter")
                )
        seen: set[str] = set()
        for port in outputs:
            if port.name in seen:
                message = f"two outputs are called `{port.name}`"
                self.diagnostics.append(
                    Diagnostic("python-signature", message, port.span, "rename one of them")
                )
            seen.add(port.name)

    def _argument(
        self, node: ast.arg, default: ast.expr | None, inputs: list[Port], outputs: list[Port]
    ) -> None:
        if node.annotation is None:
            help_ = "write its type, such as `x: int` or `data: Input[Dataset]`"
            self.fault("python-annotation", f"the parameter `{node.arg}` has no annotation", node, help_)
            return
        found = self._annotation(node.annotation)
        if found is None:
            return
        direction, type_ = found
        value, has_default, optional = self._default(default)
        span = self.span(node)
        if direction == "output":
            outputs.append(Port(node.arg, type_, span))
        else:
            inputs.append(Port(node.arg, type_, span, value, has_default, optional))

    def _default(self, node: ast.expr | None) -> tuple[Any, bool, bool]:
        if node is None:
            return None, False, False
        try:
            value = ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            self.fault("python-signature", "a default must be a literal", node, "write the value itself")
            return None, False, True
        return value, value is not None, True

    def _annotation(self, node: ast.expr) -> tuple[str, str] | None:
        """('input' or 'output', type) of a parameter's annotation."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            bare = _unquoted(node.value, node) or node
            if isinstance(bare, ast.Subscript | ast.Call) or _last(bare) in {*ARTIFACT_TYPES, *_PATHS}:
                self._in_quotes(node)
                return None
            node = bare
        node = _given(node)
        match node:
            case ast.Subscript(value=head, slice=inner) if _last(head) in {"Input", "Output"}:
                type_ = self._type(inner)
                return (str(_last(head)).lower(), type_) if type_ else None
            case ast.Call(func=head, args=args) if _last(head) in _PATHS:
                type_ = self._path_type(args)
                return ("output" if _last(head) == "OutputPath" else "input", type_)
            case ast.Name() | ast.Attribute() if _last(node) in _PATHS:
                return "output" if _last(node) == "OutputPath" else "input", "Artifact"
            case _:
                type_ = self._type(node)
                return ("input", type_) if type_ else None

    def _in_quotes(self, node: ast.expr) -> None:
        """The executor looks at annotations as they are, and in a text it sees no artifact (dsl/executor.py)."""
        self.fault(
            "python-annotation", "KFP does not read an annotation in quotes", node, "remove the quotes"
        )

    def _path_type(self, args: Sequence[ast.expr]) -> str:
        match list(args):
            case [ast.Constant(value=str() as name)]:
                known = {"String": "string", "Integer": "int", "Float": "float", "Bool": "bool"}
                return known.get(name, name if name in ARTIFACT_TYPES else "Artifact")
            case [node]:
                return self._type(node) or "Artifact"
            case _:
                return "Artifact"

    def _type(self, node: ast.expr) -> str | None:
        name = _last(node)
        if name in PARAMETER_TYPES:
            return PARAMETER_TYPES[name]
        if name in ARTIFACT_TYPES:
            return name
        if name == "PipelineTaskFinalStatus":
            return "TaskFinalStatus"
        match node:
            case ast.Constant(value=str() as text):
                return self._quoted(text, node)
            case _ if (given := _given(node)) is not node:
                return self._type(given)
            case ast.Subscript(value=head, slice=inner) if _last(head) in {"List", "list"}:
                # Of `List[Dict[str, int]]` it is `Dict` that counts.
                kind = _last(inner.value if isinstance(inner, ast.Subscript) else inner) or ""
                item = PARAMETER_TYPES.get(kind) or (kind if kind in ARTIFACT_TYPES else None)
                return f"list<{item}>" if item else "list"
            case ast.Subscript(value=head) if _last(head) in {"Dict", "dict"}:
                return "dict"
            case _:
                known = ("str", "int", "float", "bool", "list", "dict", *ARTIFACT_TYPES)
                shown = ast.unparse(node)
                self.fault(
                    "python-annotation",
                    f"`{shown}` is no type that KFP knows",
                    node,
                    did_you_mean(shown, known, what="types"),
                )
                return None

    def _quoted(self, text: str, node: ast.expr) -> str | None:
        found = _unquoted(text, node)
        if found is None or isinstance(found, ast.Constant):
            help_ = "write the type itself, such as `int` or `Input[Dataset]`"
            self.fault("python-annotation", f"`{text}` is no type that KFP knows", node, help_)
            return None
        return self._type(found)

    def _returns(self, node: ast.expr | None) -> Iterator[Port]:
        if node is None or (isinstance(node, ast.Constant) and node.value is None):
            return
        if isinstance(node, ast.Call) and _last(node.func) == "NamedTuple":
            yield from self._fields(node)
            return
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            self._in_quotes(node)
            return
        inner = node.slice if isinstance(node, ast.Subscript) and _last(node.value) == "Output" else node
        type_ = self._type(inner)
        if type_:
            yield Port("Output", type_, self.span(node))

    def _fields(self, node: ast.Call) -> Iterator[Port]:
        pairs: list[tuple[str, ast.expr]] = [(k.arg, k.value) for k in node.keywords if k.arg]
        if len(node.args) > 1 and isinstance(node.args[1], ast.List | ast.Tuple):
            for item in node.args[1].elts:
                match item:
                    case ast.Tuple(elts=[ast.Constant(value=str() as name), kind]):
                        pairs.append((name, kind))
                    case _:
                        help_ = "write the name in quotes and its type: `('rows', int)`"
                        self.fault("python-signature", "a field is `('name', type)`", item, help_)
        for name, kind in pairs:
            type_ = self._type(kind)
            if type_:
                yield Port(name, type_, self.span(kind))

    def check_names(
        self, module: ast.Module, node: ast.FunctionDef | ast.AsyncFunctionDef, given: frozenset[str]
    ) -> None:
        """A name that only the module around the function binds is not there at run time."""
        try:
            tables = symtable.symtable(self._text, self.path, "exec").get_children()
        except (SyntaxError, ValueError, RecursionError):
            return
        table = next((t for t in tables if t.get_type() == "function" and t.get_name() == node.name), None)
        if table is None:
            return
        uses = {name.id: name for name in reversed(list(_uses(node)))}
        around = _bound(module)
        for name in sorted((set(_globals(table)) & uses.keys()) - given):
            if name in _GIVEN or hasattr(builtins, name) or name == node.name:
                continue
            message = f"`{name}` belongs to the module around `{node.name}`, and only the function travels"
            help_ = f"define `{name}` inside the function"
            if name not in around:
                message = f"`{name}` is not defined in `{node.name}`, and only the function travels"
                help_ = f"import or define `{name}` inside the function"
            elif around[name] == "import":
                help_ = f"move the import of `{name}` into the function"
            self.fault("python-outer-name", message, uses[name], help_)


def _described(ports: Sequence[Port], texts: Mapping[str, str]) -> tuple[Port, ...]:
    return tuple(replace(port, description=texts.get(port.name, "")) for port in ports)


def _uses(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.Name]:
    """The names that the body reads; python does not evaluate the annotation of a local variable."""
    pending: list[ast.AST] = [*reversed(node.body)]
    while pending:
        here = pending.pop()
        if isinstance(here, ast.Name) and isinstance(here.ctx, ast.Load):
            yield here
        annotation = here.annotation if isinstance(here, ast.AnnAssign) else None
        pending.extend(
            child for child in reversed(list(ast.iter_child_nodes(here))) if child is not annotation
        )


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    for symbol in table.get_symbols():
        if symbol.is_global() and symbol.is_referenced() and not symbol.is_assigned():
            yield symbol.get_name()
    for child in table.get_children():
        yield from _globals(child)


def _bound(module: ast.Module) -> dict[str, str]:
    bound: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.setdefault(node.name, "definition")
    for statement in module.body:
        for node in ast.walk(statement) if isinstance(statement, ast.If | ast.Try) else [statement]:
            if isinstance(node, ast.Import | ast.ImportFrom):
                bound.update({(a.asname or a.name).split(".")[0]: "import" for a in node.names})
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                bound.update(
                    {n.id: "definition" for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
                )
    return bound


def _unquoted(text: str, node: ast.expr) -> ast.expr | None:
    """An annotation in quotes as an expression that stands where the quotes stand."""
    try:
        found = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for part in ast.walk(found):
        ast.copy_location(part, node)
    return found


def _given(node: ast.expr) -> ast.expr:
    """What an annotation is where a value is given: `Optional[X]`, `Union[X, None]` and `X | None` are X."""
    match node:
        case ast.Subscript(value=head, slice=inner) if _last(head) == "Optional":
            return inner
        case ast.Subscript(value=head, slice=ast.Tuple(elts=[inner, ast.Constant(value=None)])) if (
            _last(head) == "Union"
        ):
            return inner
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            return left
        case _:
            return node


def _defaults(arguments: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    gap = len(positional) - len(arguments.defaults)
    for index, argument in enumerate(positional):
        yield argument, arguments.defaults[index - gap] if index >= gap else None
    yield from zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)


def _last(node: ast.expr) -> str | None:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr=name):
            return name
        case _:
            return None


def command(source: str, packages: Sequence[str], index_urls: Sequence[str], helper: str = "") -> list[str]:
    """The command of a lightweight component: install what it needs, write the text to a file, call the executor.

    The `helper` stands before the function's `source`.
    """
    before = f"\n\n{helper}\n" if helper else ""
    imports = "import kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *"
    program = f"\n{imports}{before}\n\n{source}\n"
    return [*_install(packages, index_urls), "sh", "-ec", _BOOTSTRAP, program]


def arguments(function: str) -> list[str]:
    """The arguments that go with `command`."""
    return ["--executor_input", "{{$}}", "--function_to_execute", function]


_BLANKS = " " * 25
_BOOTSTRAP = (
    "program_path=$(mktemp -d)\n\n"
    'printf "%s" "$0" > "$program_path/ephemeral_component.py"\n'
    f"_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main{_BLANKS}--component_module_path{_BLANKS}"
    f'"$program_path/ephemeral_component.py"{_BLANKS}"$@"\n'
)


def _install(packages: Sequence[str], index_urls: Sequence[str]) -> list[str]:
    options = ""
    if index_urls:
        flags = [f"--index-url {index_urls[0]}", *(f"--extra-index-url {url}" for url in index_urls[1:])]
        options = " ".join([*flags, *(f"--trusted-host {url}" for url in index_urls)]) + " "
    commands = []
    if packages:
        commands += [_pip(packages, options)]
    if not any(package.startswith("kfp") for package in packages):
        if commands:
            commands.append(" && ")
        commands.append(
            _pip([KFP_REQUIREMENT, "--no-deps", 'typing-extensions>=3.7.4,<5; python_version<"3.9"'], options)
        )
    script = (
        '\nif ! [ -x "$(command -v pip)" ]; then\n'
        "    python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip\n"
        f'fi\n\nPIP_DISABLE_PIP_VERSION_CHECK=1 {" ".join(commands)} && "$0" "$@"\n'
    )
    return ["sh", "-c", script]


def _pip(packages: Sequence[str], options: str) -> str:
    quoted = " ".join(repr(package) for package in packages)
    return f"python3 -m pip install --quiet --no-warn-script-location {options}{quoted}"
