#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# egress_intelli_proxy: connections are handed over by their first bytes,
# however these come.

use strict;
use warnings;

use lib 't/lib';

use EgressCert;
use EgressClient;
use EgressNginx;
use EgressOrigin;
use EgressPort qw/INTELLI HTTP SOCKS TLS PP PATIENT LONG/;
use EgressProxyHeader;
use EgressTcp ECHO => 'echo';
use Test::More;
use Time::HiRes qw/time/;

my $ngx = EgressNginx->new(conf => <<'_EOC_');

stream {
    server {
        listen 127.0.0.1:$TEST_NGINX_INTELLI_PORT;
        egress_intelli_proxy http_server=127.0.0.1:$TEST_NGINX_HTTP_PORT
                             socks_server=127.0.0.1:$TEST_NGINX_SOCKS_PORT
                             tls_server=127.0.0.1:$TEST_NGINX_TLS_PORT;
        egress_protocol_detection_timeout 500ms;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_LONG_PORT proxy_protocol;
        proxy_protocol_timeout 60s;
        egress_intelli_proxy http_server=127.0.0.1:$TEST_NGINX_HTTP_PORT;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_PATIENT_PORT;
        egress_intelli_proxy http_server=127.0.0.1:$TEST_NGINX_HTTP_PORT;
        egress_protocol_detection_timeout 60s;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_PP_PORT proxy_protocol;
        set_real_ip_from 127.0.0.0/8;
        egress_intelli_proxy http_server=127.0.0.1:$TEST_NGINX_HTTP_PORT;
    }

    # shows what it was given

    server {
        listen 127.0.0.1:$TEST_NGINX_SOCKS_PORT;
        egress_tcp_stream direct 127.0.0.1:$TEST_NGINX_ECHO_PORT;
    }
}

egress {
    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
    }
}

http {
    access_log logs/http.log;

    server {
        listen 127.0.0.1:$TEST_NGINX_HTTP_PORT default_server;
        listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl default_server;
        ssl_certificate     $TEST_NGINX_CERT_DIR/server.pem;
        ssl_certificate_key $TEST_NGINX_CERT_DIR/server.key;
        egress_http_proxy direct;

        location / {
            return 200 "local $remote_addr $scheme\n";
        }
    }
}

_EOC_

sub client { EgressClient->new($ENV{"TEST_NGINX_$_[0]_PORT"}, @_[1 .. $#_]) }

my $target = "127.0.0.1:$ENV{TEST_NGINX_ORIGIN_PORT}";


# these two say nothing, and wait while others talk

my $mute = client('PP');
my $silent = client('LONG');
my $began = time;

my $c = client('INTELLI');
is($c->request('GET', '/')->{body}, "local 127.0.0.1 http\n", 'HTTP');
is($c->request('GET', '/')->{body}, "local 127.0.0.1 http\n",
   'and again on the same connection');

$c = client('INTELLI');
is($c->tunnel($target)->{status}, 200, 'CONNECT');
is($c->get("http://$target/")->{body}, "origin\n", 'and its tunnel');

$c = client('INTELLI');
$c->write_slowly([split //, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"], 0.005);
is($c->response->{body}, "local 127.0.0.1 http\n", 'HTTP, byte by byte');

$c = client('INTELLI', tls => EgressCert::client_options(name => 'localhost'));
is($c->request('GET', '/')->{body}, "local 127.0.0.1 https\n", 'TLS');

for my $first ("\x05\x01\x00", "\x04\x01\x00\x50\x7f\x00\x00\x01\x00") {
    $c = client('INTELLI');
    $c->write_slowly([split //, $first], 0.01);
    is($c->read_n(length $first), $first,
       sprintf 'SOCKS%d, all of its bytes', ord $first);
}

$c = client('PP', first => EgressProxyHeader::v1('192.0.2.7', 1234,
                                                 '192.0.2.1', 8080));
is($c->request('GET', '/')->{body}, "local 192.0.2.7 http\n",
   'PROXY protocol in front');


my $start = time;
ok(client('INTELLI')->ended(10), 'a silent client is closed');
cmp_ok(time - $start, '>', 0.4, 'after the timeout');

$start = time;
$c = client('INTELLI');
$c->write('GE');
ok($c->ended(10), 'a client that stops in the middle is closed');
cmp_ok(time - $start, '>', 0.4, 'after the timeout as well');

$c = client('PATIENT');
$c->write('GE');
$c->shut;
ok($c->ended(10), 'a client that ends in the middle is not waited for');

$c = client('PATIENT');
$c->write("\x00\x00\x00\x00garbage");
ok($c->ended(10), 'nor is one of an unknown protocol');

$c = client('PP', first => EgressProxyHeader::v1('192.0.2.7', 1234,
                                                 '192.0.2.1', 8080));
$c->write("\x05\x01\x00");
ok($c->ended(10), 'a known protocol that is not served');

ok($mute->ended(20), 'a client that sends no PROXY header');
cmp_ok(time - $began, '>', 4.5, 'has some seconds for it');
ok($silent->quiet(0.1), 'or more, where the configuration says so');

ok($ngx->reload, 'a reload');
is(client('INTELLI')->request('GET', '/')->{body}, "local 127.0.0.1 http\n",
   'and it goes on');
$silent->close;
ok($ngx->quit(10), 'quit');


for my $case (
    ['a server that does not exist',
     'listen 127.0.0.1:1; egress_intelli_proxy http_server=127.0.0.1:2',
     'no server listens on "127.0.0.1:2", which '
     . '"http_server=127.0.0.1:2" names'],
    ['no server', 'egress_intelli_proxy',
     'invalid number of arguments in "egress_intelli_proxy"'],
    ['an unknown protocol', 'egress_intelli_proxy ftp_server=127.0.0.1:1',
     'invalid parameter "ftp_server=127.0.0.1:1"'],
    ['two servers for one protocol',
     'egress_intelli_proxy http_server=127.0.0.1:1 http_server=127.0.0.1:1',
     '"egress_intelli_proxy" directive names two servers for one protocol'],
    ['an address that is none', 'egress_intelli_proxy http_server=nonsense:x',
     'in address "nonsense:x"'],
    ['an open port', 'listen 192.0.2.1:1; '
     . 'egress_intelli_proxy http_server=127.0.0.1:1',
     '"egress_intelli_proxy" would be open to everybody on 192.0.2.1:1'],
    ['a port that leads to itself', 'listen 127.0.0.1:1; '
     . 'egress_intelli_proxy http_server=127.0.0.1:1',
     '"http_server=127.0.0.1:1" leads to an "egress_intelli_proxy" again'],
    ['a port that leads to itself by all addresses', 'listen 1; deny all; '
     . 'egress_intelli_proxy socks_server=127.0.0.1:1',
     '"socks_server=127.0.0.1:1" leads to an "egress_intelli_proxy" again'],
    ['two ports that lead to each other', 'listen 127.0.0.1:1; '
     . 'egress_intelli_proxy http_server=127.0.0.1:2; } '
     . 'server { listen 127.0.0.1:2; '
     . 'egress_intelli_proxy tls_server=127.0.0.1:1',
     '"http_server=127.0.0.1:2" leads to an "egress_intelli_proxy" again'],
    ['TLS on the port itself', 'listen 127.0.0.1:1 ssl; '
     . 'ssl_certificate $TEST_NGINX_CERT_DIR/server.pem; '
     . 'ssl_certificate_key $TEST_NGINX_CERT_DIR/server.key; '
     . 'egress_intelli_proxy http_server=127.0.0.1:2',
     '"egress_intelli_proxy" cannot be used with "listen 127.0.0.1:1 ssl", '
     . 'name a "tls_server=" instead'],
    ['a listener of datagrams', 'listen 127.0.0.1:1 udp; '
     . 'egress_intelli_proxy http_server=127.0.0.1:1',
     '"egress_intelli_proxy" does not serve datagrams: remove "udp" from '
     . '"listen 127.0.0.1:1"'],
) {
    my ($name, $text, $want) = @$case;

    my ($ok, $output) = EgressNginx::test("stream { server { $text; } }");

    ok(!$ok, "$name is an error");
    like($output, qr/\[emerg\].*\Q$want\E/, "$name: what it says");
}

done_testing();
