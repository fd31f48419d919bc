from kfp import dsl


@dsl.component
def say(text: str, other: str = '') -> str:
    return text


@dsl.component
def count() -> int:
    return 1


@dsl.component
def share() -> float:
    return 0.5


@dsl.component
def flag() -> bool:
    return True


@dsl.pipeline(name='inner')
def inner(text: str) -> str:
    return say(text=f'<{text}>').output


@dsl.pipeline(name='texts')
def pipeline(who: str, n: int, x: float, on: bool):
    a, b, c = count().output, share().output, flag().output
    say(text=f'{who}{n}{x}{on}')
    one = say(text=f'{a} {b} {c} {a}', other=who)
    say(text=f'é "{who}" \\ {{}} $HOME ${{X}} %s\n{who}')
    inner(text=f'{one.output}/{who}')
    with dsl.If(who == 'a'):
        say(text=f'{one.output} and {who}')
        with dsl.ParallelFor([1, 2]) as item:
            two = say(text=f'{item} of {n}: {one.output}', other=f'item {item}')
            say(text=f'-{two.output}-')
