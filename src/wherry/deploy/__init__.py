"""From an app's folder to replicas that answer: read and decide (pure), build, apply, watch until there is a verdict.

It talks to a cluster only by the Kubernetes API (`wherry.client`), so the embedded node and any other are the same to
it; images alone are brought in differently (`delivery`). What is printed, and how, is not here (`wherry.cli`).
"""
