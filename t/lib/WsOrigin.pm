package WsOrigin;

# Copyright (C) ngx_egress authors
#
# WebSocket backends whose health can be told.
#
#     WsOrigin::serve("ONE", $port)    listens on 127.0.0.1:$port
#     WsOrigin::ill("ONE", qr/ws/)     /health... that match are answered with
#                                      503 from now on; without a pattern all
#     WsOrigin::well("ONE")            and with 200 or 101 again
#
# A handshake is answered with 101 and "X-Status: healthy" whatever its path;
# then a message is echoed, but for
#
#     who        the name, "ONE"
#     head       the request as received
#     send N     N bytes
#
# Any other request gets 200 and "NAME METHOD PATH\n".  Each is recorded: see
# EgressDaemon::lines("ONE"), "METHOD PATH HEADERS" on one line.

use strict;
use warnings;

use Digest::SHA qw/sha1_base64/;

use EgressDaemon;
use EgressHttp;
use EgressSocket;

my $guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';


sub serve {
    my ($name, $port) = @_;

    my @socks = EgressDaemon::bind_name($name, { port => $port });

    well($name);

    EgressDaemon::serve_tcp($name, \@socks, sub {
        my $s = EgressSocket->new($_[0], timeout => 60);
        my $r = EgressHttp::read_head($s) or return;

        answer($name, $s, $r);
    });
}


sub ill {
    my ($name, $re) = @_;

    EgressDaemon::record("${name}_ILL", $re // '.');
}


sub well { EgressDaemon::forget("$_[0]_ILL") }


sub answer {
    my ($name, $s, $r) = @_;

    my $head = $r->{raw} =~ s/\r\n/ /gr;

    EgressDaemon::record($name, $head);

    if ($r->{target} =~ m{^/health}
        && grep { $r->{target} =~ $_ } EgressDaemon::lines("${name}_ILL"))
    {
        return reply($s, '503 Service Unavailable', "ill\n");
    }

    my $key = EgressHttp::header($r, 'Sec-WebSocket-Key');

    return reply($s, '200 OK', "$name $r->{method} $r->{target}\n")
        if !defined $key;

    my $accept = sha1_base64($key . $guid) . '=';

    $s->write("HTTP/1.1 101 Switching Protocols\r\n"
              . "Upgrade: websocket\r\nConnection: Upgrade\r\n"
              . "X-Status: healthy\r\nSec-WebSocket-Accept: $accept\r\n\r\n");

    converse($name, $s, $r->{raw});
}


sub reply {
    my ($s, $status, $text) = @_;

    $s->write("HTTP/1.1 $status\r\nConnection: close\r\nContent-Length: "
              . length($text) . "\r\n\r\n$text");
    $s->close;
}


sub converse {
    my ($name, $s, $head) = @_;

    while (my ($opcode, $data) = frame($s)) {

        if ($opcode == 8) {
            send_frame($s, 8, $data);
            last;
        }

        if ($opcode == 9) {
            send_frame($s, 10, $data);
            next;
        }

        next if $opcode != 1 && $opcode != 2;

        $data = $name if $data eq 'who';
        $data = $head if $data eq 'head';
        $data = 'x' x $1 if $data =~ /^send (\d+)$/;

        send_frame($s, $opcode, $data);
    }

    $s->close;
}


sub frame {
    my ($s) = @_;

    my ($first, $n) = unpack 'CC', $s->read_n(2) // return;

    $n &= 127;
    $n = unpack 'n', $s->read_n(2) // return if $n == 126;
    $n = unpack 'Q>', $s->read_n(8) // return if $n == 127;

    my $mask = $s->read_n(4) // return;
    my $data = $n ? $s->read_n($n) // return : '';

    return ($first & 15, $data ^ substr $mask x ($n / 4 + 1), 0, $n);
}


sub send_frame {
    my ($s, $opcode, $data) = @_;

    my $n = length $data;
    my $head = $n < 126 ? pack 'CC', 0x80 | $opcode, $n
               : $n < 65536 ? pack 'CCn', 0x80 | $opcode, 126, $n
               : pack 'CCQ>', 0x80 | $opcode, 127, $n;

    $s->write($head . $data);
}


1;
