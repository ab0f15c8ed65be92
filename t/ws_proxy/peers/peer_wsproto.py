#!/usr/bin/python3

# Copyright (C) ngx_egress authors
#
# python3-wsproto, a protocol library without any I/O, as an echo server or
# as a client that echoes.
#
#     peer_wsproto.py serve PORT [deflate]
#     peer_wsproto.py echo URL COUNT [deflate]

import socket
import sys
import threading
import urllib.parse

from wsproto import ConnectionType, WSConnection
from wsproto.events import (AcceptConnection, BytesMessage, CloseConnection,
                            Ping, RejectConnection, Request, TextMessage)
from wsproto.extensions import PerMessageDeflate
from wsproto.utilities import LocalProtocolError, RemoteProtocolError


class Echo:
    def __init__(self, ws, sock, deflate):
        self.ws = ws
        self.sock = sock
        self.parts = []
        self.extensions = [PerMessageDeflate()] if deflate else []

    def send(self, event):
        self.sock.sendall(self.ws.send(event))

    def run(self):
        try:
            while True:
                data = self.sock.recv(65536)
                self.ws.receive_data(data or None)

                for event in self.ws.events():
                    if not self.handle(event):
                        return

                if not data:
                    return
        except (OSError, LocalProtocolError, RemoteProtocolError):
            pass
        finally:
            self.sock.close()

    def handle(self, event):
        if isinstance(event, Request):
            self.send(AcceptConnection(extensions=self.extensions))
        elif isinstance(event, (TextMessage, BytesMessage)):
            self.message(event)
        elif isinstance(event, Ping):
            self.send(event.response())
        elif isinstance(event, CloseConnection):
            self.send(event.response())
            return False
        elif isinstance(event, RejectConnection):
            return False
        return True

    def message(self, event):
        self.parts.append(event.data)
        if event.message_finished:
            data = type(self.parts[0])().join(self.parts)
            self.parts = []
            self.send(type(event)(data=data))


def serve(port, deflate):
    listener = socket.create_server(('127.0.0.1', port), backlog=128)

    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = Echo(WSConnection(ConnectionType.SERVER), sock, deflate)
        threading.Thread(target=peer.run, daemon=True).start()


def client(url, count, deflate):
    parts = urllib.parse.urlsplit(url)

    for _ in range(count):
        try:
            sock = socket.create_connection((parts.hostname, parts.port), 10)
        except OSError:
            continue

        sock.settimeout(30)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = Echo(WSConnection(ConnectionType.CLIENT), sock, deflate)
        peer.send(Request(host=parts.netloc, target=parts.path or '/',
                          extensions=peer.extensions))
        peer.run()


def main():
    deflate = 'deflate' in sys.argv

    if sys.argv[1] == 'serve':
        serve(int(sys.argv[2]), deflate)
    else:
        client(sys.argv[2], int(sys.argv[3]), deflate)


main()
