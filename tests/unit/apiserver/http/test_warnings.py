from wherry.apiserver.http.warnings import MOST, MOST_OF_ONE, headers


def test_a_warning_is_quoted() -> None:
    assert list(headers(['unknown field "a\\b"'])) == ['299 - "unknown field \\"a\\\\b\\""']


def test_a_warning_is_said_once() -> None:
    assert list(headers(["a", "b", "a", ""])) == ['299 - "a"', '299 - "b"']


def test_a_text_that_would_break_the_head_is_left_out() -> None:
    assert list(headers(["a\r\nSet-Cookie: b", "c"])) == ['299 - "c"']


def test_many_warnings_are_cut_to_what_a_head_can_hold() -> None:
    found = list(headers(f"{index}{'x' * 1000}" for index in range(100)))
    assert len(found) == MOST // MOST_OF_ONE
    assert all(len(header) == len('299 - ""') + MOST_OF_ONE for header in found)
