#!/usr/bin/python3

# Copyright (C) ngx_egress authors
#
# Servers to be checked, any number of them in one process:
#
#     health_backend.py DIR ADDRESS:PORT...
#
# How a server behaves is read, for each request, from the file DIR/ADDRESS:PORT
# (else DIR/default, else "ok"):
#
#     ok        200, body "ADDRESS:PORT healthy", or a WebSocket session that
#               answers pings
#     fail      500
#     hang      accepts, and never answers
#     mute      a WebSocket session that answers no ping
#     forged    101 with a wrong Sec-WebSocket-Accept
#     chunked   ok, in chunks of 3 bytes
#     reset     the connection is closed at once
#     flap      ok and fail in turn, for each URI
#
# Each request is a line of DIR/log: ADDRESS:PORT, method, URI, and whatever
# X-Health-Check, Authorization and Host say.

import asyncio
import os
import sys

from raw import accept_key

DIR = sys.argv[1]
flaps = {}


def mode_of(name):
    for path in (name, 'default'):
        try:
            with open(os.path.join(DIR, path)) as f:
                mode = f.read().strip()
        except OSError:
            continue
        return mode
    return 'ok'


def flap(*whom):
    flaps[whom] = not flaps.get(whom)
    return 'ok' if flaps[whom] else 'fail'


def record(*words):
    fd = os.open(os.path.join(DIR, 'log'),
                 os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, (' '.join(words) + '\n').encode())
    os.close(fd)


async def frames(reader, writer, mode):
    while True:
        first, second = await reader.readexactly(2)
        key = await reader.readexactly(4)
        data = await reader.readexactly(second & 0x7f)
        data = bytes(b ^ key[i & 3] for i, b in enumerate(data))
        opcode = first & 15
        if opcode == 9 and mode != 'mute':
            writer.write(bytes([0x8a, len(data)]) + data)
        elif opcode == 8:
            record('close', str(int.from_bytes(data[:2], 'big')))
            writer.write(bytes([0x88, len(data)]) + data)
            return
        await writer.drain()


async def serve(name, reader, writer):
    mode = mode_of(name)
    if mode == 'reset':
        return
    head = (await reader.readuntil(b'\r\n\r\n')).decode()
    lines = head.split('\r\n')
    fields = dict(line.partition(': ')[::2] for line in lines[1:])
    fields = {key.lower(): value for key, value in fields.items()}
    body = b''
    if 'content-length' in fields:
        body = await reader.readexactly(int(fields['content-length']))
    record(name, *lines[0].split()[:2], 'check=' +
           fields.get('x-health-check', ''), 'auth=' +
           fields.get('authorization', ''), 'host=' + fields['host'],
           'body=' + body.decode())
    if mode == 'flap':
        mode = flap(name, lines[0])
    if mode == 'hang':
        await asyncio.sleep(3600)
    text = ('%s healthy\n' % name).encode()
    if mode == 'fail':
        writer.write(b'HTTP/1.1 500 No\r\nConnection: close\r\n'
                     b'Content-Length: 0\r\n\r\n')
    elif 'sec-websocket-key' in fields:
        accept = accept_key(fields['sec-websocket-key'].encode())
        if mode == 'forged':
            accept = accept[::-1]
        writer.write(b'HTTP/1.1 101 Go\r\nUpgrade: websocket\r\n'
                     b'Connection: Upgrade\r\nX-Status: healthy\r\n'
                     b'Sec-WebSocket-Accept: ' + accept + b'\r\n\r\n')
        await frames(reader, writer, mode)
    elif mode == 'chunked':
        writer.write(b'HTTP/1.1 200 OK\r\nConnection: close\r\n'
                     b'Transfer-Encoding: chunked\r\n\r\n')
        for i in range(0, len(text), 3):
            piece = text[i:i + 3]
            writer.write(b'%x\r\n%s\r\n' % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(0.005)
        writer.write(b'0\r\n\r\n')
    else:
        writer.write(b'HTTP/1.1 200 OK\r\nConnection: close\r\n'
                     b'X-Status: healthy\r\n'
                     b'Server: node-7\r\nContent-Length: %d\r\n\r\n'
                     % len(text) + text)
    await writer.drain()


def handler(name):
    async def handle(reader, writer):
        try:
            await serve(name, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
    return handle


async def main():
    for name in sys.argv[2:]:
        address, port = name.split(':')
        await asyncio.start_server(handler(name), address, int(port),
                                   backlog=512)
    print('ready', flush=True)
    await asyncio.Future()


asyncio.run(main())
