"""Values that stand in a package, against the types of its parameters."""

from __future__ import annotations

from kfgit.document import Mapping, Node, Scalar, Sequence


def fits(node: Node, type_: str) -> bool:
    """Whether a value is one of an IR type; placeholders and unknown types are taken on trust.

    KFP's SDK passes texts on to inputs of other types where a placeholder is in them, and JSON for lists and structs.
    """
    if isinstance(node, Scalar) and (
        node.value is None or (isinstance(node.value, str) and "{{$" in node.value)
    ):
        return True
    value = node.value if isinstance(node, Scalar) else None
    match type_:
        case "STRING":
            return isinstance(value, str)
        case "BOOLEAN":
            return isinstance(value, bool)
        case "NUMBER_INTEGER":
            return (
                isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer()
            )
        case "NUMBER_DOUBLE":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "LIST":
            return isinstance(node, Sequence)
        case "STRUCT":
            return isinstance(node, Mapping)
        case _:
            return True
