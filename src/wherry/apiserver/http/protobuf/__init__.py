"""Request bodies in Kubernetes' protobuf, which kubectl 1.33 and new Go clients send by default. Answers are JSON."""

from wherry.apiserver.http.protobuf.decode import CONTENT_TYPE, decode
from wherry.apiserver.http.protobuf.scalars import Malformed

__all__ = ["CONTENT_TYPE", "Malformed", "decode"]
