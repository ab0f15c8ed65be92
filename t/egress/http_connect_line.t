# Copyright (C) ngx_egress authors

# Request lines of CONNECT: what is understood, what is refused and how, and
# that it is the same however the bytes arrive.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use EgressClient;
use EgressNginx;
use EgressPort qw/PROXY PLAIN/;
use EgressTcp ECHO => 'echo', SIX => { mode => 'echo', addr => '::1' };

my ($echo, $six) = @ENV{qw/TEST_NGINX_ECHO_PORT TEST_NGINX_SIX_PORT/};

my $ngx = EgressNginx->new(conf => <<'_EOC_', master => 0);
egress { escaper direct direct_fixed {
    egress_network_filter { allow 127.0.0.0/8; allow ::1; } } }

http {
    server {
        listen             127.0.0.1:$TEST_NGINX_PROXY_PORT default_server;
        server_name        proxy;
        egress_http_proxy  direct;
        large_client_header_buffers 4 4k;
    }

    server {
        listen       127.0.0.1:$TEST_NGINX_PROXY_PORT;
        server_name  plain;
        return       200 "plain\n";
    }

    server {
        listen    127.0.0.1:$TEST_NGINX_PLAIN_PORT;
        return    200 "plain\n";
    }
}
_EOC_


# Writes the pieces and tells what came: a status, or "tunnel" if bytes echo.

sub answer {
    my ($port, @pieces) = @_;

    my $c = EgressClient->new(EgressPort::port($port));

    $c->write_slowly(\@pieces, 0.01);

    my $m = EgressHttp::read_head($c) or return 'nothing';

    return $m->{status} if $m->{status} != 200;

    $c->write('ping');

    return ($c->read_n(4) // '') eq 'ping' ? 'tunnel' : 'no echo';
}


sub line {
    my ($line) = @_;

    return answer('PROXY', "$line\r\nHost: proxy\r\n\r\n");
}


my $a = "127.0.0.1:$echo";

my @lines = (
    ["CONNECT $a HTTP/1.1", 'tunnel', 'HTTP/1.1'],
    ["CONNECT $a HTTP/1.0", 'tunnel', 'HTTP/1.0'],
    ["CONNECT  $a  HTTP/1.1", 'tunnel', 'more blanks'],
    ["CONNECT $a HTTP/1.1 ", 'tunnel', 'a blank at the end'],
    ["\r\n\r\nCONNECT $a HTTP/1.1", 'tunnel', 'blank lines in front'],
    ["CONNECT [::1]:$six HTTP/1.1", 'tunnel', 'an IPv6 literal'],

    ['CONNECT 127.0.0.1 HTTP/1.1', 400, 'no port'],
    ['CONNECT 127.0.0.1: HTTP/1.1', 400, 'an empty port'],
    ['CONNECT 127.0.0.1:0 HTTP/1.1', 400, 'port 0'],
    ['CONNECT 127.0.0.1:99999 HTTP/1.1', 400, 'port 99999'],
    ['CONNECT 127.0.0.1:8a HTTP/1.1', 400, 'a port that is no number'],
    ["CONNECT :$echo HTTP/1.1", 400, 'no host'],
    ["CONNECT user\@$a HTTP/1.1", 400, 'a user'],
    ["CONNECT $a/ HTTP/1.1", 400, 'a path'],
    ["CONNECT http://$a HTTP/1.1", 400, 'an absolute URI'],
    ["CONNECT / HTTP/1.1", 400, 'origin-form'],
    ["CONNECT [::1:$six HTTP/1.1", 400, 'an unpaired bracket'],
    ["CONNECT [::1]$six HTTP/1.1", 400, 'no colon after a bracket'],
    ["CONNECT [localhost]:$six HTTP/1.1", 400, 'a name in brackets'],
    ["CONNECT [::1%25lo]:$six HTTP/1.1", 400, 'a zone'],
    ["CONNECT ::1:$six HTTP/1.1", 400, 'an IPv6 literal without brackets'],
    ["CONNECT 127.1:$echo HTTP/1.1", 400, 'a short IPv4 literal'],
    ["CONNECT 2130706433:$echo HTTP/1.1", 400, 'a decimal IPv4 literal'],
    ["CONNECT 0x7f.0.0.1:$echo HTTP/1.1", 400, 'a hexadecimal IPv4 literal'],
    ["CONNECT 0177.0.0.1:$echo HTTP/1.1", 400, 'an octal IPv4 literal'],
    ["CONNECT $a", 400, 'no version'],
    ["CONNECT $a HTTP/", 400, 'an empty version'],
    ["CONNECT $a HTTP/1", 400, 'half a version'],
    ["CONNECT $a HTTP/1.1x", 400, 'junk after the version'],
    ["CONNECT $a FTTP/1.1", 400, 'another protocol'],
    ["CONNECT $a HTTP/0.9", 400, 'HTTP/0.9'],
    ["CONNECT $a HTTP/2.0", 505, 'HTTP/2.0'],
    ["CONNECT $a\tHTTP/1.1", 400, 'a tab'],
    ["connect $a HTTP/1.1", 400, 'lower case'],
    ['CONNECT ' . 'a' x 5000 . ':443 HTTP/1.1', 414, 'too long a line'],
);

is(line($_->[0]), $_->[1], $_->[2]) for @lines;


# Pieces.

my $head = "\r\nCONNECT $a HTTP/1.1\r\nHost: proxy\r\n\r\n";

is(answer('PROXY', split //, $head), 'tunnel', 'one byte at a time');
is(answer('PROXY', "\r", "\nCONN", substr $head, 6), 'tunnel',
   'the method in two pieces');
is(answer('PROXY', "CONNECT 127.0.0.1", " HTTP/1.1\r\nHost: proxy\r\n\r\n"),
   400, 'a bad line in two pieces');
is(answer('PROXY', "CONNECT $a HTTP/1.1\r\nHost: proxy\r\n",
          (map { "X-$_: " . 'x' x 1000 . "\r\n" } 1 .. 9), "\r\n"), 'tunnel',
   'a head that needs large buffers');
is(answer('PROXY', 'CONNECT ' . ' ' x 1500 . "$a HTTP/1.1\r\n",
          "Host: proxy\r\n\r\n"), 'tunnel',
   'a line that needs a large buffer');


# The authority selects the server.

is(answer('PLAIN', "CONNECT $a HTTP/1.1\r\nHost: a\r\n\r\n"), 405,
   'a server that is no proxy');
is(answer('PLAIN', "CONNECT $a HTTP/1.0\r\n\r\n"), 405,
   'a server that is no proxy, HTTP/1.0');
is(line("CONNECT plain:443 HTTP/1.1"), 405,
   'a target with the name of another server');


# On a connection that was used before.

my $c = EgressClient->new(EgressPort::port('PROXY'));
is($c->request('POST', '/', [Host => 'plain'], "CONNECT $a HTTP/1.1\r\n\r\n")
   ->{body}, "plain\n", 'a request with CONNECT in its body');
is($c->tunnel($a)->{status}, 200, 'CONNECT on the same connection');
$c->write("over\n");
is($c->read_n(5), "over\n", 'and bytes in the tunnel');

$c = EgressClient->new(EgressPort::port('PROXY'));
$c->write("POST / HTTP/1.1\r\nHost: plain\r\nContent-Length: 3\r\n\r\nCON"
          . "GET / HTTP/1.1\r\nHost: plain\r\n\r\n"
          . "CONNECT $a HTTP/1.1\r\nHost: proxy\r\n\r\nearly\n");
is($c->response->{body}, "plain\n", 'pipelined: the first response');
is($c->response->{body}, "plain\n", 'pipelined: the second response');
is(EgressHttp::read_head($c)->{status}, 200, 'pipelined: CONNECT');
is($c->read_n(6), "early\n", 'pipelined: bytes in the tunnel');

$c = EgressClient->new(EgressPort::port('PROXY'));
$c->write_slowly(["GET / HTTP/1.1\r\nHost: plain\r\n\r\nCONN",
                  "ECT $a HTTP/1.1\r\nHost: proxy\r\n\r\n"], 0.05);
is($c->response->{body}, "plain\n", 'a part of CONNECT behind a request');
is(EgressHttp::read_head($c)->{status}, 200, 'then the rest');


# The logs show what was sent.

like($ngx->access_log, qr{"CONNECT $a HTTP/1\.1" 200 }, 'the access log');
like($ngx->access_log, qr{"CONNECT $a HTTP/1\.0" 200 }, 'of HTTP/1.0');
like($ngx->access_log, qr{"CONNECT http://$a HTTP/1\.1" 400 },
     'of a bad request');

done_testing();
