"""A package as the form that KFP's upload endpoints take (backend/src/apiserver/server/pipeline_upload_server.go)."""

from __future__ import annotations

import hashlib

import yaml

from kfgit.backend import MachineFault

# KFP's limit for the file of a pipeline (backend/src/apiserver/common/const.go, MaxFileLength).
MAX_BYTES = 32 * 2**20


def form(text: str) -> tuple[str, bytes]:
    """Content type and body of a form with the file `uploadfile`; raises `MachineFault` for what must not be sent.

    What is no YAML keeps KFP's server busy for ever (seen with 2.17.0), so it is read once more before it goes out.
    """
    content = text.encode()
    if len(content) > MAX_BYTES:
        raise MachineFault(
            f"the compiled pipeline has {len(content) / 2**20:.1f} MiB, and KFP takes {MAX_BYTES // 2**20} at most: "
            "split the pipeline, or let large values come from artifacts"
        )
    try:
        for _ in yaml.parse(content, Loader=_LOADER):
            pass
    except yaml.YAMLError as error:
        raise MachineFault(f"the package is no YAML and is not sent: {error}") from None
    # Of the content, so that no line of it can be the boundary, and so that equal packages are equal requests.
    boundary = f"kfgit-{hashlib.sha256(content).hexdigest()}"
    head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="uploadfile"; filename="pipeline.yaml"\r\n'
        "Content-Type: application/x-yaml\r\n\r\n"
    )
    return f"multipart/form-data; boundary={boundary}", b"".join(
        (head.encode(), content, f"\r\n--{boundary}--\r\n".encode())
    )


_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
