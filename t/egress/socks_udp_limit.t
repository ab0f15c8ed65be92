#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Limits of UDP associations: bytes and packets of both directions, of the
# server and of the escaper; how many targets are remembered; several workers
# and their shutdown.

use strict;
use warnings;

use lib 't/lib';

use EgressClient;
use EgressNginx;
use EgressPort qw/UP DOWN BYTES BACK ESC/;
use EgressUdp ECHO => 'echo', REPEAT => 'repeat 30', SIZE => 'size',
              SINK => 'silent';
use Test::More;
use Time::HiRes qw/time sleep/;

my $ngx = EgressNginx->new(workers => 2, conf => <<'_EOC_');

worker_shutdown_timeout 1s;

egress {
    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
    }
    escaper slow direct_fixed {
        udp_sock_speed_limit upload_packets=25;
        egress_network_filter { allow 127.0.0.0/8; }
    }
}

stream {
    log_format udp '$egress_reason $egress_bytes_sent $egress_bytes_received '
                   '$bytes_received $bytes_sent $status';
    access_log logs/udp.log udp;

    egress_udp_associate on;

    server {
        listen 127.0.0.1:$TEST_NGINX_UP_PORT;
        egress_socks_proxy direct;
        egress_udp_sock_speed_limit upload_packets=25;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_DOWN_PORT;
        egress_socks_proxy direct;
        egress_udp_sock_speed_limit download_packets=25;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_BYTES_PORT;
        egress_socks_proxy direct;
        egress_udp_sock_speed_limit upload=20k;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_BACK_PORT;
        egress_socks_proxy direct;
        egress_udp_sock_speed_limit download=20k;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_ESC_PORT;
        egress_socks_proxy slow;
        egress_udp_sock_speed_limit upload_packets=1000;
    }
}

_EOC_


sub port { $ENV{"TEST_NGINX_$_[0]_PORT"} }

sub associate { EgressUdpClient->associate(port($_[0])) }

sub receive {
    my ($u, $n) = @_;

    my $got = 0;
    $got++ while $got < $n && defined $u->recv_raw(5);

    return $got;
}


# 30 datagrams at 25 a second, a tenth of a second's worth at once.

sub takes {
    my ($name, $server, $n, $seconds, $do) = @_;

    my $u = associate($server);
    my $start = time;

    $do->($u);
    is(receive($u, $n), $n, "$name: nothing is lost");

    my $time = time - $start;
    cmp_ok($time, '>', $seconds * 0.8, 'it takes its time');
    cmp_ok($time, '<', $seconds * 2 + 3, 'but not for ever');
    $u->{control}->close;
}

my $echo = sub {
    my ($size) = @_;
    return sub {
        $_[0]->send('127.0.0.1', port('ECHO'), 'x' x $size) for 1 .. 30;
    };
};

takes('packets up', 'UP', 30, 1.1, $echo->(1));
takes('packets up, of the escaper', 'ESC', 30, 1.1, $echo->(1));
takes('packets down', 'DOWN', 30, 1.1, sub {
    $_[0]->send('127.0.0.1', port('REPEAT'), 'x');
});
takes('bytes up', 'BYTES', 30, 1.3, $echo->(1000));
takes('bytes down', 'BACK', 30, 1.3, $echo->(1000));
takes('large datagrams down', 'BACK', 2, 1.4, sub {
    $_[0]->send('127.0.0.1', port('SIZE'), 30000) for 1 .. 2;
});

takes('bytes up do not limit packets', 'BYTES', 30, 0, $echo->(1));


# What is dropped is not paid for.

my $u = associate('UP');
my $start = time;
$u->send('127.0.0.1', port('SINK'), 'x', frag => 1) for 1 .. 40;
$u->send('10.0.0.1', port('SINK'), 'x') for 1 .. 40;
$u->send_raw('x') for 1 .. 40;
$u->send('127.0.0.1', port('ECHO'), 'x');
is(receive($u, 1), 1, 'a datagram behind many that were dropped');
cmp_ok(time - $start, '<', 5, 'does not wait for them');
$u->{control}->close;


# More targets than are remembered.

$u = associate('DOWN');
for my $i (1 .. 1200) {
    $u->send('127.1.' . ($i >> 8) . '.' . ($i & 255), port('SINK'), 'x');
    sleep 0.01 if $i % 50 == 0;
}
$u->send('127.0.0.1', port('ECHO'), 'still');
is(($u->recv(5))[2], 'still', 'an association with 1200 targets lives');
$u->{control}->close;


# Many at once, on two workers, and the end of worker_shutdown_timeout.

my @all = map { associate('DOWN') } 1 .. 40;
$_->send('127.0.0.1', port('ECHO'), 'many') for @all;
is(scalar(grep { (($_->recv(5))[2] // '') eq 'many' } @all), 40,
   'forty associations');

$start = time;
ok($ngx->reload, 'nginx reloads');
my $ended = grep { $_->{control}->ended(5) } @all;
is($ended, 40, 'all end with their workers');
cmp_ok(time - $start, '>', 0.8, 'when their time is over');

ok($ngx->wait_until(sub {
    40 == (() = $ngx->file('logs/udp.log') =~ /^shutdown 4 4 \d+ \d+ 200$/mg)
}, 5), 'for the reason shutdown') or diag $ngx->file('logs/udp.log');

ok($ngx->quit(10), 'nginx quits');

done_testing();
