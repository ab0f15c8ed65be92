#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Each error of the directives that escapers have in common: what "nginx -t"
# says.  The snippet is the third line of its configuration.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use EgressNginx;

my @errors = (

['resolver r; resolver s;', '"resolver" directive is duplicate'],

['resolve_strategy ipv5_only;',
 '"resolve_strategy" directive has an invalid strategy, use "ipv4_only", '
 . '"ipv6_only", "ipv4_first" or "ipv6_first"'],
['resolve_strategy ipv4_only last;',
 '"resolve_strategy" directive has an invalid choice, use "random" or '
 . '"first"'],
['resolve_strategy ipv4_only; resolve_strategy ipv6_only;',
 '"resolve_strategy" directive is duplicate'],

['no_ipv4 on; no_ipv4 on;', '"no_ipv4" directive is duplicate'],
['no_ipv6 perhaps;',
 'invalid value "perhaps" in "no_ipv6" directive, it must be "on" or "off"'],

['tcp_connect retry=3;', 'unknown parameter "retry=3"'],
['tcp_connect max_retry=many;',
 'invalid value in "max_retry=many", use 0 to 100'],
['tcp_connect max_retry=101;',
 'invalid value in "max_retry=101", use 0 to 100'],
['tcp_connect each_timeout=0;',
 'invalid value in "each_timeout=0", use 1 to 86400000 ms'],
['tcp_connect each_timeout=;',
 'invalid value in "each_timeout=", use 1 to 86400000 ms'],
['tcp_connect max_retry=1; tcp_connect max_retry=1;',
 'duplicate parameter "max_retry=1"'],

['happy_eyeballs first_address_family_count=0;',
 'invalid value in "first_address_family_count=0", use 1 to 100'],
['happy_eyeballs connection_attempt_delay=99ms;',
 'invalid value in "connection_attempt_delay=99ms", use 100 to 2000 ms'],
['happy_eyeballs resolution_delay=x;',
 'invalid value in "resolution_delay=x", use 0 to 86400000 ms'],
['happy_eyeballs second_resolution_timeout=-1;',
 'invalid value in "second_resolution_timeout=-1", use 0 to 86400000 ms'],
['happy_eyeballs delay=1s;', 'unknown parameter "delay=1s"'],

['tcp_keepalive maybe;',
 '"tcp_keepalive" directive has an invalid first argument, use "on" or "off"'],
['tcp_keepalive off idle=1s;',
 '"tcp_keepalive" directive has arguments after "off"'],
['tcp_keepalive on idle=0;', 'invalid value in "idle=0", use 1 to 32767'],
['tcp_keepalive on count=128;', 'invalid value in "count=128", use 1 to 127'],
['tcp_keepalive on interval=1d;',
 'invalid value in "interval=1d", use 1 to 32767'],
['tcp_keepalive on time=5;', 'unknown parameter "time=5"'],
['tcp_keepalive on; tcp_keepalive on;',
 '"tcp_keepalive" directive is duplicate'],

['tcp_misc_opts no_delay=yes;',
 '"tcp_misc_opts" directive has an invalid "no_delay", use "on" or "off"'],
['tcp_misc_opts no_delay=on no_delay=on;',
 '"tcp_misc_opts" directive has a duplicate "no_delay"'],
['tcp_misc_opts mss=10;', 'invalid value in "mss=10", use 88 to 32767'],
['tcp_misc_opts ttl=0;', 'invalid value in "ttl=0", use 1 to 255'],
['tcp_misc_opts tos=256;', 'invalid value in "tos=256", use 0 to 255'],
['tcp_misc_opts mark=4294967296;',
 'invalid value in "mark=4294967296", use 0 to 4294967295'],
['tcp_misc_opts congestion_control=none_such;',
 'the kernel knows no congestion control "none_such", load its module or use '
 . 'another one'],
['tcp_misc_opts congestion_control=reno congestion_control=reno;',
 '"tcp_misc_opts" directive has a duplicate "congestion_control"'],
['tcp_misc_opts fast=on;', 'unknown parameter "fast=on"'],

['bind_interface an_interface_of_this_name;',
 '"bind_interface" directive has an invalid interface name'],
['bind_interface lo; bind_interface lo;',
 '"bind_interface" directive is duplicate'],

['tcp_sock_speed_limit fast;',
 '"tcp_sock_speed_limit" directive has an invalid rate, use bytes a second as '
 . 'in "512k"'],
['tcp_sock_speed_limit 1k 2k;',
 '"tcp_sock_speed_limit" directive takes one rate, or "upload=" and '
 . '"download="'],
['tcp_sock_speed_limit 1k upload=1k;',
 '"tcp_sock_speed_limit" directive takes one rate, or "upload=" and '
 . '"download="'],
['tcp_sock_speed_limit upload=1k upload=1k;',
 '"tcp_sock_speed_limit" directive is duplicate'],

['peer_negotiation_timeout 0;',
 '"peer_negotiation_timeout" directive must be more than zero'],
['peer_negotiation_timeout soon;',
 '"peer_negotiation_timeout" directive invalid value'],

# checks of the whole block

['no_ipv4 on; no_ipv6 on;',
 'escaper "e" has both "no_ipv4" and "no_ipv6", so no address is left'],
['no_ipv4 on; resolve_strategy ipv4_only;',
 'escaper "e" has "no_ipv4", which conflicts with "resolve_strategy '
 . 'ipv4_only"', 2],
['no_ipv6 on; resolve_strategy ipv6_only;',
 'escaper "e" has "no_ipv6", which conflicts with "resolve_strategy '
 . 'ipv6_only"'],

);

for my $case (@errors) {
    my ($snippet, $want) = @$case;

    # an error of the whole block is told with the line of the escaper

    my $line = $want =~ /^escaper "e"/ ? 3 : 4;

    my ($ok, $output) = EgressNginx::test(<<"_EOC_");
egress {
    escaper e direct_fixed {
        $snippet
    }
    resolver r c_ares { }
    resolver s c_ares { }
}
_EOC_

    ok(!$ok, "$snippet is an error");
    like($output, qr/\[emerg\] \Q$want\E in \S+:$line$/m, 'and is explained');
}

my ($ok, $output) = EgressNginx::test(<<'_EOC_');
egress {
    resolver r c_ares { }
    escaper e direct_fixed {
        resolver r;
        resolve_strategy ipv6_first first;
        no_ipv4 off;
        no_ipv6 off;
        tcp_connect max_retry=0 each_timeout=1s;
        happy_eyeballs resolution_delay=0 second_resolution_timeout=1s
                       first_address_family_count=2
                       connection_attempt_delay=100ms;
        tcp_keepalive on idle=1m interval=10s count=3;
        tcp_misc_opts no_delay=on mss=1400 ttl=64 tos=0 mark=1
                      congestion_control=reno;
        bind_interface lo;
        tcp_sock_speed_limit upload=1m download=10m;
        peer_negotiation_timeout 500ms;
    }
    escaper f direct_fixed { tcp_sock_speed_limit 512k; }
    escaper g direct_fixed { tcp_sock_speed_limit download=512k; }
}
_EOC_

ok($ok, 'all of them together are fine') or diag $output;

done_testing();
