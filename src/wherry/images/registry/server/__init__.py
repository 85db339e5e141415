"""The node's own registry: OCI distribution 1.1 over the container runtime's content store, with no second copy.

`routes`, `naming`, `manifest` and `ranges` decide and do no I/O; `content` is what is needed of the store; `uploads`
keeps what is under way; `blobs` and `manifests` answer; `handler` authenticates and dispatches; `listen` opens the
doors.
"""
