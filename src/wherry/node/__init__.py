"""This machine as a Kubernetes node: what a pod needs (`plan`, `status`, both pure), and doing it (`execute`,
`probes`, `volumes`, `cri`).
"""

import os

# Read once, when gRPC is imported. Children are other programs that never speak gRPC: each would cost a line in the log.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
