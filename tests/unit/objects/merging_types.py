"""A small type with every way to merge, as the recorded cases of `apply_cases.json` use it."""

from wherry.objects.schema import Shape, Struct, Type

TEXT = Type(shape=Shape.STRING)
NUMBER = Type(shape=Shape.INTEGER)
TEXTS = Type(shape=Shape.MAP, items=TEXT)


def struct(_name: str, /, **fields: Type) -> Type:
    return Type(shape=Shape.OBJECT, struct=Struct(_name, fields))


PORT = struct("Port", port=NUMBER, proto=TEXT, x=TEXT)
PORTS = Type(shape=Shape.LIST, items=PORT, list_type="map", map_keys=("port", "proto"), key_defaults={"proto": "TCP"})
ITEM = struct("Item", name=TEXT, value=TEXT, labels=TEXTS, ports=PORTS)
ITEMS = Type(shape=Shape.LIST, items=ITEM, list_type="map", map_keys=("name",))
NESTED_FIELDS = {"a": TEXT, "b": TEXT, "items": ITEMS}
NESTED = Type(shape=Shape.OBJECT, struct=Struct("Nested", NESTED_FIELDS))
NESTED_FIELDS["inner"] = NESTED
ROOT = struct(
    "Root",
    num=NUMBER,
    s=TEXT,
    labels=TEXTS,
    set=Type(shape=Shape.LIST, items=TEXT, list_type="set"),
    items=ITEMS,
    atoms=Type(shape=Shape.LIST, items=TEXT),
    amap=Type(shape=Shape.MAP, items=TEXT, atomic=True),
    nested=NESTED,
)
META = struct("ObjectMeta", name=TEXT, namespace=TEXT, uid=TEXT, labels=TEXTS, annotations=TEXTS)
CONFIG_MAP = struct("ConfigMap", apiVersion=TEXT, kind=TEXT, metadata=META, data=TEXTS)
DEPLOYMENT = struct(
    "Deployment",
    apiVersion=TEXT,
    kind=TEXT,
    metadata=META,
    spec=struct("Spec", replicas=NUMBER, containers=ITEMS, paused=Type(shape=Shape.BOOLEAN)),
    status=struct("Status", replicas=NUMBER),
)
