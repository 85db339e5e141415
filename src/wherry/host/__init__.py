"""This machine as its administrator meets it: the engine's process and log, the user's kubeconfig, `doctor`'s checks.

Nothing of Kubernetes is decided here. Modules that look at the machine return facts; those that judge them are pure.
"""
