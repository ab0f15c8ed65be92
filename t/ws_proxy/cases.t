#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# A table of cases after the public list of the Autobahn test suite: framing,
# pings, reserved bits, opcodes, fragments, UTF-8, closing, limits, deflate.
# Each is played through the proxy against several independent libraries, as
# servers behind it and as clients in front of it.

use strict;
use warnings;

use lib 't/lib';

use Test::More;

use EgressNginx;
use EgressPort qw/PROXY BACKEND/;
use WsPeer;

my @kinds = WsPeer::names();

cmp_ok(scalar @kinds, '>=', 1, 'there is a WebSocket library');

my $locations = '';

for my $kind (@kinds) {
    for my $deflate (0, 1) {
        my $name = uc($kind) . $deflate;

        WsPeer::serve($name, $kind, $deflate);
        $locations .= "location /$kind$deflate { "
                      . "ws_proxy_pass ws://127.0.0.1:"
                      . "\$TEST_NGINX_${name}_PORT; }\n";
    }
}

my $ngx = EgressNginx->new(conf => <<"_EOC_");
events { worker_connections 1024; }
http {
    ws_proxy_utf8_check on;
    ws_proxy_client_max_message_size 1m;
    ws_proxy_server_max_message_size 1m;

    server {
        listen 127.0.0.1:\$TEST_NGINX_PROXY_PORT;

        $locations

        location /backend {
            ws_proxy_pass http://127.0.0.1:\$TEST_NGINX_BACKEND_PORT;
        }
    }
}
_EOC_

my $proxy = EgressPort::port('PROXY');

for my $kind (@kinds) {
    WsPeer::client_cases($proxy, "/${kind}0", $kind);
    WsPeer::client_cases($proxy, "/${kind}1", $kind, 'deflate');

    my $url = "ws://127.0.0.1:$proxy/backend";
    my $port = EgressPort::port('BACKEND');

    WsPeer::server_cases($port, $kind, $url);
    WsPeer::server_cases($port, $kind, $url, 'deflate');
}

# a peer that is gone already is no fault of ours

my @errors = grep { /\[(?:error|crit)\]/ && !/(?:send|recv)\(\) failed/ }
             split /\n/, $ngx->error_log;

is("@errors", '', 'nginx has no complaint');

done_testing();
