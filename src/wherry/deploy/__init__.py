"""From a folder to running replicas: manifests (pure), apply, the verdict on a rollout (pure). Talks only the
Kubernetes API, to any server.
"""
