#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Connections to origins that are used again: by whom, how many, how long, and
# what happens when one was closed in the meantime.

use strict;
use warnings;

use lib 't/lib';

use Test::More;
use Time::HiRes qw/sleep/;

use EgressClient;
use EgressHttp;
use EgressNginx;
use EgressOrigin ORIGIN => {}, OTHER => {};
use EgressPort qw/PROXY ROUND OFF TWO SHORT PAGE/;

my %port = map { /^TEST_NGINX_(\w+)_PORT$/ ? ($1 => $ENV{$_}) : () } keys %ENV;
my $at = "127.0.0.1:$port{ORIGIN}";

my $ngx = EgressNginx->new(conf => <<'_EOC_', master => 0);
egress {
    resolver local c_ares { }

    escaper direct direct_fixed {
        bind_ip 127.0.0.1 127.0.0.2 127.0.0.3;
        enable_path_selection on;
        egress_network_filter { allow 127.0.0.0/8; }
    }

    escaper second direct_fixed {
        resolver local;
        resolve_strategy ipv4_only;
        bind_ip 127.0.0.2;
        egress_network_filter { allow 127.0.0.0/8; }
    }

    escaper third direct_fixed {
        bind_ip 127.0.0.2;
        egress_network_filter { allow 127.0.0.0/8; }
    }
}

http {
    log_format  t '$status $egress_reason $upstream_addr $upstream_status '
                  '$egress_bind $request';
    access_log  logs/access.log t;

    server {
        listen             127.0.0.1:$TEST_NGINX_PAGE_PORT;
        egress_http_proxy  third;
        error_page         502 /missing.html;
    }

    server {
        listen             127.0.0.1:$TEST_NGINX_PROXY_PORT;
        set                $way second;
        if ($http_x_way) { set $way $http_x_way; }
        egress_http_proxy  $way;
    }

    server {
        listen                        127.0.0.1:$TEST_NGINX_ROUND_PORT;
        egress_http_proxy             direct;
        egress_path_selection_header  X-Path;
    }

    server {
        listen                     127.0.0.1:$TEST_NGINX_OFF_PORT;
        egress_http_proxy          second;
        egress_upstream_keepalive  0;
    }

    server {
        listen                     127.0.0.1:$TEST_NGINX_TWO_PORT;
        egress_http_proxy          third;
        egress_upstream_keepalive  2;
    }

    server {
        listen                             127.0.0.1:$TEST_NGINX_SHORT_PORT;
        egress_http_proxy                  third;
        egress_upstream_keepalive_timeout  100ms;
    }
}
_EOC_


sub client { EgressClient->new($port{$_[0] // 'PROXY'}) }


# "connection/request" as the origin counts them

sub used {
    my ($r) = @_;

    return join '/', map { EgressHttp::header($r, $_) // "($r->{status})" }
                         'X-Conn', 'X-Req';
}


sub first { (split m{/}, $_[0])[0] }


# What is done with the next request of a proxy, from a connection of its own.

sub next_used {
    my ($server, $path, @headers) = @_;

    return used(client($server)->get("http://$at/$path", @headers));
}


my $c = client();
my $conn = first(used($c->get("http://$at/")));

is(used($c->get("http://$at/")), "$conn/2", 'a connection is used again');
is(next_used('PROXY', ''), "$conn/3", 'also by another client');
is(used(client()->request('POST', "http://$at/body", [], 'x')), "$conn/4",
   'for a request with a body');
is(used(client()->request('HEAD', "http://$at/")), "$conn/5", 'after HEAD');
is(next_used('PROXY', '204'), "$conn/6", 'after 204');
is(next_used('PROXY', '304'), "$conn/7", 'after 304');
is(next_used('PROXY', 'chunked?1000,100'), "$conn/8", 'after chunks');
is(next_used('PROXY', 'chunked?0'), "$conn/9", 'after no chunks');
is(next_used('PROXY', 'status?500'), "$conn/10", 'after an error');
is(next_used('PROXY', 'big?1000000'), "$conn/11", 'after much');
is(next_used('PROXY', '103'), "$conn/12", 'after an interim answer');

{
    my $r = client()->get("http://localhost:$port{ORIGIN}/");
    is($r->{status}, 200, 'another name of the same address');
    isnt(first(used($r)), $conn, 'has connections of its own');

    my $other = client()->get("http://127.0.0.1:$port{OTHER}/");
    is(first(used($other)), 1, 'not for another port');

    isnt(first(next_used('PROXY', '', 'X-Way' => 'third')), $conn,
         'not by another escaper with the same address');
    is(next_used('PROXY', ''), "$conn/13", 'but again by the first');
}


# What ends a connection.

for my $path ('close?10', 'http10?10', 'status?200', 'stale') {
    my $before = first(next_used('PROXY', ''));
    my $r = client()->get("http://$at/$path",
                          $path eq 'status?200' ? (Connection => 'close') : ());

    is(first(used($r)), $before, "used again: $path");

    my $after = first(next_used('PROXY', ''));

    if ($path eq 'status?200') {
        is($after, $before, 'close is between the client and the proxy');

    } else {
        isnt($after, $before, 'and not any more');
    }
}


# Identities do not mix.

{
    my %conn;

    for my $path (1, 2, 3) {
        $conn{$path} = first(next_used('ROUND', '', 'X-Path' => $path));
    }

    is(scalar keys %{{ reverse %conn }}, 3, 'a connection for each path');

    for my $path (1, 2, 3) {
        is(first(next_used('ROUND', '', 'X-Path' => $path)), $conn{$path},
           "that of path $path");
    }

    is(first(next_used('ROUND', '', 'X-Path' => '02')), $conn{2},
       'a path is a number');
}


# Limits.

is(next_used('OFF', '') =~ m{/(\d+)}, 1, 'none is kept with 0');
isnt(first(next_used('OFF', '')), first(next_used('OFF', '')),
     'each request has its own');
is(EgressHttp::header({ headers => [map { [split /: /] }
                        split /\r\n/, EgressOrigin::last('ORIGIN')->{head}] },
                      'Connection'), 'close', 'and says so');

{
    # a worker keeps two: the oldest goes

    my @clients = map { client('TWO') } 1 .. 3;

    $_->send_request('GET', "http://$at/slow?100") for @clients;
    my @conns = map { first(used($_->response)) } @clients;

    is(scalar keys %{{ map { $_ => 1 } @conns }}, 3, 'three at a time');

    $_->send_request('GET', "http://$at/slow?100") for @clients;
    my @again = map { first(used($_->response)) } @clients;
    my %old = map { $_ => 1 } @conns;

    is(scalar(grep { $old{$_} } @again), 2, 'two of them are kept');
}

{
    my $kept = next_used('SHORT', '');

    is(first(next_used('SHORT', '')), first($kept), 'for a time');
    sleep 0.3;
    isnt(first(next_used('SHORT', '')), first($kept), 'and no longer');
}


# One that looks alive and is not.

for (['GET', undef, 1], ['HEAD', undef, 1], ['OPTIONS', undef, 1],
     ['PUT', undef, 1], ['DELETE', undef, 1], ['PUT', '', 1],
     ['POST', '', 0], ['PATCH', undef, 0], ['REPORT', undef, 0],
     ['PUT', 'body', 0], ['DELETE', 'body', 0])
{
    my ($method, $body, $retried) = @$_;
    my $name = $method . (defined $body ? ' with "' . $body . '"' : '');

    my $before = first(next_used('PROXY', 'stale-next'));
    my $r = client()->request($method, "http://$at/echo", [], $body);
    if ($retried) {
        is($r->{status}, 200, "$name: stale, tried again");
        isnt(first(used($r)), $before, 'on a fresh connection');
        ok($ngx->wait_until(sub {
            $ngx->access_log =~ /^200 - \Q$at, $at\E 502, 200 \S+ $method /m
        }), 'which the log tells');

    } else {
        is($r->{status}, 502, "$name: stale, not tried again");
        like(EgressHttp::header($r, 'Proxy-Status'),
             qr/error=http_response_incomplete/, 'with the reason');
        ok($ngx->wait_until(sub {
            $ngx->access_log =~ /^502 upstream_closed \Q$at\E 502 \S+ $method /m
        }), 'which the log tells');
    }
}

{
    # it is tried again once, and a fresh connection not at all

    next_used('PROXY', 'stale-next');
    is(client()->get("http://$at/raw?no-head")->{status}, 502,
       'the second failure counts');

    next_used('PAGE', 'stale-next');
    is(client('PAGE')->get("http://$at/raw?no-head")->{status}, 404,
       'what fails after it');
    ok($ngx->wait_log(qr{missing\.html" failed .* upstream: "http:///raw}),
       'is logged with what is known');

    next_used('OFF', 'stale-next');
    is(client('OFF')->get("http://$at/raw?no-head")->{status}, 502,
       'a fresh connection is not tried again');
}


# Keep-alive is the origin's right to end.

is(scalar(grep { /\[error\].*prematurely/ } split /\n/, $ngx->error_log) > 0,
   1, 'the error log tells of it');

done_testing();
