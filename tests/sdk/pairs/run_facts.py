from kfp import dsl, kubernetes


@dsl.component
def step(id: str, name: str, created: str, scheduled: str):
    pass


@dsl.component
def tell(status: dsl.PipelineTaskFinalStatus, run: str):
    pass


@dsl.pipeline(name='nested')
def nested(id: str):
    step(id=id, name='n', created='c', scheduled=dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER)


@dsl.pipeline(name='run-facts', pipeline_config=dsl.PipelineConfig(active_deadline_seconds=1))
def pipeline(id: str = 'x'):
    last = tell(run=dsl.PIPELINE_JOB_NAME_PLACEHOLDER)
    kubernetes.set_timeout(last, 30)
    with dsl.ExitHandler(last):
        with dsl.If(id == 'x'):
            step(
                id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
                name=dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
                created=dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER,
                scheduled=dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER,
            )
        nested(id=dsl.PIPELINE_JOB_ID_PLACEHOLDER)
