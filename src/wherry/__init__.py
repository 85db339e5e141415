"""wherry: a Kubernetes node in one process. Start with docs/ARCHITECTURE.md."""
