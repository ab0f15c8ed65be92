#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Each example of the WebSocket proxy, conf.d/ws_proxy*.conf, starts and does
# what it is for.  An example without a row here fails.

use strict;
use warnings;

use lib 't/lib';

use EgressClient;
use EgressExample;
use EgressNginx;
use JSON::PP;
use Test::More;
use WsClient;
use WsOrigin;

# the backends that the examples name

my %backend = (FIRST => 12345, ONE => 9095, TWO => 9096, THREE => 9097,
               CHECK => 10080, PLAIN => 80);

my $ngx;


sub port { EgressExample::port(8080) }

sub session { WsClient->new(port(), '/ws', @_) }


sub ask {
    my ($c, $text) = @_;

    $c->send($text);

    return ($c->recv // [])->[1] // '';
}


sub get {
    my ($path) = @_;

    return EgressClient->new(port())->get($path);
}


# the servers that so many new sessions get to

sub servers {
    my ($n) = @_;

    my %seen;

    $seen{ask(session(), 'who')}++ for 1 .. $n;

    return join ' ', map { "$_=$seen{$_}" } sort keys %seen;
}


# the states of the three servers, as the page of the example tells them

sub states {
    my ($upstream) = @{ decode_json(get('/servers')->{body})->{upstreams} };

    return join ' ', map { $_->{state} } @{ $upstream->{servers} };
}


sub states_become {
    my ($want) = @_;

    $ngx->wait_until(sub { states() eq $want }, 10);
    is(states(), $want, "ws_proxy_health: servers are $want");
}


sub limits {
    my ($name) = @_;

    my $c = session();

    is(length ask($c, 'a' x 32769), 32769, "$name: a message up to the limit");
    $c->send('a' x 32770);
    is($c->close_code, 1009, "$name: a message of the client that is too big");

    $c = session();

    is(length ask($c, 'send 32769'), 32769, "$name: a large answer");
    $c->send('send 32770');
    is($c->close_code, 1000, "$name: a message of the backend that is too big");
}


my %examples = (

ws_proxy => sub {
    my $head = ask(session(headers => "X-Forwarded-For: 192.0.2.1\r\n"),
                   'head');

    like($head, qr/^Host: ws\.test\r$/m, 'ws_proxy: keeps the Host');
    like($head, qr{^Origin: http://127\.0\.0\.1/hello\r$}m,
         'ws_proxy: an Origin for who has none');
    like($head, qr/^X-Forwarded-For: 192\.0\.2\.1, 127\.0\.0\.1\r$/m,
         'ws_proxy: X-Forwarded-For');

    my $c = session(headers => "Origin: http://ws.test\r\n");
    like(ask($c, 'head'), qr{^Origin: http://ws\.test\r$}m,
         'ws_proxy: the Origin of who has one');

    limits('ws_proxy');

    is(get('/ws')->{body}, "PLAIN GET /hello\n",
       'ws_proxy: a request that is no handshake');

    $c = session();
    $c->echo('bye');
    $c->send_frame(8, pack 'n', 4000);
    $c->recv;
    undef $c;

    ok($ngx->wait_until(sub { $ngx->file('logs/ws_proxy.log') =~ m{
        ^127\.0\.0\.1\ /ws\ 101\ \S+:\d+\ open\ [\d.]+s,\ closed\ by\ client:
        \ 4000\ "-",\ client\ sent\ 1\ messages\ of\ 3\ bytes,\ backend\ 1\ of
        \ 3$}xm }), 'ws_proxy: the access log tells about the session')
        or diag $ngx->file('logs/ws_proxy.log');
},

ws_proxy_pools => sub {
    is(servers(8), 'FIRST=2 ONE=2 THREE=2 TWO=2',
       'ws_proxy_pools: the servers take turns');
    limits('ws_proxy_pools');
},

ws_proxy_health => sub {
    states_become('up up up');
    is(servers(6), 'ONE=2 THREE=2 TWO=2', 'ws_proxy_health: all take turns');

    like(EgressDaemon::wait_line('CHECK', qr/GET/),
         qr{^GET /health/ws .*X-Health-Check: nginx$},
         'ws_proxy_health: what the websocket check asks for');

    my $open = session();
    $open = session() until ask($open, 'who') eq 'TWO';

    WsOrigin::ill('TWO');
    states_become('up down up');
    like(servers(6), qr/^ONE=\d THREE=\d$/,
         'ws_proxy_health: no session for a server that fails its http check');
    ok($open->echo('still here'),
       'ws_proxy_health: the sessions it has are not cut');
    like(get('/metrics')->{body},
         qr/^ws_proxy_health_server_up\{.*:\d+"\}\ 0$/m,
         'ws_proxy_health: metrics');

    WsOrigin::well('TWO');
    states_become('up up up');
    like(servers(6), qr/^ONE=\d THREE=\d TWO=\d$/,
         'ws_proxy_health: it is back');

    # all three share the port of their websocket check

    WsOrigin::ill('CHECK');
    states_become('down down down');
    is(WsClient::status(port(), '/ws'), 503,
       'ws_proxy_health: no healthy server');
    is(get('/servers')->{status}, 200, 'ws_proxy_health: the page is well');

    WsOrigin::well('CHECK');
    states_become('up up up');
    ok(session()->echo('again'), 'ws_proxy_health: and all are back');
},

);


WsOrigin::serve($_, EgressExample::port($backend{$_})) for sort keys %backend;

for my $name (grep { /^ws_proxy/ } EgressExample::names()) {
    my $text = EgressExample::text($name);

    # what takes minutes takes seconds here

    $text =~ s/\binterval=60s/interval=200ms/g;
    $text =~ s/\bport=(\d+)/"port=" . EgressExample::port($1)/ge;

    $ngx = EgressNginx->new(conf => $text);

    ok($examples{$name}, "$name is tried") and $examples{$name}->();
    $ngx->stop;
}

done_testing();
