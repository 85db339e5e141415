"""Content negotiation: which form of an answer a client's Accept header asks for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from wherry.objects.errors import NotAcceptable

JSON = "application/json"
_JSON_RANGES = frozenset((JSON, "application/*", "*/*"))
_TABLE_VERSIONS = frozenset(("v1", "v1beta1"))
_TRANSFORMS = frozenset(("Table", "PartialObjectMetadata", "PartialObjectMetadataList"))


@dataclass(frozen=True)
class Form:
    """The form of an answer, always JSON: the objects themselves, or what `convert` and `version` of its group name."""

    convert: str = ""  # "", Table, PartialObjectMetadata, PartialObjectMetadataList; of meta.k8s.io
    version: str = "v1"

    @property
    def content_type(self) -> str:
        """Plain JSON whatever the form: the object says by its kind what it is, as upstream's do."""
        return JSON


@dataclass(frozen=True)
class Clause:
    """One media range of an Accept header."""

    media_type: str
    parameters: Mapping[str, str]
    quality: float

    @property
    def accepts_json(self) -> bool:
        return self.media_type in _JSON_RANGES


def clauses(accept: str) -> Iterator[Clause]:
    """The header's media ranges, the most wanted first; equals in the client's order."""
    parsed = (_clause(part) for part in (accept or "*/*").split(",") if part.strip())
    return iter(sorted((clause for clause in parsed if clause.quality > 0), key=lambda clause: -clause.quality))


def negotiate(accept: str) -> Form:
    """The form to answer objects in: the first clause that can be met. Raises NotAcceptable where none can."""
    for clause in clauses(accept):
        if not clause.accepts_json:
            continue
        wanted = clause.parameters.get("as", "")
        if not wanted:
            return Form()
        group, version = clause.parameters.get("g", ""), clause.parameters.get("v", "")
        if wanted in _TRANSFORMS and group == "meta.k8s.io" and version in _TABLE_VERSIONS:
            return Form(wanted, version)
    raise NotAcceptable(f"only the following media types are accepted: {JSON}")


def _clause(part: str) -> Clause:
    media_type, *parameters = (piece.strip() for piece in part.split(";"))
    said = {key.strip().lower(): value.strip(' "') for key, _, value in (piece.partition("=") for piece in parameters)}
    return Clause(media_type.lower(), said, _quality(said.pop("q", "1")))


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0
