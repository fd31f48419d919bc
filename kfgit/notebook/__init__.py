"""Jupyter notebooks as KFP's notebook components: read as JSON, checked, and packed for the program that runs them.

    .ipynb → JSON → cells (`reading`) → archive (`archive`) → the text that a component carries (`program`)

Nothing is executed here. What KFP's SDK does with a notebook (kfp 2.17.0, dsl/component_factory.py,
create_notebook_component_from_func; dsl/templates/notebook_executor.py) is done the same way: the file travels in the
program, parameters come in by a cell of their own, and `dsl.run_notebook` runs it. The program's text is kfgit's own,
so that a failure names its cell; the archive has neither times nor owners, so equal notebooks give equal bytes.
"""

from __future__ import annotations

from kfgit.notebook.program import NAMES, helper
from kfgit.notebook.reading import Notebook, read

__all__ = ["NAMES", "PACKAGES", "Notebook", "helper", "read"]

# What runs a notebook, where a component does not say which packages it needs.
PACKAGES = ("nbclient>=0.10,<1", "ipykernel>=6,<7", "jupyter_client>=7,<9")
