"""The same API behind both Clients: called in the process, and over TLS as a kubeconfig says."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.apiserver import ApiServer, api_server
from wherry.client.client import Client
from wherry.client.http import HttpClient
from wherry.client.kubeconfig import load


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with api_server(tmp_path) as made:
        yield made


@pytest.fixture
async def http(server: ApiServer) -> AsyncIterator[HttpClient]:
    async with HttpClient(load([server.kubeconfig]).only()) as made:
        yield made


@pytest.fixture(params=["local", "http"])
def client(request: pytest.FixtureRequest, server: ApiServer, http: HttpClient) -> Client:
    return server.local if request.param == "local" else http
