"""A folder that the tasks of a run share."""

from kfp import dsl


@dsl.component
def put(folder: str, text: str):
    open(folder + '/note', 'w').write(text)


@dsl.component
def take(folder: str) -> str:
    return open(folder + '/note').read()


@dsl.pipeline(
    name='workspace', pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size='1Gi'))
)
def pipeline(text: str = 'shared') -> str:
    written = put(folder=dsl.WORKSPACE_PATH_PLACEHOLDER, text=text)
    return take(folder=dsl.WORKSPACE_PATH_PLACEHOLDER).after(written).output


ARGUMENTS = {}
TASKS = {'put': 'SUCCEEDED', 'take': 'SUCCEEDED'}
OUTPUTS = {'Output': 'shared'}
