"""Notebook components: the notebook, and the function that gives it its parameters.

KFP's notebook component is a python component whose function calls `dsl.run_notebook`. That function may be given, as
in the SDK; without one it is written here from the declared inputs and outputs: each is a variable of the notebook. An
artifact is the path of its data, an output parameter the path of the file that its value is written to, a final
status a map.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping as MappingOf
from dataclasses import replace

from kfgit import lightweight, notebook
from kfgit.diagnostics import has_errors
from kfgit.document import Mapping
from kfgit.lightweight import Function
from kfgit.model import ArtifactType, Input, Output, ParameterType, Python, StatusType, Type
from kfgit.notebook import Notebook
from kfgit.resolve.files import Files, named_file
from kfgit.resolve.python import python
from kfgit.resolve.reader import Reader
from kfgit.resolve.values import LONGEST_ARGUMENT

_ANNOTATIONS = {
    "string": "str",
    "int": "int",
    "float": "float",
    "bool": "bool",
    "list": "list",
    "dict": "dict",
}
# Names that the written function needs for itself.
_TAKEN = frozenset({"dsl", "vars"})


def notebook_component(
    reader: Reader,
    name: str,
    spec: Mapping,
    files: Files,
    inputs: MappingOf[str, Input],
    outputs: MappingOf[str, Output],
) -> tuple[Python, Function | None] | None:
    """The implementation, with its function where one is given; None for what cannot be read, which is told."""
    entry = spec.entries["notebook"]
    settings = reader.mapping(entry.node)
    found = _notebook(reader, settings, files) if settings is not None else None
    if settings is None or found is None:
        reader.broken = True
        return None
    _check_packages(reader, settings)
    given = settings.entries.get("python")
    if given is None:
        _check_names(reader, {**inputs, **outputs}, inputs, outputs)
        function = _identifier(name)
        text = _function(function, inputs, outputs)
        made = Python(function, text, lightweight.DEFAULT_IMAGE, (), (), entry.key_span)
        return _with_notebook(reader, made, settings, found), None
    read = python(reader, spec._replace(entries={**spec.entries, "python": given}), files, notebook.NAMES)
    if read is None:
        return None
    return _with_notebook(reader, read[0], settings, found), read[1]


def _notebook(reader: Reader, settings: Mapping, files: Files) -> Notebook | None:
    name = reader.name(settings.get("file"))
    if name is None:
        return None
    if not name.text.lower().endswith(".ipynb"):
        message = f"`{name.text}` is no notebook: KFP takes files that end in `.ipynb`"
        reader.fault("bad-format", message, name.span, "give the notebook's file")
        return None
    source = named_file(reader, settings.get("file"), files)
    if source is None:
        return None
    read = notebook.read(source)
    reader.faults += read.diagnostics
    reader.broken = reader.broken or has_errors(read.diagnostics)
    return read.value


def _with_notebook(reader: Reader, made: Python, settings: Mapping, found: Notebook) -> Python:
    image = settings.entries.get("baseImage")
    packages = (
        reader.strings(settings.get("packages")) if "packages" in settings.entries else notebook.PACKAGES
    )
    helper = notebook.helper(found.name, found.content)
    result = replace(
        made,
        base_image=(reader.string(image.node) if image is not None else None) or lightweight.DEFAULT_IMAGE,
        packages=packages,
        index_urls=reader.strings(settings.get("indexUrls")),
        image_span=image.node.span if image is not None else None,
        helper=helper,
    )
    if len(helper.encode()) + len(result.source.encode()) > LONGEST_ARGUMENT - _AROUND:
        message = f"`{found.name}` is too large: Linux passes no program of more than 128 KiB as one argument"
        help_ = "clear the outputs of its cells, and keep data in files of their own"
        reader.fault("notebook-too-large", message, settings.entries["file"].node.span, help_)
    return result


# What stands around helper and function: KFP's imports.
_AROUND = 200


def _check_packages(reader: Reader, settings: Mapping) -> None:
    """As in the SDK, packages that are given replace those that run notebooks, and KFP's default image has none."""
    packages = settings.entries.get("packages")
    if packages is None or "baseImage" in settings.entries:
        return
    names = {
        re.split(r"[^\w.-]", text, maxsplit=1)[0].lower().replace("_", "-")
        for text in reader.strings(packages.node)
    }
    for wanted in ("nbclient", "ipykernel"):
        if wanted not in names and "jupyter" not in names:
            help_ = "add `nbclient`, `ipykernel` and `jupyter_client`, or name a `baseImage` that has them"
            message = f"`packages` replaces those that run a notebook, and `{wanted}` is not among them"
            reader.warn("notebook-packages", message, packages.key_span, help_)
            return


def _check_names(
    reader: Reader,
    ports: MappingOf[str, Input | Output],
    inputs: MappingOf[str, Input],
    outputs: MappingOf[str, Output],
) -> None:
    """Inputs and outputs are variables of the notebook and parameters of one function."""
    for name, port in ports.items():
        if keyword.iskeyword(name) or name in _TAKEN:
            message = f"`{name}` cannot be a variable of the notebook"
            reader.fault("bad-name", message, port.span, "choose another name")
        elif name in inputs and name in outputs:
            message = f"`{name}` is an input and an output, and a notebook has one variable of a name"
            reader.fault("bad-name", message, outputs[name].span, "rename one of them")


def _identifier(name: str) -> str:
    found = re.sub(r"\W", "_", name, flags=re.ASCII)
    return (
        f"run_{found}" if keyword.iskeyword(found) or not found.isidentifier() or found in _TAKEN else found
    )


def _function(name: str, inputs: MappingOf[str, Input], outputs: MappingOf[str, Output]) -> str:
    """The text of the function; parameters with a default stand last, as python wants it."""
    wanted = [
        f"{port.name}: {_input_annotation(port.type)}" for port in inputs.values() if not _has_default(port)
    ]
    made = [f"{port.name}: {_output_annotation(port.type)}" for port in outputs.values()]
    optional = [
        f"{port.name}: {_input_annotation(port.type)} = {port.default!r}"
        for port in inputs.values()
        if _has_default(port)
    ]
    arguments = [*_given(inputs), *(f"{p.name}={_path(p)}" for p in outputs.values())]
    parameters = [*wanted, *made, *optional]
    return f"def {name}({_listed(parameters)}):\n    dsl.run_notebook({_listed(arguments, '    ')})\n"


def _has_default(port: Input) -> bool:
    return not port.required


def _listed(parts: list[str], indent: str = "") -> str:
    if not parts:
        return ""
    return "\n" + "".join(f"{indent}    {part},\n" for part in parts) + indent


def _given(inputs: MappingOf[str, Input]) -> Iterator[str]:
    for port in inputs.values():
        value = _value(port.name, port.type)
        if value != port.name and not port.required:
            value += f" if {port.name} is not None else None"
        yield f"{port.name}={value}"


def _value(name: str, type_: Type | None) -> str:
    match type_:
        case ArtifactType(many=True):
            return f"[one.path for one in {name}]"
        case ArtifactType():
            return f"{name}.path"
        case StatusType():
            return f"vars({name})"
        case _:
            return name


def _path(port: Output) -> str:
    return f"{port.name}.path" if isinstance(port.type, ArtifactType) else port.name


def _input_annotation(type_: Type | None) -> str:
    match type_:
        case ArtifactType(title, _, many):
            return f"Input[List[{_class(title)}]]" if many else f"Input[{_class(title)}]"
        case StatusType():
            return "PipelineTaskFinalStatus"
        case ParameterType(name, item):
            return f"List[{_ANNOTATIONS[item]}]" if item is not None else _ANNOTATIONS[name]
        case None:
            return "str"


def _output_annotation(type_: Type | None) -> str:
    match type_:
        case ArtifactType(title):
            return f"Output[{_class(title)}]"
        case _:
            return f"OutputPath({_input_annotation(type_)})"


def _class(title: str) -> str:
    """The class of KFP's own types; others have none in `kfp.dsl`, where an Artifact does as well."""
    name = title.removeprefix("system.")
    return name if name in lightweight.ARTIFACT_TYPES else "Artifact"
