#!/usr/bin/python3

# Copyright (C) ngx_egress authors
#
# A table of cases after the public list of the Autobahn test suite, played
# through the proxy in both directions.
#
#     cases.py client PORT PATH [deflate] [skip=NUMBER,...]
#         plays the client; an echo server of some library is behind
#     cases.py server PORT PEER URL [deflate] [skip=NUMBER,...]
#         plays the server on PORT; PEER, a program that echoes as a client
#         (see peer_*), comes through the proxy at URL
#
# What a library gets wrong by itself, without any proxy, is skipped, aloud.
#
# Prints one TAP line a case.  A valid case ends with our Close(1000), which
# must be answered; a violation must be answered with the code that is named.
# What had been sent before a violation may have been echoed, or not.

import os
import socket
import struct
import subprocess
import sys

from raw import (BINARY, CLOSE, CONT, PING, PONG, TEXT, Closed, Raw)


class Case:
    def __init__(self, number, name, send, expect=(), close=1000, chop=0,
                 sent_close=False):
        self.number = number
        self.name = name
        self.send = send          # arguments of Raw.frame(), or bytes
        self.expect = list(expect)  # (opcode, payload)
        self.close = close        # a code, or a set of codes
        self.chop = chop
        self.sent_close = sent_close  # "send" ends with a Close frame


def f(opcode, data=b'', fin=True, rsv=0, **kw):
    return dict(opcode=opcode, data=data, fin=fin, rsv=rsv, **kw)


def closing(code, reason=b''):
    return f(CLOSE, struct.pack('!H', code) + reason)


def sizes():
    for group, op, byte in ((1, TEXT, b'*'), (2, BINARY, b'\xfe')):
        for i, n in enumerate((0, 125, 126, 127, 128, 65535, 65536), 1):
            data = byte * n
            yield Case('1.%d.%d' % (group, i), '%d bytes' % n,
                       [f(op, data)], [(op, data)])
        data = byte * 65536
        yield Case('1.%d.8' % group, '64k in pieces of 997',
                   [f(op, data)], [(op, data)], chop=997)


def pings():
    yield Case('2.1', 'ping without payload', [f(PING)], [(PONG, b'')])
    for i, data in enumerate((b'Hello, world!', b'\0\xff\xfe\xfd\xfc\xfb\0\xff',
                              b'\xfe' * 125), 2):
        yield Case('2.%d' % i, 'ping with %d bytes' % len(data),
                   [f(PING, data)], [(PONG, data)])
    yield Case('2.5', 'ping with 126 bytes', [f(PING, b'\xfe' * 126)],
               close=1002)
    yield Case('2.6', 'ping byte by byte', [f(PING, b'\xfe' * 125)],
               [(PONG, b'\xfe' * 125)], chop=1)
    yield Case('2.7', 'unsolicited pong', [f(PONG)])
    yield Case('2.8', 'unsolicited pong with payload',
               [f(PONG, b'unsolicited')])
    yield Case('2.9', 'unsolicited pong, then a ping',
               [f(PONG, b'unsolicited'), f(PING, b'ping')],
               [(PONG, b'ping')])
    many = [b'payload-%d' % i for i in range(10)]
    for i, chop in ((10, 0), (11, 1)):
        yield Case('2.%d' % i, 'ten pings, pieces of %d' % chop,
                   [f(PING, p) for p in many], [(PONG, p) for p in many],
                   chop=chop)


def reserved():
    hello = (TEXT, b'Hello, world!')
    yield Case('3.1', 'text with RSV 1', [f(*hello, rsv=4)], close=1002)
    yield Case('3.2', 'text, then RSV 2', [f(*hello), f(*hello, rsv=2)],
               [hello], close=1002)
    yield Case('3.3', 'text, then RSV 3, ping',
               [f(*hello), f(*hello, rsv=1), f(PING)], [hello], close=1002)
    yield Case('3.4', 'RSV 3 byte by byte',
               [f(*hello), f(*hello, rsv=1), f(PING)], [hello], close=1002,
               chop=1)
    yield Case('3.5', 'binary with RSV', [f(BINARY, b'\0\xff', rsv=5)],
               close=1002)
    yield Case('3.6', 'ping with RSV', [f(PING, b'x', rsv=6)], close=1002)
    yield Case('3.7', 'close with RSV', [f(CLOSE, b'\x03\xe8', rsv=7)],
               close=1002)


def opcodes():
    hello = (TEXT, b'Hello, world!')
    for group, codes in ((1, range(3, 8)), (2, range(11, 16))):
        for i, op in enumerate(codes, 1):
            yield Case('4.%d.%d' % (group, i), 'opcode %d' % op,
                       [f(op)], close=1002)
            yield Case('4.%d.%d' % (group, i + 5),
                       'text, then opcode %d, then ping' % op,
                       [f(*hello), f(op, b'payload'), f(PING)], [hello],
                       close=1002, chop=1 if i == 3 else 0)


def fragments():
    two = [f(TEXT, b'fragment1', fin=False), f(CONT, b'fragment2')]
    both = (TEXT, b'fragment1fragment2')
    bad = 1002
    yield Case('5.1', 'ping in two fragments',
               [f(PING, b'fragment1', fin=False), f(CONT, b'fragment2')],
               close=bad)
    yield Case('5.2', 'pong in two fragments',
               [f(PONG, b'fragment1', fin=False), f(CONT, b'fragment2')],
               close=bad)
    yield Case('5.3', 'text in two fragments', two, [both])
    yield Case('5.4', 'the same byte by byte', two, [both], chop=1)
    yield Case('5.5', 'the same in pieces of 3', two, [both], chop=3)
    for i, chop in ((6, 0), (7, 2), (8, 1)):
        yield Case('5.%d' % i, 'ping between fragments, pieces of %d' % chop,
                   [two[0], f(PING, b'ping'), two[1]],
                   [(PONG, b'ping'), both], chop=chop)
    for i, fin, chop in ((9, True, 0), (10, True, 5), (11, True, 1),
                         (12, False, 0), (13, False, 5), (14, False, 1)):
        yield Case('5.%d' % i, 'continuation of nothing',
                   [f(CONT, b'non-continuation payload', fin=fin),
                    f(TEXT, b'Hello, world!')], close=bad, chop=chop)
    yield Case('5.15', 'continuation after the end of a message',
               two + [f(CONT, b'fragment3', fin=False), f(TEXT, b'fragment4')],
               [both], close=bad)
    for i in (16, 17):
        yield Case('5.%d' % i, 'continuation, then text, twice',
                   [f(CONT, b'fragment1', fin=(i == 17)),
                    f(TEXT, b'fragment2', fin=False),
                    f(CONT, b'fragment3')] * 2, close=bad)
    yield Case('5.18', 'text inside of a text',
               [f(TEXT, b'fragment1', fin=False), f(TEXT, b'fragment2')],
               close=bad)
    parts = [f(TEXT, b'fragment1', fin=False), f(CONT, b'fragment2', fin=False),
             f(PING, b'pongme 1!'), f(CONT, b'fragment3', fin=False),
             f(CONT, b'fragment4', fin=False), f(PING, b'pongme 2!'),
             f(CONT, b'fragment5')]
    whole = (TEXT, b''.join(b'fragment%d' % i for i in range(1, 6)))
    for i, chop in ((19, 0), (20, 1)):
        yield Case('5.%d' % i, 'five fragments and two pings',
                   parts, [(PONG, b'pongme 1!'), (PONG, b'pongme 2!'), whole],
                   chop=chop)


def utf8():
    yield Case('6.1.1', 'empty text', [f(TEXT)], [(TEXT, b'')])
    yield Case('6.1.2', 'three empty fragments',
               [f(TEXT, fin=False), f(CONT, fin=False), f(CONT)],
               [(TEXT, b'')])
    yield Case('6.1.3', 'an empty, a full and an empty fragment',
               [f(TEXT, fin=False), f(CONT, b'middle', fin=False), f(CONT)],
               [(TEXT, b'middle')])
    good = 'Hello-µ@ßöäüàá-UTF-8!!'.encode()
    yield Case('6.2.1', 'text', [f(TEXT, good)], [(TEXT, good)])
    yield Case('6.2.2', 'a fragment ends on a code point',
               [f(TEXT, good[:8], fin=False), f(CONT, good[8:])],
               [(TEXT, good)])
    yield Case('6.2.3', 'fragments of one byte', split(good), [(TEXT, good)])
    kosme = 'κόσμε'.encode()
    yield Case('6.2.4', 'fragments inside of code points', split(kosme),
               [(TEXT, kosme)])
    bad = kosme + b'\xed\xa0\x80' + b'edited'
    yield Case('6.3.1', 'a surrogate', [f(TEXT, bad)], close=1007)
    yield Case('6.3.2', 'a surrogate in fragments of one byte', split(bad),
               close=1007)
    yield Case('6.4.1', 'failing before the message is complete',
               [f(TEXT, kosme, fin=False),
                f(CONT, b'\xf4\x90\x80\x80', fin=False)], close=1007)
    yield Case('6.4.2', 'failing inside of a code point',
               [f(TEXT, kosme + b'\xf4', fin=False),
                f(CONT, b'\x90', fin=False)], close=1007)
    yield Case('6.4.3', 'failing before the frame is complete',
               [f(TEXT, kosme + b'\xf4\x90', length=len(kosme) + 6)],
               close=1007)
    for i, (text, ok) in enumerate(utf8_texts(), 1):
        yield Case('6.5.%d' % i, 'text %s' % text.hex(), [f(TEXT, text)],
                   [(TEXT, text)] if ok else [], 1000 if ok else 1007)


def split(data):
    last = len(data) - 1
    return [f(CONT if i else TEXT, data[i:i + 1], fin=(i == last))
            for i in range(len(data))]


def utf8_texts():
    # 6.6 - 6.23: truncated, boundaries, over-long, surrogates, noncharacters
    kosme = 'κόσμε'.encode()
    for n in range(1, len(kosme) + 1):
        try:
            kosme[:n].decode()
            yield kosme[:n], True
        except UnicodeDecodeError:
            yield kosme[:n], False
    for point in (0x00, 0x80, 0x7f, 0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff,
                  0xd7ff, 0xe000, 0xfffd, 0xfffe, 0x1fffe, 0x10fffe):
        yield chr(point).encode(), True
    for bad in ('f5808080', 'f8888080 80', 'fc8480808080', 'fb', 'f7bfbfbf',
                'f4908080', '80', 'bf', '80bf80bf', 'c0af', 'e080af',
                'f08080af', 'f8808080af', 'c1bf', 'e09fbf', 'f08fbfbf',
                'c080', 'e08080', 'eda080', 'edafbf', 'edb080', 'edbfbf',
                'eda080edb080', 'c3', 'e282', 'f09f98', 'fe', 'ff', 'feff'):
        yield bytes.fromhex(bad), False


def closes():
    hello = (TEXT, b'Hello World!')
    yield Case('7.1.1', 'a message and a close', [f(*hello)], [hello])
    yield Case('7.1.2', 'two closes', [closing(1000), closing(1000)],
               sent_close=True)
    yield Case('7.1.3', 'ping after close', [closing(1000), f(PING)],
               sent_close=True)
    yield Case('7.1.4', 'text after close', [closing(1000), f(*hello)],
               sent_close=True)
    yield Case('7.1.5', 'close inside of a message',
               [f(TEXT, b'fragment1', fin=False), closing(1000),
                f(CONT, b'fragment2')], sent_close=True)
    big = (TEXT, b'BAsd7&jh23' * 26 * 1024)
    yield Case('7.1.6', 'a long message, close and ping',
               [f(*big), closing(1000), f(PING)], [big], sent_close=True,
               close={1000})
    yield Case('7.3.1', 'close without a code', [f(CLOSE)], close={1000, 1005},
               sent_close=True)
    yield Case('7.3.2', 'close with one byte', [f(CLOSE, b'a')], close=1002)
    yield Case('7.3.3', 'close with a code', [closing(1000)], sent_close=True)
    yield Case('7.3.4', 'close with a reason', [closing(1000, b'Hello')],
               sent_close=True)
    yield Case('7.3.5', 'the longest reason', [closing(1000, b'*' * 123)],
               sent_close=True)
    yield Case('7.3.6', 'a reason that is too long',
               [closing(1000, b'*' * 124)], close=1002)
    yield Case('7.5.1', 'a reason that is not UTF-8',
               [closing(1000, b'\xed\xa0\x80')], close=1007)
    good = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999,
            4000, 4999)
    for i, code in enumerate(good, 1):
        yield Case('7.7.%d' % i, 'close with %d' % code, [closing(code)],
                   close={code, 1000}, sent_close=True)
    bad = (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000,
           65535)
    for i, code in enumerate(bad, 1):
        yield Case('7.9.%d' % i, 'close with %d' % code, [closing(code)],
                   close=1002)


def headers():
    # what Autobahn does not try, because no library would send it
    yield Case('8.1', 'the wrong mask bit', [f(TEXT, b'x', mask='wrong')],
               close=1002)
    yield Case('8.2', 'a 16-bit length below 126',
               [{'raw': b'\x81\xfe\x00\x05'}], close=1002)
    yield Case('8.3', 'a 64-bit length below 65536',
               [{'raw': b'\x81\xff' + struct.pack('!Q', 65535)}], close=1002)
    yield Case('8.4', 'a length with its top bit set',
               [{'raw': b'\x81\xff' + struct.pack('!Q', 1 << 63)}],
               close=1002)


def limits():
    # the limit of the location is 1M in both directions
    limit = 1 << 20
    for i, op in ((1, TEXT), (2, BINARY)):
        for j, n in enumerate((65536, 262144, limit), 1):
            data = b'*' * n
            yield Case('9.%d.%d' % (i, j), 'message of %d' % n,
                       [f(op, data)], [(op, data)])
        yield Case('9.%d.4' % i, 'message above the limit',
                   [f(op, b'*' * (limit + 1))], close=1009)
    for i, size in ((3, 64), (4, 1024), (5, 65536)):
        n = 65536 if size == 64 else limit
        data = b'*' * n
        parts = [f(CONT if at else TEXT, data[at:at + size],
                   fin=(at + size >= n)) for at in range(0, n, size)]
        yield Case('9.%d' % i, '%d in fragments of %d' % (n, size), parts,
                   [(TEXT, data)])
    half = [f(TEXT, b'*' * (limit // 2), fin=False),
            f(CONT, b'*' * (limit // 2), fin=False)]
    yield Case('9.6', 'fragments up to the limit', half + [f(CONT)],
               [(TEXT, b'*' * limit)])
    yield Case('9.7', 'fragments above the limit',
               half + [f(PING, b'still here'), f(CONT, b'*')],
               [(PONG, b'still here')], close=1009)
    yield Case('9.8', 'a length that will never come',
               [{'raw': b'\x82\xff' + struct.pack('!Q', 1 << 40) + b'abcd'}],
               close=1009)


def deflated():
    limit = 1 << 20
    for i, (op, unit) in enumerate(((TEXT, b'{"key": "value"}, '),
                                    (BINARY, None)), 1):
        for j, n in enumerate((0, 1, 16, 64, 256, 1024, 4096, 8192, 16384,
                               32768, 65536, 131072, limit), 1):
            data = os.urandom(n) if unit is None \
                else (unit * (n // len(unit) + 1))[:n]
            yield Case('12.%d.%d' % (i, j), '%d bytes' % n,
                       [f(op, data, deflate=True)] * 3, [(op, data)] * 3)
    text = b'0123456789' * 1000
    yield Case('12.3.1', 'fragments', [f(TEXT, text, deflate=True, parts=7)],
               [(TEXT, text)])
    yield Case('12.3.2', 'fragments with a ping between, bytewise',
               [f(TEXT, text, deflate=True, parts=7, ping=b'in between')],
               [(PONG, b'in between'), (TEXT, text)], chop=1)
    yield Case('12.3.3', 'a message that is not compressed among others',
               [f(TEXT, text, deflate=True), f(TEXT, b'plain'),
                f(TEXT, text, deflate=True)],
               [(TEXT, text), (TEXT, b'plain'), (TEXT, text)])
    yield Case('12.4.1', 'above the limit when it is inflated',
               [f(BINARY, b'\0' * (limit + 1), deflate=True)], close=1009)
    yield Case('12.4.2', 'a thousand times above the limit',
               [f(BINARY, b'\0' * (limit * 100), deflate=True)], close=1009)
    yield Case('12.4.3', 'not a deflate stream',
               [f(TEXT, b'\xff' * 40, rsv=4)], close=1007)
    yield Case('12.4.4', 'not UTF-8 when it is inflated',
               [f(TEXT, b'caf\xe9', deflate=True)], close=1007)
    yield Case('12.4.5', 'RSV 1 in a continuation',
               [f(TEXT, b'a', fin=False), f(CONT, b'b', rsv=4)], close=1002)
    yield Case('12.4.6', 'RSV 1 in a control frame', [f(PING, b'b', rsv=4)],
               close=1002)


def table(deflate):
    if deflate:
        return list(deflated())
    groups = (sizes, pings, reserved, opcodes, fragments, utf8, closes,
              headers, limits)
    return [case for group in groups for case in group()]


def wire(ws, item):
    item = dict(item)
    if 'raw' in item:
        raw = bytearray(item['raw'])
        if not ws.client:
            raw[1] &= 0x7f
        elif len(raw) == 4 or len(raw) == 10:
            raw += b'mask'
        return bytes(raw)
    if item.get('mask') == 'wrong':
        item['mask'] = not ws.client
    parts, ping = item.pop('parts', 1), item.pop('ping', None)
    if not item.pop('deflate', False):
        return ws.frame(**item)
    data = ws.pack(item['data'])
    step = len(data) // parts or 1
    cuts = [i * step for i in range(parts)] + [len(data)]
    out = []
    for i in range(parts):
        if ping and i == parts // 2:
            out.append(ws.frame(PING, ping))
        out.append(ws.frame(CONT if i else item['opcode'],
                            data[cuts[i]:cuts[i + 1]], i == parts - 1,
                            0 if i else 4))
    return b''.join(out)


def play(ws, case):
    """None, or what went wrong."""
    got = []
    codes = case.close if isinstance(case.close, set) else {case.close}
    valid = case.close == 1000 and not case.sent_close

    try:
        for item in case.send:
            ws.send(wire(ws, item), case.chop)
    except OSError:
        pass

    left = list(case.expect)
    said = case.sent_close

    while True:
        if valid and not left and not said:
            ws.send(ws.frame(CLOSE, b'\x03\xe8'))
            said = True

        try:
            op, data = ws.recv()
        except socket.timeout:
            return 'timed out after %r' % got
        except (Closed, OSError) as e:
            return 'no close frame after %r %s' % (got, e)

        if op == CLOSE:
            code = struct.unpack('!H', data[:2])[0] if data else 1005
            if code not in codes:
                return 'closed with %d, not %s' % (code, codes)
            if left and valid:
                return 'closed before %r' % left[0][0]
            return None

        got.append((op, len(data)))

        # pongs may overtake messages, and the other way round

        if (op, data) not in left:
            return 'unexpected %r' % ((op, data[:40]),)
        left.remove((op, data))


class Report:
    def __init__(self):
        self.count = 0
        self.skip = set()
        for arg in sys.argv:
            if arg.startswith('skip='):
                self.skip.update(arg[5:].split(','))

    def line(self, case, error):
        self.count += 1
        skip = error and case.number in self.skip
        print('%sok %d - %s %s%s' % ('' if skip or not error else 'not ',
                                     self.count, case.number, case.name,
                                     ' # SKIP fails without a proxy, too'
                                     if skip else ''))
        if error and not skip:
            print('# %s' % error[:300])
        sys.stdout.flush()


def as_client(port, path, deflate):
    report = Report()
    offer = ['Sec-WebSocket-Extensions: permessage-deflate; '
             'client_max_window_bits'] if deflate else []

    for case in table(deflate):
        try:
            ws = Raw.connect(port, path, offer)
        except (Closed, OSError) as e:
            report.line(case, 'no handshake: %s' % e)
            continue
        error = play(ws, case)
        if deflate and ws.deflate is None:
            error = 'permessage-deflate was not negotiated'
        report.line(case, error)
        ws.close()


def as_server(port, peer, url, deflate):
    report = Report()
    cases = table(deflate)
    listener = socket.create_server(('127.0.0.1', port), backlog=16)
    listener.settimeout(20)
    child = subprocess.Popen(peer.split() + ['echo', url, str(len(cases))]
                             + (['deflate'] if deflate else []),
                             stdin=subprocess.DEVNULL)
    try:
        for case in cases:
            try:
                sock, _ = listener.accept()
                ws = Raw.accept(sock, b'permessage-deflate' if deflate
                                else None)
            except (Closed, OSError) as e:
                report.line(case, 'no handshake: %s' % e)
                continue
            report.line(case, play(ws, case))
            ws.close()
    finally:
        child.kill()


def main():
    deflate = 'deflate' in sys.argv
    if sys.argv[1] == 'client':
        as_client(int(sys.argv[2]), sys.argv[3], deflate)
    else:
        as_server(int(sys.argv[2]), sys.argv[3], sys.argv[4], deflate)
    print('# done')


main()
