"""What KFP tells a task about the run it is in."""

from kfp import dsl


@dsl.component
def told(job: str, resource: str, id: str, task: str, task_id: str, created: str, scheduled: str, root: str) -> dict:
    return dict(
        job=job,
        resource=resource,
        id=id,
        task=task,
        task_id=task_id,
        created=created,
        scheduled=scheduled,
        root=root,
    )


@dsl.pipeline(name='placeholders')
def pipeline(prefix: str = 'run') -> dict:
    return told(
        job=f'{prefix} {dsl.PIPELINE_JOB_NAME_PLACEHOLDER}',
        resource=dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
        id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        task=dsl.PIPELINE_TASK_NAME_PLACEHOLDER,
        task_id=dsl.PIPELINE_TASK_ID_PLACEHOLDER,
        created=dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER,
        scheduled=dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER,
        root=dsl.PIPELINE_ROOT_PLACEHOLDER,
    ).output


ARGUMENTS = {}
TASKS = {'told': 'SUCCEEDED'}
