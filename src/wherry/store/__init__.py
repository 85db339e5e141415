"""Bytes by key, with revisions: the current state in SQLite, a bounded ring of the past, a feed of what was
committed. Knows nothing of Kubernetes.
"""
