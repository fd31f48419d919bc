"""An exit task that is told how what it watches ended; here it failed."""

from kfp import dsl
from kfp.dsl import PipelineTaskFinalStatus


@dsl.component
def work(text: str) -> str:
    print('worked')
    return text


@dsl.component
def fail(text: str):
    raise ValueError(f'no {text}')


@dsl.component
def tell(who: str, status: PipelineTaskFinalStatus) -> str:
    assert status.pipeline_job_resource_name
    assert 'no luck' in status.error_message or status.error_message
    return f'{who}: {status.pipeline_task_name} {status.state}'


@dsl.pipeline(name='exit-handler')
def pipeline(who: str = 'ops'):
    end = tell(who=who)
    with dsl.ExitHandler(end, name='watched'):
        worked = work(text='luck')
        fail(text=worked.output)
        work(text='never').after(worked)


ARGUMENTS = {'who': 'team'}
STATE = 'FAILED'
TASKS = {
    'exit-handler-1/work': 'SUCCEEDED',
    'exit-handler-1/fail': 'FAILED',
    'exit-handler-1': 'FAILED',
    'tell': 'SUCCEEDED',
}
OUTPUTS = {'tell.Output': 'team: exit-handler-1 FAILED'}
