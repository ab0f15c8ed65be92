#!/usr/bin/python3

# Copyright (C) ngx_egress authors
#
# Sessions through the proxy with both ends in one hand:
#
#     session.py PROXY_PORT BACKEND_PORT BACKEND_PATH

import os
import re
import socket
import struct
import sys
import threading
import time

from raw import BINARY, CLOSE, CONT, PING, PONG, TEXT, Closed, Raw, accept_key
from scenario import (Backend, both, check, code, equal, is_eof, quiet, run,
                      scenario)

PROXY, PORT = int(sys.argv[1]), int(sys.argv[2])
PATH = sys.argv[3]
backend = Backend(PORT)


def bye(client, server):
    client.send(client.frame(CLOSE, b'\x03\xe8'))
    equal(code(server.recv()), 1000)
    server.send(server.frame(CLOSE, b'\x03\xe8'))
    equal(code(client.recv()), 1000)
    server.close()
    check(is_eof(client), 'the client is not disconnected')


def http(path, headers=(), method='GET', version='1.1', more=b''):
    """Answers what the backend callback sends; returns the whole response."""
    sock = socket.create_connection(('127.0.0.1', PROXY), 5)
    lines = ['%s %s HTTP/%s' % (method, path, version), 'Host: x.test',
             'Upgrade: websocket', 'Connection: Upgrade, close',
             'Sec-WebSocket-Version: 13',
             'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', *headers]
    sock.sendall('\r\n'.join(lines).encode() + b'\r\n\r\n' + more)
    return sock


def response(sock):
    data = b''
    sock.settimeout(15)
    while True:
        piece = sock.recv(65536)
        if not piece:
            return data
        data += piece


def answer(data, path='/', chop=0):
    """What the client gets when the backend answers with these bytes."""
    sock = http(path)
    ws = backend.request()
    ws.send(data.replace(b'%ACCEPT%', accept_key(b'dGhlIHNhbXBsZSBub25jZQ==')),
            chop)
    ws.sock.shutdown(socket.SHUT_WR)
    return response(sock)


SWITCH = (b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n'
          b'Connection: Upgrade\r\nSec-WebSocket-Accept: %ACCEPT%\r\n')


@scenario('messages and a close pass in both directions')
def _():
    client, server = both(PROXY, backend)
    client.send(client.frame(TEXT, b'there'))
    equal(server.recv(), (TEXT, b'there'))
    server.send(server.frame(BINARY, b'back'))
    equal(client.recv(), (BINARY, b'back'))
    bye(client, server)


@scenario('all request headers pass but those of the connection')
def _():
    client, server = both(PROXY, backend, '/a%20b/?q=1', [
        'Connection: X-Hop, close', 'X-Hop: 1', 'Keep-Alive: timeout=1',
        'Cookie: a=b', 'Authorization: Basic eDp5', 'Origin: http://o.test',
        'TE: trailers', 'Proxy-Authorization: Basic eDp5',
        'Proxy-Connection: keep-alive', 'X-Own: one', 'X-Own: two',
        'X-Forwarded-For: 192.0.2.1', 'X-Forwarded-For: 192.0.2.2',
        'X-Forwarded-Proto: gopher', 'X-Forwarded-Host: evil.test',
        'Sec-WebSocket-Protocol: chat, superchat',
        'Sec-WebSocket-Extensions: x-unknown; a=1'])
    head = server.head.decode()
    check(head.startswith('GET /a%20b/?q=1 HTTP/1.1\r\n'), head)
    for line in ('Host: 127.0.0.1:%d' % PORT, 'Cookie: a=b', 'X-Own: one',
                 'X-Own: two', 'Authorization: Basic eDp5',
                 'Origin: http://o.test', 'Upgrade: websocket',
                 'Connection: Upgrade',
                 'Sec-WebSocket-Protocol: chat, superchat',
                 'Sec-WebSocket-Extensions: x-unknown; a=1',
                 'X-Forwarded-For: 192.0.2.1, 192.0.2.2, 127.0.0.1',
                 'X-Forwarded-Proto: http',
                 'X-Forwarded-Host: 127.0.0.1:%d' % PROXY):
        equal(head.count('\r\n%s\r\n' % line), 1)
    check(not re.search('X-Hop|Keep-Alive|TE:|Proxy-|gopher|evil', head), head)
    bye(client, server)


@scenario('ws_proxy_keep_host passes the Host of the client')
def _():
    client, server = both(PROXY, backend, '/keep')
    check(b'\r\nHost: 127.0.0.1:%d\r\n' % PROXY in server.head, server.head)
    bye(client, server)


@scenario('ws_proxy_set_header sets, replaces and removes')
def _():
    client, server = both(PROXY, backend, '/set', ['Cookie: a=b', 'X-A: b'])
    head = server.head
    for line in (b'Host: set.test', b'X-A: for /set', b'X-New: 1'):
        equal(head.count(b'\r\n%s\r\n' % line), 1)
    check(b'Cookie' not in head and b'X-A: b' not in head, head)
    check(b'X-Forwarded-For' not in head, head)
    bye(client, server)


@scenario('a URI in ws_proxy_pass replaces that of the location')
def _():
    client, server = both(PROXY, backend, '/uri/rest%20of/it?a=b')
    check(server.head.startswith(b'GET /base/rest%20of/it?a=b HTTP/1.1\r\n'),
          server.head)
    bye(client, server)


@scenario('a backend may be a unix socket')
def _():
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(PATH)
        os.chmod(PATH, 0o777)
        listener.listen()
        sock = http('/unix/x?a=b')
        listener.settimeout(5)
        server = Raw(listener.accept()[0], False)
    server.head = server.read_head()
    check(server.head.startswith(b'GET /base/x?a=b HTTP/1.1\r\n'), server.head)
    check(b'\r\nHost: localhost\r\n' in server.head, server.head)
    server.send(SWITCH.replace(b'%ACCEPT%', accept_key(
        server.header(b'sec-websocket-key'))) + b'\r\n')
    client = Raw(sock, True)
    client.head = client.read_head()
    client.send(client.frame(TEXT, b'there'))
    equal(server.recv(), (TEXT, b'there'))
    bye(client, server)


@scenario('variables in ws_proxy_pass name an address')
def _():
    client, server = both(PROXY, backend, '/var?p=%d' % PORT)
    check(server.head.startswith(b'GET /var?p=%d HTTP/1.1\r\n' % PORT),
          server.head)
    bye(client, server)


@scenario('variables in ws_proxy_pass name an upstream')
def _():
    client, server = both(PROXY, backend, '/named?u=pool')
    check(b'\r\nHost: pool\r\n' in server.head, server.head)
    bye(client, server)


@scenario('subprotocol and extensions of the backend pass')
def _():
    reply = answer(SWITCH + b'Sec-WebSocket-Protocol: superchat\r\n\r\n')
    check(b'\r\nSec-WebSocket-Protocol: superchat\r\n' in reply, reply)


@scenario('ws_proxy_extensions off offers none')
def _():
    client, server = both(PROXY, backend, '/noext',
                          ['Sec-WebSocket-Extensions: permessage-deflate'])
    check(b'Extensions' not in server.head, server.head)
    bye(client, server)


@scenario('an extension that was not offered is refused')
def _():
    reply = answer(SWITCH + b'Sec-WebSocket-Extensions: x\r\n\r\n')
    check(reply.startswith(b'HTTP/1.1 502 '), reply)


@scenario('frames right behind the handshakes are not lost')
def _():
    sock = http('/', more=b'\x81\x85\0\0\0\0early')
    server = Raw(backend.socket(), False)
    server.head = server.read_head()
    server.send(SWITCH.replace(b'%ACCEPT%', accept_key(
        server.header(b'sec-websocket-key'))) + b'\r\n\x81\x05first')
    equal(server.recv(), (TEXT, b'early'))
    client = Raw(sock, True)
    client.head = client.read_head()
    equal(client.recv(), (TEXT, b'first'))
    bye(client, server)


@scenario('an answer that comes byte by byte is understood')
def _():
    reply = answer(SWITCH + b'\r\n\x81\x05first', chop=1)
    check(reply.startswith(b'HTTP/1.1 101 '), reply)
    check(reply.endswith(b'\r\n\r\n\x81\x05first'), reply)


@scenario('an interim response is skipped')
def _():
    reply = answer(b'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'
                   + SWITCH + b'\r\n')
    check(reply.startswith(b'HTTP/1.1 101 ') and b'Link' not in reply, reply)


@scenario('another answer of the backend is passed on')
def _():
    reply = answer(b'HTTP/1.1 403 Go Away\r\nX-Why: because\r\n'
                   b'Content-Length: 5\r\nContent-Type: text/x\r\n\r\nnever')
    check(reply.startswith(b'HTTP/1.1 403 Go Away\r\n'), reply)
    check(b'\r\nX-Why: because\r\n' in reply, reply)
    check(reply.endswith(b'\r\n\r\nnever'), reply)


@scenario('a chunked answer is passed on')
def _():
    for chop in (0, 1):
        reply = answer(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
                       b'5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n', chop=chop)
        check(reply.startswith(b'HTTP/1.1 200 OK'), reply)
        body = reply.partition(b'\r\n\r\n')[2]
        text = b''
        while body:
            size, _, body = body.partition(b'\r\n')
            text += body[:int(size, 16)]
            body = body[int(size, 16) + 2:]
        equal(text, b'hello world')


@scenario('an answer without a length is passed on')
def _():
    reply = answer(b'HTTP/1.0 401 No\r\nWWW-Authenticate: Basic\r\n\r\nwho?')
    check(reply.startswith(b'HTTP/1.1 401 No'), reply)
    check(b'who?' in reply, reply)


@scenario('a broken chunk is not taken for the end')
def _():
    reply = answer(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
                   b'5\r\nhello\r\nzz\r\n')
    check(not reply.endswith(b'0\r\n\r\n'), reply)


@scenario('a wrong Sec-WebSocket-Accept is 502')
def _():
    reply = answer(SWITCH.replace(b'%ACCEPT%', b'x' * 28) + b'\r\n')
    check(reply.startswith(b'HTTP/1.1 502 '), reply)


@scenario('a 101 without Upgrade or Connection is 502')
def _():
    for line in (b'Upgrade: websocket\r\n', b'Connection: Upgrade\r\n'):
        reply = answer(SWITCH.replace(line, b'') + b'\r\n')
        check(reply.startswith(b'HTTP/1.1 502 '), reply)
        reply = answer(SWITCH.replace(line, line.split(b' ')[0] + b' x\r\n')
                       + b'\r\n')
        check(reply.startswith(b'HTTP/1.1 502 '), reply)


@scenario('a 101 without Sec-WebSocket-Accept is 502')
def _():
    reply = answer(SWITCH.replace(b'Sec-WebSocket-Accept', b'X') + b'\r\n')
    check(reply.startswith(b'HTTP/1.1 502 '), reply)


@scenario('garbage for an answer is 502')
def _():
    for text in (b'SSH-2.0-x\r\n', b'HTTP/1.1 200 OK\r\nbad header\x01\r\n\r\n',
                 b''):
        reply = answer(text)
        check(reply.startswith(b'HTTP/1.1 502 '), reply)


@scenario('a backend that does not answer is 504')
def _():
    sock = http('/late')
    ws = backend.request()
    check(response(sock).startswith(b'HTTP/1.1 504 '))
    ws.close()


@scenario('the next server is tried after an invalid answer')
def _():
    sock = http('/next')
    first = backend.request()
    first.send(b'garbage\r\n\r\n')
    first.close()
    second = backend.request()
    second.send(b'HTTP/1.1 204 Fine\r\n\r\n')
    check(response(sock).startswith(b'HTTP/1.1 204 Fine'))


@scenario('the next server is tried after a 503')
def _():
    sock = http('/next')
    first = backend.request()
    first.send(b'HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n')
    second = backend.request()
    second.send(SWITCH.replace(b'%ACCEPT%', accept_key(
        second.header(b'sec-websocket-key'))) + b'\r\n')
    client = Raw(sock, True)
    client.head = client.read_head()
    check(client.head.startswith(b'HTTP/1.1 101 '), client.head)
    bye(client, second)


def leave(sock, reset):
    if reset:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack('ii', 1, 0))
    sock.close()


@scenario('a client that leaves in its handshake takes the backend with it')
def _():
    for reset in (False, True):
        for begun in (b'', SWITCH[:40]):
            sock = http('/')
            server = backend.request()
            server.send(begun)
            leave(sock, reset)
            check(is_eof(server), (reset, begun))
            server.close()

        # it may come back with frames in flight, to nobody

        sock = http('/')
        server = backend.request()
        server.send(SWITCH.replace(b'%ACCEPT%', accept_key(
            server.header(b'sec-websocket-key'))) + b'\r\n')
        sock.recv(1)
        leave(sock, reset)
        check(is_eof(server), reset)


@scenario('a client may leave without its answer: ws_proxy_ignore_client_abort')
def _():
    sock = http('/stuck')
    server = backend.request()
    sock.close()
    check(quiet(server), 'the backend is disconnected')
    server.send(b'HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n')
    check(is_eof(server), 'the backend is not disconnected')


FAILURES = [
    ('reset', None, 502), ('silent', None, 504), ('closed', b'', 502),
    ('cut', SWITCH, 502), ('garbage', b'SSH-2.0-x\r\n', 502),
    ('no Connection', SWITCH.replace(b'Connection: Upgrade\r\n', b'')
     + b'\r\n', 502),
    ('wrong accept', SWITCH.replace(b'%ACCEPT%', b'x' * 28) + b'\r\n', 502),
    ('extension', SWITCH + b'Sec-WebSocket-Extensions: x\r\n\r\n', 502),
] + [(str(status), b'HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n' % status,
      status) for status in (500, 502, 503, 504, 403, 404, 429)]


def fail(server, name, data):
    if name == 'reset':
        server.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack('ii', 1, 0))
        server.close()
    elif name != 'silent':
        server.send(data.replace(b'%ACCEPT%', accept_key(
            server.header(b'sec-websocket-key'))))
        server.sock.shutdown(socket.SHUT_WR)


@scenario('each failure leads to the next server if it is named')
def _():
    for name, data, status in FAILURES:
        sock = http('/each')
        first = backend.request()
        fail(first, name, data)
        second = backend.request()
        second.send(SWITCH.replace(b'%ACCEPT%', accept_key(
            second.header(b'sec-websocket-key'))) + b'\r\n')
        client = Raw(sock, True)
        client.head = client.read_head()
        check(client.head.startswith(b'HTTP/1.1 101 '), (name, client.head))
        bye(client, second)


@scenario('and to an answer if it is not')
def _():
    for name, data, status in FAILURES:
        sock = http('/nowhere')
        server = backend.request()
        fail(server, name, data)
        reply = response(sock)
        check(reply.startswith(b'HTTP/1.1 %d ' % status), (name, reply))
        server.close()


@scenario('when all servers fail the last failure is told')
def _():
    for name, data, status in FAILURES:
        sock = http('/each')
        held = []
        for _ in range(2):
            held.append(backend.request())
            fail(held[-1], name, data)
        reply = response(sock)
        check(reply.startswith(b'HTTP/1.1 %d ' % status), (name, reply))


@scenario('ws_proxy_hide_header hides, ws_proxy_pass_header does not')
def _():
    reply = answer(b'HTTP/1.1 403 No\r\nX-Secret: 1\r\nServer: mine\r\n'
                   b'Content-Length: 0\r\n\r\n', '/hide')
    check(b'X-Secret' not in reply and b'\r\nServer: mine\r\n' in reply, reply)


@scenario('ws_proxy_intercept_errors gives way to error_page')
def _():
    reply = answer(b'HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno', '/icept')
    check(reply.startswith(b'HTTP/1.1 403 '), reply)
    check(reply.endswith(b'intercepted\n'), reply)


@scenario('a message of the client that is too big: 1009 to it, 1000 behind')
def _():
    client, server = both(PROXY, backend, '/limit')
    client.send(client.frame(TEXT, b'x' * 100))
    equal(server.recv(), (TEXT, b'x' * 100))
    client.send(client.frame(TEXT, b'y' * 101))
    equal(code(client.recv()), 1009)
    equal(code(server.recv()), 1000)
    server.send(server.frame(CLOSE, b'\x03\xe8'))
    check(is_eof(server), 'the backend is not disconnected')
    check(is_eof(client), 'the client is not disconnected')


@scenario('a message of the backend that is too big: 1009 to it, 1000 before')
def _():
    client, server = both(PROXY, backend, '/limit')
    server.send(server.frame(TEXT, b'x' * 150, fin=False))
    server.send(server.frame(CONT, b'x' * 51))
    equal(client.recv_frame(), (0x01, b'x' * 150))
    equal(code(client.recv()), 1000)
    equal(code(server.recv()), 1009)
    client.send(client.frame(CLOSE, b'\x03\xe8'))
    server.send(server.frame(CLOSE, b'\x03\xf1'))
    check(is_eof(client), 'the client is not disconnected')


@scenario('a sender that goes on sending sees its 1009 none the less')
def _():
    client, server = both(PROXY, backend, '/limit')
    client.send(client.frame(BINARY, b'y' * (4 << 20)))
    equal(code(client.recv()), 1009)
    equal(code(server.recv()), 1000)
    server.close()


@scenario('the default limit is 32769 bytes')
def _():
    client, server = both(PROXY, backend, '/default')
    client.send(client.frame(BINARY, b'y' * 32769))
    equal(server.recv(), (BINARY, b'y' * 32769))
    client.send(client.frame(BINARY, b'y' * 32770))
    equal(code(client.recv()), 1009)


@scenario('with ws_proxy_inflate off compressed bytes count')
def _():
    client, server = both(PROXY, backend, '/wire', [
        'Sec-WebSocket-Extensions: permessage-deflate'],
        extensions=b'permessage-deflate')
    packed = client.pack(b'a' * 50000)
    client.send(client.frame(TEXT, packed, rsv=4))
    equal(server.recv(), (TEXT, b'a' * 50000))
    client.send(client.frame(TEXT, client.pack(os.urandom(200)), rsv=4))
    equal(code(client.recv()), 1009)


@scenario('window sizes and context takeover are followed')
def _():
    for extra in (b'', b'; client_no_context_takeover',
                  b'; server_no_context_takeover; client_max_window_bits=9',
                  b'; server_max_window_bits=10; client_max_window_bits=15'):
        client, server = both(PROXY, backend, '/big', [
            'Sec-WebSocket-Extensions: permessage-deflate; '
            'client_max_window_bits'],
            extensions=b'permessage-deflate' + extra)
        text = b''.join(b'%d %d ' % (i, i * i) for i in range(3000))
        for _ in range(3):
            client.send(client.frame(TEXT, client.pack(text), rsv=4))
            equal(server.recv(), (TEXT, text))
            server.send(server.frame(TEXT, server.pack(text), rsv=4))
            equal(client.recv(), (TEXT, text))
        bye(client, server)


@scenario('a compressed message with a final block is understood')
def _():
    import zlib
    client, server = both(PROXY, backend, '/big', [
        'Sec-WebSocket-Extensions: permessage-deflate'],
        extensions=b'permessage-deflate')
    packer = zlib.compressobj(wbits=-15)
    data = packer.compress(b'final') + packer.flush(zlib.Z_FINISH)
    client.send(client.frame(TEXT, data + b'\0', rsv=4))
    first, payload = server.recv_frame()
    equal((first, payload), (0xc1, data + b'\0'))
    bye(client, server)


@scenario('with an unknown extension reserved bits pass')
def _():
    client, server = both(PROXY, backend, '/', [
        'Sec-WebSocket-Extensions: x-mine'], extensions=b'x-mine')
    client.send(client.frame(TEXT, b'x', rsv=3))
    equal(server.recv_frame(), (0xb1, b'x'))
    bye(client, server)


@scenario('and texts are not looked at: they may be anything')
def _():
    client, server = both(PROXY, backend, '/utf8', [
        'Sec-WebSocket-Extensions: x-mine'], extensions=b'x-mine')
    client.send(client.frame(TEXT, b'\xff'))
    equal(server.recv(), (TEXT, b'\xff'))
    bye(client, server)


@scenario('nothing of a refused frame reaches the other side')
def _():
    client, server = both(PROXY, backend, '/')
    bad = client.frame(CLOSE, struct.pack('!H', 1005) + b'bad')
    client.send(bad, 1)
    equal(code(server.recv()), 1002)
    equal(code(client.recv()), 1002)


def until_close(ws):
    """The fragments of a message that is never complete, and the code."""
    data, first = b'', True
    while True:
        head, payload = ws.recv_frame()
        if head == 0x88:
            return data, code((CLOSE, payload))
        equal(head & 0x80, 0)
        equal(head & 0x0f == CONT, not first)
        data, first = data + payload, False


@scenario('a text that turns out bad in a long frame: 1007 to both sides')
def _():
    for end in (0, 1):
        pair = both(PROXY, backend, '/utf8')
        sender, reader = pair[end], pair[1 - end]
        sender.send(sender.frame(TEXT, b'x' * 200000 + b'\xff' + b'x' * 100))
        data, last = until_close(reader)
        equal(last, 1007)
        check(data == b'x' * len(data) and len(data) >= 65536, len(data))
        equal(code(sender.recv()), 1007)


@scenario('a long frame that inflates too far: 1009 to its sender only')
def _():
    for path, size in (('/default', 100000), ('/big', 40 << 20)):
        for end in (0, 1):
            pair = both(PROXY, backend, path, [
                'Sec-WebSocket-Extensions: permessage-deflate'],
                extensions=b'permessage-deflate')
            sender, reader = pair[end], pair[1 - end]
            packed = sender.pack(os.urandom(80000) + bytes(size))
            check(len(packed) > 70000, len(packed))
            sender.send(sender.frame(BINARY, packed, rsv=4))
            data, last = until_close(reader)
            equal(last, 1000)
            check(packed.startswith(data), 'other bytes came out')
            equal(code(sender.recv()), 1009)


@scenario('long frames that are inspected keep their message, in any pieces')
def _():
    for chop in (0, 999, 65536):
        client, server = both(PROXY, backend, '/big', [
            'Sec-WebSocket-Extensions: permessage-deflate'],
            extensions=b'permessage-deflate')
        for ends in ((client, server), (server, client)):
            for size in (65536, 65537, 200000, 3000000):
                text = os.urandom(size)
                ends[0].send(
                    ends[0].frame(BINARY, ends[0].pack(text), rsv=4)
                    + ends[0].frame(PING, b'behind'), chop)
                equal(ends[1].recv(), (BINARY, text))
                equal(ends[1].recv(), (PING, b'behind'))
        bye(client, server)

        client, server = both(PROXY, backend, '/utf8')
        text = 'é€😀'.encode() * 20000
        for ends in ((client, server), (server, client)):
            ends[0].send(ends[0].frame(TEXT, text[:70001], fin=False)
                         + ends[0].frame(CONT, text[70001:]), chop)
            equal(ends[1].recv(), (TEXT, text))
        bye(client, server)


@scenario('a Close of ours waits for the end of the frame that passes')
def _():
    client, server = both(PROXY, backend, '/big')
    frame = server.frame(BINARY, b'z' * 1000)
    server.send(frame[:300])
    time.sleep(0.1)
    client.send(client.frame(3, b'reserved'))
    time.sleep(0.1)
    server.send(frame[300:])
    equal(client.recv(), (BINARY, b'z' * 1000))
    equal(code(client.recv()), 1002)
    equal(code(server.recv()), 1002)


@scenario('a peer that leaves without a Close takes the other with it')
def _():
    client, server = both(PROXY, backend)
    server.send(server.frame(TEXT, b'last'))
    server.close()
    equal(client.recv(), (TEXT, b'last'))
    check(is_eof(client), 'the client is not disconnected')

    client, server = both(PROXY, backend)
    client.close()
    check(is_eof(server), 'the backend is not disconnected')


@scenario('a Close is answered for a side that leaves instead')
def _():
    client, server = both(PROXY, backend)
    client.send(client.frame(CLOSE, struct.pack('!H', 4321)))
    equal(code(server.recv()), 4321)
    server.close()
    equal(code(client.recv()), 4321)


@scenario('ws_proxy_close_timeout ends a close that is not answered')
def _():
    client, server = both(PROXY, backend, '/close')
    start = time.time()
    client.send(client.frame(CLOSE, b'\x03\xe8'))
    equal(code(server.recv()), 1000)
    check(is_eof(server), 'the backend is not disconnected')
    check(0.2 < time.time() - start < 3, time.time() - start)


@scenario('what follows a Close frame is not forwarded')
def _():
    client, server = both(PROXY, backend)
    client.send(client.frame(CLOSE, b'\x03\xe8')
                + client.frame(TEXT, b'late'))
    equal(code(server.recv()), 1000)
    check(quiet(server), 'a frame behind a Close was forwarded')
    server.send(server.frame(TEXT, b'still open'))
    equal(client.recv(), (TEXT, b'still open'))
    server.send(server.frame(CLOSE, b'\x03\xe8'))
    equal(code(client.recv()), 1000)


@scenario('a Close of the backend reaches a client that is sending')
def _():
    for _ in range(10):
        client, server = both(PROXY, backend, '/big')
        stop = threading.Event()

        def pour():
            try:
                while not stop.is_set():
                    client.send(client.frame(BINARY, b'x' * 10000))
            except OSError:
                pass

        thread = threading.Thread(target=pour)
        thread.start()
        server.recv()
        server.send(server.frame(CLOSE, struct.pack('!H', 4001)))
        server.sock.shutdown(socket.SHUT_WR)
        time.sleep(0.02)
        server.close()
        equal(code(client.recv()), 4001)
        stop.set()
        client.sock.shutdown(socket.SHUT_RDWR)
        thread.join()
        client.close()


@scenario('a long frame under way is no reason to miss a pong')
def _():
    client, server = both(PROXY, backend, '/ping')
    frame = server.frame(BINARY, b'x' * 30000)
    for i in range(0, 30000, 3000):
        server.send(frame[i:i + 3000])
        time.sleep(0.15)
    server.send(frame[30000:])
    server.buf = b''
    seen = [client.recv(), client.recv()]
    equal(seen[0], (BINARY, b'x' * 30000))
    equal(seen[1][0], PING)


@scenario('a slow reader slows the sender and loses nothing')
def _():
    client, server = both(PROXY, backend, '/big')
    sent = os.urandom(1 << 20) * 24
    thread = threading.Thread(target=lambda: server.send(
        server.frame(BINARY, sent)))
    thread.start()
    time.sleep(0.3)
    check(thread.is_alive(), 'the proxy has swallowed 24M')
    equal(client.recv(), (BINARY, sent))
    thread.join()
    client.send(client.frame(BINARY, sent[:1 << 20]))
    equal(server.recv(), (BINARY, sent[:1 << 20]))
    bye(client, server)


@scenario('frames in any pieces pass in both directions at once')
def _():
    client, server = both(PROXY, backend, '/big')

    def talk(a, b, chop, box):
        for i in range(200):
            a.send(a.frame(TEXT, b'%d ' % i * (i % 50)), chop)
            if i % 20 == 0:
                a.send(a.frame(PONG, b'%d' % i), chop)
        box.append([b.recv() for _ in range(0)])

    for chop in (1, 3, 7, 100):
        threads = [threading.Thread(target=talk, args=(*pair, chop, []))
                   for pair in ((client, server), (server, client))]
        for t in threads:
            t.start()
        for end in (client, server):
            for i in range(200):
                equal(end.recv(), (TEXT, b'%d ' % i * (i % 50)))
                if i % 20 == 0:
                    equal(end.recv(), (PONG, b'%d' % i))
        for t in threads:
            t.join()
    bye(client, server)


@scenario('idle peers are pinged and their pongs kept')
def _():
    client, server = both(PROXY, backend, '/ping')
    for end, other in ((client, server), (server, client)):
        op, data = end.recv()
        equal(op, PING)
        end.send(end.frame(PONG, data))
    for end in (client, server):
        op, data = end.recv()
        equal(op, PING)
        end.send(end.frame(PONG, data))
    client.send(client.frame(PONG, b'of my own') + client.frame(TEXT, b'x'))
    seen = [server.recv() for _ in range(2)]
    equal(seen, [(PONG, b'of my own'), (TEXT, b'x')])


@scenario('a ping that is not answered closes both sides with 1001')
def _():
    client, server = both(PROXY, backend, '/ping')
    while True:
        op, data = server.recv()
        if op == CLOSE:
            equal(code((op, data)), 1001)
            break
        server.send(server.frame(PONG, data))
    equal(client.recv()[0], PING)
    equal(code(client.recv()), 1001)


@scenario('ws_proxy_read_timeout closes an idle session with 1001')
def _():
    client, server = both(PROXY, backend, '/idle')
    start = time.time()
    time.sleep(0.3)
    client.send(client.frame(TEXT, b'alive'))
    equal(server.recv(), (TEXT, b'alive'))
    equal(code(server.recv()), 1001)
    equal(code(client.recv()), 1001)
    check(time.time() - start > 0.7, time.time() - start)


@scenario('ws_proxy_send_timeout ends a session with a peer that is stuck')
def _():
    client, server = both(PROXY, backend, '/stuck')
    start = time.time()
    data = server.frame(BINARY, b'x' * (32 << 20))
    try:
        server.send(data)
        check(False, 'the proxy has swallowed all')
    except OSError:
        pass
    check(time.time() - start < 4, time.time() - start)


run()
