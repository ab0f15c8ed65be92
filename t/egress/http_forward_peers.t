#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Slow, silent and vanishing clients and origins of absolute-form requests;
# Expect; answers that do not wait for the request.

use strict;
use warnings;

use lib 't/lib';

use Digest::MD5 qw/md5_hex/;
use IO::Socket::IP;
use Test::More;
use Time::HiRes qw/sleep time/;

use EgressClient;
use EgressHttp;
use EgressNginx;
use EgressOrigin;
use EgressPort qw/PROXY SHORT/;
use EgressTcp DEAD => 'refuse', PARK => 'no_accept', HANG => 'hang',
              DISCARD => 'discard', SLOW => { mode => 'slow 2000 1' },
              CLOSE => 'close', RESET => { mode => 'reset 1' },
              HELLO => { mode => 'say HTTP/1.1 200 OK\r\n' };

my %port = map { /^TEST_NGINX_(\w+)_PORT$/ ? ($1 => $ENV{$_}) : () } keys %ENV;
my %at = map { $_ => "127.0.0.1:$port{$_}" } keys %port;
my $at = $at{ORIGIN};

my $ngx = EgressNginx->new(conf => <<'_EOC_', master => 0);
egress {
    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
    }

    escaper hasty direct_fixed {
        tcp_connect each_timeout=200ms max_retry=0;
        egress_network_filter { allow 127.0.0.0/8; }
    }
}

http {
    client_max_body_size  0;

    log_format  t '$status $egress_reason $egress_bytes_received '
                  '$upstream_bytes_received $request_uri';
    access_log  logs/access.log t;

    server {
        listen             127.0.0.1:$TEST_NGINX_PROXY_PORT;
        egress_http_proxy  direct;
    }

    server {
        listen               127.0.0.1:$TEST_NGINX_SHORT_PORT;
        egress_http_proxy    hasty;
        egress_read_timeout  600ms;
        egress_send_timeout  600ms;
        client_body_timeout  600ms;
        send_timeout         600ms;
        lingering_close      off;
    }
}
_EOC_

my $lines = 0;


sub client { EgressClient->new($port{$_[0] // 'PROXY'}) }


sub logged {
    my @all = $ngx->wait_access(++$lines, 20);

    is(scalar @all, $lines, 'it is logged');

    return $all[-1];
}


# Status, reason and Proxy-Status of one request.

sub refused {
    my ($server, $url, $want, $name, $method, $body) = @_;

    my $c = client($server);
    my $r = $c->request($method // 'GET', $url, [], $body);

    my ($status, $reason, $error) = @$want;

    is($r->{status}, $status, $name);
    is($r->{error}, undef, 'the page is whole');
    like(EgressHttp::header($r, 'Proxy-Status'),
         qr/^ngx_egress; error=$error; details="/, 'Proxy-Status');
    undef $c;
    like(logged(), qr/^$status $reason /, 'the log');
}


# Origins that do not answer.

for my $body (undef, 'x' x 100_000) {
    my $method = defined $body ? 'POST' : 'GET';

    refused('PROXY', "http://$at{DEAD}/", [502, 'connection_refused',
            'connection_refused'], "$method: refused", $method, $body);
    refused('SHORT', "http://$at{PARK}/", [504, 'connection_timeout',
            'connection_timeout'], "$method: no connection", $method, $body);
    refused('PROXY', "http://$at{CLOSE}/", [502, 'upstream_closed',
            'http_response_incomplete'], "$method: closed", $method, $body);
    refused('PROXY', "http://$at{RESET}/", [502, 'upstream_closed',
            'http_response_incomplete'], "$method: reset", $method, $body);
    refused('PROXY', "http://$at{HELLO}/", [502, 'upstream_closed',
            'http_response_incomplete'], "$method: a head that ends", $method,
            $body);
}

refused('SHORT', "http://$at/hang", [504, 'upstream_timeout',
        'http_response_timeout'], 'no answer');
refused('SHORT', "http://$at/hang", [504, 'upstream_timeout',
        'http_response_timeout'], 'no answer to a body', 'POST', 'x');
refused('SHORT', "http://$at{HANG}/", [504, 'upstream_timeout',
        'http_response_timeout'], 'a body nobody reads', 'POST',
        'x' x 9_000_000);

{
    # an answer that stops

    my $c = client('SHORT');
    my $r = $c->get("http://$at/drip?20,100");
    is(length $r->{body}, 20, 'slow, but in time');
    logged();

    for (['drip?10,1500', 'upstream_timeout'], ['short?100,10',
         'upstream_closed'], ['reset?100,10', 'upstream_(?:aborted|closed)'])
    {
        my ($path, $reason) = @$_;

        $c = client('SHORT');
        $r = $c->get("http://$at/$path");
        is($r->{status}, 200, "an answer that stops: $path");
        ok($r->{error}, 'is not made whole');
        ok($c->how_ended, 'and closes');
        undef $c;
        like(logged(), qr/^200 $reason /, 'the log');
    }
}


# Clients that do not wait.

sub gone {
    my ($url, $name, $wait, %how) = @_;

    my $c = client();

    $c->write("GET $url HTTP/1.1\r\nHost: h\r\n\r\n");
    $wait->($c);
    $how{reset} ? $c->reset : $c->close;

    like(logged(), qr/^\d+ client_aborted /, $name);
}

gone("http://$at{PARK}/", 'gone while connecting', sub { sleep 0.1 });

for my $reset (0, 1) {
    EgressDaemon::forget('ORIGIN');

    gone("http://$at/hang?$reset", "gone while waiting, reset $reset", sub {
        EgressDaemon::wait_line('ORIGIN', qr/hang/)
    }, reset => $reset);

    gone("http://$at/big?50000000", "gone while reading, reset $reset", sub {
        $_[0]->read_n(100_000);
    }, reset => $reset);
}

{
    my $c = client();

    $c->write("POST http://$at/md5 HTTP/1.1\r\nHost: h\r\n"
              . "Content-Length: 1000\r\n\r\nhello");
    sleep 0.1;
    $c->close;
    like(logged(), qr/^400 client_aborted /, 'gone while sending');

    $c = client();
    $c->write("POST http://$at/md5 HTTP/1.1\r\nHost: h\r\n"
              . "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX");
    my $r = $c->response;
    is($r->{status}, 400, 'invalid chunks of a client');
    undef $c;
    like(logged(), qr/^400 bad_request /, 'are its fault');

    $c = client('SHORT');
    $c->write("POST http://$at/md5 HTTP/1.1\r\nHost: h\r\n"
              . "Content-Length: 1000\r\n\r\nhello");
    ok($c->ended, 'a client that stops sending');
    undef $c;
    like(logged(), qr/^408 client_timeout /, 'is too slow');

    $c = client('SHORT');
    $c->send_request('GET', "http://$at/big?20000000");
    sleep 1.5;
    undef $c;
    like(logged(), qr/^(?:200|408) client_timeout /,
         'so is one that stops reading');
}


# A slow side slows the other one down.

{
    my $c = EgressClient->new($port{PROXY});

    setsockopt $c->handle, Socket::SOL_SOCKET(), Socket::SO_RCVBUF(), 4096;
    $c->send_request('GET', "http://$at/big?60000000");
    sleep 0.5;
    $c->reset;

    my ($bytes) = logged() =~ /^\d+ \S+ \d+ (\d+) /;
    cmp_ok($bytes, '<', 30_000_000, 'a slow client slows its origin down');

    $c = EgressClient->new($port{PROXY}, timeout => 0.5);
    $c->write("POST http://$at{SLOW}/ HTTP/1.1\r\nHost: h\r\n"
              . "Content-Length: 60000000\r\n\r\n" . 'x' x 60_000_000);
    $c->reset;

    my ($received) = logged() =~ /^\d+ \S+ (\d+) /;
    cmp_ok($received, '<', 30_000_000, 'and a slow origin its client');
}


# Both ways at once: the answer does not wait for the request.

{
    my $c = client();

    $c->write("POST http://$at/early HTTP/1.1\r\nHost: h\r\n"
              . "Content-Length: 100\r\n\r\nhello");
    my $r = $c->response;
    is($r->{status}, 413, 'an answer before the body was sent');
    ok($c->ended, 'ends the connection');
    undef $c;
    like(logged(), qr/^413 - /, 'and is none of our failures');

    my $ok = 0;

    for (1 .. 20) {
        $c = client();
        $r = $c->request('POST', "http://$at/early", [], 'x' x 5_000_000);
        $ok++ if ($r->{status} // 0) == 413;
        undef $c;
        logged();
    }

    cmp_ok($ok, '>=', 15, 'also to a client that goes on sending');
}


# Expect.

sub expect {
    my ($path, $version) = @_;

    my $c = client();

    $c->write("POST http://$at/$path HTTP/" . ($version // '1.1') . "\r\n"
              . "Host: h\r\nContent-Length: 5\r\n"
              . "Expect: 100-continue\r\n\r\n");

    return $c;
}

{
    my $c = expect('body');
    is(EgressHttp::read_head($c)->{status}, 100, 'the origin says 100');
    $c->write('hello');
    my $r = $c->response;
    is($r->{body}, 'hello', 'and gets the body');
    is(scalar @{ $r->{interim} }, 0, '100 is said once');
    like(EgressOrigin::last('ORIGIN')->{head}, qr/^Expect: 100-continue\r$/m,
         'Expect is forwarded');
    logged();
    is($c->get("http://$at/")->{body}, "origin\n", 'the connection goes on');
    logged();

    $c = expect('no100');
    $r = $c->response;
    is($r->{status}, 417, 'the origin may refuse');
    is(scalar @{ $r->{interim} }, 0, 'and no 100 is said');
    ok($c->ended, 'the body is not waited for');
    undef $c;
    logged();

    $c = expect('body');
    $c->write('hello');
    is($c->response->{body}, 'hello', 'a client need not wait');
    logged();

    $c = expect('body', '1.0');
    $c->write('hello');
    $r = $c->response;
    is($r->{body}, 'hello', 'HTTP/1.0 knows no Expect');
    is(scalar @{ $r->{interim} }, 0, 'and no 100');
    unlike(EgressOrigin::last('ORIGIN')->{head}, qr/^Expect/m,
           'nor does the origin');
    undef $c;
    logged();

    $c = client();
    $c->write("POST http://$at{DEAD}/ HTTP/1.1\r\nHost: h\r\n"
              . "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    $r = $c->response;
    is($r->{status}, 502, 'a target that refuses');
    is(scalar @{ $r->{interim} }, 0, 'and no 100');
    undef $c;
    logged();
}

ok(!$ngx->faults, 'nothing bad happened');

done_testing();
