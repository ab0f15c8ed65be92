# Copyright (C) ngx_egress authors
#
# A WebSocket endpoint that sends whatever it is told to, valid or not.

import base64
import hashlib
import os
import socket
import struct
import zlib

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

GUID = b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11'


class Closed(Exception):
    pass


def accept_key(key):
    return base64.b64encode(hashlib.sha1(key + GUID).digest())


class Raw:
    """One end of a connection; a client masks, a server does not."""

    def __init__(self, sock, client, timeout=15):
        self.sock = sock
        self.client = client
        self.buf = b''
        self.deflate = None
        sock.settimeout(timeout)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @classmethod
    def connect(cls, port, path='/', headers=(), timeout=15):
        sock = socket.create_connection(('127.0.0.1', port), timeout)
        ws = cls(sock, True, timeout)
        key = base64.b64encode(os.urandom(16))
        lines = ['GET %s HTTP/1.1' % path, 'Host: 127.0.0.1:%d' % port,
                 'Upgrade: websocket', 'Connection: Upgrade',
                 'Sec-WebSocket-Version: 13',
                 'Sec-WebSocket-Key: ' + key.decode(), *headers]
        sock.sendall('\r\n'.join(lines).encode() + b'\r\n\r\n')
        ws.head = ws.read_head()
        if not ws.head.startswith(b'HTTP/1.1 101'):
            raise Closed(ws.head)
        ws.negotiated()
        return ws

    @classmethod
    def accept(cls, sock, extensions=None, timeout=15):
        ws = cls(sock, False, timeout)
        ws.head = ws.read_head()
        key = ws.header(b'sec-websocket-key')
        lines = [b'HTTP/1.1 101 Switching Protocols', b'Upgrade: websocket',
                 b'Connection: Upgrade',
                 b'Sec-WebSocket-Accept: ' + accept_key(key)]
        if extensions and ws.header(b'sec-websocket-extensions'):
            lines.append(b'Sec-WebSocket-Extensions: ' + extensions)
        sock.sendall(b'\r\n'.join(lines) + b'\r\n\r\n')
        if len(lines) > 4:
            ws.head = lines[4] + b'\r\n'
            ws.negotiated()
        return ws

    def header(self, name):
        for line in self.head.split(b'\r\n'):
            key, _, value = line.partition(b':')
            if key.lower() == name:
                return value.strip()
        return None

    def negotiated(self):
        value = self.header(b'sec-websocket-extensions') or b''
        if b'permessage-deflate' not in value:
            return
        ours = b'client' if self.client else b'server'
        theirs = b'server' if self.client else b'client'
        bits = dict(p.strip().partition(b'=')[::2] for p in value.split(b';'))
        self.deflate = {
            'out_bits': int(bits.get(ours + b'_max_window_bits') or 15),
            'in_bits': int(bits.get(theirs + b'_max_window_bits') or 15),
            'out_reset': ours + b'_no_context_takeover' in bits,
            'in_reset': theirs + b'_no_context_takeover' in bits,
        }
        self.packer = self.unpacker = None

    def pack(self, data):
        if self.packer is None or self.deflate['out_reset']:
            self.packer = zlib.compressobj(
                wbits=-max(self.deflate['out_bits'], 9))
        data = self.packer.compress(data)
        data += self.packer.flush(zlib.Z_SYNC_FLUSH)
        return data[:-4]

    def unpack(self, data):
        if self.unpacker is None or self.deflate['in_reset']:
            self.unpacker = zlib.decompressobj(wbits=-15)
        return self.unpacker.decompress(data + b'\0\0\xff\xff')

    def read_head(self):
        while b'\r\n\r\n' not in self.buf:
            self.fill()
        head, _, self.buf = self.buf.partition(b'\r\n\r\n')
        return head + b'\r\n'

    def fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise Closed()
        self.buf += data

    def take(self, n):
        parts, have = [self.buf], len(self.buf)
        try:
            while have < n:
                self.buf = b''
                self.fill()
                parts.append(self.buf)
                have += len(self.buf)
        finally:
            self.buf = b''.join(parts)
        data, self.buf = self.buf[:n], self.buf[n:]
        return data

    def frame(self, opcode, data=b'', fin=True, rsv=0, mask=None, length=None):
        mask = self.client if mask is None else mask
        first = (0x80 if fin else 0) | rsv << 4 | opcode
        n = len(data) if length is None else length
        bit = 0x80 if mask else 0
        if n < 126:
            head = struct.pack('!BB', first, bit | n)
        elif n < 65536:
            head = struct.pack('!BBH', first, bit | 126, n)
        else:
            head = struct.pack('!BBQ', first, bit | 127, n)
        if not mask:
            return head + data
        key = os.urandom(4)
        word = int.from_bytes((key * (len(data) // 4 + 1))[:len(data)], 'big')
        body = (int.from_bytes(data, 'big') ^ word).to_bytes(len(data), 'big')
        return head + key + body

    def send(self, data, chop=0):
        # sendall() has one timeout for all of its data
        for i in range(0, len(data), chop or 65536):
            self.sock.sendall(data[i:i + (chop or 65536)])

    def recv_frame(self):
        first, second = self.take(2)
        n = second & 0x7f
        if n == 126:
            n = struct.unpack('!H', self.take(2))[0]
        elif n == 127:
            n = struct.unpack('!Q', self.take(8))[0]
        key = self.take(4) if second & 0x80 else b''
        data = self.take(n)
        if bool(second & 0x80) == self.client:
            raise Closed('mask bit')
        if key:
            data = bytes(b ^ key[i & 3] for i, b in enumerate(data)) \
                if n < 64 else self.unmask(data, key)
        return first, data

    @staticmethod
    def unmask(data, key):
        word = int.from_bytes((key * (len(data) // 4 + 1))[:len(data)], 'big')
        value = int.from_bytes(data, 'big') ^ word
        return value.to_bytes(len(data), 'big')

    def recv(self):
        """(opcode, payload) of the next message or control frame."""
        opcode, packed, parts = None, False, []
        while True:
            first, data = self.recv_frame()
            op = first & 15
            if op & 8:
                return op, data
            if op:
                opcode, packed = op, bool(first & 0x40)
            parts.append(data)
            if first & 0x80:
                data = b''.join(parts)
                return opcode, self.unpack(data) if packed else data

    def close(self):
        self.sock.close()
