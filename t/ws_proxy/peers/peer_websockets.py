#!/usr/bin/python3

# Copyright (C) ngx_egress authors
#
# python3-websockets as an echo server or as a client that echoes.
#
#     peer_websockets.py serve PORT [deflate]
#     peer_websockets.py echo URL COUNT [deflate]
#
# The client connects COUNT times, one session after the other.

import asyncio
import sys

import websockets


def options(deflate):
    return {
        'max_size': None,
        'ping_interval': None,
        'compression': 'deflate' if deflate else None,
    }


async def echo(ws, path=None):
    try:
        async for message in ws:
            await ws.send(message)
    except websockets.ConnectionClosed:
        pass


async def serve(port, deflate):
    async with websockets.serve(echo, '127.0.0.1', port, **options(deflate)):
        await asyncio.Future()


async def client(url, count, deflate):
    for _ in range(count):
        try:
            async with websockets.connect(url, **options(deflate)) as ws:
                await echo(ws)
        except (OSError, asyncio.TimeoutError,
                websockets.WebSocketException):
            pass


def main():
    deflate = 'deflate' in sys.argv

    if sys.argv[1] == 'serve':
        asyncio.run(serve(int(sys.argv[2]), deflate))
    else:
        asyncio.run(client(sys.argv[2], int(sys.argv[3]), deflate))


main()
