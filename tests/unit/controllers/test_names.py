from wherry.controllers import component_of, controllers, manager_of


def test_events_name_controllers_as_upstream_does() -> None:
    names = {controller.name: component_of(controller) for controller in controllers("PEM")}
    assert (names["deployment"], names["scheduler"]) == ("deployment-controller", "default-scheduler")
    assert len(set(names.values())) == len(names)


def test_fields_are_managed_by_the_programs_that_a_cluster_has() -> None:
    managers = {controller.name: manager_of(controller) for controller in controllers("")}
    assert managers.pop("scheduler") == "kube-scheduler"
    assert set(managers.values()) == {"kube-controller-manager"}
