#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Health checks when things go wrong: the probing worker is killed, nginx is
# reloaded while a server is down, servers are many, accept without a word, or
# flap.  All the time requests are made, and none may go to a server that is
# known to be down or find that there is none.

use strict;
use warnings;

use lib 't/lib';

use Test::More;
use Time::HiRes qw/sleep time/;

use EgressDaemon;
use EgressNginx;
use EgressPort qw/PROXY A B C MANY/;
use WsHealth;

my $port = EgressPort::port('PROXY');
my @at = map { '127.0.0.1:' . EgressPort::port($_) } qw/A B C/;
my $backends = WsHealth->new(@at);

sub conf {
    my ($more) = @_;

    my @zones = map { my $zone = $_ ? "zone z$_ 128k;" : '';
                      <<"_EOC_" } 0, 1;
    upstream u$_ {
        $zone
        server $at[0] max_fails=0;
        server $at[1] max_fails=0;
        server $at[2] max_fails=0;
        ws_proxy_health_check uri=/health interval=150ms jitter=10ms
                              timeout=500ms $more;
    }
_EOC_

    return <<"_EOC_";
worker_shutdown_timeout 5s;
events { worker_connections 1024; }
http {
    @zones
    server {
        listen 127.0.0.1:\$TEST_NGINX_PROXY_PORT;
        proxy_next_upstream off;
        proxy_read_timeout 500ms;
        location /u0 { proxy_pass http://u0; }
        location /u1 { proxy_pass http://u1; }
        location /status { ws_proxy_health_status; }
    }
}
_EOC_
}

# A client that never stops.  Its record: time, path, status, server.

sub load {
    my ($name) = @_;

    EgressDaemon::forget($name);
    EgressDaemon::spawn($name, sub {
        my ($alive) = @_;

        for (my $i = 0; $alive->(); $i++) {
            my $path = '/u' . $i % 2;
            my $now = time();
            my ($status, $body) = WsHealth::get($port, $path);
            my ($server) = $body =~ /^(127\S+)/;

            EgressDaemon::record($name, join ' ', $now, $path, $status,
                                 $server // '-');
            sleep 0.002;
        }
    });
}

sub answers {
    my ($name, $since) = @_;

    return map { [split] } grep { /^([\d.]+)/ && $1 >= $since }
           EgressDaemon::lines($name);
}

sub all_are {
    my ($ngx, $server, $state) = @_;

    return $ngx->wait_until(sub {
        (grep { WsHealth::state($port, '/status', $_, $server) eq $state }
         qw/u0 u1/) == 2;
    }, 15);
}

sub clean {
    my ($name, $since, $down, $text) = @_;

    my @answers = answers($name, $since);

    cmp_ok(scalar @answers, '>', 20, "$text: there were requests");
    is((grep { $_->[3] eq $down } @answers), 0,
       "$text: none went to the server that is down");
    is((grep { $_->[2] ne 200 } @answers), 0, "$text: all were answered")
        or diag explain [grep { $_->[2] ne 200 } @answers];
}


my $ngx = EgressNginx->new(workers => 3, conf => conf(''),
                           expect => qr/exited on signal 9/);

ok(all_are($ngx, $_, 'up'), "$_ is up") for @at;


# a failure, and reloads while it lasts

$backends->set($at[1], 'fail');
ok(all_are($ngx, $at[1], 'down'), 'one server is down');

my $since = time();

load('CLIENT');
sleep 0.5;

for my $n (1 .. 4) {
    ok($ngx->reload($n % 2 ? conf('fails=1') : conf('')), "reload $n");
    is(WsHealth::state($port, '/status', 'u1', $at[1]), 'down',
       'the server is still down');
}

sleep 0.5;
clean('CLIENT', $since, $at[1], 'reloads');


# the probing worker is killed, wherever it is

for my $n (1 .. 4) {
    $since = time();

    my ($worker) = $ngx->workers;

    $ngx->signal('KILL', $worker);
    sleep 0.3;
}

$backends->set($at[1], 'ok');
ok(all_are($ngx, $at[1], 'up'), 'others go on probing: it is up again');

$backends->set($at[1], 'fail');
ok(all_are($ngx, $at[1], 'down'), 'and down again');


# killed in the middle of a probe: its lease ends by itself

$backends->set($at[2], 'hang');

my $killed = $ngx->wait_until(sub {
    $backends->count(qr/^\Q$at[2]\E/);
}, 5);

$ngx->signal('KILL', $_) for $ngx->workers;
ok(all_are($ngx, $at[2], 'down'),
   'all workers were killed while they probed: others find out');
is(WsHealth::state($port, '/status', 'u0', $at[1]), 'down',
   'what was known is still known');

# a request that was under way gets its timeout first

sleep 0.8;
$since = time();
sleep 1;
clean('CLIENT', $since, $at[2], 'a server that accepts and never answers');
clean('CLIENT', $since, $at[1], 'and one that fails');
$backends->set($at[2], 'ok');
$backends->set($at[1], 'ok');
ok(all_are($ngx, $_, 'up'), "$_ is up") for @at;


# flapping

$since = time();
$backends->set($at[0], 'flap');
sleep 2;

my @bad = grep { $_->[2] ne 200 && $_->[2] ne 500 } answers('CLIENT', $since);

is(scalar @bad, 0, 'while a server flaps nobody is told that there is none');
EgressDaemon::stop('CLIENT');

ok($ngx->quit(20), 'nginx quits in the middle of it');
$ngx->stop;


# many

{
    my $many = EgressPort::port('MANY');
    my @names = map { "127.0.7.$_:$many" } 1 .. 200;
    my $crowd = WsHealth->new(@names);
    my $servers = join "\n", map { "server $_ max_fails=0;" } @names;

    my $big = EgressNginx->new(workers => 2, conf => <<"_EOC_");
events { worker_connections 2048; }
http {
    upstream many {
        zone many 1m;
        $servers
        ws_proxy_health_check uri=/health interval=500ms timeout=1s;
        ws_proxy_health_check type=websocket uri=/ws interval=1s timeout=1s;
    }

    server {
        listen 127.0.0.1:\$TEST_NGINX_PROXY_PORT;
        proxy_next_upstream off;
        location / { proxy_pass http://many; }
        location /status { ws_proxy_health_status; }
    }
}
_EOC_

    sub states {
        my %n;
        $n{$_->{state}}++
            for @{ WsHealth::view($port, '/status')->{upstreams}[0]{servers} };
        return \%n;
    }

    ok($big->wait_until(sub {
        (WsHealth::get($port, '/status'))[1] !~ /unchecked/;
    }, 20), '200 servers are checked');
    is_deeply(states(), { up => 200 }, 'and are up');

    $crowd->set($_, 'fail') for @names[0 .. 99];
    ok($big->wait_until(sub { (states()->{down} // 0) == 100 }, 20),
       'half of them goes down');

    my %half = map { $_ => 1 } @names[0 .. 99];
    my ($wrong, $other) = (0, 0);

    for (1 .. 300) {
        my ($status, $body) = WsHealth::get($port, '/');
        my ($server) = $body =~ /^(\S+)/;

        $other++ if $status != 200;
        $wrong++ if $server && $half{$server};
    }

    is($wrong, 0, 'none of it is asked');
    is($other, 0, 'and the others answer');

    ok($big->reload, 'nginx reloads');
    is_deeply(states(), { up => 100, down => 100 }, 'with all states kept');

    $crowd->set($_, 'ok') for @names[0 .. 99];
    ok($big->wait_until(sub { (states()->{up} // 0) == 200 }, 20),
       'all come back');

    # each server is asked by one worker at a time

    my $start = time;
    $crowd->forget;
    sleep 3;

    my @lines = $crowd->requests(qr{ /health });
    my $once = 200 * (time - $start) / 0.5;

    cmp_ok(scalar @lines, '<', 1.2 * $once, 'nobody is asked twice');
    cmp_ok(scalar @lines, '>', 0.4 * $once, 'nor forgotten');
}

done_testing();
