#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Each reason for which a SOCKS request can be refused: the replies of SOCKS5
# and SOCKS4, and the log.

use strict;
use warnings;

use lib 't/lib';

use EgressNetns addr => ['10.1.2.3'], silent => ['192.0.2.0/24'],
                unreachable => ['198.51.100.0/24'];
use EgressClient;
use EgressDns DNS => { zone => {
    'a.test' => { A => '127.0.0.1' },
    'six.test' => { AAAA => '::1' },
    'private.test' => { A => '10.1.2.3' },
    'fail.test' => { rcode => 'SERVFAIL' },
    'drop.test' => { drop => 1 },
} };
use EgressNginx;
use EgressPort qw/SOCKS SILENT UNBOUND DENY/;
use EgressTcp ECHO => 'echo', DEAD => 'refuse', PARK => 'no_accept';
use Test::More;

my %port = map { /^TEST_NGINX_(\w+)_PORT$/ ? ($1 => $ENV{$_}) : () } keys %ENV;

my $ngx = EgressNginx->new(conf => <<'_EOC_');
egress {
    resolver dns c_ares {
        server         127.0.0.1:$TEST_NGINX_DNS_PORT;
        each_timeout   300ms;
        each_tries     1;
    }
    resolver none deny_all { }

    escaper direct direct_fixed {
        resolver          dns;
        resolve_strategy  ipv4_only;
        tcp_connect       max_retry=0 each_timeout=300ms;
        egress_network_filter {
            allow 127.0.0.0/8 192.0.2.0/24 198.51.100.0/24 203.0.113.0/24;
        }
    }
    escaper silent direct_fixed { resolver none; }
    escaper unbound direct_fixed {
        bind_ip  192.0.2.1;
        egress_network_filter { allow 127.0.0.0/8; }
    }
    escaper deny dummy_deny { }
}

stream {
    log_format t '$egress_host $egress_reason $status';
    access_log logs/socks.log t;

    egress_socks4 on;

    server {
        listen 127.0.0.1:$TEST_NGINX_SOCKS_PORT;
        egress_socks_proxy direct;
    }
    server {
        listen 127.0.0.1:$TEST_NGINX_SILENT_PORT;
        egress_socks_proxy silent;
    }
    server {
        listen 127.0.0.1:$TEST_NGINX_UNBOUND_PORT;
        egress_socks_proxy unbound;
    }
    server {
        listen 127.0.0.1:$TEST_NGINX_DENY_PORT;
        egress_socks_proxy deny;
    }
}
_EOC_


for (
    # reason, host, port, reply of SOCKS5, server

    ['escaper_denied', '127.0.0.1', $port{ECHO}, 2, 'DENY'],
    ['destination_denied', '10.1.2.3', 80, 2],
    ['destination_denied', 'private.test', 80, 2],
    ['self_connect', '127.0.0.1', $port{SOCKS}, 2],
    ['self_connect', 'a.test', $port{DENY}, 2],
    ['dns_error', 'fail.test', 80, 4],
    ['dns_nxdomain', 'nowhere.test', 80, 4],
    ['dns_no_address', 'six.test', 80, 4],
    ['dns_timeout', 'drop.test', 80, 4],
    ['dns_denied', 'a.test', 80, 2, 'SILENT'],
    ['connection_refused', '127.0.0.1', $port{DEAD}, 5],
    ['connection_refused', 'a.test', $port{DEAD}, 5],
    ['connection_timeout', '127.0.0.1', $port{PARK}, 9],
    ['connection_timeout', '192.0.2.7', 80, 9],
    ['host_unreachable', '198.51.100.1', 80, 4],
    ['network_unreachable', '203.0.113.1', 80, 3],
    ['bind_failed', '127.0.0.1', $port{ECHO}, 1, 'UNBOUND'],
)
{
    my ($reason, $host, $port, $reply, $server) = @$_;
    my $name = "$reason, $host";
    my $expected = { version => 5, reply => $reply, type => 1, port => 0,
                     host => '0.0.0.0', method => 0 };

    my $c = EgressClient->new($port{$server // 'SOCKS'});
    is_deeply($c->socks5($host, $port), $expected, "$name: SOCKS5");
    ok($c->ended, 'closed');
    $c->close;

    $c = EgressClient->new($port{$server // 'SOCKS'});
    is_deeply($c->socks4($host, $port),
              { version => 0, reply => 91, port => 0, host => '0.0.0.0' },
              "$name: SOCKS4");
    ok($c->ended, 'closed');
    $c->close;

    ok($ngx->wait_until(sub {
        2 <= (() = $ngx->file('logs/socks.log') =~ /^\Q$host\E $reason \d/mg)
    }), 'logged');
}

my @all = grep { /egress failed/ } split /\n/, $ngx->error_log;
is(scalar @all, 34, 'one line for each failure');

done_testing();
