#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Absolute-form requests for https://: TLS is the proxy's, with verification,
# SNI, and connections that are kept.

use strict;
use warnings;

use lib 't/lib';

use Digest::MD5 qw/md5_hex/;
use Test::More;

use EgressCert;
use EgressClient;
use EgressHttp;
use EgressNginx;
use EgressOrigin
    SECURE => { tls => 1 }, EXPIRED => { tls => { cert => 'expired' } },
    WRONG => { tls => { cert => 'wrong' } },
    UNKNOWN => { tls => { cert => 'untrusted' } },
    MTLS => { tls => { client_ca => 1 } };
use EgressDaemon;
use EgressPort qw/PROXY BLIND DEFAULT CLIENT OFF DENY DIVERT/;
use EgressTcp NOT_TLS => { mode => 'say hello\n' }, DEAD => 'refuse',
    NEXT => { tls => 1, proxy_protocol => 1,
              mode => 'say HTTP/1.1 200 OK\r\n\r\nbeyond' };

my %port = map { /^TEST_NGINX_(\w+)_PORT$/ ? ($1 => $ENV{$_}) : () } keys %ENV;

my $ngx = EgressNginx->new(conf => <<'_EOC_', master => 0);
egress {
    resolver local c_ares { }

    escaper direct direct_fixed {
        resolver local;
        resolve_strategy ipv4_only;
        egress_network_filter { allow 127.0.0.0/8; }
    }

    escaper deny dummy_deny { }
    escaper next divert_tcp { proxy_addr 127.0.0.1:$TEST_NGINX_NEXT_PORT; }
}

http {
    egress_https_forward  on;
    client_max_body_size  0;

    log_format  t '$status $egress_reason $upstream_addr $request';
    access_log  logs/access.log t;

    server {
        listen             127.0.0.1:$TEST_NGINX_PROXY_PORT;
        egress_http_proxy  direct;
        egress_tls_client { ca_certificate $TEST_NGINX_CERT_DIR/ca.pem; }
    }

    server {
        listen             127.0.0.1:$TEST_NGINX_BLIND_PORT;
        egress_http_proxy  direct;
        egress_tls_client { verify off; }
    }

    server {
        listen             127.0.0.1:$TEST_NGINX_DEFAULT_PORT;
        egress_http_proxy  direct;
    }

    server {
        listen             127.0.0.1:$TEST_NGINX_CLIENT_PORT;
        egress_http_proxy  direct;
        egress_tls_client {
            ca_certificate  $TEST_NGINX_CERT_DIR/ca.pem;
            certificate     $TEST_NGINX_CERT_DIR/client.pem;
            private_key     $TEST_NGINX_CERT_DIR/client.key;
        }
    }

    server {
        listen                127.0.0.1:$TEST_NGINX_OFF_PORT;
        egress_http_proxy     direct;
        egress_https_forward  off;
    }

    server {
        listen             127.0.0.1:$TEST_NGINX_DENY_PORT;
        egress_http_proxy  deny;
    }
    server {
        listen             127.0.0.1:$TEST_NGINX_DIVERT_PORT;
        egress_http_proxy  next;
        egress_tls_client { ca_certificate $TEST_NGINX_CERT_DIR/ca.pem; }
    }
}
_EOC_


sub get {
    my ($server, $url, @headers) = @_;

    return EgressClient->new($port{$server})->get($url, @headers);
}


my $at = "127.0.0.1:$port{SECURE}";
my $r = get('PROXY', "https://$at/echo");

is($r->{status}, 200, 'a request for https is forwarded');
is($r->{body}, "GET /echo HTTP/1.1\r\nHost: $at\r\n\r\n", 'in origin-form');
is(EgressOrigin::last('SECURE')->{sni}, undef, 'an address is no name');

$r = get('PROXY', "https://localhost:$port{SECURE}/echo");
is($r->{status}, 200, 'a name');
is(EgressOrigin::last('SECURE')->{sni}, 'localhost', 'is told to the origin');

for (['EXPIRED', 'tls_certificate', 'tls_certificate_error'],
     ['WRONG', 'tls_certificate', 'tls_certificate_error'],
     ['UNKNOWN', 'tls_certificate', 'tls_certificate_error'],
     ['NOT_TLS', 'tls_error', 'tls_protocol_error'],
     ['DEAD', 'connection_refused', 'connection_refused'])
{
    my ($origin, $reason, $error) = @$_;

    $r = get('PROXY', "https://127.0.0.1:$port{$origin}/");
    is($r->{status}, 502, "refused: $origin");
    like(EgressHttp::header($r, 'Proxy-Status'), qr/error=$error/,
         'the reason');
    ok($ngx->wait_log(qr/egress failed: $reason/), 'is logged');
    is(scalar(grep { $_->{method} } EgressOrigin::requests($origin)), 0,
       'nothing was asked')
        if $origin =~ /EXPIRED|WRONG|UNKNOWN/;
}

is(get('BLIND', "https://127.0.0.1:$port{WRONG}/")->{body}, "origin\n",
   'whom nobody verifies');
is(get('DEFAULT', "https://127.0.0.1:$port{SECURE}/")->{status}, 502,
   'the default trusts the authorities of the system');
is(get('CLIENT', "https://127.0.0.1:$port{MTLS}/")->{body}, "origin\n",
   'with a certificate of our own');
is(get('OFF', "https://$at/")->{status}, 501, 'off in a server');

is(get('DIVERT', 'https://localhost/')->{body}, 'beyond',
   'TLS with the origin is spoken through a next proxy');
like(EgressDaemon::wait_line('NEXT', qr/PROXY/),
     qr/ E0="localhost:443" E1="localhost" E3=/,
     'which was told before where it leads to');


# Bodies, and the connection.

my $big = EgressTcp::pattern(0, 5_000_000);
my $c = EgressClient->new($port{PROXY});

my $conn = EgressHttp::header($c->get("https://$at/"), 'X-Conn');
is(EgressHttp::header($c->get("https://$at/"), 'X-Conn'), $conn,
   'a connection is used again');

ok($c->get("https://$at/big?5000000")->{body} eq $big, 'much down');
ok($c->get("https://$at/chunked?5000000,9999")->{body} eq $big,
   'much down, in chunks');
is($c->request('POST', "https://$at/md5", [], $big)->{body},
   'bytes=5000000 md5=' . md5_hex($big) . " framing=length\n", 'much up');
is($c->request('POST', "https://$at/md5", ['Transfer-Encoding' => 'chunked'],
               EgressHttp::chunked(unpack '(a20000)*', $big) . "0\r\n\r\n")
   ->{body},
   'bytes=5000000 md5=' . md5_hex($big) . " framing=chunked\n",
   'much up, in chunks');

is(EgressHttp::header(get('PROXY', "https://$at/"), 'X-Conn'), $conn,
   'still the same connection');
isnt(EgressHttp::header(get('BLIND', "https://$at/"), 'X-Conn'), $conn,
     'but not for other settings of TLS');

is($c->get("https://$at/stale-next")->{status}, 200, 'a stale connection');
is($c->get("https://$at/")->{body}, "origin\n", 'is replaced');

$r = $c->get("https://$at/short?100,10");
ok($r->{error}, 'an answer that was cut is not made whole');

$c = EgressClient->new($port{PROXY});
$c->send_request('GET', "https://$at/upgrade",
                 [Upgrade => 'x', Connection => 'upgrade']);
is(EgressHttp::read_head($c)->{status}, 101, 'protocols are switched');
$c->write('hello');
is($c->read_n(5), 'hello', 'over TLS');
$c->close;


# Plain requests of the same server.

is(get('PROXY', "http://127.0.0.1:$port{SECURE}/")->{status}, 502,
   'http stays http');

is(get('DENY', 'https://a.test/')->{status}, 403, 'without a port');
ok($ngx->wait_log(qr/target: "a\.test:443"/), 'it is 443');

done_testing();
