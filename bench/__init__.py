"""The project's own measurements: `make bench`, against an engine of its own or any kubeconfigs named.

Each file measures one thing of a `Cluster`; nothing here knows how a cluster is made, but `engine`. Everything happens
in a namespace that is deleted at the end, and its deletion is measured too.
"""
