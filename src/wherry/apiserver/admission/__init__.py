"""Checks and changes on a write that need other objects: cluster IPs, service accounts, the life of a namespace,
priorities, rights that nobody may grant without having them.
"""
