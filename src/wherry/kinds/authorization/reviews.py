"""Reviews that ask what someone may do: posted, answered, never stored."""

from wherry.kinds.kind import Kind

GROUP = "authorization.k8s.io"
_SCHEMA = "io.k8s.api.authorization.v1."


def _review(kind: str, *, namespaced: bool = False) -> Kind:
    return Kind(
        group=GROUP,
        version="v1",
        kind=kind,
        plural=kind.lower() + "s",
        schema=_SCHEMA + kind,
        namespaced=namespaced,
        generation=False,
        verbs=("create",),
    )


LOCALSUBJECTACCESSREVIEW = _review("LocalSubjectAccessReview", namespaced=True)
SELFSUBJECTACCESSREVIEW = _review("SelfSubjectAccessReview")
SELFSUBJECTRULESREVIEW = _review("SelfSubjectRulesReview")
SUBJECTACCESSREVIEW = _review("SubjectAccessReview")
