#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Sessions when nginx reloads, quits and stops: they live on in a worker that
# is shutting down, and get a Close frame before they are cut.

use strict;
use warnings;

use lib 't/lib';

use Test::More;

use EgressNginx;
use EgressPort qw/PROXY BEHIND/;
use WsClient;
use WsPeer;

my ($kind) = WsPeer::names()
    or plan skip_all => 'there is no WebSocket library';

WsPeer::serve('BACKEND', $kind);

my $port = EgressPort::port('PROXY');

sub conf {
    my ($main, $proxy, $backend) = @_;

    $proxy //= 'PROXY';
    $backend //= 'BACKEND';

    return <<"_EOC_";
$main
http {
    log_format ws '\$ws_proxy_close_code \$ws_proxy_closed_by '
                  '[\$ws_proxy_close_reason]';
    access_log logs/access.log ws;

    server {
        listen 127.0.0.1:\$TEST_NGINX_${proxy}_PORT;

        location / {
            ws_proxy_pass ws://127.0.0.1:\$TEST_NGINX_${backend}_PORT;
            ws_proxy_close_timeout 2s;
        }
    }
}
_EOC_
}

{
    my $ngx = EgressNginx->new(workers => 2, conf => conf(''));
    my @old = map { WsClient->new($port, '/') } 1 .. 4;

    ok($ngx->reload, 'nginx reloads');
    is((grep { $_->echo('after') } @old), 4, 'sessions live through a reload');

    my $new = WsClient->new($port, '/');
    ok($new->echo('new'), 'new ones work');

    ok($ngx->reload, 'nginx reloads again');
    is((grep { $_->echo('after') } @old, $new), 5, 'all live on');

    undef @old;
    undef $new;

    ok($ngx->quit(10), 'without sessions nginx quits');
    $ngx->stop;
}

{
    my $behind = EgressNginx->new(conf => conf('', 'BEHIND'));
    my $ngx = EgressNginx->new(conf => conf('worker_shutdown_timeout 4s;',
                                            'PROXY', 'BEHIND'));
    my $c = WsClient->new($port, '/');

    ok($ngx->reload, 'nginx reloads');
    ok($c->echo('after'), 'the session lives');
    is($c->close_code(8), 1001, 'before the timeout ends it gets 1001');
    like(($ngx->wait_access(1))[0], qr/^1001 proxy \[shutting down\]$/,
         'which is logged');
    is($c->recv, undef, 'and the connection is closed');
    like(($behind->wait_access(1))[0], qr/^1001 client /,
         'the backend got it as well');
    $behind->stop;

    ok($ngx->quit(10), 'nginx quits');
    $ngx->stop;
}

{
    my $ngx = EgressNginx->new(conf => conf('worker_shutdown_timeout 1s;'));
    my $c = WsClient->new($port, '/');

    # a session that does not answer does not keep the worker

    ok($ngx->quit(10), 'nginx quits in time');
    is($c->close_code, 1001, 'the session got 1001');
    $ngx->stop;
}

{
    my $ngx = EgressNginx->new(conf => conf(''));
    my $c = WsClient->new($port, '/');

    $ngx->stop;
    is($c->close_code, 1001, 'a fast stop says 1001, too');
}

{
    my $ngx = EgressNginx->new(conf => conf(''));
    my $c = WsClient->new($port, '/');

    ok($ngx->upgrade, 'the binary is upgraded');
    ok($c->echo('old'), 'the session lives in the old one');

    $ngx->signal('QUIT', $ngx->old_pid);
    ok($ngx->wait_log(qr/gracefully shutting down/), 'the old one quits');
    ok($c->echo('old'), 'and the session lives');

    # until then either generation may have accepted it

    my $new = WsClient->new($port, '/');
    ok($new->echo('new'), 'new ones work');
    undef $c;

    ok($ngx->quit_old(10), 'the old one goes when its sessions have gone');
    ok($new->echo('new'), 'the new one stays');
    $ngx->stop;
}

done_testing();
