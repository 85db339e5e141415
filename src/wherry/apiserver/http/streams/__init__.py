"""Streams into pods: logs, exec, attach, port-forward. What crosses the API server here, and who translates it.

As in kube-apiserver: SPDY/3.1 and the older WebSocket forms are joined byte for byte to the node's own stream server;
WebSocket v5 (kubectl 1.31 and later) is translated to SPDY, and a port-forward's SPDY may come inside a WebSocket.
"""

from wherry.apiserver.http.streams.answer import Streams

__all__ = ["Streams"]
