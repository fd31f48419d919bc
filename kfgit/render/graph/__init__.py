"""Pictures of a pipeline's DAG: `view` says what is drawn, each other verb is one format."""

from kfgit.render.graph.as_json import as_json
from kfgit.render.graph.dot import dot
from kfgit.render.graph.mermaid import mermaid
from kfgit.render.graph.svg import STYLE, svg
from kfgit.render.graph.text import text
from kfgit.render.graph.view import Edge, Graph, Node

__all__ = ["STYLE", "Edge", "Graph", "Node", "as_json", "dot", "mermaid", "svg", "text"]
