#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# WebSocket over HTTP/2 is not spoken: a request that pretends to be a
# handshake is refused, and the connection serves the next one.

use strict;
use warnings;

use lib 't/lib';

use Test::More;

use EgressNginx;
use EgressPort qw/PROXY/;
use EgressSocket;
use EgressTcp BACKEND => 'refuse';
use IO::Socket::INET;

my $http2 = version() >= 1025001 ? '; http2 on' : ' http2';

my $ngx = EgressNginx->new(conf => <<"_EOC_");
http {
    server {
        listen 127.0.0.1:\$TEST_NGINX_PROXY_PORT$http2;

        location / {
            ws_proxy_pass http://127.0.0.1:\$TEST_NGINX_BACKEND_PORT;
        }

        location /elsewhere {
            ws_proxy_pass http://127.0.0.1:\$TEST_NGINX_BACKEND_PORT;
            ws_proxy_fallback /plain;
        }

        location /plain {
            return 204;
        }
    }
}
_EOC_

my @websocket = (upgrade => 'websocket', connection => 'Upgrade',
                 'sec-websocket-version' => 13,
                 'sec-websocket-key' => 'dGhlIHNhbXBsZSBub25jZQ==');

my $s = EgressSocket->new(IO::Socket::INET->new(
    PeerAddr => '127.0.0.1', PeerPort => EgressPort::port('PROXY')));

$s->write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, ''));

is(get(1, '/', @websocket), 400, 'a handshake over HTTP/2 is refused');
$ngx->wait_log(qr/version of HTTP is not 1\.1/);
is(get(3, '/'), 426, 'another request on that connection is answered');
is(get(5, '/elsewhere'), 204, 'and one more goes to ws_proxy_fallback');

done_testing();


sub version {
    my $text = qx{"@{[ EgressNginx::binary() ]}" -v 2>&1};

    return $text =~ m{/(\d+)\.(\d+)\.(\d+)}
           ? $1 * 1000000 + $2 * 1000 + $3 : 0;
}


sub frame {
    my ($type, $flags, $stream, $data) = @_;

    return substr(pack('N', length $data), 1)
           . pack('CCN', $type, $flags, $stream) . $data;
}


sub field { pack 'C C/a C/a', 0, @_ }


# the status of the answer, which is the first field of its header block:
# indexed, or literal with an indexed name

sub get {
    my ($stream, $path, @fields) = @_;

    my $block = '';
    my @all = (':method' => 'GET', ':scheme' => 'http', ':path' => $path,
               ':authority' => 'ws.test', @fields);

    $block .= field(splice @all, 0, 2) while @all;
    $s->write(frame(1, 5, $stream, $block));

    for ( ;; ) {
        my $head = $s->read_n(9) // return 'the end';
        my ($high, $low, $type, $flags, $id) = unpack 'C n C C N', $head;
        my $len = $high << 16 | $low;
        my $data = $len ? $s->read_n($len) // return 'the end' : '';

        next if $type != 1 || $id != $stream;

        return (200, 204, 206, 304, 400, 404, 500)[ord($data) - 0x88]
            if ord($data) & 0x80;

        return substr $data, 2, 3;
    }
}
