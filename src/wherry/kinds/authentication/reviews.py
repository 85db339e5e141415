"""Reviews that ask who someone is: posted, answered, never stored."""

from wherry.kinds.kind import Kind

GROUP = "authentication.k8s.io"
_SCHEMA = "io.k8s.api.authentication.v1."


def _review(kind: str) -> Kind:
    return Kind(
        group=GROUP,
        version="v1",
        kind=kind,
        plural=kind.lower() + "s",
        schema=_SCHEMA + kind,
        namespaced=False,
        generation=False,
        verbs=("create",),
    )


SELFSUBJECTREVIEW = _review("SelfSubjectReview")
TOKENREVIEW = _review("TokenReview")
