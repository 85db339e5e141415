"""Reaching into replicas that run: their logs, commands in them, and pods for one command. By the Kubernetes API only.

`find` and `oneoff` decide, purely; `log_streams` and `session` carry bytes; `terminal` is the user's own end.
"""
