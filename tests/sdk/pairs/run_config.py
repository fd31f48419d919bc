from kfp import dsl


@dsl.component
def step(text: str = 'x') -> str:
    return text


CONFIG = dsl.PipelineConfig(
    workspace=dsl.WorkspaceConfig(size='1.5Gi'),
    ttl_seconds_after_finished=7 * 86400,
    ttl_seconds_after_success=86400,
    ttl_seconds_after_failure=14 * 86400,
    active_deadline_seconds=5400,
)


@dsl.pipeline(name='run-config', pipeline_config=CONFIG, pipeline_root='s3://bucket/root')
def pipeline():
    step()
