"""Talking to a Kubernetes API: one Protocol, by HTTP to any server or in the process to our own.

Here are also the two things that every actor shares: the mirror (a local copy of the API's objects, client-go's
informer) and the one loop that runs all controllers. What a controller decides is not here (`wherry.controllers`).
"""
