"""KFP's volume components, which have an image that does not exist."""

from __future__ import annotations

from kfgit.backends.local import launcher
from kfgit.backends.local.protocol import Execute, Outputs
from kfgit.backends.local.worker.settings import WorkerSettings

VOLUME_IMAGES = ("argostub/createpvc", "argostub/deletepvc")


def volume_outputs(image: str, command: Execute, settings: WorkerSettings) -> Outputs:
    """`CreatePVC` and `DeletePVC` have no program: KFP's driver does their work (`driver/k8s.go`). None is made."""
    if image == "argostub/deletepvc":
        return Outputs()
    name = (
        command.parameters.get("pvc_name")
        or f"{settings.run_name}{command.parameters.get('pvc_name_suffix') or ''}"
    )
    return Outputs({output: str(name) for output in launcher.output_parameters(command)})
