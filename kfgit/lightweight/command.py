"""The command KFP runs a lightweight component with.

It is that of the SDK (kfp 2.17.0, dsl/component_factory.py), byte for byte, since engines and caches recognise it.
"""

from __future__ import annotations

from collections.abc import Sequence

_REQUIREMENT = "kfp==2.17.0"


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
            _pip([_REQUIREMENT, "--no-deps", 'typing-extensions>=3.7.4,<5; python_version<"3.9"'], options)
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
