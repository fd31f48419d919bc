"""Puts a scale into a template's tree, where it makes, joins, slices or compares values without calling anything."""

from __future__ import annotations

from typing import Any

WEIGHED = "__weighed__"


def weigh(tree: Any) -> None:
    """Lets everything that the tree's own operators take be paid for; `WEIGHED` must be in its scope."""
    from jinja2 import nodes  # noqa: PLC0415 - 40 ms that only templates need
    from jinja2.visitor import NodeTransformer  # noqa: PLC0415 - see above

    def scale(node: Any) -> Any:
        called = nodes.Name(WEIGHED, "load", lineno=node.lineno)
        return nodes.Call(called, [node], [], None, None, lineno=node.lineno)

    class Weighing(NodeTransformer):
        """Method names are Jinja's."""

        def visit_List(self, node: Any) -> Any:  # noqa: N802 - see above
            return scale(self.generic_visit(node))

        visit_Dict = visit_List  # noqa: N815 - see above

        def visit_Tuple(self, node: Any) -> Any:  # noqa: N802 - see above
            self.generic_visit(node)
            return scale(node) if node.ctx == "load" else node

        def visit_Concat(self, node: Any) -> Any:  # noqa: N802 - see above
            self.generic_visit(node)
            node.nodes = [scale(part) for part in node.nodes]
            return scale(node)

        def visit_Compare(self, node: Any) -> Any:  # noqa: N802 - see above
            self.generic_visit(node)
            node.expr = scale(node.expr)
            for operand in node.ops:
                operand.expr = scale(operand.expr)
            return node

        def visit_Getitem(self, node: Any) -> Any:  # noqa: N802 - see above
            self.generic_visit(node)
            if isinstance(node.arg, nodes.Slice):
                node.node = scale(node.node)
            return node

    Weighing().visit(tree)
