"""Images: finding out what a folder is, building, layers, registries, into the node's content store. Knows no
Kubernetes objects.
"""
