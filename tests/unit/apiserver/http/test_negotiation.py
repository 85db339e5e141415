import pytest

from wherry.apiserver.http.negotiation import Form, negotiate
from wherry.objects.errors import NotAcceptable

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Form()),
        ("*/*", Form()),
        ("application/*", Form()),
        ("application/json", Form()),
        ("application/vnd.kubernetes.protobuf,application/json", Form()),
        ("application/json;stream=watch", Form()),
        (f"{TABLE},application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", Form("Table", "v1")),
        ("application/json; as=Table; v=v1beta1; g=meta.k8s.io", Form("Table", "v1beta1")),
        (f"application/json;q=0.5,{TABLE};q=0.9", Form("Table")),
        (f"{TABLE};q=0.5, application/json", Form()),
        ("application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, " + TABLE, Form("Table")),
        (
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
            Form("PartialObjectMetadataList"),
        ),
        ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", Form()),
        ("text/html;q=0.9, */*;q=0.1", Form()),
    ],
)
def test_the_first_clause_that_can_be_met_is_taken(accept: str, form: Form) -> None:
    assert negotiate(accept) == form


@pytest.mark.parametrize(
    "accept",
    ["text/html", "application/vnd.kubernetes.protobuf", "application/json;q=0", "application/json;as=Table;v=v9;g=x"],
)
def test_what_cannot_be_met_is_not_acceptable(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="only the following media types are accepted"):
        negotiate(accept)


def test_a_transformed_answer_is_json_that_says_by_its_kind_what_it_is() -> None:
    assert Form("Table").content_type == "application/json"
    assert Form().content_type == "application/json"
