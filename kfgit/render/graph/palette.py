"""The colours of the picture, as the style sheet that every SVG carries.

Light unless the reader prefers dark. The sheet is one constant, so a page with a strict content security policy can
allow it by its hash. Every rule begins with `.kfg`: nothing leaks into a page that the SVG is inlined in. Colours
never speak alone: kinds have marks and states have signs. Text has a contrast
of at least 4.5 to 1 on what it stands on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_KINDS: Final = {
    "task": ("#57606a", "#9198a1"),
    "import": ("#0f766e", "#39c5cf"),
    "pipeline": ("#0969da", "#58a6ff"),
    "loop": ("#7c3aed", "#b18aff"),
    "switch": ("#9a5b00", "#d9a441"),
    "branch": ("#9a5b00", "#d9a441"),
    "exit": ("#b0307f", "#f778ba"),
}
_STATES: Final = {
    "added": (("#1a7f37", "#eefbf1"), ("#3fb950", "#12261e")),
    "changed": (("#9a6700", "#fff9e5"), ("#d29922", "#272115")),
    "removed": (("#c0212b", "#fff1f0"), ("#f85149", "#2b181a")),
}
_LIGHT: Final = {
    "page": "#ffffff",
    "card": "#ffffff",
    "rim": "#cfd6de",
    "even": "#f6f8fa",
    "odd": "#ffffff",
    "name": "#1f2328",
    "detail": "#59636e",
    "line": "#8793a0",
}
_DARK: Final = {
    "page": "#0d1117",
    "card": "#1b222b",
    "rim": "#3b444f",
    "even": "#131920",
    "odd": "#0d1117",
    "name": "#e9eef3",
    "detail": "#9aa4ae",
    "line": "#66717d",
}
_SHAPES: Final = (
    '.kfg text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}',
    ".kfg .title{font-size:18px;font-weight:600}",
    ".kfg .name{font-size:13px;font-weight:600}",
    ".kfg .detail{font-size:11px}",
    ".kfg .when{font-size:10.5px}",
    ".kfg .small{font-size:10px}",
    ".kfg .key{font-size:11px;font-weight:600}",
    ".kfg .sign{font-size:12px;font-weight:700;text-anchor:middle}",
    ".kfg .middle{text-anchor:middle}",
    ".kfg .mark{fill:none;stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round}",
    ".kfg .edge path{fill:none;stroke-width:1.4}",
    ".kfg .after path,.kfg .rule,.kfg .exit>.card,.kfg .branch>.card,.kfg .removed>.card{stroke-dasharray:4 3}",
    ".kfg .edge .head{stroke:none;stroke-dasharray:none}",
    ".kfg .label{font-size:10px;text-anchor:middle}",
    ".kfg .removed>.name{text-decoration:line-through}",
)


def _theme(colours: Mapping[str, str], kind: int) -> str:
    rules = [
        f".kfg .page{{fill:{colours['page']}}}",
        f".kfg .card{{fill:{colours['card']};stroke:{colours['rim']}}}",
        f".kfg .even>.card{{fill:{colours['even']}}}.kfg .odd>.card{{fill:{colours['odd']}}}",
        f".kfg .title,.kfg .name{{fill:{colours['name']}}}",
        f".kfg .detail,.kfg .key,.kfg .small,.kfg .label{{fill:{colours['detail']}}}",
        f".kfg .ground{{fill:{colours['odd']}}}.kfg .ground.on-even{{fill:{colours['even']}}}",
        f".kfg .edge path,.kfg .rule{{stroke:{colours['line']}}}",
        f".kfg .edge .head{{fill:{colours['line']}}}",
        f".kfg .frame{{fill:{colours['even']};stroke:{colours['rim']}}}",
        f".kfg .when{{fill:{_KINDS['switch'][kind]}}}",
    ]
    rules += [f".kfg .{name}>.mark{{stroke:{pair[kind]}}}" for name, pair in _KINDS.items()]
    rules += [
        f".kfg .{name}>.card{{stroke:{pair[kind][0]}}}.kfg .leaf.{name}>.card{{fill:{pair[kind][1]}}}"
        f".kfg .{name}>.sign{{fill:{pair[kind][0]}}}"
        for name, pair in _STATES.items()
    ]
    return "".join(rules)


STYLE: Final = (
    "".join(_SHAPES) + _theme(_LIGHT, 0) + "@media (prefers-color-scheme:dark){" + _theme(_DARK, 1) + "}"
)
"""The content of the style element, to the byte."""

SIGNS: Final = {"": "", "added": "+", "changed": "~", "removed": "−"}

MARKS: Final = {
    "task": "M8 1.8l5.4 3.1v6.2L8 14.2l-5.4-3.1V4.9z",
    "import": "M8 1.8v7.7M4.8 6.5L8 9.7l3.2-3.2M2.2 10.5v3.2h11.6v-3.2",
    "pipeline": "M2.2 2.2h11.6v11.6H2.2zM5.8 5.8h4.4v4.4H5.8z",
    "loop": "M13.3 8.4A5.3 5.3 0 1 1 11.6 4.1M11.9 1.2v3.1H8.8",
    "switch": "M8 1.6L14.4 8L8 14.4L1.6 8z",
    "branch": "M2.5 8h10.5M9.4 4.4L13 8L9.4 11.6",
    "exit": "M8 1.8v6M4.8 4.1a5.4 5.4 0 1 0 6.4 0",
}
"""A small drawing for each kind, 16 by 16."""
