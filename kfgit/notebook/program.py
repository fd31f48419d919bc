"""The text around a component's function that makes `dsl.run_notebook` run the notebook in it.

It needs what the component installs (nbclient, ipykernel, jupyter_client) and KFP's `dsl`, and is written for any
Python that KFP supports. Parameters follow papermill: an `injected-parameters` cell stands after the cell tagged
`parameters`, else before all others. The names that begin with `__KFP` are those of KFP's SDK, which functions may use.
"""

from __future__ import annotations

import base64

from kfgit.notebook.archive import tar_gz

# What the SDK puts around the function of a notebook component (dsl/templates/notebook_executor.py).
NAMES = (
    "__KFP_EMBEDDED_ARCHIVE_B64", "__KFP_EMBEDDED_ASSET_DIR", "__KFP_EMBEDDED_ASSET_FILE", "__KFP_NOTEBOOK_REL_PATH",
)  # fmt: skip

_RUNNER = '''
import base64 as __kfp_base64
import io as __kfp_io
import os as __kfp_os
import re as __kfp_re
import sys as __kfp_sys
import tarfile as __kfp_tarfile
import tempfile as __kfp_tempfile

__kfp_folder = __kfp_tempfile.TemporaryDirectory()
__KFP_EMBEDDED_ASSET_DIR = __kfp_folder.name
__KFP_EMBEDDED_ASSET_FILE = __kfp_os.path.join(__KFP_EMBEDDED_ASSET_DIR, __KFP_NOTEBOOK_REL_PATH)
with __kfp_tarfile.open(
    fileobj=__kfp_io.BytesIO(__kfp_base64.b64decode(__KFP_EMBEDDED_ARCHIVE_B64)), mode='r:gz'
) as __kfp_archive:
    __kfp_archive.extractall(__KFP_EMBEDDED_ASSET_DIR)
__kfp_sys.path.insert(0, __KFP_EMBEDDED_ASSET_DIR)


def _kfp_injected(notebook, parameters):
    """Puts a cell with the parameters into the notebook and returns its place, None without parameters."""
    import nbformat

    if not parameters:
        return None
    tagged = [
        number
        for number, cell in enumerate(notebook.cells)
        if cell.cell_type == 'code' and 'parameters' in cell.metadata.get('tags', [])
    ]
    place = tagged[0] + 1 if tagged else 0
    text = ''.join(f'{name} = {value!r}\\n' for name, value in parameters.items())
    cell = nbformat.v4.new_code_cell(text, metadata={'tags': ['injected-parameters']})
    notebook.cells.insert(place, cell)
    return place


def _kfp_show(output):
    """Prints what a cell gives out while the notebook runs, so that it is in the log."""
    if output.output_type == 'stream':
        print(output.text, end='', flush=True)
    elif output.output_type == 'error':
        traceback = '\\n'.join(output.traceback)
        print(__kfp_re.sub(r'\\x1b\\[[0-9;]*m', '', traceback), file=__kfp_sys.stderr, flush=True)
    else:
        for kind in ('text/plain', 'application/json', 'text/markdown'):
            if kind in output.data:
                print(output.data[kind], flush=True)
                break


def _kfp_run_notebook(**parameters):
    """Runs the notebook of this component with these variables set; raises RuntimeError naming the cell that fails."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    class Client(NotebookClient):
        def process_message(self, msg, cell, cell_index):
            output = super().process_message(msg, cell, cell_index)
            if output is not None:
                _kfp_show(output)
            return output

    notebook = nbformat.read(__KFP_EMBEDDED_ASSET_FILE, as_version=4)
    injected = _kfp_injected(notebook, parameters)
    begun = []
    client = Client(
        notebook, timeout=None, kernel_name='python3', on_cell_start=lambda cell, cell_index: begun.append(cell_index)
    )
    try:
        client.execute(cwd=__KFP_EMBEDDED_ASSET_DIR)
    except CellExecutionError as fault:
        index = begun[-1]
        if index == injected:
            where = 'the cell with the parameters'
        else:
            where = f'cell {index if injected is not None and index > injected else index + 1}'
        raise RuntimeError(f'{where} of {__KFP_NOTEBOOK_REL_PATH} failed: {fault.ename}: {fault.evalue}') from None


dsl.run_notebook = _kfp_run_notebook'''


def helper(name: str, content: bytes) -> str:
    """The text that stands before the function of a component which runs this notebook."""
    archive = base64.b64encode(tar_gz(name, content)).decode("ascii")
    return f"__KFP_EMBEDDED_ARCHIVE_B64 = '{archive}'\n__KFP_NOTEBOOK_REL_PATH = {name!r}\n{_RUNNER}"
