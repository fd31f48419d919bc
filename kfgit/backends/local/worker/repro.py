"""`repro.sh`: an attempt to be run again by hand."""

from __future__ import annotations

import shlex

from kfgit.backends.local.worker.masking import Masker
from kfgit.backends.local.worker.program import Program
from kfgit.backends.local.worker.settings import AttemptPlace
from kfgit.backends.local.worker.variables import Variables


def repro(program: Program, variables: Variables, place: AttemptPlace) -> str:
    """A script that runs the attempt's program again. Secret values stand as `${NAME:?…}`, to be set by the reader."""
    masker = Masker(variables.secrets)
    lines = [
        "#!/bin/sh",
        "# Runs this attempt's program again, with what it got. Outputs go where the attempt's went.",
    ]
    lines += [
        f': "${{{name}:?set it: {source}}}"'
        for name, source in variables.hidden.items()
        if name.isidentifier()
    ]
    lines += [f"mkdir -p {shlex.quote(str(place.folder / 'tmp'))}", f"cd {shlex.quote(str(program.cwd))}"]
    # Another uid: what carries the attempt's is what it left behind, and is swept away.
    other = {"TMPDIR": str(place.folder / "tmp"), "KFP_POD_UID": f"{variables.uid}-again"}
    shown = {**program.env, **{name: value for name, value in other.items() if name in program.env}}
    own = (
        {} if program.container is not None else {n: v for n, v in shown.items() if n not in variables.hidden}
    )
    lines.append("exec env " + ("-i " if program.container is None else "") + "\\")
    lines += [f"  {shlex.quote(f'{name}={value}')} \\" for name, value in own.items()]
    lines += [f'  {name}="${name}" \\' for name in variables.hidden if name.isidentifier()]
    lines.append("  " + " ".join(shlex.quote(part) for part in program.argv))
    return masker.text("\n".join(lines) + "\n")
