"""If, Elif, Else, and what the one that was taken gives."""

from kfp import dsl


@dsl.component
def grade(points: int) -> int:
    return points // 10


@dsl.component
def say(word: str) -> str:
    return f'it is {word}'


@dsl.pipeline(name='inner')
def chosen(points: int) -> str:
    graded = grade(points=points)
    with dsl.If(graded.output >= 9, name='great'):
        great = say(word='great')
    with dsl.Elif(graded.output >= 5, name='fine'):
        fine = say(word='fine')
    with dsl.Else(name='poor'):
        poor = say(word='poor')
    return dsl.OneOf(great.output, fine.output, poor.output)


@dsl.pipeline(name='branches')
def pipeline(points: int) -> str:
    which = chosen(points=points)
    with dsl.If(which.output == 'it is great'):
        say(word='never said')
    return say(word=which.output).output


ARGUMENTS = {'points': 70}
TASKS = {
    'inner/grade': 'SUCCEEDED',
    'inner/condition-branches-1/condition-2/say': 'SKIPPED',
    'inner/condition-branches-1/condition-3/say-2': 'SUCCEEDED',
    'inner/condition-branches-1/condition-4/say-3': 'SKIPPED',
    'condition-1/say': 'SKIPPED',
    'say-2': 'SUCCEEDED',
}
OUTPUTS = {'Output': 'it is it is fine'}
