"""Asks a machine whether it is ready, over HTTP or by a TCP connection."""

import asyncio
from datetime import timedelta
from http import HTTPStatus
from typing import Final

import aiohttp
from yarl import URL

from hotdesk.api.v1alpha1 import HttpGet, Readiness

_TIMEOUT: Final = timedelta(seconds=2)


class NetworkProber:
    """The Prober port on the network: one fresh connection a probe, 2 s for all of it."""

    def __init__(self, *, timeout: timedelta = _TIMEOUT) -> None:
        self._timeout = timeout.total_seconds()

    async def is_ready(self, *, ip: str, readiness: Readiness) -> bool:
        """Return whether the port accepts a connection, or the URL answers 2xx or 3xx; redirects are not followed."""
        try:
            async with asyncio.timeout(self._timeout):
                if readiness.http_get is not None:
                    return await _answers(ip=ip, wanted=readiness.http_get)
                if readiness.tcp_socket is not None:
                    return await _accepts(ip=ip, port=readiness.tcp_socket.port)
        except (OSError, TimeoutError, ValueError, aiohttp.ClientError):
            # A machine that boots refuses, hangs or talks nonsense: all of it is "not yet".
            return False
        return True


async def _accepts(*, ip: str, port: int) -> bool:
    _, writer = await asyncio.open_connection(ip, port)
    writer.close()
    return True


async def _answers(*, ip: str, wanted: HttpGet) -> bool:
    # A connection kept open would go on answering for a machine that has since been replaced at the same address.
    connector = aiohttp.TCPConnector(force_close=True)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(_url(ip=ip, wanted=wanted), allow_redirects=False, headers={"Connection": "close"}) as answer,
    ):
        return HTTPStatus.OK <= answer.status < HTTPStatus.BAD_REQUEST


def _url(*, ip: str, wanted: HttpGet) -> URL:
    host = f"[{ip}]" if ":" in ip else ip
    path = wanted.path if wanted.path.startswith("/") else f"/{wanted.path}"
    return URL(f"http://{host}:{wanted.port}{path}", encoded=True)
