"""The version of wherry, and of the Kubernetes API that it speaks."""

__version__ = "0.1.0"
KUBERNETES_VERSION = "1.34.4"
