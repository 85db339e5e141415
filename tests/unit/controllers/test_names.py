from wherry.controllers import component_of, controllers


def test_events_name_controllers_as_upstream_does() -> None:
    names = {controller.name: component_of(controller) for controller in controllers("PEM")}
    assert (names["deployment"], names["scheduler"]) == ("deployment-controller", "default-scheduler")
    assert len(set(names.values())) == len(names)
