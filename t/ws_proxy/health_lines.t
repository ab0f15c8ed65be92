#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Several ws_proxy_health_check lines of one upstream: each of them is a check
# of its own, however much they look alike.

use strict;
use warnings;

use lib 't/lib';

use EgressNginx;
use EgressPort qw/PROXY SERVER/;
use Test::More;
use WsHealth;
use WsOrigin;

WsOrigin::serve('SERVER', EgressPort::port('SERVER'));

my $conf = <<'_EOC_';
http {
    ws_proxy_match never {
        body contains nowhere;
    }

    upstream other_match {
        server 127.0.0.1:$TEST_NGINX_SERVER_PORT;
        ws_proxy_health_check uri=/health/match interval=100ms;
        ws_proxy_health_check uri=/health/match interval=100ms match=never;
    }

    upstream other_header {
        server 127.0.0.1:$TEST_NGINX_SERVER_PORT;
        ws_proxy_health_check uri=/health/header interval=100ms;
        ws_proxy_health_check uri=/health/header interval=100ms "header=X: 2";
        ws_proxy_health_check uri=/health/header interval=100ms "header=X: 3";
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_PROXY_PORT;
        location /status { ws_proxy_health_status; }
    }
}
_EOC_

my $ngx = EgressNginx->new(conf => $conf);
my $port = EgressPort::port('PROXY');
my $server = '127.0.0.1:' . EgressPort::port('SERVER');

sub state { WsHealth::state($port, '/status', $_[0], $server) }

$ngx->wait_until(sub { state('other_match') eq 'down' }, 5);
is(state('other_match'), 'down', 'a check that differs by its match fails');

for my $n (2, 3) {
    ok(EgressDaemon::wait_line('SERVER', qr{GET /health/header .* X: $n}),
       "a check that differs by its header is made, $n");
}

ok(EgressDaemon::wait_line('SERVER', qr{GET /health/header (?!.* X:)}),
   'and so is the first one');
is(state('other_header'), 'up', 'a server that passes all of them is up');

ok($ngx->reload, 'nginx reloads');
is(state('other_match'), 'down', 'what they have found is kept');

done_testing();
