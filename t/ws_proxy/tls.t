#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# TLS on either side of a session, and what makes a backend's certificate good.

use strict;
use warnings;

use lib 't/lib';

use Test::More;

use EgressCert;
use EgressNginx;
use EgressPort qw/PROXY SECURE BACKEND WRONG EXPIRED MTLS/;
use WsClient;
use WsPeer;

my ($kind) = WsPeer::names()
    or plan skip_all => 'there is no WebSocket library';

WsPeer::serve('ECHO', $kind);

my $ngx = EgressNginx->new(conf => <<'_EOC_');
http {
    # the backends: TLS is taken off in front of an echo server

    ws_proxy_ssl_trusted_certificate $TEST_NGINX_CERT_DIR/ca.pem;
    ws_proxy_ssl_verify on;
    ws_proxy_ssl_server_name on;
    ws_proxy_ssl_name a.test;

    # sessions belong to the server, whatever location made them

    ws_proxy_ssl_session_reuse off;

    log_format tls '$server_port $status [$ssl_server_name] [$ssl_client_s_dn] '
                   '$ssl_session_reused';
    access_log logs/access.log tls;

    server {
        listen 127.0.0.1:$TEST_NGINX_BACKEND_PORT ssl;
        ssl_certificate $TEST_NGINX_CERT_DIR/server.pem;
        ssl_certificate_key $TEST_NGINX_CERT_DIR/server.key;
        location / { ws_proxy_pass http://127.0.0.1:$TEST_NGINX_ECHO_PORT; }
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_WRONG_PORT ssl;
        ssl_certificate $TEST_NGINX_CERT_DIR/wrong.pem;
        ssl_certificate_key $TEST_NGINX_CERT_DIR/wrong.key;
        location / { ws_proxy_pass http://127.0.0.1:$TEST_NGINX_ECHO_PORT; }
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_EXPIRED_PORT ssl;
        ssl_certificate $TEST_NGINX_CERT_DIR/expired.pem;
        ssl_certificate_key $TEST_NGINX_CERT_DIR/expired.key;
        location / { ws_proxy_pass http://127.0.0.1:$TEST_NGINX_ECHO_PORT; }
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_MTLS_PORT ssl;
        ssl_certificate $TEST_NGINX_CERT_DIR/server.pem;
        ssl_certificate_key $TEST_NGINX_CERT_DIR/server.key;
        ssl_client_certificate $TEST_NGINX_CERT_DIR/ca.pem;
        ssl_verify_client on;
        location / { ws_proxy_pass http://127.0.0.1:$TEST_NGINX_ECHO_PORT; }
    }

    # the proxy

    server {
        listen 127.0.0.1:$TEST_NGINX_PROXY_PORT;
        listen 127.0.0.1:$TEST_NGINX_SECURE_PORT ssl;
        ssl_certificate $TEST_NGINX_CERT_DIR/server.pem;
        ssl_certificate_key $TEST_NGINX_CERT_DIR/server.key;

        location / { ws_proxy_pass wss://127.0.0.1:$TEST_NGINX_BACKEND_PORT; }

        location /https {
            ws_proxy_ssl_session_reuse on;
            ws_proxy_pass https://127.0.0.1:$TEST_NGINX_BACKEND_PORT;
        }

        location /wrong {
            ws_proxy_pass wss://127.0.0.1:$TEST_NGINX_WRONG_PORT;
        }

        location /trusting {
            ws_proxy_pass wss://127.0.0.1:$TEST_NGINX_WRONG_PORT;
            ws_proxy_ssl_verify off;
        }

        location /expired {
            ws_proxy_pass wss://127.0.0.1:$TEST_NGINX_EXPIRED_PORT;
        }

        location /mtls {
            ws_proxy_pass wss://127.0.0.1:$TEST_NGINX_MTLS_PORT;
            ws_proxy_ssl_certificate $TEST_NGINX_CERT_DIR/client.pem;
            ws_proxy_ssl_certificate_key $TEST_NGINX_CERT_DIR/client.key;
        }

        location /dynamic {
            ws_proxy_pass wss://127.0.0.1:$TEST_NGINX_MTLS_PORT;
            ws_proxy_ssl_certificate $TEST_NGINX_CERT_DIR/$arg_c.pem;
            ws_proxy_ssl_certificate_key $TEST_NGINX_CERT_DIR/$arg_c.key;
        }

        location /nobody {
            ws_proxy_pass wss://127.0.0.1:$TEST_NGINX_MTLS_PORT;
        }

        location /plain {
            ws_proxy_pass http://127.0.0.1:$TEST_NGINX_ECHO_PORT;
        }
    }
}
_EOC_

my $port = EgressPort::port('PROXY');
my $secure = EgressPort::port('SECURE');
my $tls = EgressCert::client_options(name => 'localhost');

my $big = 'x' x 30000;

for my $path ('/', '/https', '/trusting', '/mtls', '/dynamic?c=client') {
    my $c = WsClient->new($port, $path);

    ok($c->echo('hello') && $c->echo($big), "wss: a session on $path");
}

ok(WsClient->new($secure, '/plain', tls => $tls)->echo($big),
   'a client with TLS');

{
    my $c = WsClient->new($secure, '/', tls => $tls);

    is((grep { $c->echo($big) } 1 .. 50), 50, 'TLS on both sides');
    $c->send_frame(3, 'reserved');
    is($c->close_code, 1002, 'a violation is told through TLS');
}

is(WsClient::status($port, '/wrong'), 502, 'a certificate for another name');
is(WsClient::status($port, '/expired'), 502, 'an expired certificate');
is(WsClient::status($port, '/nobody'), 400, 'no client certificate');

my $log = join "\n", $ngx->wait_access(16);
my $backend = EgressPort::port('BACKEND');
my $mtls = EgressPort::port('MTLS');

like($log, qr/^$backend 101 \[a\.test\]/m, 'the name goes into SNI');
like($log, qr/^$mtls 101 \[a\.test\] \[CN=client\]/m,
     'the client certificate is shown');
like($ngx->error_log, qr/certificate does not match/, 'a mismatch is logged');

done_testing();
