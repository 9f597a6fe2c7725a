"""Each wrong answer that the checks know gets its own hint; right answers pass."""

import pytest

from edgedl_lib.exercises import sparse_updates as checks

CASES = [
    (checks.check_send, checks._sent, checks._WRONG_SENDS),
    (checks.check_period_latency, checks._latency, checks._WRONG_TIMES),
    (checks.check_keep, checks._kept, checks._WRONG_KEEPS),
]


@pytest.mark.parametrize(("check", "right"), [case[:2] for case in CASES])
def test_right_answers_pass(check, right):
    assert repr(check(right)).startswith("Right.")


@pytest.mark.parametrize(
    ("check", "hint", "wrong"), [(check, hint, rule) for check, _, rules in CASES for hint, rule in rules.items()]
)
def test_a_known_mistake_gets_its_hint(check, hint, wrong):
    with pytest.raises(AssertionError) as caught:
        check(wrong)
    assert str(caught.value) == hint


@pytest.mark.parametrize(
    ("check", "answer", "words"),
    [
        (checks.check_send, lambda *_: 3, "two arrays"),
        (checks.check_send, lambda r, g, c: (r, g), "you send"),
        (checks.check_period_latency, lambda *_: 0.0, "is right"),
        (checks.check_keep, lambda *_: [0, 0], "kept once"),
        (checks.check_keep, lambda *_: [99], "numbered"),
        (checks.check_keep, lambda *_: [], "is possible"),
        (checks.check_keep, lambda *_: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_other_mistakes_are_named(check, answer, words):
    with pytest.raises(AssertionError, match=words):
        check(answer)
