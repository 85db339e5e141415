"""`pods/proxy` and `services/proxy`: HTTP requests to a pod, let through by the API server after its own checks."""

from wherry.apiserver.http.proxy.forward import Proxy

__all__ = ["Proxy"]
