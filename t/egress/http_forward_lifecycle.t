#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Absolute-form requests among other things of nginx: pages of the
# configuration, subrequests, limits of bodies; reload, quit and shutdown.

use strict;
use warnings;

use lib 't/lib';

use Digest::MD5 qw/md5_hex/;
use Test::More;
use Time::HiRes qw/sleep time/;

use EgressClient;
use EgressHttp;
use EgressNginx;
use EgressOrigin;
use EgressPort qw/PROXY PAGE AUTH SIZE/;
use EgressTcp DEAD => 'refuse', CLOSE => 'close';

my %port = map { /^TEST_NGINX_(\w+)_PORT$/ ? ($1 => $ENV{$_}) : () } keys %ENV;
my %at = map { $_ => "127.0.0.1:$port{$_}" } keys %port;
my $at = "http://$at{ORIGIN}";

my $ngx = EgressNginx->new(workers => 2, conf => <<'_EOC_');
worker_shutdown_timeout 2s;

egress {
    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
    }
}

http {
    log_format  t '$status $egress_reason $request_method $request_uri';
    access_log  logs/access.log t;

    server {
        listen                127.0.0.1:$TEST_NGINX_PROXY_PORT;
        egress_http_proxy     direct;
        client_max_body_size  0;
    }

    server {
        listen                127.0.0.1:$TEST_NGINX_PAGE_PORT;
        egress_http_proxy     direct;
        client_max_body_size  0;
        egress_error_codes    extended;
        error_page            502 521 @failed;
        error_page            404 =200 /never;

        location @failed {
            return 502 "$egress_reason of $egress_host\n";
        }
    }

    server {
        listen             127.0.0.1:$TEST_NGINX_AUTH_PORT;
        egress_http_proxy  direct;
        auth_request       /auth;

        location = /auth {
            internal;
            if ($http_x_pass) { return 204; }
            return 403;
        }
    }

    server {
        listen                127.0.0.1:$TEST_NGINX_SIZE_PORT;
        egress_http_proxy     direct;
        client_max_body_size  1000;
    }
}
_EOC_


sub client { EgressClient->new($port{$_[0] // 'PROXY'}) }


# Pages.

for my $name ('DEAD', 'CLOSE') {
    my $c = client('PAGE');

    for my $body (undef, 'hello') {
        my $r = $c->request(defined $body ? 'POST' : 'GET',
                            "http://$at{$name}/", [], $body);

        is($r->{status}, $name eq 'DEAD' ? 521 : 502, "$name: a page of the configuration");
        is($r->{body}, ($name eq 'DEAD' ? 'connection_refused'
                                        : 'upstream_closed')
                       . " of 127.0.0.1\n", 'that knows the reason');
        like(EgressHttp::header($r, 'Proxy-Status'), qr/^ngx_egress; error=/,
             'Proxy-Status is there, too');
        $c = client('PAGE') if EgressHttp::header($r, 'Connection') eq 'close';
    }
}

is(client('PAGE')->get("$at/nowhere")->{body}, "status 404\n",
   'pages of an origin are left alone');


# Subrequests and limits.

{
    my $big = 'x' x 500_000;
    my $c = client('AUTH');

    is($c->get("$at/")->{status}, 403, 'auth_request refuses');
    is($c->get("$at/", 'X-Pass' => 1)->{body}, "origin\n", 'and admits');
    like($c->request('POST', "$at/md5", ['X-Pass' => 1], $big)->{body},
         qr/ framing=length$/, 'a body');
    like($c->request('POST', "$at/md5", ['X-Pass' => 1,
                     'Transfer-Encoding' => 'chunked'],
                     EgressHttp::chunked(unpack '(a9999)*', $big)
                     . "0\r\n\r\n")->{body},
         qr/bytes=500000 /, 'a body of chunks');

    is(client('SIZE')->request('POST', "$at/md5", [], 'x' x 1001)->{status},
       413, 'client_max_body_size');
    is(client('SIZE')->request('POST', "$at/md5", [], 'x' x 1000)->{status},
       200, 'and no more');
    is(client('SIZE')->request('POST', "$at/md5",
                               ['Transfer-Encoding' => 'chunked'],
                               EgressHttp::chunked('x' x 900, 'x' x 900)
                               . "0\r\n\r\n")->{status},
       413, 'also in chunks');
}


# Reload.

{
    my $slow = client();
    $slow->send_request('GET', "$at/drip?20,100");
    ok(EgressHttp::read_head($slow), 'an answer has begun');

    my $up = client();
    $up->write("POST $at/md5 HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n"
               . "hello");

    client()->get("$at/") for 1 .. 5;

    ok($ngx->reload, 'reload, with idle connections to the origin');

    $up->write('world');
    is($up->response->{body}, 'bytes=10 md5=' . md5_hex('helloworld')
                              . " framing=length\n", 'a request goes on');
    is(length $slow->read_n(20), 20, 'and so does an answer');
    is(client()->get("$at/")->{body}, "origin\n", 'new requests are served');
}

{
    my $idle = client();
    $idle->get("$at/");
    undef $idle;

    my $stuck = client();
    $stuck->send_request('GET', "$at/hang");
    EgressDaemon::wait_line('ORIGIN', qr/hang/);

    my $start = time();
    ok($ngx->quit(8), 'quit waits for requests');
    cmp_ok(time() - $start, '<', 6, 'but not longer than it may');
    ok($stuck->how_ended || !$stuck->response, 'then they end');
    like($ngx->access_log, qr{^\d+ shutdown GET /hang$}m,
         'which the log tells');
}

done_testing();
