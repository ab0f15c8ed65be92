#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Requests in absolute-form: what the origin gets, what the client gets back,
# and what the log says.

use strict;
use warnings;

use lib 't/lib';

use Digest::MD5 qw/md5_hex/;
use Test::More;

use EgressClient;
use EgressHttp;
use EgressNginx;
use EgressOrigin;
use EgressPort qw/PROXY SMALL/;
use EgressTcp DEAD => 'refuse';

my %port = map { /^TEST_NGINX_(\w+)_PORT$/ ? ($1 => $ENV{$_}) : () } keys %ENV;
my $at = "127.0.0.1:$port{ORIGIN}";

my $ngx = EgressNginx->new(conf => <<'_EOC_', master => 0);
egress {
    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
    }
}

http {
    client_max_body_size  0;

    log_format  t '$status $egress_reason $egress_bytes_sent '
                  '$egress_bytes_received $bytes_sent $request_length '
                  '$upstream_addr $upstream_status $egress_escaper '
                  '$egress_host $request';
    access_log  logs/access.log t;

    server {
        listen             127.0.0.1:$TEST_NGINX_PROXY_PORT;
        egress_http_proxy  direct;
        location / { return 200 "local\n"; }
    }

    server {
        listen              127.0.0.1:$TEST_NGINX_SMALL_PORT;
        egress_http_proxy   direct;
        egress_buffer_size  1k;
    }
}
_EOC_


sub client { EgressClient->new($port{$_[0] // 'PROXY'}) }

my $lines = 0;


# The log line of what this test did.

sub logged {
    my ($n) = @_;

    my @all = $ngx->wait_access($lines += $n // 1);

    is(scalar @all, $lines, 'it is logged');

    return $all[-1];
}


# The request line that the origin saw.

sub origin_line {
    my ($target, $method) = @_;

    EgressDaemon::forget('ORIGIN');
    client()->request($method // 'GET', $target);
    logged();

    return (split /\r\n/, EgressOrigin::last('ORIGIN')->{head})[0];
}


my $r = client()->get("http://$at/echo?a=b");
is($r->{status}, 200, 'a request is forwarded');
is($r->{body}, "GET /echo?a=b HTTP/1.1\r\nHost: $at\r\n\r\n",
   'in origin-form, with nothing but Host');
is($r->{error}, undef, 'and its answer is whole');
is(EgressHttp::header($r, 'Server'), undef, 'the proxy is no server');
like(EgressHttp::header($r, 'Date'), qr/GMT$/, 'but adds a date');

like(logged(), qr{^200\ -\ (\d+)\ (\d+)\ \1\ \2\ \Q$at\E\ 200\ direct
                  \ 127\.0\.0\.1\ GET\ http://}x, 'the log');


# Request lines.

is(origin_line("http://$at"), 'GET / HTTP/1.1', 'an empty path is "/"');
is(origin_line("http://$at?a=/b"), 'GET /?a=/b HTTP/1.1',
   'also before a query');
is(origin_line("http://$at/"), 'GET / HTTP/1.1', 'a slash');
is(origin_line("http://$at?http://$at/"), "GET /?http://$at/ HTTP/1.1",
   'a URI in a query');
is(origin_line("http://$at", 'OPTIONS'), 'OPTIONS * HTTP/1.1',
   'OPTIONS for the whole server');
is(origin_line("http://$at/echo", 'OPTIONS'), 'OPTIONS /echo HTTP/1.1',
   'OPTIONS for a path');
is(origin_line("HTTP://$at/"), 'GET / HTTP/1.1', 'a scheme in upper case');

my $odd = '/echo?%2F%2e%2E%zz=//../a//b/./%41+;,"<>[]{}|\\^`~%00';
is(origin_line("http://$at$odd"), "GET $odd HTTP/1.1",
   'not a byte of a URI is changed');

for my $method (qw/GET POST PUT DELETE PATCH PROPFIND REPORT M-SEARCH X_Y/) {
    is(origin_line("http://$at/echo", $method), "$method /echo HTTP/1.1",
       $method);
}

$r = client()->request('HEAD', "http://$at/big?100");
is($r->{status}, 200, 'HEAD');
is(EgressHttp::header($r, 'Content-Length'), 100, 'tells the length');
logged();


# What is no request for a proxy, and what is for none.

is(client()->get('/', Host => 'x')->{body}, "local\n",
   'origin-form is for locations');
logged();

for (['ftp://a.test/', 501, 'another scheme'],
     ["https://$at/", 501, 'https when it is off'],
     ['http://a..b/', 400, 'a malformed host'],
     ["http://127.1:$port{ORIGIN}/", 400, 'a short form of an address'],
     ['http://127.0.0.1:99999/', 400, 'a malformed port'],
     ['http://127.0.0.1:/', 400, 'an empty port'],
     ["http://u\@$at/", 400, 'user information'])
{
    my ($target, $status, $name) = @$_;
    my $c = client();

    $c->write("GET $target HTTP/1.1\r\nHost: h\r\n\r\n");
    is($c->response->{status}, $status, $name);
    undef $c;
    logged();
}

$r = client()->get("http://127.0.0.1:$port{DEAD}/");
is($r->{status}, 502, 'a target that refuses');
like(EgressHttp::header($r, 'Proxy-Status'),
     qr/^ngx_egress; error=connection_refused/, 'Proxy-Status');
like(logged(), qr/^502 connection_refused /, 'is logged');


# Bodies.

my $big = EgressTcp::pattern(0, 20_000_000);

for my $proxy (qw/PROXY SMALL/) {
    my $c = client($proxy);

    $r = $c->get("http://$at/big?20000000");
    ok($r->{body} eq $big, "$proxy: 20 MB down, by length");
    logged();

    $r = $c->get("http://$at/chunked?20000000,10007");
    ok($r->{body} eq $big, "$proxy: 20 MB down, in chunks");
    is($r->{framing}, 'chunked', 'in chunks of our own');
    logged();

    $r = $c->request('POST', "http://$at/md5", [], $big);
    is($r->{body}, 'bytes=20000000 md5=' . md5_hex($big) . " framing=length\n",
       "$proxy: 20 MB up, by length");
    like(logged(), qr/^200 - \d+ 200000\d\d /, 'and the bytes are counted');

    $r = $c->request('POST', "http://$at/md5",
                     ['Transfer-Encoding' => 'chunked'],
                     EgressHttp::chunked(unpack '(a30011)*', $big)
                     . "0\r\n\r\n");
    is($r->{body}, 'bytes=20000000 md5=' . md5_hex($big)
                   . " framing=chunked\n", "$proxy: 20 MB up, in chunks");
    logged();

    $r = $c->get("http://$at/");
    is($r->{body}, "origin\n", 'and the connection goes on');
    logged();
}

for (['length', [], 'hello', 'length'],
     ['no bytes', [], '', 'length'],
     ['chunks', ['Transfer-Encoding' => 'chunked'],
      "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", 'length'],
     ['chunks with trailers', ['Transfer-Encoding' => 'chunked'],
      "5\r\nhello\r\n0\r\nX-A: b\r\n\r\n", 'length'],
     ['no chunks', ['Transfer-Encoding' => 'chunked'], "0\r\n\r\n", 'length'])
{
    my ($name, $headers, $body, $framing) = @$_;

    my $decoded = $name =~ /^no/ ? '' : 'hello';
    my $c = client();

    $r = $c->request('PUT', "http://$at/md5", $headers, $body);
    is($r->{body}, sprintf("bytes=%d md5=%s framing=%s\n", length $decoded,
                           md5_hex($decoded), $framing), "a body: $name");
    logged();

    $c->write_slowly([map { /(.)/gs }
                      "PUT http://$at/body HTTP/1.1\r\nHost: h\r\n"
                      . "Transfer-Encoding: chunked\r\n\r\n",
                      $name =~ /chunks/ ? $body : "0\r\n\r\n"], 0.001);
    is($c->response->{body}, $name =~ /^chunks/ ? 'hello' : '',
       'byte by byte');
    logged();
}

{
    my $c = client();

    $c->write("POST http://$at/echo HTTP/1.1\r\nHost: h\r\n"
              . "Transfer-Encoding: chunked\r\n\r\n5\r\nhel");
    ok($c->quiet(0.1), 'a body that pauses');
    $c->write("lo\r\n6\r\n world\r\n");
    $c->write("0\r\n\r\n");

    $r = $c->response;
    like($r->{body}, qr/\r\nTransfer-Encoding: chunked\r\n/,
         'is not waited for');
    is(EgressOrigin::last('ORIGIN')->{body}, 'hello world', 'and complete');
    logged();
}


# Answers without a body, and of HTTP/1.0.

{
    my $c = client();

    for my $status (204, 304) {
        $r = $c->get("http://$at/$status");
        is($r->{status}, $status, "status $status");
        is(EgressHttp::header($r, 'Content-Length'), undef, 'no length');
        is(EgressHttp::header($r, 'Transfer-Encoding'), undef, 'no chunks');
        logged();
    }

    for my $status (100, 103) {
        $r = $c->get("http://$at/$status");
        is($r->{body}, "$status\n", "an answer after $status");
        is($r->{interim}[0]{status}, $status, 'which comes first');
        logged();
    }

    is(EgressHttp::header($r->{interim}[0], 'Link'), '</s>; rel=preload',
       'with its fields');

    for my $status (200, 201, 299, 301, 400, 404, 500, 502, 503, 599, 999) {
        $r = $c->get("http://$at/status?$status");
        is($r->{body}, "status $status\n", "status $status is passed on");
        like($r->{reason}, qr/^Status$/, 'with its text');
        like(logged(), qr/^$status - /, 'and is none of our failures');
    }

    for my $path ('close?100000', 'http10?100000') {
        $r = $c->get("http://$at/$path");
        ok($r->{body} eq substr($big, 0, 100000), "the answer ends: $path");
        is($r->{version}, '1.1', 'HTTP/1.1 to the client');
        is($r->{framing}, 'chunked', 'whose connection stays');
        logged();
    }
}


# Clients of HTTP/1.0.

{
    my $c = client();

    $c->write("GET http://$at/chunked?1000,100 HTTP/1.0\r\n\r\n");
    $r = $c->response;
    is($r->{framing}, 'close', 'HTTP/1.0 gets no chunks');
    is(length $r->{body}, 1000, 'but the body');
    logged();

    $c = client();

    for (1 .. 2) {
        $c->write("GET http://$at/103 HTTP/1.0\r\nConnection: keep-alive"
                  . "\r\n\r\n");
        $r = $c->response;
        is($r->{body}, "103\n", 'HTTP/1.0 can keep its connection');
        is(scalar @{ $r->{interim} }, 0, 'and gets no interim answers');
        logged();
    }

    is((split /\r\n/, EgressOrigin::last('ORIGIN')->{head})[0],
       'GET /103 HTTP/1.1', 'HTTP/1.1 to the origin');
}


# Pipelining.

{
    my $c = client();

    $c->write(join '', map {
        "POST http://$at/body HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n"
        . "body $_"
    } 1 .. 9);

    is(join(' ', map { $c->response->{body} } 1 .. 9),
       join(' ', map { "body $_" } 1 .. 9), 'pipelined answers keep order');
    logged(9);

    $c->write("GET http://$at/slow?50 HTTP/1.1\r\nHost: h\r\n\r\n"
              . "GET http://127.0.0.1:$port{DEAD}/ HTTP/1.1\r\nHost: h\r\n\r\n"
              . "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
              . "GET http://$at/ HTTP/1.1\r\nHost: h\r\n"
              . "Connection: close\r\n\r\n");

    is(join(' ', map { $c->response->{status} } 1 .. 4), '200 502 200 200',
       'also when one fails');
    ok($c->ended, 'until the client closes');
    undef $c;
    logged(4);
}


# RFC 9110, section 7.6.2.

{
    my $c = client();

    EgressDaemon::forget('ORIGIN');

    $r = $c->request('OPTIONS', "http://$at/echo", ['Max-Forwards' => 0]);
    is($r->{status}, 200, 'OPTIONS that may go no further');
    is(scalar EgressOrigin::requests('ORIGIN'), 0, 'does not');
    like(logged(), qr/^200 - /, 'and is no failure');

    $r = $c->request('OPTIONS', "http://$at/echo", ['Max-Forwards' => 7]);
    like($r->{body}, qr/^Max-Forwards: 6\r$/m, 'is one less otherwise');
    logged();

    $r = $c->request('GET', "http://$at/echo", ['Max-Forwards' => 0]);
    like($r->{body}, qr/^Max-Forwards: 0\r$/m, 'GET does not count');
    logged();
}

done_testing();
