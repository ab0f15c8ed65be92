# Copyright (C) ngx_egress authors
#
# What the scenarios share: a table of functions, one TAP line each, and a
# backend that does what the scenario says.

import socket
import struct
import sys
import threading
import traceback

from raw import CLOSE, Closed, Raw

TESTS = []


def scenario(name):
    def add(function):
        TESTS.append((name, function))
        return function
    return add


def run(*args):
    for i, (name, function) in enumerate(TESTS, 1):
        error = None
        try:
            function(*args)
        except Exception:
            error = traceback.format_exc()
        print('%sok %d - %s' % ('not ' if error else '', i, name))
        if error:
            print('\n'.join('# ' + line for line in error.splitlines()))
        sys.stdout.flush()
    print('# done')


class Backend:
    """Listens on a port; each connection is taken by accept()."""

    def __init__(self, port):
        self.listener = socket.create_server(('127.0.0.1', port), backlog=64)
        self.listener.settimeout(15)

    def socket(self):
        return self.listener.accept()[0]

    def accept(self, **kw):
        return Raw.accept(self.socket(), **kw)

    def request(self):
        """A socket and the head of the request, not answered yet."""
        ws = Raw(self.socket(), False)
        ws.head = ws.read_head()
        return ws


def both(proxy, backend, path='/', headers=(), extensions=None):
    """Both ends of a session through the proxy."""
    box = {}

    def connect():
        try:
            box['ws'] = Raw.connect(proxy, path, headers)
        except (Closed, OSError) as e:
            box['error'] = e

    thread = threading.Thread(target=connect)
    thread.start()
    server = backend.accept(extensions=extensions)
    thread.join()
    if 'error' in box:
        raise box['error']
    return box['ws'], server


def code(frame):
    """The code of a Close, None for anything else."""
    op, data = frame
    if op != CLOSE:
        return None
    return struct.unpack('!H', data[:2])[0] if data else 1005


def is_eof(ws):
    try:
        return ws.buf == b'' and ws.sock.recv(1) == b''
    except ConnectionError:
        return True


def quiet(ws, seconds=0.2):
    """True if nothing comes for that long."""
    old = ws.sock.gettimeout()
    ws.sock.settimeout(seconds)
    try:
        ws.fill()
        return False
    except socket.timeout:
        return True
    finally:
        ws.sock.settimeout(old)


def check(value, what=''):
    if not value:
        raise AssertionError(what)


def equal(got, want):
    if got != want:
        raise AssertionError('got %r, not %r' % (got, want))
