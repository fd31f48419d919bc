from kfp import dsl


@dsl.component
def word() -> str:
    return 'a'


@dsl.component
def number() -> int:
    return 1


@dsl.component
def share() -> float:
    return 0.5


@dsl.component
def flag() -> bool:
    return True


@dsl.component
def say(text: str):
    pass


@dsl.pipeline(name='comparisons')
def pipeline(text: str, count: int, rate: float, on: bool):
    w, n, s, f = word().output, number().output, share().output, flag().output
    conditions = {
        'eq-text': w == 'a', 'ne-text': w != '', 'lt-text': w < 'b', 'le-text': text <= 'b', 'gt-text': text > w, 'ge-text': w >= text,
        'eq-int': n == 0, 'ne-int': n != -3, 'lt-int': n < 4, 'le-int': n <= count, 'gt-int': count > n, 'ge-int': count >= 10,
        'eq-float': s == 0.5, 'ne-float': s != -1.5, 'lt-float': s < rate, 'le-float': s <= 2.0, 'gt-float': rate > 0.25,
        'ge-float': s >= 1e-4,
        'int-float': n < 0.5, 'float-int': s > 3, 'param-mix': n <= s, 'mix-param': rate != count,
        'true': f == True, 'false': on == False, 'not-true': on != True, 'flags': f == on,
        'unicode': text == 'é – "x"',
    }
    for name, condition in conditions.items():
        with dsl.If(condition):
            say(text=name)
