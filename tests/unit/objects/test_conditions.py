from wherry.objects.conditions import observed_generation


def test_a_condition_says_which_state_it_is_about() -> None:
    assert observed_generation({"metadata": {"generation": 3}}) == {"observedGeneration": 3}
    assert observed_generation({"metadata": {}}) == {}
