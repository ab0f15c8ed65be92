#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# More servers than ws_proxy_health_zone has room for: some are checked, the
# others are trusted, and the log says so without being flooded.

use strict;
use warnings;

use lib 't/lib';

use Test::More;

use EgressNginx;
use EgressPort qw/PROXY/;
use WsHealth;

my $port = EgressPort::port('PROXY');
my $none = EgressPort::reserve('NONE');
my $servers = join "\n", map { "server 127.0.7.$_:$none;" } 1 .. 200;

my $ngx = EgressNginx->new(workers => 2, conf => <<"_EOC_");
http {
    ws_proxy_health_zone 32k;

    upstream many {
        $servers
        ws_proxy_health_check type=tcp interval=100ms;
    }

    server {
        listen 127.0.0.1:\$TEST_NGINX_PROXY_PORT;
        location /status { ws_proxy_health_status; }
    }
}
_EOC_

sub checks {
    my ($u) = @{ WsHealth::view($port, '/status')->{upstreams} };

    return map { $_->{checks}[0] } @{ $u->{servers} };
}

ok($ngx->wait_until(sub {
    (grep { ($_->{checks} // 0) >= 10 } checks()) >= 5;
}, 30), 'servers that have room are checked');

my $log = $ngx->error_log;
my $told = () = $log =~ /no memory for the health of server/g;

like($log, qr/"many", increase ws_proxy_health_zone/, 'the log says what to do');
cmp_ok($told, '<=', 10, 'from time to time only') or diag $told;

done_testing();
