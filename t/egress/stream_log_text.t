#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# What a client calls its target may hold line feeds and worse: no log gets
# another line by it.

use strict;
use warnings;

use lib 't/lib';

use EgressClient;
use EgressHello;
use EgressNginx;
use EgressPort qw/SNI MAPPED ESCAPER TASK DIVERT/;
use EgressTcp ECHO => 'echo';
use Test::More;

my $ngx = EgressNginx->new(conf => <<'_EOC_');
egress {
    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
    }
}

stream {
    ssl_preread on;

    server {
        listen 127.0.0.1:$TEST_NGINX_SNI_PORT;
        ssl_preread off;
        egress_sni_proxy direct;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_MAPPED_PORT;
        egress_tcp_stream direct $ssl_preread_server_name:443;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_ESCAPER_PORT;
        egress_tcp_stream $ssl_preread_server_name 127.0.0.1:1;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_TASK_PORT;
        egress_tcp_stream direct 127.0.0.1:$TEST_NGINX_ECHO_PORT;
        egress_task_log logs/task.log created;
        egress_task_log_format "[$ssl_preread_server_name]\t\"é\"";
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_DIVERT_PORT;
        divert_pass 127.0.0.1:$TEST_NGINX_ECHO_PORT;
        divert_target $ssl_preread_server_name:443;
    }
}
_EOC_


my $name = "a.test\nforged \e[31m\"";
my $safe = 'a.test\x0Aforged \x1B[31m\x22';
my $hello = EgressHello::make(sni => $name);

sub send_hello {
    my ($port) = @_;

    my $c = EgressClient->new($ENV{"TEST_NGINX_${port}_PORT"});

    $c->write($hello);

    return $c;
}


for my $case (
    ['SNI', qr/client sent invalid server name "\Q$safe\E": invalid char/],
    ['MAPPED', qr/invalid target "\Q$safe\E:443": invalid char/],
    ['ESCAPER', qr/unknown escaper "\Q$safe\E"/],
    ['DIVERT', qr/"divert_target" gave invalid "\Q$safe\E:443": invalid/],
) {
    my ($port, $line) = @$case;

    ok(send_hello($port)->ended, "$port: the client is refused");
    ok($ngx->wait_log($line), "$port: in one line of the error log");
}

my $c = send_hello('TASK');
$c->read_n(length $hello);

my $log = $ngx->wait_until(sub { $ngx->file('logs/task.log') });
is($log, "[a.test\\x0Aforged \\x1B[31m\"]\t\"\303\251\"\n",
   'one line of a task log, which keeps what the format says');

unlike($ngx->error_log . $log, qr/^forged/m, 'nothing begins a line');

done_testing();
