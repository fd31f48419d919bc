"""Conditions: what KFP's driver answers, what its SDK writes, and the laws between the two notations.

`conformance/cel/conditions.json` was recorded from KFP 2.17.0's own driver. The tables here were made with cel-go
0.27 over KFP's `ExecutorInput`, and with the compiler of the kfp SDK 2.17.0.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from kfgit import cel

CONDITIONS = json.loads((Path(__file__).parents[1] / "conformance/cel/conditions.json").read_text())
PARAMETERS = {"s": "heads", "n": 3, "l": [1, 2, 3], "m": {"a": 1}, "t": True, "nul": None}


def answer(condition: str, parameters: dict[str, Any]) -> bool | str:
    """`result`, or which `error`, as in `conditions.json`."""
    try:
        expr = cel.parse(condition)
        cel.check(expr)
    except (cel.CelSyntaxError, cel.CelTypeError):
        return "compile"
    try:
        return cel.evaluate(expr, parameters)
    except cel.CelEvaluationError:
        return "evaluate"


@pytest.mark.parametrize("case", CONDITIONS, ids=lambda case: case["condition"])
def test_conditions_have_the_answers_of_kfp(case: dict[str, Any]) -> None:
    assert answer(case["condition"], case["inputs"]) == case.get("result", case.get("error"))


# Answers of cel-go 0.27; true where nothing else is said.
TRUE = r"""
string(1000000.0) == '1e+06'
string(123456789.0) == '1.23456789e+08'
string(123456.0) == '123456'
string(0.0001) == '0.0001'
string(0.00001) == '1e-05'
string(-0.0) == '-0'
string(-12.5) == '-12.5'
string(12u) == '12' && string(-3) == '-3' && string(b'a') == 'a'
dyn({1: 'a'})[1.0] == 'a'
dyn([1,2])[1.0] == 2 && dyn([1,2])[1u] == 2
b'é\xff' == b'\303\251\377'
--3 == 3 && !!true && !!-2 == -2 && !(dyn([1]) in {'a': 1})
bool('1') && bool('TRUE') && !bool('f')
double('1_0') == 10.0 && double('1.') == 1.0 && double('0x1p4') == 16.0 && double('-inf') < -1e300
int('+5') == 5 && uint(3.7) == 3u && uint('7') == 7u && int(7u) == 7
duration('1h30m') == duration('90m') && duration('-1.5s') == duration('-1500ms')
duration('1s') + duration('1s') - duration('2s') == duration('0')
string(duration('1.5s')) == '1.5s' && string(duration('90m')) == '5400s'
duration('90m').getHours() == 1 && duration('90m').getMinutes() == 90 && duration('-90m').getHours() == -1
timestamp('2024-01-02T03:04:05Z').getHours('-02:00') == 1 && timestamp(0).getDayOfWeek() == 4
timestamp('2024-01-02T03:04:05.5+01:00').getMilliseconds() == 500
timestamp('2024-01-02T03:04:05+01:00') == timestamp('2024-01-02T02:04:05Z')
string(timestamp('2024-01-02T03:04:05.120+01:00')) == '2024-01-02T03:04:05.12+01:00'
string(timestamp('0001-01-01T00:00:00Z')) == '0001-01-01T00:00:00Z'
timestamp('2024-01-02T00:00:00Z') - duration('24h') == timestamp('2024-01-01T00:00:00Z')
timestamp(5) - timestamp(3) == duration('2s') && int(timestamp(5)) == 5 && int(duration('1s')) == 1000000000
timestamp('2024-03-02T00:00:00Z').getMonth() == 2 && timestamp(0).getDayOfYear() == 0 && timestamp(0).getDate() == 1
'abc'.matches('(?i)B') && 'abc'.matches('[[:alpha:]]+\\z') && 'abc'.matches('^\\pL+$')
'a\nb'.matches('(?s)a.b') && 'a\nb'.matches('(?m)^b$') && !'a\nb'.matches('a.b') && !'a\n'.matches('a$')
'x{,2}'.matches('x{,2}$') && ']'.matches('[]]') && '-'.matches('[a-]') && !'é'.matches('\\w')
'a.b'.matches('\\Qa.b\\E') && 'aab'.matches('^(a|b)*?b$') && 'ab'.matches('^a{0}ab') && 'ab'.matches('()')
' abc '.matches('\\babc\\b') && 'ab'.matches('\\x61\\x{62}') && 'ab'.matches('(?P<n>a)b') && 'aab'.matches('^a{2}b')
'v1.2.3'.matches('^v[0-9]+\\.[0-9]+\\.[0-9]+$') && 'aB'.matches('^[[:lower:]][[:^lower:]]$')
matches('abc', 'b') && 'a1'.matches('^[\\w]\\d$') && 'A'.matches('^(?i:a)$') && 'a\t'.matches('^a\\t$')
parseJson('{"a": "\\ud800"}').a == '\uFFFD'
[1,2,3].map(x, x > 1, x * 2) == [4,6] && [1,2,3].filter(x, x > 1) == [2,3] && [1,2].exists_one(x, x > 1)
[1,2].map(x, 3.5 > 1) == [true, true]
-9223372036854775808 == -9223372036854775807 - 1
.inputs.parameter_values['n'] == 3
{'a': 1,} == {'a': 1} && [,] == [] && [1] + [2] == [1, 2]
08 == 8 && 0x1F == 31 && 1e5 == 100000.0 && .5 == 0.5
'\x41\101\u0041\U00000041' == 'AAAA' && r'\n' == '\\n' && br'\n' == b'\\n'
has(inputs.parameter_values.n) && inputs.parameter_values.n > 2 && !has(inputs.parameter_values['s'].a)
inputs.parameter_values['l'].exists(x, x == 'a' || x < 5)
null != duration('1s') && type(1) == int && type(type(1)) == type && type(null) == null_type
5 / -2 == -2 && -5 % 3 == -2
""".strip().splitlines()

REFUSED = r"""
{1: 'a'}[1.0] == 'a'
'abc'.all(x, true)
[1] == [1.0]
null == 1
'\ud800' == 'a'
b'\u1234' == b''
'\8' == 'A'
!-3
9223372036854775808 == 1
18446744073709551616u == 1u
1e999 == 1.0
as == 1
foo == 1
foo(1) == 1
x.in == 1
'a' in 'abc'
has(inputs.foo)
has(inputs)
[1].map(1, true)
[1].exists_one(x, x > 'a')
5.0 % 2.0 == 1.0
rb'\n' == b'\\n'
`a` == 1
inputs.?parameter_values == 1
[1,,] == []
1 == 1 == 1
int == 1
a.b.c == 1
true ? 1
google.protobuf.Value{} == 1
$(a) == 1
""".strip().splitlines()

FAILING = r"""
double('nan') < 1.0
double('1e999') > 1.0
double(' 1') == 1.0
int(' 5') == 5
int(1e30) == 1
uint(-1) == 1u
int(9223372036854775807.0) == 1
string(b'\xff') == 'abc'
duration('1d') == duration('24h')
duration('') == duration('0')
timestamp('2024-02-30T03:04:05Z') == timestamp(1)
duration(5) == duration('5ns')
-(-9223372036854775808) == 1
(-9223372036854775807 - 1) / -1 == 1
1u - 2u == 1u
1 % 0 == 1
[1,2][5] == 1
dyn([1,2])['a'] == 2
'abc'.matches('a(?=b)')
'abc'.matches('(a)\\1')
'aaa'.matches('a{2,1001}')
'aaa'.matches('(a{100}){100}')
'ab'.matches('a**')
'ab'.matches('*a')
'ab'.matches('\\q')
'a-'.matches('[a-\\d]')
'ab'.matches('(')
'ab'.matches(')')
'ab'.matches('[b-a]')
'ab'.matches('\\')
'ab'.matches('(?z)')
parseJson('1e999') == 1.0
parseJson('NaN') == 1.0
parseJson('[1,') == 1
inputs.parameter_values['l'].all(x, x > 'a')
inputs.parameter_values['s'].all(x, true)
inputs.parameter_values['s'].a == 1
has(inputs.parameter_values['l'].a)
!!'a'
""".strip().splitlines()


@pytest.mark.parametrize("condition", TRUE)
def test_more_answers_of_cel_go(condition: str) -> None:
    assert answer(condition, PARAMETERS) is True


@pytest.mark.parametrize("condition", REFUSED)
def test_what_cel_go_does_not_compile_is_refused(condition: str) -> None:
    assert answer(condition, PARAMETERS) == "compile"


@pytest.mark.parametrize("condition", FAILING)
def test_what_fails_in_cel_go_fails(condition: str) -> None:
    assert answer(condition, PARAMETERS) == "evaluate"


def test_a_selector_gives_a_json_value() -> None:
    text = '{"a": [1, "x", null, {"b": true}]}'
    assert cel.evaluate_any(cel.parse('parseJson(string_value)["a"]'), {"string_value": text}) == [
        1.0,
        "x",
        None,
        {"b": True},
    ]
    assert cel.evaluate_any(cel.parse("b'a'"), {}) == "YQ=="
    for text in ("unknown", "1.0 / 0.0", "type(1)", "{1: 2}"):
        with pytest.raises(cel.CelEvaluationError):
            cel.evaluate_any(cel.parse(text), {})


# Bounds


@pytest.mark.parametrize(
    "text",
    [
        "(" * 50_000,
        "[" * 5_000 + "]" * 5_000,
        "!" + "(!" * 400 + "true" + ")" * 400,
        "1" + " + 1" * 5_000,
        "a" + ".b" * 5_000,
        "true ? " * 1_000 + "true" + " : true" * 1_000,
        "x" * 200_000,
        "9" * 50_000,
    ],
)
def test_hostile_text_is_a_syntax_error(text: str) -> None:
    with pytest.raises(cel.CelSyntaxError):
        cel.parse(text)


def test_long_chains_of_and_and_or_are_no_nesting() -> None:
    assert answer(" && ".join(["true"] * 2_000), {}) is True
    assert answer(" || ".join(["false"] * 2_000), {}) is False


@pytest.mark.parametrize(
    "condition",
    [
        "'%s'.matches('(a?){1000}b{1000}')" % ("a" * 2_000),
        "LIST.all(a, LIST.all(b, LIST.all(c, true)))",
        "false || LIST.all(a, LIST.map(b, b).size() > 0)",
    ],
)
def test_no_evaluation_runs_for_long(condition: str) -> None:
    expr = cel.parse(condition.replace("LIST", "inputs.parameter_values['l']"))
    with pytest.raises(cel.CelEvaluationError, match=r"too many steps|too large"):
        cel.evaluate(expr, {"l": list(range(1_000))})


def test_patterns_do_not_backtrack() -> None:
    assert answer(f"'{'a' * 50_000}'.matches('(a*)*b')", {}) is False


def test_types_and_values_that_double_are_given_up() -> None:
    doubling = "[[1]]" + "".join(f".map(x{n}, [x{n}, x{n}])" for n in range(40))
    assert answer(f"{doubling} == {doubling}", {}) == "evaluate"
    maps = "['a']" + "".join(f".map(x{n}, {{'k': {{x{n}: x{n}}}}})" for n in range(30))
    assert answer(f"{maps} == []", {}) in ("compile", "evaluate")


def test_a_deep_value_is_an_error_and_not_a_crash() -> None:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    assert answer("true", {"x": deep}) == "evaluate"
    assert answer(f"parseJson('{'[' * 40_000}{']' * 40_000}') == 1", {}) == "evaluate"


EXPRESSION_LIKE = st.text(alphabet="()[]{}$'\"\\.,?:!=<>&|+-*/% \nabrxinot01eu")


@given(st.text() | EXPRESSION_LIKE)
@settings(max_examples=400)
def test_parse_raises_nothing_but_its_own_error(text: str) -> None:
    for notation in (cel.parse, cel.parse_when):
        assert 0 <= offset_of_mistake(notation, text) <= len(text)


def offset_of_mistake(notation: Callable[[str], cel.Expr], text: str) -> int:
    """Where the notation finds a mistake, else 0."""
    try:
        notation(text)
    except cel.CelSyntaxError as error:
        return error.offset
    return 0


@given(
    st.lists(
        st.sampled_from(
            ["inputs", ".a", "(", ")", "[1", "]", " == ", "'a'", " && ", "!", "1.5", " in ", "-", ".all(x,"]
        )
    )
)
@settings(max_examples=400)
def test_every_text_has_one_of_the_four_answers(words: list[str]) -> None:
    assert answer("".join(words), PARAMETERS) in (True, False, "compile", "evaluate")


# `when`


def type_of(reference: cel.Reference) -> str | None:
    """By the first letter of the name."""
    return {"i": "int", "f": "float", "s": "string", "b": "bool", "l": "list", "d": "dict"}.get(
        reference.text[0]
    )


def name_of(reference: cel.Reference) -> str:
    """The name of the input parameter."""
    return f"pipelinechannel--{reference.text}"


def printed(when: str) -> str:
    """The CEL of a `when` that has no problems."""
    expr = cel.parse_when(when)
    assert cel.check_when(expr, type_of) == ()
    return cel.to_cel(expr, name_of, type_of).replace("inputs.parameter_values['pipelinechannel--", "['")


# One comparison: what the compiler of the kfp SDK 2.17.0 writes for it.
OF_THE_SDK = {
    "$(i) == 3": "int(['i']) == 3",
    "$(i) == -2": "int(['i']) == -2",
    "3 == $(i)": "3 == int(['i'])",
    "$(i) >= $(i2)": "int(['i']) >= int(['i2'])",
    "$(i) == 3.5": "double(int(['i'])) == 3.5",
    "$(i) <= 1e-07": "double(int(['i'])) <= 1e-07",
    "$(i) == 1e20": "double(int(['i'])) == 1e+20",
    "$(i) == $(f)": "double(int(['i'])) == ['f']",
    "3.5 <= $(i)": "3.5 <= double(int(['i']))",
    "$(f) == 3": "['f'] == double(3)",
    "$(f) == -2": "['f'] == double(-2)",
    "3 <= $(f)": "double(3) <= ['f']",
    "$(f) <= $(i)": "['f'] <= double(int(['i']))",
    "$(f) > -0.5": "['f'] > -0.5",
    "$(f) != $(f2)": "['f'] != ['f2']",
    "$(s) == 'a'": "['s'] == 'a'",
    "$(s) == \"it is 'x'\"": r"['s'] == 'it is \'x\''",  # the SDK forgets to escape
    "$(s) >= '漢字'": "['s'] >= '漢字'",
    "'a' < $(s)": "'a' < ['s']",
    "$(s) == $(s2)": "['s'] == ['s2']",
    "$(b) == true": "['b'] == true",
    "$(b) != false": "['b'] != false",
    "true == $(b)": "true == ['b']",
    "$(b) == $(b2)": "['b'] == ['b2']",
}

PRINTED = {
    "$(b)": "['b']",
    "!$(b)": "!['b']",
    "not $(b) == $(b2)": "!(['b'] == ['b2'])",
    "not not $(b)": "!(!['b'])",
    "$(b) and $(b2) or $(b3)": "['b'] && ['b2'] || ['b3']",
    "$(b) && ($(b2) || $(b3))": "['b'] && (['b2'] || ['b3'])",
    "!($(i) == 1 && $(b))": "!(int(['i']) == 1 && ['b'])",
    "($(i) == 1) == $(b)": "(int(['i']) == 1) == ['b']",
    "$(s) in ['a', \"b\",]": "['s'] in ['a', 'b']",
    "$(s) not in []": "!(['s'] in [])",
    "$(i) in [1, 0x1F]": "int(['i']) in [1, 31]",
    "$(i) in [1, 2.5, $(i2)]": "double(int(['i'])) in [double(1), 2.5, double(int(['i2']))]",
    "2.0 in [1, $(i)]": "2.0 in [double(1), double(int(['i']))]",
    "$(f) in [1]": "['f'] in [double(1)]",
    "$(i) in {1: 'a', $(i2): 2}": "int(['i']) in {1: 'a', int(['i2']): 2}",
    "2.0 in {1: 'a'}": "dyn(2.0) in {1: 'a'}",
    "$(i) in $(l)": "int(['i']) in ['l']",
    "'k' in $(d)": "'k' in ['d']",
    "$(l) == $(l2)": "['l'] == ['l2']",
    "$(unknown) == 1": "['unknown'] == 1",
    "1 == 1.0": "double(1) == 1.0",
    r"$(s) == 'a\n\\\t\x01'": "['s'] == 'a\\n\\\\\t\\x01'",
    "$(s) == '$$(HOME) $$ {{x}}'": r"['s'] == '\x24(HOME) $$ {{x}}'".replace("$$", r"\x24$").replace(
        "{{", r"\x7b{"
    ),
    "$(s) == 'a' // why": "['s'] == 'a'",
}


@pytest.mark.parametrize(("when", "text"), [*OF_THE_SDK.items(), *PRINTED.items()])
def test_a_condition_is_printed_as_the_sdk_would(when: str, text: str) -> None:
    assert printed(when) == text


SYNTAX = {
    "": ("the condition is empty", 0),
    "  ": ("the condition is empty", 0),
    "$(a) = 'b'": ("did you mean `==`?", 5),
    "$(a) === 'b'": ("did you mean `==`?", 7),
    "$(a) & $(b)": ("did you mean `&&`?", 5),
    "$(a) or 'x $(b)' == 'y'": ("a reference inside a string is not replaced", 8),
    "$(a) < 1 < 2": ("comparisons cannot be chained", 9),
    "$(a) == 1 not in [1]": ("comparisons cannot be chained", 10),
    "size($(a)) > 1": ("`when` has no functions, found `size`", 0),
    "$(a) == int('1')": ("`when` has no functions, found `int`", 8),
    "$(a) + 1 == 2": ("`when` has no arithmetic", 5),
    "-$(a) == 2": ("`when` has no arithmetic", 0),
    "$(a) ? 1 : 2": ("`when` has no `? :`", 5),
    "$(a) in 'abc'": ("right of `in` stands a list, a map or a reference to one", 8),
    "$(a) in": ("right of `in` stands a list, a map or a reference to one", 5),
    "$(a) in [(1)]": ("items of a list or map are literals or references", 9),
    "$(a) in [1 2]": ("expected `,` or `]`, found `2`", 11),
    "$(a) in {1}": ("expected `:`, found `}`", 10),
    "[1] == $(a)": ("a list or map stands only right of `in`", 0),
    "$(a) in ['b": ("the string is not closed", 9),
    "$(a == 1": ("the reference is not closed", 0),
    "$a == 1": ("a reference is written `$(inputs.name)`", 0),
    "$$(a) == 1": ("a reference begins with one `$`", 0),
    "$(a) == b": ("a reference is written `$(inputs.b)`", 8),
    "inputs.a == 1": ("`inputs` stands outside `$(…)`", 0),
    "$(a) == True": ("did you mean `true`?", 8),
    "$(a) == null": ("`when` has no null", 8),
    "$(a) == b'x'": ("`when` has no bytes", 8),
    "$(a) == 1u": ("leave the `u` out", 8),
    "$(a) == 'it''s'": ("a quote inside a string is written", 12),
    "($(a)": ("expected `)`", 5),
    "$(a))": ("found `)`", 4),
    "$(a) $(b)": ("found `$(b)`", 5),
    "(" * 30 + "$(a)" + ")" * 30: ("nested too deeply", 24),
    "'" + "a" * 5_000 + "'": ("longer than 4000 characters", 4_000),
    r"'\q' == $(a)": (r"`\q` is no escape", 1),
    "$(a) == 9223372036854775808": ("does not fit 64 bits", 8),
}


@pytest.mark.parametrize(("when", "expected"), SYNTAX.items())
def test_a_mistake_is_named_where_it_stands(when: str, expected: tuple[str, int]) -> None:
    said, offset = expected
    with pytest.raises(cel.CelSyntaxError) as caught:
        cel.parse_when(when)
    assert said in f"{caught.value.message} | {caught.value.help}"
    assert caught.value.offset == offset


PROBLEMS = {
    "$(s) == 1": [("a string cannot be compared with an int", 5)],
    "$(i) == '1'": [("an int cannot be compared with a string", 5)],
    "$(b) == 1": [("a bool cannot be compared with an int", 5)],
    "$(l) == $(d)": [("a list cannot be compared with a dict", 5)],
    "$(l) < $(l2)": [("`<` needs an order, and a list has none", 5)],
    "$(d) >= $(unknown)": [("`>=` needs an order, and a dict has none", 5)],
    "$(s)": [("the condition must be a bool, found a string", 0)],
    "3": [("the condition must be a bool, found an int", 0)],
    "!$(s)": [("what `!` negates must be a bool, found a string", 1)],
    "$(i) && $(f) || $(b)": [
        ("each side of `&&` must be a bool, found an int", 0),
        ("each side of `&&` must be a bool, found a float", 8),
    ],
    "$(s) in $(s2)": [("`in` needs a list or a dict, found a string", 8)],
    "$(i) in $(d)": [("the keys of a dict are strings, found an int", 0)],
    "$(s) in ['a', 1, $(b)]": [
        ("an int is never equal to a string", 14),
        ("a bool is never equal to a string", 17),
    ],
    "$(i) in {1.5: 'a'}": [("a float cannot be the key of a map", 9)],
    "$(s) in {'a': 1, 2: 3}": [("an int is never equal to a string", 17)],
    "($(s) == 1) == $(b)": [("a string cannot be compared with an int", 6)],
    "$(unknown) && $(unknown) == 1 && $(unknown) in $(unknown) && $(unknown) in [1, 'a']": [],
}


@pytest.mark.parametrize(("when", "expected"), PROBLEMS.items())
def test_types_that_do_not_fit_are_told_each_once(when: str, expected: list[tuple[str, int]]) -> None:
    problems = cel.check_when(cel.parse_when(when), type_of)
    assert [(problem.message, problem.offset) for problem in problems] == expected


def test_quotes_are_the_usual_remedy() -> None:
    remedies = {
        when: cel.check_when(cel.parse_when(when), type_of)[0].help for when in ("$(s) == 1", "$(i) == '1'")
    }
    assert remedies == {"$(s) == 1": "write it in quotes, as in '1'", "$(i) == '1'": "leave the quotes out"}


def test_references_come_in_the_order_of_the_text() -> None:
    found = cel.references(cel.parse_when("$(a.b) == 1 or not $(c) in [$(d), 2] and $(a.b) in {$(e): $(f)}"))
    assert [(r.text, r.offset) for r in found] == [
        ("a.b", 0),
        ("c", 19),
        ("d", 28),
        ("a.b", 41),
        ("e", 52),
        ("f", 58),
    ]


def test_a_reference_is_no_cel() -> None:
    expr = cel.parse_when("$(b)")
    with pytest.raises(cel.CelTypeError):
        cel.check(expr)
    with pytest.raises(cel.CelEvaluationError):
        cel.evaluate(expr, {})


def test_branches_exclude_each_other() -> None:
    assert cel.negate_and_join([], "a || b") == "a || b"
    assert cel.negate_and_join(["a == 1"], "b == 2") == "!(a == 1) && b == 2"
    assert cel.negate_and_join(["a", "b"], "c || d") == "!(a) && !(b) && (c || d)"
    assert cel.negate_and_join(["a"], "b ? c : d") == "!(a) && (b ? c : d)"
    assert cel.negate_and_join(["a", "b"], None) == "!(a) && !(b)"
    with pytest.raises(ValueError, match="else"):
        cel.negate_and_join([], None)


# The law: what `to_cel` prints passes `parse` and `check`, and is worth what the `when` says in plain Python.

SAFE = 2**53
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(-SAFE, SAFE) | st.integers(-3, 3),
    "float": st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, 1.0, -0.0, 2.0]),
    "string": st.text(max_size=4) | st.sampled_from(["a", "$(a)", "$$(", "it's", "{{", "\\", "\n", "1"]),
    "bool": st.booleans(),
}
ITEMS = VALUES["int"] | VALUES["float"] | VALUES["string"] | VALUES["bool"] | st.none()


@dataclass(frozen=True)
class Part:
    """A piece of `when`, what it is worth, and the parameters it reads."""

    text: str
    value: Callable[[dict[str, Any]], Any]


def quoted(text: str) -> str:
    """A string literal of `when`."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped.replace('$(', '$$(')}'"


def spelled(value: Any) -> str:
    """Any literal of `when`."""
    if isinstance(value, str):
        return quoted(value)
    return str(value).lower() if isinstance(value, bool) else repr(value)


def same(a: Any, b: Any) -> bool:
    """Equality of JSON values: numbers among themselves, everything else with its own type."""
    numbers = [isinstance(x, int | float) and not isinstance(x, bool) for x in (a, b)]
    if all(numbers):
        return bool(float(a) == float(b))
    return type(a) is type(b) and bool(a == b)


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": same,
    "!=": lambda a, b: not same(a, b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


@st.composite
def operands(draw: st.DrawFn, kind: str) -> Part:
    if draw(st.booleans()):
        name = kind[0] + draw(st.sampled_from(["", "2"]))
        return Part(f"$({name})", lambda given: given[name])
    value = draw(VALUES[kind])
    return Part(spelled(value), lambda _given: value)


def kinds_like(kind: str) -> st.SearchStrategy[str]:
    return st.sampled_from(["int", "float"] if kind in ("int", "float") else [kind])


@st.composite
def comparisons(draw: st.DrawFn) -> Part:
    kind = draw(st.sampled_from(sorted(VALUES)))
    left, right = draw(operands(kind)), draw(kinds_like(kind).flatmap(operands))
    operator = draw(st.sampled_from(sorted(COMPARE)))
    return Part(
        f"{left.text} {operator} {right.text}",
        lambda given: COMPARE[operator](left.value(given), right.value(given)),
    )


@st.composite
def memberships(draw: st.DrawFn) -> Part:
    kind = draw(st.sampled_from(sorted(VALUES)))
    left = draw(operands(kind))
    operator = draw(st.sampled_from(["in", "not in"]))
    if draw(st.booleans()):
        return Part(
            f"{left.text} {operator} $(l)",
            lambda given: any(same(left.value(given), item) for item in given["l"]) is (operator == "in"),
        )
    in_map = draw(st.booleans())
    item_kinds = kinds_like(kind).filter(lambda item: not (in_map and item == "float"))
    items = (
        draw(st.lists(item_kinds.flatmap(operands), max_size=3)) if not (in_map and kind == "float") else []
    )
    inside = ", ".join(f"{item.text}: 1" if in_map else item.text for item in items)
    return Part(
        f"{left.text} {operator} {'{' if in_map else '['}{inside}{'}' if in_map else ']'}",
        lambda given: any(same(left.value(given), item.value(given)) for item in items) is (operator == "in"),
    )


def joined(parts: st.SearchStrategy[Part]) -> st.SearchStrategy[Part]:
    def both(a: Part, b: Part, word: str) -> Part:
        wants_all = word in ("and", "&&")
        return Part(
            f"({a.text}) {word} ({b.text})",
            lambda given: (
                all((a.value(given), b.value(given))) if wants_all else any((a.value(given), b.value(given)))
            ),
        )

    def negated(a: Part, word: str) -> Part:
        return Part(f"{word}({a.text})", lambda given: not a.value(given))

    def equated(a: Part, b: Part, operator: str) -> Part:
        return Part(
            f"({a.text}) {operator} ({b.text})",
            lambda given: COMPARE[operator](a.value(given), b.value(given)),
        )

    return (
        st.builds(both, parts, parts, st.sampled_from(["and", "or", "&&", "||"]))
        | st.builds(negated, parts, st.sampled_from(["not ", "!"]))
        | st.builds(equated, parts, parts, st.sampled_from(["==", "!="]))
    )


CONDITIONS_OF_WHEN = st.recursive(comparisons() | memberships() | operands("bool"), joined, max_leaves=6)
GIVEN = st.fixed_dictionaries(
    {kind[0] + tail: values for kind, values in VALUES.items() for tail in ("", "2")}
    | {"l": st.lists(ITEMS, max_size=4)}
)


@given(CONDITIONS_OF_WHEN, GIVEN)
@settings(max_examples=500)
def test_what_is_printed_means_what_was_written(part: Part, given: dict[str, Any]) -> None:
    expr = cel.parse_when(part.text)
    assert cel.check_when(expr, type_of) == ()
    text = cel.to_cel(expr, name_of, type_of)
    parsed = cel.parse(text)
    cel.check(parsed)
    parameters = {f"pipelinechannel--{name}": value for name, value in given.items()}
    assert cel.evaluate(parsed, parameters) is part.value(given)
    assert not any(bad in text for bad in ("$$", "$(", "{{", "\n"))


@given(st.lists(CONDITIONS_OF_WHEN, min_size=1, max_size=3), GIVEN)
def test_exactly_the_first_true_branch_runs(parts: list[Part], given: dict[str, Any]) -> None:
    conditions = [cel.to_cel(cel.parse_when(part.text), name_of, type_of) for part in parts]
    chain = [cel.negate_and_join(conditions[:n], own) for n, own in enumerate([*conditions, None])]
    parameters = {f"pipelinechannel--{name}": value for name, value in given.items()}
    runs = [cel.evaluate(cel.parse(text), parameters) for text in chain]
    expected = next((n for n, part in enumerate(parts) if part.value(given)), len(parts))
    assert [n for n, run in enumerate(runs) if run] == [expected]
