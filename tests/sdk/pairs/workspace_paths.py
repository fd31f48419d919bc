from kfp import dsl


@dsl.container_component
def clone(repo: str, to: str):
    return dsl.ContainerSpec(image='alpine/git', command=['git', 'clone'], args=[repo, to])


@dsl.component
def use(path: str) -> str:
    return path


@dsl.pipeline(name='inner')
def inner(path: str):
    use(path=f'{path}/inner')


CLAIM = dsl.KubernetesWorkspaceConfig(pvcSpecPatch={'accessModes': ['ReadWriteMany'], 'storageClassName': 'fast'})


@dsl.pipeline(
    name='workspace-paths',
    pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size='100Gi', kubernetes=CLAIM)),
)
def pipeline(branch: str = 'main'):
    cloned = clone(repo='r', to=dsl.WORKSPACE_PATH_PLACEHOLDER)
    use(path=f'{dsl.WORKSPACE_PATH_PLACEHOLDER}/src/{branch}').after(cloned)
    use(path=dsl.WORKSPACE_PATH_PLACEHOLDER + '/a ' + dsl.WORKSPACE_PATH_PLACEHOLDER)
    with dsl.ParallelFor(['x', 'y']) as part:
        use(path=f'{dsl.WORKSPACE_PATH_PLACEHOLDER}/{part}')
    inner(path=dsl.WORKSPACE_PATH_PLACEHOLDER)
