"""Checks and changes on a write that need other objects: cluster IPs, service accounts, the life of a namespace,
priorities.
"""
