"""What the database behind KFP keeps, looked at before anything is sent.

Where it refuses a text KFP answers 500, and has made a schedule's Kubernetes object already, which then stays where
nobody sees it (kubeflow/pipelines#10123). Names and descriptions have columns of so many characters, names of pipelines
and experiments so many bytes (validation/length.go). The connection is `charset=utf8` (client/sql.go), which to MySQL
and MariaDB is Unicode up to U+FFFF: an emoji is refused as "Incorrect string value" (seen with KFP 2.17.0).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kfgit.ir import Resource

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_NAME_BYTES = 128
_CHARACTERS = 255
_COLUMNS = ("display_name", "description", "service_account")


def kept(text: str) -> str:
    """A text for people as KFP can keep it."""
    return _ASTRAL.sub("\N{REPLACEMENT CHARACTER}", text)


def unfit(message: Mapping[str, Any], *, named: str | None = None) -> str | None:
    """Why a message cannot be kept, None where it can. `named` is the field with a name that is counted in bytes."""
    # A pipeline's spec is stored with escapes.
    said = {key: value for key, value in message.items() if key != "pipeline_spec"}
    return next(_problems(said, named), None)


def unfit_resource(desired: Resource) -> str | None:
    """The same of what is wanted, before its message can be written."""
    spec, named = desired.spec, "name" if desired.kind in {"Experiment", "Pipeline"} else None
    config = {"parameters": spec.get("inputs"), "pipeline_root": spec.get("pipelineRoot")}
    said = {
        named or "display_name": desired.name,
        "runtime_config": config,
        "service_account": spec.get("serviceAccount"),
    }
    return next(_problems({key: value for key, value in said.items() if value}, named), None)


def _problems(said: Mapping[str, Any], named: str | None) -> Iterator[str]:
    for key, value in said.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        found = _ASTRAL.search(text)
        if found is not None:
            yield (
                f"KFP's database keeps no characters beyond U+FFFF, such as `{found[0]}` in {_words(key, named)}: "
                "write it otherwise"
            )
        if key == named and len(text.encode()) > _NAME_BYTES:
            yield f"KFP keeps {_NAME_BYTES} bytes of a name, and this one has {len(text.encode())}"
        elif key in _COLUMNS and len(text) > _CHARACTERS:
            yield f"KFP keeps {_CHARACTERS} characters in {_words(key, named)}, and these are {len(text)}"


def _words(key: str, named: str | None) -> str:
    if key in {named, "display_name"}:
        return "a name"
    return {"runtime_config": "the inputs", "service_account": "the service account"}.get(key, f"the {key}")
