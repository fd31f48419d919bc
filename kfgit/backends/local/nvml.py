"""The NVIDIA devices of this machine, as its driver names them (NVML); a machine without the driver has none.

A GPU in MIG mode is no device of its own: CUDA runs on its instances alone, and so does the device plugin of
Kubernetes count them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

NVIDIA = "nvidia.com/"
WHOLE = f"{NVIDIA}gpu"


@dataclass(frozen=True, slots=True)
class Device:
    """A whole GPU or an instance of one: its UUID, the resource that Kubernetes would call it, bytes of memory."""

    uuid: str
    resource: str
    model: str
    memory: int


@dataclass(frozen=True, slots=True)
class Found:
    """What the driver knows. `fault` says why it could not be asked, if there is one that should have answered."""

    devices: tuple[Device, ...] = ()
    driver: str = ""
    fault: str = ""


def find(visible: str | None = None, nvml: Any = None) -> Found:
    """The devices that kfgit may use; `visible` is the CUDA_VISIBLE_DEVICES that it was started with, None without.

    `nvml` is there for tests of machines that nobody has at hand.
    """
    nvml = nvml or _nvml()
    try:
        with _library(nvml):
            gpus = [tuple(_devices(nvml, handle)) for handle in _handles(nvml)]
            return Found(_visible(gpus, visible), _text(nvml.nvmlSystemGetDriverVersion()))
    except (nvml.NVMLError_LibraryNotFound, nvml.NVMLError_DriverNotLoaded):
        return Found()
    except nvml.NVMLError as fault:
        return Found(fault=f"the NVIDIA driver does not answer: {fault}")


def _nvml() -> Any:
    import pynvml

    return pynvml


@contextmanager
def _library(nvml: Any) -> Iterator[None]:
    nvml.nvmlInit()
    try:
        yield
    finally:
        with suppress(nvml.NVMLError):
            nvml.nvmlShutdown()


def _handles(nvml: Any) -> Iterator[Any]:
    for index in range(nvml.nvmlDeviceGetCount()):
        # One that has fallen off the bus is left out; the others go on.
        with suppress(nvml.NVMLError):
            yield nvml.nvmlDeviceGetHandleByIndex(index)


def _devices(nvml: Any, handle: Any) -> Iterator[Device]:
    """The GPU itself, or in MIG mode its instances."""
    if not _in_mig_mode(nvml, handle):
        yield _device(nvml, handle, WHOLE)
        return
    for index in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        with suppress(nvml.NVMLError_NotFound, nvml.NVMLError_InvalidArgument):
            instance = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
            yield _device(nvml, instance, mig_resource(_name(nvml, instance)))


def _in_mig_mode(nvml: Any, handle: Any) -> bool:
    try:
        current, _ = nvml.nvmlDeviceGetMigMode(handle)
    except nvml.NVMLError:
        return False
    return bool(current == nvml.NVML_DEVICE_MIG_ENABLE)


def mig_resource(name: str) -> str:
    """`nvidia.com/mig-1g.10gb` for `NVIDIA H100 80GB HBM3 MIG 1g.10gb`: the device plugin's strategy `mixed`."""
    profile = re.search(r"MIG (\S+)\Z", name)
    return f"{NVIDIA}mig-{profile[1].replace('+', '.')}" if profile else f"{NVIDIA}mig"


def _device(nvml: Any, handle: Any, resource: str) -> Device:
    try:
        memory = int(nvml.nvmlDeviceGetMemoryInfo(handle).total)
    except nvml.NVMLError:
        memory = 0  # shared with the processor, as on Jetson
    return Device(_text(nvml.nvmlDeviceGetUUID(handle)), resource, _name(nvml, handle), memory)


def _name(nvml: Any, handle: Any) -> str:
    return _text(nvml.nvmlDeviceGetName(handle))


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _visible(gpus: list[tuple[Device, ...]], visible: str | None) -> tuple[Device, ...]:
    """As CUDA reads its variable: indexes or the beginnings of UUIDs; the first that names nothing ends the list."""
    if visible is None:
        return tuple(device for devices in gpus for device in devices)
    chosen: dict[Device, None] = {}
    for word in (part.strip() for part in visible.split(",")):
        named = _named(gpus, word)
        if not named:
            break
        chosen.update(dict.fromkeys(named))
    return tuple(chosen)


def _named(gpus: list[tuple[Device, ...]], word: str) -> tuple[Device, ...]:
    if word.isascii() and word.isdigit():
        return gpus[int(word[:6])] if int(word[:6]) < len(gpus) else ()
    found = [device for devices in gpus for device in devices if device.uuid.startswith(word)]
    return tuple(found) if len(found) == 1 and word.startswith(("GPU-", "MIG-")) else ()
