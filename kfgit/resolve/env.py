"""Environment variables in their four forms."""

from __future__ import annotations

from kfgit import references
from kfgit.document import Node, Scalar
from kfgit.model import ConfigMapKey, EnvValue, FieldPath, SecretKey
from kfgit.resolve.reader import Reader
from kfgit.resolve.secrets import is_secret

_REFERENCE_HELP = "write `{secret: NAME, key: KEY}`; locally it is read from `.kfgit/secrets/NAME.env`"


def env_of(reader: Reader, node: Node | None) -> dict[str, EnvValue]:
    """Environment variables in their four forms."""
    found: dict[str, EnvValue] = {}
    for key, entry in reader.entries(node):
        value = _env_value(reader, entry.node)
        if isinstance(value, str) and is_secret(key, value):
            message = f"`{key}` holds a secret, which would be in git and in every compiled package"
            reader.fault("literal-secret", message, entry.node.span, _REFERENCE_HELP)
        if value is not None:
            found[key] = value
    return found


def _env_value(reader: Reader, node: Node) -> EnvValue | None:
    if isinstance(node, Scalar):
        text = reader.string(node)
        if text is not None and _is_reference(
            reader, node, "pass the value as an input; `$$(` writes the text itself"
        ):
            return None
        return text.replace("$$(", "$(") if text is not None else None
    found = reader.mapping(node)
    if found is None:
        return None
    help_ = "in a task's `kubernetes` block the names of Secrets and ConfigMaps may be references"
    if [e for e in found.entries.values() if _is_reference(reader, e.node, help_)]:
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


def _is_reference(reader: Reader, node: Node, help_: str) -> bool:
    """Whether a text holds a reference, which is told."""
    text = node.value if isinstance(node, Scalar) else None
    if not isinstance(text, str) or not references.has_reference(text):
        return False
    reader.fault("reference-not-allowed", "an environment value cannot hold a reference", node.span, help_)
    return True
