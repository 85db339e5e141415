"""The smallest web app worth three replicas: it greets, says which replica answered, and tells whether it is well."""

import os
import socket

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    return "Hello, World!"


@app.get("/whoami")
def whoami() -> dict[str, str]:
    return {"hostname": socket.gethostname(), "environment": os.environ.get("APP_ENV", "development")}


@app.get("/healthz")
def healthz() -> str:
    return "ok"
