from wherry.kinds.schema.prune import prune
from wherry.objects.schema import Shape, Struct, Type

STRING = Type(shape=Shape.STRING)


def obj(fields: dict[str, Type], *, preserve: bool = False, embedded: bool = False) -> Type:
    struct = Struct("x", fields, preserve_unknown=preserve, embedded=embedded)
    return Type(shape=Shape.OBJECT, struct=struct)


def test_unknown_fields_go_at_every_depth_and_are_named() -> None:
    inner = obj({"a": STRING})
    type_ = obj({"list": Type(shape=Shape.LIST, items=inner), "map": Type(shape=Shape.MAP, items=inner)})
    given = {"list": [{"a": "1"}, {"a": "1", "b": 2}], "map": {"k": {"c": 3}}, "d": 4}
    pruned, unknown = prune(given, type_)
    assert pruned == {"list": [{"a": "1"}, {"a": "1"}], "map": {"k": {}}}
    assert unknown == ("list[1].b", "map.k.c", "d")
    assert given["d"] == 4


def test_nothing_unknown_gives_the_very_same_object_whatever_the_values_are() -> None:
    given = {"a": None, "b": [1, {"x": 2}]}
    pruned, unknown = prune(given, obj({"a": STRING, "b": Type(shape=Shape.ANY)}))
    assert pruned is given
    assert unknown == ()


def test_preserved_fields_stay_and_what_is_known_of_them_is_still_pruned() -> None:
    pruned, unknown = prune({"x": {"y": 1}, "k": {"z": 1}}, obj({"k": obj({})}, preserve=True))
    assert pruned == {"x": {"y": 1}, "k": {}}
    assert unknown == ("k.z",)


def test_an_embedded_resource_keeps_its_type_and_metadata() -> None:
    given = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {}}
    assert prune(given, obj({}, embedded=True))[0] == {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
