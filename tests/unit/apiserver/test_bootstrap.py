from tests.unit.kinds.objects import errors
from wherry.apiserver.bootstrap import objects
from wherry.kinds.catalog import KINDS
from wherry.objects import kind_of

OBJECTS = list(objects("10.96.0.1", ("10.88.0.1", 6443)))


def test_what_every_cluster_has_is_valid() -> None:
    kinds = {kind.id: kind for kind in KINDS}
    for obj in OBJECTS:
        assert errors(kinds[kind_of(obj)], obj) == [], obj["metadata"]["name"]


def test_the_apis_address_is_found_in_the_older_form_too() -> None:
    (found,) = (obj for obj in OBJECTS if obj["kind"] == "Endpoints")
    assert (found["metadata"]["namespace"], found["metadata"]["name"]) == ("default", "kubernetes")
    assert found["subsets"] == [
        {"addresses": [{"ip": "10.88.0.1"}], "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}]}
    ]
