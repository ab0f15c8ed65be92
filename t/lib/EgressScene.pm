package EgressScene;

# Copyright (C) ngx_egress authors
#
# What the suites of Test::Nginx blocks about the HTTP proxy have in common: a
# DNS server, an HTTP origin, TCP peers, and an egress block. Runs the file in
# a network namespace of its own, since some of the names are of private
# addresses; so it must come first.
#
#     $::egress                 for "--- main_config eval: $::egress"
#     direct, closed, nowhere   escapers: loopback allowed, nothing allowed,
#                               dummy_deny
#     $::origin, $::dead        "address:port" of the origin, of nobody
#     198.51.100.0/24           nobody is there; nor is any other network
#     TEST_NGINX_RESET_PORT     a peer that resets after ten bytes
#     a.test, c.test            127.0.0.1, by A and by CNAME
#     private.test, mixed.test  a private address, alone and with loopback
#     fail.test, empty.test     SERVFAIL, no address

use strict;
use warnings;

use EgressNetns unreachable => ['198.51.100.0/24'];

use EgressDns DNS => { zone => {
    'a.test' => { A => '127.0.0.1' },
    'c.test' => { CNAME => 'a.test' },
    'private.test' => { A => '10.0.0.1' },
    'mixed.test' => { A => ['10.0.0.1', '127.0.0.1'] },
    'fail.test' => { rcode => 'SERVFAIL' },
    'empty.test' => { TXT => 'x' },
} };
use EgressOrigin;
use EgressTcp DEAD => 'refuse', RESET => 'reset_after 10';

$::origin = "127.0.0.1:$ENV{TEST_NGINX_ORIGIN_PORT}";
$::dead = "127.0.0.1:$ENV{TEST_NGINX_DEAD_PORT}";

$::egress = <<'_EOC_';
egress {
    resolver dns c_ares { server 127.0.0.1:$TEST_NGINX_DNS_PORT; }

    escaper direct direct_fixed {
        resolver dns;
        egress_network_filter { allow 127.0.0.0/8; }
    }

    escaper closed direct_fixed { resolver dns; }

    escaper nowhere dummy_deny { }
}
_EOC_


1;
