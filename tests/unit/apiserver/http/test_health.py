from wherry.apiserver.http import health


def said(path: str, *, ready: bool = True, verbose: bool = False) -> tuple[int, str | None] | None:
    answer = health.answer(path, ready, verbose)
    return (answer.status, answer.text) if answer is not None else None


def test_health_is_one_word() -> None:
    assert [said(path) for path in ("/healthz", "/livez", "/readyz", "/readyz/ping")] == [(200, "ok")] * 4


def test_who_asks_for_more_is_told_each_check() -> None:
    assert said("/readyz", verbose=True) == (200, "[+]ping ok\n[+]log ok\n[+]etcd ok\nreadyz check passed\n")


def test_what_is_not_ready_lives() -> None:
    assert said("/readyz", ready=False, verbose=True) == (
        500,
        "[-]startup failed: the controllers have not seen the state yet\n",
    )
    assert said("/livez", ready=False) == (200, "ok")


def test_other_paths_are_none_of_health() -> None:
    assert said("/healthz/unknown") is None
    assert said("/health") is None
