#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Fields of absolute-form requests and their answers: what ends at the proxy,
# what is made anew, what is added, what nobody may say in our name.

use strict;
use warnings;

use lib 't/lib';

use File::Temp;
use IO::Socket::UNIX;
use Test::More;

use EgressClient;
use EgressHttp;
use EgressNginx;
use EgressOrigin ORIGIN => {}, ORIGIN6 => { addr => '::1' };
use EgressPort qw/PLAIN HOST VIA CLASSIC STANDARD STEAL BOTH PATH CLOSE/;

my $dir = File::Temp->newdir('egress_sock_XXXXXX', TMPDIR => 1);
$ENV{TEST_NGINX_SOCK_DIR} = "$dir";

my %port = map { /^TEST_NGINX_(\w+)_PORT$/ ? ($1 => $ENV{$_}) : () } keys %ENV;
my $at = "127.0.0.1:$port{ORIGIN}";

my $ngx = EgressNginx->new(conf => <<'_EOC_', master => 0);
egress {
    escaper direct direct_fixed {
        bind_ip 127.0.0.1 127.0.0.2;
        enable_path_selection on;
        egress_network_filter { allow 127.0.0.0/8; }
    }

    escaper six direct_fixed {
        egress_network_filter { allow ::1; }
    }
}

http {
    server {
        listen             127.0.0.1:$TEST_NGINX_PLAIN_PORT;
        egress_http_proxy  direct;
    }

    server {
        listen                    127.0.0.1:$TEST_NGINX_HOST_PORT;
        listen                    [::1]:$TEST_NGINX_HOST_PORT;
        egress_http_proxy         six;
        egress_allow_custom_host  on;
        egress_forwarded          standard;
    }

    server {
        listen             127.0.0.1:$TEST_NGINX_VIA_PORT;
        egress_http_proxy  direct;
        egress_via         on;
        egress_server_id   gate-1;
    }

    server {
        listen             127.0.0.1:$TEST_NGINX_CLASSIC_PORT;
        egress_http_proxy  direct;
        egress_forwarded   classic;
    }

    server {
        listen             127.0.0.1:$TEST_NGINX_STANDARD_PORT;
        listen             unix:$TEST_NGINX_SOCK_DIR/s;
        egress_http_proxy  direct;
        egress_forwarded   standard;
    }

    server {
        listen                      127.0.0.1:$TEST_NGINX_STEAL_PORT;
        egress_http_proxy           direct;
        egress_steal_forwarded_for  on;
    }

    server {
        listen                      127.0.0.1:$TEST_NGINX_BOTH_PORT;
        egress_http_proxy           direct;
        egress_steal_forwarded_for  on;
        egress_forwarded            classic;
    }

    server {
        listen                        127.0.0.1:$TEST_NGINX_PATH_PORT;
        egress_http_proxy             direct;
        egress_path_selection_header  X-Egress-Path;
    }

    server {
        listen                     127.0.0.1:$TEST_NGINX_CLOSE_PORT;
        egress_http_proxy          direct;
        egress_upstream_keepalive  off;
    }
}
_EOC_


# The fields the origin gets, without Host, one a line.

sub sent {
    my ($server, @headers) = @_;

    my $r = EgressClient->new($port{$server})->get("http://$at/echo", @headers);

    return "status $r->{status}" if $r->{status} != 200;

    my (undef, $host, @fields) = split /\r\n/, $r->{body};
    is($host, "Host: $at", 'Host is that of the target');

    return join "\n", @fields;
}


# The fields the client gets, without those of the origin's framing and ours.

sub received {
    my ($server, $query, @headers) = @_;

    my $r = EgressClient->new($port{$server})
                        ->get("http://$at/headers?$query", @headers);

    return "status $r->{status}" if $r->{status} != 200;

    return join "\n", map { "$_->[0]: $_->[1]" }
                      grep { $_->[0] !~ /^(?:Date|Content-Length|Connection
                                         |X-Conn|X-Req|X-Peer)$/x }
                      @{ $r->{headers} };
}


# Requests.

is(sent('PLAIN', 'User-Agent' => 't', Accept => '*/*', Cookie => 'a=b',
        Authorization => 'Basic eDp5', 'X-Any' => '1  2', Cookie => 'c=d'),
   "User-Agent: t\nAccept: */*\nCookie: a=b\nAuthorization: Basic eDp5\n"
   . "X-Any: 1  2\nCookie: c=d", 'end-to-end fields keep order and bytes');

my @dropped = (
    ['Connection' => 'keep-alive'],
    ['Keep-Alive' => 'timeout=5'],
    ['Proxy-Connection' => 'keep-alive'],
    ['Proxy-Authorization' => 'Basic eDp5'],
    ['proxy-authorization' => 'Basic eDp5'],
    ['Proxy-Anything' => 'x'],
    ['Proxy-Status' => 'x'],
    ['TE' => 'gzip'],
    ['Trailer' => 'X-A'],
    ['Upgrade' => 'websocket'],
    ['Upgrade' => 'h2c', 'Connection' => 'Upgrade, HTTP2-Settings',
     'HTTP2-Settings' => 'x'],
    ['HTTP2-Settings' => 'x'],
    ['Expect' => '100-continue'],
    ['Expect' => 'miracles'],
    ['Connection' => 'X-A', 'X-A' => 1],
    ['X-A' => 1, 'Connection' => 'x-a'],
    ['Connection' => 'close, X-A ,,X-B', 'X-A' => 1, 'X-B' => 2],
    ['Connection' => 'X-A', 'X-A' => 1, 'Connection' => 'X-B', 'X-B' => 2,
     'X-A' => 3],
    ['Connection' => "\tX-A\t,\tX-B\t", 'X-A' => 1, 'X-B' => 2],
    ['Connection' => 'Via, Cookie', 'Via' => '1.1 a', 'Cookie' => 'a=b'],
    ['Connection' => 'Host, Content-Length'],
);

for my $headers (@dropped) {
    my @pairs = @$headers;
    my $name = '';

    $name .= " $_" for map { s/\s+/ /gr } @pairs;

    is(sent('PLAIN', @pairs), '', "dropped:$name");
    is(sent('PLAIN', 'X-Before' => 1, @pairs, 'X-After' => 2),
       "X-Before: 1\nX-After: 2", 'and nothing else');
}

is(sent('PLAIN', Connection => join(',', map { "x$_" } 1 .. 64), X => 1),
   'X: 1', 'as many names as anybody needs');
is(sent('PLAIN', Connection => join(',', map { "x$_" } 1 .. 65)),
   'status 400', 'too many names');

is(sent('PLAIN', TE => 'gzip, trailers', Connection => 'TE'),
   "TE: trailers\nConnection: TE", 'trailers are asked for anew');
is(sent('CLOSE', 'X-A' => 1), "X-A: 1\nConnection: close",
   'without keep-alive the origin is told');

for my $server (qw/PLAIN PATH/) {
    is(sent($server, 'X-Egress-Path' => '2', 'x-egress-path2' => '3'),
       ($server eq 'PLAIN' ? "X-Egress-Path: 2\n" : '')
       . 'x-egress-path2: 3', "$server: the path selection header");
}

{
    my $c = EgressClient->new($port{PLAIN});

    is($c->get("http://$at/echo", Host => 'other.test')->{body},
       "GET /echo HTTP/1.1\r\nHost: $at\r\n\r\n",
       'a Host that is not that of the target');

    $c = EgressClient->new($port{HOST});

    is($c->get("http://[::1]:$port{ORIGIN6}/echo", Host => 'Other.test:1')
         ->{body} =~ s/Forwarded.*\r\n//r,
       "GET /echo HTTP/1.1\r\nHost: Other.test:1\r\n\r\n",
       'egress_allow_custom_host keeps it');

    $c = EgressClient->new($port{HOST});
    $c->write("GET http://[0::1]:$port{ORIGIN6}/echo HTTP/1.0\r\n\r\n");
    is((split /\r\n/, $c->response->{body})[1],
       "Host: [::1]:$port{ORIGIN6}", 'if there is one');
}


# What we add.

is(sent('VIA'), 'Via: 1.1 gate-1', 'egress_via');
is(sent('VIA', Via => '1.0 a, 1.1 b', 'X-A' => 1),
   "Via: 1.0 a, 1.1 b\nX-A: 1\nVia: 1.1 gate-1", 'goes last');
is(sent('VIA', Connection => 'via', Via => '1.0 a'), 'Via: 1.1 gate-1',
   'cannot be nominated');
is(sent('PLAIN', Via => '1.0 ngx_egress'), 'Via: 1.0 ngx_egress',
   'loops are looked for with egress_via only');

for ('1.1 gate-1', 'HTTP/1.1 gate-1', '1.0 a, 1.1 gate-1', '1.1 GATE-1',
     "1.1\tgate-1 (a comment)", '1.0 a,1.1 gate-1,1.1 b', '1.0 (, 1.1 gate-1')
{
    is(sent('VIA', Via => $_), 'status 502', "a loop: $_");
}

for ('1.1 gate-11', '1.1 agate-1', 'gate-1', '1.1 gate', '') {
    like(sent('VIA', Via => $_), qr/\nVia: 1\.1 gate-1$/, "no loop: \"$_\"");
}

my $xff = 'X-Forwarded-For';

is(sent('PLAIN', $xff => '192.0.2.1', Forwarded => 'for=192.0.2.1'),
   "$xff: 192.0.2.1\nForwarded: for=192.0.2.1",
   'nothing is said about the client, what it says passes');
is(sent('CLASSIC'), "$xff: 127.0.0.1", 'egress_forwarded classic');
is(sent('CLASSIC', $xff => '192.0.2.1', 'X-A' => 1, $xff => '192.0.2.2',
        Forwarded => 'for=192.0.2.1'),
   "X-A: 1\nForwarded: for=192.0.2.1\n$xff: 192.0.2.1, 192.0.2.2, 127.0.0.1",
   'is one line');
is(sent('STANDARD'), 'Forwarded: for=127.0.0.1', 'egress_forwarded standard');
is(sent('STANDARD', $xff => '192.0.2.1', Forwarded => 'for=192.0.2.1;by=x'),
   "$xff: 192.0.2.1\nForwarded: for=192.0.2.1;by=x, for=127.0.0.1",
   'is one line');
is(sent('STEAL', $xff => '192.0.2.1', 'X-A' => 1,
        Forwarded => 'for=192.0.2.1'), 'X-A: 1', 'egress_steal_forwarded_for');
is(sent('BOTH', $xff => '192.0.2.1', Forwarded => 'for=192.0.2.1'),
   "$xff: 127.0.0.1", 'both');

{
    my $c = EgressClient->new($port{HOST}, host => '::1');

    like($c->get("http://[::1]:$port{ORIGIN6}/echo")->{body},
         qr/^Forwarded: for="\[::1\]"\r$/m, 'IPv6 is quoted');

    $c = EgressSocket->new(IO::Socket::UNIX->new(
        Peer => "$ENV{TEST_NGINX_SOCK_DIR}/s"));
    $c->write("GET http://$at/echo HTTP/1.1\r\nHost: h\r\n\r\n");
    like(EgressHttp::read_response($c)->{body}, qr/^Forwarded: for=unknown\r$/m,
         'a client of a unix socket has no address');
}


# Answers.

is(received('PLAIN', 'Server=o&X-A=1&Set-Cookie=a&Set-Cookie=b&X-A=2'
            . '&Content-Type=text/x;+charset=y;+z&ETag="e"&Vary=*'
            . '&Last-Modified=Thu&Location=/x&Refresh=1&Accept-Ranges=bytes'
            . '&Cache-Control=a&Cache-Control=b&X-Accel-Redirect=/x'
            . '&X-Accel-Buffering=no&X-Pad=p&Link=</>&Expires=0&Via=1.0+a'),
   join("\n", 'Content-Type: text/x; charset=y; z', 'Server: o', 'X-A: 1',
        'Set-Cookie: a', 'Set-Cookie: b', 'X-A: 2', 'ETag: "e"', 'Vary: *',
        'Last-Modified: Thu', 'Location: /x', 'Refresh: 1',
        'Accept-Ranges: bytes', 'Cache-Control: a', 'Cache-Control: b',
        'X-Accel-Redirect: /x', 'X-Accel-Buffering: no', 'X-Pad: p',
        'Link: </>', 'Expires: 0', 'Via: 1.0 a'),
   'end-to-end fields pass');

for ('Connection=keep-alive', 'Keep-Alive=timeout%3d5', 'Proxy-Connection=x',
     'Proxy-Authenticate=Basic', 'Proxy-Authentication-Info=x', 'TE=x',
     'Trailer=X', 'Upgrade=h2c', 'Connection=X-A&X-A=1', 'X-A=1&Connection=x-a',
     'Connection=close,+Set-Cookie&Set-Cookie=a&Connection=X-B&X-B=1')
{
    is(received('PLAIN', $_), '', "dropped: $_");
    is(received('PLAIN', "X-Before=1&$_&X-After=2"),
       "X-Before: 1\nX-After: 2", 'and nothing else');
}

is(received('PLAIN', 'Connection=' . join ',', map { "x$_" } 1 .. 65),
   'status 502', 'too many names');

is(received('PATH', 'X-Egress-Path=1&X-A=1'), 'X-A: 1',
   'the path selection header does not come from an origin');
is(received('VIA', 'X-A=1&Via=1.1+a'), "X-A: 1\nVia: 1.1 a\nVia: 1.1 gate-1",
   'egress_via');

is(received('VIA', 'Proxy-Status=a;+error=x,+b'),
   "Proxy-Status: a; error=x, b\nVia: 1.1 gate-1",
   'Proxy-Status of others is kept');

for ('gate-1;+error=x', 'a,gate-1', 'a;details="x,+gate-1;y"', 'GATE-1+;x') {
    is(received('VIA', "Proxy-Status=$_"), 'Via: 1.1 gate-1',
       "nobody speaks for us: $_");
}

$ngx->stop;

done_testing();
