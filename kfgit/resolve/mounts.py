"""What cannot be together in one pod: paths, volumes and variables of a `kubernetes` block.

KFP's driver names a volume after the Secret, ConfigMap or claim that it holds, and merges volumes by name and mounts
by path into the pod that it prepared (backend/src/v2/driver/k8s.go; compiler/argocompiler/container.go). So two of the
same name silently become one, or a pod that Kubernetes refuses.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from kfgit.diagnostics import Related
from kfgit.model import Kubernetes, Literal_, Name, Value
from kfgit.resolve.reader import Reader
from kfgit.source import Span

# What KFP puts into every pod (compiler/argocompiler/container.go, component/constants.go).
_KFP_PATHS = frozenset("/kfp-launcher /gcs /s3 /minio /.local /.cache /.config /kfp-workspace".split())
_KFP_VOLUMES = frozenset(
    "kfp-launcher ca-bundle gcs-scratch s3-scratch minio-scratch dot-local-scratch dot-cache-scratch"
    " dot-config-scratch kfp-workspace".split()
)
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")


class _Mount(NamedTuple):
    """A path in the container and the volume behind it; `volume` is None where only the run knows its name."""

    path: Name
    volume: Name | None
    kind: str


def check_together(reader: Reader, block: Kubernetes, variables: Collection[str]) -> None:
    """Tells what is contradictory or impossible; `variables` are those of `env` beside the block."""
    mounts = list(_mounts(block))
    paths: dict[str, Span] = {}
    for mount in mounts:
        _path(reader, mount, paths)
    _volumes(reader, mounts)
    for claim in block.claims:
        if claim.sub_path is not None:
            _sub_path(reader, claim.sub_path)
    _variables(reader, block, variables)
    for size in (*(v.size for v in block.ephemeral_volumes), *(d.size_limit for d in block.empty_dirs)):
        if size is not None:
            check_size(reader, size)
    _user(reader, block)


def check_size(reader: Reader, size: Name) -> None:
    """A volume of no bytes is refused by Kubernetes."""
    if re.match(r"[0.]+[A-Za-z]*\Z", size.text):
        reader.fault(
            "out-of-range", "a volume has a size above zero", size.span, "write a size such as `10Gi`"
        )


def check_access_modes(reader: Reader, modes: Collection[str], span: Span) -> None:
    """One pod alone, or nodes: not both (ValidatePersistentVolumeClaimSpec in Kubernetes' API server)."""
    if "ReadWriteOncePod" in modes and len(set(modes)) > 1:
        message = "`ReadWriteOncePod` goes with no other access mode"
        reader.fault("bad-access-modes", message, span, "keep it alone, or leave it out")


def _mounts(block: Kubernetes) -> Iterator[_Mount]:
    for kind, sources in (("Secret", block.secrets), ("ConfigMap", block.config_maps)):
        for source in sources:
            if source.mount_path is not None:
                yield _Mount(source.mount_path, _literal(source.name), kind)
    for claim in block.claims:
        yield _Mount(claim.mount_path, _literal(claim.name), "claim")
    for volume in block.ephemeral_volumes:
        yield _Mount(volume.mount_path, volume.name, "ephemeral volume")
    for folder in block.empty_dirs:
        yield _Mount(folder.mount_path, folder.name, "empty folder")


def _literal(name: Value) -> Name | None:
    match name:
        case Literal_(value=str(text), span=span):
            return Name(text, span)
        case _:
            return None


def _path(reader: Reader, mount: _Mount, paths: dict[str, Span]) -> None:
    text, span = mount.path
    path = posixpath.normpath(text)
    if path in {"/", "//"}:
        message = "a volume at `/` would hide the image"
        reader.fault("bad-mount", message, span, "mount it at a folder such as `/data`")
    elif ":" in text or ".." in text.split("/"):
        what = "`:`" if ":" in text else "`..`"
        reader.fault("bad-mount", f"a mount path cannot hold {what}", span, "write a plain absolute path")
    elif path in _KFP_PATHS:
        message = f"`{path}` is where KFP keeps files of its own in every pod"
        reader.fault("bad-mount", message, span, "choose another path")
    elif path in paths:
        related = Related("the other one stands here", paths[path])
        message = f"two volumes are mounted at `{path}`"
        reader.fault("duplicate-mount", message, span, "choose another path", related)
    paths.setdefault(path, span)


def _volumes(reader: Reader, mounts: list[_Mount]) -> None:
    """Mounting the same claim, Secret or ConfigMap twice is fine: KFP makes one volume of both."""
    seen: dict[str, _Mount] = {}
    for mount in mounts:
        volume = mount.volume
        if volume is None:
            continue
        if not _LABEL.match(volume.text):
            message = f"the {mount.kind} `{volume.text[:40]}` cannot be mounted under its name"
            help_ = "KFP names the volume after it, and a volume's name has no dots and at most 63 characters"
            reader.fault("bad-mount", message, volume.span, help_)
        elif volume.text in _KFP_VOLUMES:
            message = f"KFP has a volume `{volume.text}` of its own in every pod"
            reader.fault("bad-mount", message, volume.span, "choose another name")
        first = seen.setdefault(volume.text, mount)
        named_here = mount.kind in {"ephemeral volume", "empty folder"}
        if first is not mount and first.volume is not None and (named_here or first.kind != mount.kind):
            message = f"the {mount.kind} `{volume.text}` and the {first.kind} of that name become one volume in the pod"
            related = Related("the other one stands here", first.volume.span)
            reader.fault("duplicate-volume", message, volume.span, "choose another name", related)


def _sub_path(reader: Reader, path: Name) -> None:
    if path.text.startswith("/") or ".." in path.text.split("/"):
        message = "a sub-path is a folder inside the volume"
        reader.fault("bad-mount", message, path.span, "write it without a leading `/` and without `..`")


def _variables(reader: Reader, block: Kubernetes, beside: Collection[str]) -> None:
    seen: dict[str, Span] = {}
    pairs = [pair for source in (*block.secrets, *block.config_maps) for pair in source.variables]
    for name, _ in (*pairs, *block.field_paths):
        if name.text in beside:
            message = f"the variable `{name.text}` is set by `env` too"
            reader.fault("duplicate-variable", message, name.span, "keep one of them")
        elif name.text in seen:
            message = f"the variable `{name.text}` is set twice"
            related = Related("it is set here too", seen[name.text])
            reader.fault("duplicate-variable", message, name.span, "keep one of them", related)
        seen.setdefault(name.text, name.span)


def _user(reader: Reader, block: Kubernetes) -> None:
    context = block.security_context
    if context is not None and context.run_as_user == 0 and context.run_as_non_root:
        message = "`runAsUser: 0` is root, which `runAsNonRoot` refuses"
        reader.fault("bad-security-context", message, context.span, "choose another user")
