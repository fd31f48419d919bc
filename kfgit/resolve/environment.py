"""Environment variables in their four forms."""

from __future__ import annotations

from kfgit.document import Node, Scalar
from kfgit.model import ConfigMapKey, EnvValue, FieldPath, SecretKey
from kfgit.resolve.reader import Reader


def environment(reader: Reader, node: Node | None) -> dict[str, EnvValue]:
    """Environment variables in their four forms."""
    found: dict[str, EnvValue] = {}
    for key, entry in reader.entries(node):
        value = _env_value(reader, entry.node)
        if value is not None:
            found[key] = value
    return found


def _env_value(reader: Reader, node: Node) -> EnvValue | None:
    if isinstance(node, Scalar):
        text = reader.string(node)
        if text is not None and "$(" in text.replace("$$(", ""):
            message = "an environment value cannot hold a reference"
            reader.fault(
                "reference-not-allowed",
                message,
                node.span,
                "pass the value as an input; `$$(` writes the text itself",
            )
            return None
        return text.replace("$$(", "$(") if text is not None else None
    found = reader.mapping(node)
    if found is None:
        return None
    secret, config, path = (reader.string(found.get(key)) for key in ("secret", "configMap", "fieldPath"))
    key, optional = reader.string(found.get("key")), reader.boolean(found.get("optional")) or False
    if secret is not None and key is not None:
        return SecretKey(secret, key, optional)
    if config is not None and key is not None:
        return ConfigMapKey(config, key, optional)
    if path is not None:
        return FieldPath(path)
    reader.broken = True
    return None
