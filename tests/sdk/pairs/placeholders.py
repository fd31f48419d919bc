from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output


@dsl.component
def say(text: str):
    pass


@dsl.container_component
def show(data: Input[Dataset], model: Output[Model], text: str):
    return dsl.ContainerSpec(
        image='busybox',
        command=['echo', data.metadata, data.metadata['rows'], data.path],
        args=[dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER, dsl.PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER, text, model.metadata['k']],
    )


@dsl.pipeline(name='placeholders')
def pipeline(data: Input[Dataset]):
    say(text=dsl.PIPELINE_JOB_ID_PLACEHOLDER)
    say(text=dsl.PIPELINE_JOB_NAME_PLACEHOLDER)
    say(text=dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER)
    say(text=dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER)
    say(text=dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER)
    say(text=dsl.PIPELINE_TASK_NAME_PLACEHOLDER)
    say(text=dsl.PIPELINE_TASK_ID_PLACEHOLDER)
    say(text=dsl.PIPELINE_ROOT_PLACEHOLDER)
    say(text=f'{dsl.PIPELINE_ROOT_PLACEHOLDER}/{dsl.PIPELINE_JOB_NAME_PLACEHOLDER}')
    show(data=data, text=dsl.PIPELINE_TASK_NAME_PLACEHOLDER)
