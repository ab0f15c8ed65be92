#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# egress_task_log: sessions that have not ended yet.

use strict;
use warnings;

use lib 't/lib';

use EgressClient;
use EgressNginx;
use EgressPort qw/FILE ERROR SYSLOG OFF/;
use EgressTcp ECHO => 'echo', REFUSE => 'refuse';
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw/sleep/;

my $syslog = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1')
    or die "no socket: $!\n";
$ENV{TEST_NGINX_LOGGER_PORT} = $syslog->sockport;

my $ngx = EgressNginx->new(conf => <<'_EOC_');

egress {
    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
    }
}

stream {
    map $remote_addr $mapped {
        ~(?<found>^127) "<$found>";
    }

    egress_task_log logs/task.log created connected 300ms;
    egress_task_log_format '$egress_task_event $egress_task_id $mapped '
                           '$egress_port $egress_bytes_sent '
                           '$egress_bytes_received';

    log_format end 'end $egress_task_id $mapped $egress_bytes_sent';
    access_log logs/end.log end;

    server {
        listen 127.0.0.1:$TEST_NGINX_FILE_PORT;
        egress_tcp_stream direct 127.0.0.1:$TEST_NGINX_REFUSE_PORT
                                 127.0.0.1:$TEST_NGINX_ECHO_PORT;
        egress_upstream_pick_policy serial;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_ERROR_PORT;
        egress_tcp_stream direct 127.0.0.1:$TEST_NGINX_ECHO_PORT;
        egress_task_log connected;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_SYSLOG_PORT;
        egress_tcp_stream direct 127.0.0.1:$TEST_NGINX_ECHO_PORT;
        egress_task_log syslog:server=127.0.0.1:$TEST_NGINX_LOGGER_PORT created;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_OFF_PORT;
        egress_tcp_stream direct 127.0.0.1:$TEST_NGINX_ECHO_PORT;
        egress_task_log off;
    }
}

_EOC_

sub client { EgressClient->new($ENV{"TEST_NGINX_$_[0]_PORT"}) }

my ($refuse, $echo) = @ENV{qw/TEST_NGINX_REFUSE_PORT TEST_NGINX_ECHO_PORT/};


my $c = client('FILE');
$c->write('hello');
$c->read_n(5);

my $log = $ngx->wait_until(sub {
    my $text = $ngx->file('logs/task.log');
    return $text =~ /(^periodic.*\n){3}/m && $text;
}, 5);

my @lines = split /\n/, $log;
my ($id) = $lines[0] =~ /^created (\S{36}) /;

is($lines[0], "created $id <127> $refuse 0 0", 'created: the target is known');
is($lines[1], "connected $id <127> $echo 0 0",
   'connected: the same task, to the target that took it');
is($lines[2], "periodic $id <127> $echo 5 5", 'and then in intervals');

$c->close;
like($ngx->wait_until(sub { $ngx->file('logs/end.log') =~ /(.+)\n/ && $1 }, 5),
     qr/^end $id <127> 5$/, 'the access log has values of its own');

sleep 0.5;
my $size = length $ngx->file('logs/task.log');
sleep 0.5;
is(length $ngx->file('logs/task.log'), $size, 'an ended task is silent');


$c = client('ERROR');
$c->write('hello');
$c->read_n(5);
like($ngx->wait_log(qr/egress task: connected.*/, 5), qr/<127>/,
     'without a file: the error log');

$c = client('SYSLOG');
$c->write('hello');
$c->read_n(5);
$syslog->recv(my $datagram, 4096);
like($datagram, qr/^<190>.* nginx: created \S{36} <127> /, 'syslog');

$c = client('OFF');
$c->write('hello');
$c->read_n(5);
$c->close;
is(length $ngx->file('logs/task.log'), $size, 'off');

$c = client('FILE');
$c->write('hello');
$c->read_n(5);
ok(!$ngx->quit(1), 'a tunnel holds a quitting worker');
$c->close;
ok($ngx->wait_until(sub { !$ngx->pid }, 5), 'the log alone does not');


for my $case (
    ['nothing to log', 'egress_task_log logs/x.log',
     '"egress_task_log" directive needs "created", "connected" or an interval'],
    ['an unknown event', 'egress_task_log logs/x.log created ended',
     'invalid parameter "ended"'],
    ['two logs', 'egress_task_log created; egress_task_log created',
     '"egress_task_log" directive is duplicate'],
    ['a malformed syslog', 'egress_task_log syslog:nonsense created',
     'unknown syslog parameter "nonsense"'],
) {
    my ($name, $text, $want) = @$case;

    my ($ok, $output) = EgressNginx::test("stream { $text; }");

    ok(!$ok, "$name is an error");
    like($output, qr/\[emerg\].*\Q$want\E/, "$name: what it says");
}

done_testing();
