from kfp import dsl


@dsl.component
def step():
    pass


@dsl.component
def flag() -> bool:
    return True


@dsl.pipeline(name='order')
def pipeline(wanted: str = 'yes'):
    first = step()
    second = step().after(first)
    third = step().after(first, second)
    third.set_display_name('The third step')
    with dsl.If(wanted == 'yes'):
        step().after(second)
    with dsl.ParallelFor([1, 2]):
        inner = step().after(third)
        step().after(inner)
    flag().after(third)
