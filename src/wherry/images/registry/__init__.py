"""Registries by the OCI distribution specification 1.1: credentials, tokens, pull, push, and the node's own.

`credentials` reads what docker and podman keep, `session` speaks HTTP with retries and tokens, `client` knows manifests
and blobs, `transfer` moves whole images between a registry and a layout.
"""
