"""Stable bytes and digests: equal values give equal bytes, on every machine and in every run."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def dumps(value: Any) -> str:
    """JSON with sorted keys and no spaces; `1.0` and `1` differ, so keep numbers as they are meant."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """The sha256 of `dumps(value)`, in hex."""
    return hashlib.sha256(dumps(value).encode("utf-8", "surrogatepass")).hexdigest()
