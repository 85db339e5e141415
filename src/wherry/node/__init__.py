"""This machine as a Kubernetes node: what a pod needs (`plan`, `status`, both pure), and doing it (`execute`,
`probes`, `volumes`, `cri`), one `pod_worker` for each pod; the containerd that it has for itself (`containerd`), kept
up by `supervisor`.
"""

import os

# gRPC reads it once, when imported. Children are other programs, none speaks gRPC: each would cost a line in the log.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
