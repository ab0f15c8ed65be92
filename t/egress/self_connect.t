#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# No way back to our own listening sockets, whatever they are called and
# whatever the filter says; and nobody else's address is taken for ours.

use strict;
use warnings;

use lib 't/lib';

use EgressNetns addr => ['10.1.2.3', '2001:db8::5'],
                unreachable => ['192.0.2.0/24', '2001:db8:1::/48'];
use EgressClient;
use EgressDns DNS => { zone => {
    'self.test' => { A => '10.1.2.3' },
    'self6.test' => { AAAA => '2001:db8::5' },
    'any.test' => { A => '0.0.0.0' },
} };
use EgressNginx;
use EgressPort qw/ANY MAPPED LOCAL OTHER FREE/;
use Test::More;

my %port = map { /^TEST_NGINX_(\w+)_PORT$/ ? ($1 => $ENV{$_}) : () } keys %ENV;

my $ngx = EgressNginx->new(conf => <<'_EOC_');
egress {
    resolver local c_ares { server 127.0.0.1:$TEST_NGINX_DNS_PORT; }

    escaper direct direct_fixed {
        resolver local;
        egress_network_filter { special_purpose allow; }
    }
}

http {
    server {
        listen $TEST_NGINX_ANY_PORT;
        listen [::]:$TEST_NGINX_ANY_PORT;
        listen [::]:$TEST_NGINX_MAPPED_PORT ipv6only=off;
        listen [::ffff:127.0.0.1]:$TEST_NGINX_OTHER_PORT ipv6only=off;
        listen 127.0.0.1:$TEST_NGINX_LOCAL_PORT;
        egress_http_proxy direct;
        egress_open_proxy on;
    }
}
_EOC_


sub answer {
    my ($target) = @_;

    my $m = EgressClient->new($port{LOCAL})->tunnel($target);

    return 'tunnel' if $m->{status} == 200;

    return EgressHttp::header($m, 'Proxy-Status') // 'nothing';
}

my $self = answer("127.0.0.1:$port{LOCAL}");

like($self, qr/destination_ip_prohibited/, 'an address we listen on');


sub check {
    my ($when) = @_;

    for my $target (
        "0.0.0.0:$port{ANY}", "[::]:$port{ANY}", "127.0.0.1:$port{ANY}",
        "127.9.9.9:$port{ANY}", "[::1]:$port{ANY}", "10.1.2.3:$port{ANY}",
        "[2001:db8::5]:$port{ANY}", "[::ffff:10.1.2.3]:$port{ANY}",
        "[::ffff:0.0.0.0]:$port{ANY}", "self.test:$port{ANY}",
        "self6.test:$port{ANY}", "any.test:$port{ANY}",
        "localhost:$port{ANY}",
        "10.1.2.3:$port{MAPPED}", "127.0.0.1:$port{MAPPED}",
        "0.0.0.0:$port{LOCAL}", "any.test:$port{LOCAL}",
        "[::]:$port{LOCAL}", "[::ffff:127.0.0.1]:$port{LOCAL}",
        "127.0.0.1:$port{OTHER}", "[::ffff:127.0.0.1]:$port{OTHER}",
    ) {
        is(answer($target), $self, "$target$when");
    }

    for my $target (
        "192.0.2.1:$port{ANY}", "[2001:db8:1::1]:$port{ANY}",
        "192.0.2.1:$port{MAPPED}", "10.1.2.3:$port{LOCAL}",
        "10.1.2.3:$port{FREE}", "0.0.0.0:$port{FREE}",
    ) {
        isnt(answer($target), $self, "not $target$when");
    }
}

check('');


# as on machines that share addresses by VRRP: bind() does not tell

for my $family (qw/ipv4 ipv6/) {
    open my $fh, '>', "/proc/sys/net/$family/ip_nonlocal_bind" or next;
    print $fh "1\n";
}

SKIP: {
    my $on = EgressNginx::slurp('/proc/sys/net/ipv4/ip_nonlocal_bind') =~ /1/;

    skip 'ip_nonlocal_bind cannot be set', 1 if !$on;
    check(', with ip_nonlocal_bind');
}

done_testing();
