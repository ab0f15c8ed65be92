#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Each error of the directives of resolvers: a snippet, and what "nginx -t"
# says of it.  %% in an expected text is the path of the configuration.

use strict;
use warnings;

use lib 't/lib';

use EgressNginx;
use Test::More;

sub c_ares { "egress {\n resolver r c_ares {\n $_[0] } }" }

sub fail_over {
    return "egress {\n resolver r fail_over {\n $_[0] }\n"
           . " resolver a deny_all { }\n resolver b deny_all { } }";
}

my @errors = (

['a type that does not exist',
 'egress { resolver r nonsense { } }',
 'unknown resolver type "nonsense", use "c_ares", "fail_over" '
 . 'or "deny_all" in %%:2'],

['no type',
 'egress { resolver r { } }',
 'invalid number of arguments in "resolver" directive in %%:2'],

['a name declared twice',
 "egress {\n resolver r deny_all { }\n resolver r c_ares { } }",
 'duplicate resolver "r", the first one is at %%:3, this one in %%:4'],

['a directive that c_ares does not have',
 c_ares('primary r;'),
 'unknown directive "primary" in %%:4'],

['a directive that fail_over does not have',
 fail_over('server 127.0.0.1;'),
 'unknown directive "server" in %%:4'],

['times that fail_over takes from the others',
 fail_over('positive_min_ttl 1s;'),
 'unknown directive "positive_min_ttl" in %%:4'],

['a directive in deny_all',
 'egress { resolver r deny_all { protective_query_timeout 1s; } }',
 'unknown directive "protective_query_timeout" in %%:2'],

['a server that is a name',
 c_ares('server 127.0.0.1 dns.example;'),
 'invalid address "dns.example" of a name server, use "192.0.2.1", '
 . '"192.0.2.1:53" or "[2001:db8::1]:53" in %%:4'],

['a server with port 0',
 c_ares('server 127.0.0.1:0;'),
 'invalid address "127.0.0.1:0" of a name server'],

['a server with too big a port',
 c_ares('server [::1]:70000;'),
 'invalid address "[::1]:70000" of a name server'],

['a server without an address',
 c_ares('server;'),
 'invalid number of arguments in "server" directive in %%:4'],

['bind_ipv4 with an IPv6 address',
 c_ares('bind_ipv4 ::1;'),
 'invalid IPv4 address "::1" in %%:4'],

['bind_ipv6 with an IPv4 address',
 c_ares('bind_ipv6 127.0.0.1;'),
 'invalid IPv6 address "127.0.0.1" in %%:4'],

['bind_ipv4 twice',
 c_ares("bind_ipv4 127.0.0.1;\n bind_ipv4 127.0.0.1;"),
 '"bind_ipv4" directive is duplicate in %%:5'],

['bind_ipv6 twice',
 c_ares("bind_ipv6 ::1;\n bind_ipv6 ::1;"),
 '"bind_ipv6" directive is duplicate in %%:5'],

['each_timeout 0',
 c_ares('each_timeout 0;'),
 '"each_timeout" of resolver "r" must not be 0 in %%:3'],

['each_timeout that is no time',
 c_ares('each_timeout soon;'),
 '"each_timeout" directive invalid value in %%:4'],

['each_tries 0',
 c_ares('each_tries 0;'),
 '"each_tries" of resolver "r" must not be 0 in %%:3'],

['each_tries beyond reason',
 c_ares('each_tries 11;'),
 '"each_tries" of resolver "r" must not be more than 10 in %%:3'],

['each_timeout beyond reason',
 c_ares('each_timeout 61s;'),
 '"each_timeout" of resolver "r" must not be more than 60s in %%:3'],

['max_timeout beyond reason',
 c_ares('max_timeout 61s;'),
 '"max_timeout" of resolver "r" must not be more than 60s in %%:3'],

['socket_send_buffer_size beyond reason',
 c_ares('socket_send_buffer_size 2g;'),
 qr/"socket_send_buffer_size" (?:directive invalid value|of resolver)/],

['socket_recv_buffer_size beyond reason',
 c_ares('socket_recv_buffer_size 1025m;'),
 '"socket_recv_buffer_size" of resolver "r" must not be more than 1024m in '
 . '%%:3'],

['round_robin that is neither on nor off',
 c_ares('round_robin yes;'),
 'invalid value "yes" in "round_robin" directive, it must be "on" or "off" '
 . 'in %%:4'],

['hosts twice',
 c_ares("hosts on;\n hosts on;"),
 '"hosts" directive is duplicate in %%:5'],

['a least time above the greatest',
 c_ares("positive_min_ttl 10s;\n positive_max_ttl 9s;"),
 '"positive_max_ttl" must not be less than "positive_min_ttl" of resolver "r" '
 . 'in %%:3'],

['a least time above the greatest by default',
 c_ares("positive_min_ttl 3601s;"),
 '"positive_max_ttl" must not be less than'],

['negative_ttl beside negative_min_ttl, which is the same',
 c_ares("negative_min_ttl 1s;\n negative_ttl 1s;"),
 '"negative_ttl" directive is duplicate in %%:5'],

['protective_query_timeout 0',
 c_ares('protective_query_timeout 0;'),
 '"protective_query_timeout" of resolver "r" must not be 0 in %%:3'],

['cache_entries 0',
 c_ares('cache_entries 0;'),
 '"cache_entries" of resolver "r" must not be 0 in %%:3'],

['no primary',
 fail_over('standby b;'),
 'no "primary" in resolver "r" in %%:3'],

['no standby',
 fail_over('primary a;'),
 'no "standby" in resolver "r" in %%:3'],

['two primaries',
 fail_over("primary a;\n primary b;"),
 '"primary" directive is duplicate in %%:5'],

['a standby that nobody declares',
 fail_over("primary a;\n standby nowhere;"),
 'unknown resolver "nowhere" in %%:5'],

['a resolver behind itself',
 fail_over("primary a; standby r;"),
 'resolver "r" leads back to itself in %%:3'],

['a loop of two',
 "egress {\n resolver c fail_over { primary a; standby d; }\n"
 . " resolver d fail_over { primary c; standby a; }\n"
 . " resolver a deny_all { } }",
 'resolver "c" leads back to itself in %%:3'],

);

for my $case (@errors) {
    my ($name, $text, $want) = @$case;

    my ($ok, $output) = EgressNginx::test($text);

    if (!ref $want) {
        my $re = quotemeta $want;
        $re =~ s/\\%\\%/\\S+/g;
        $want = qr/\[emerg\].*$re/;
    }

    ok(!$ok, "$name: is an error");
    like($output, $want, "$name: what it says");
}

my ($ok, $output) = EgressNginx::test(c_ares(<<'_EOC_'));
        server 127.0.0.53 192.0.2.1:5353;
        server ::1 [2001:db8::1]:5353;
        hosts on;
        each_timeout 1500ms;
        each_tries 2;
        max_timeout 5s;
        round_robin off;
        socket_send_buffer_size 64k;
        socket_recv_buffer_size 1m;
        bind_ipv4 192.0.2.9;
        bind_ipv6 2001:db8::9;
        positive_min_ttl 0;
        positive_max_ttl 1h;
        negative_min_ttl 0;
        protective_query_timeout 30s;
        cache_entries 1;
_EOC_

ok($ok, 'all directives of c_ares') or diag $output;

($ok, $output) = EgressNginx::test(fail_over(<<'_EOC_'));
        primary a;
        standby b;
        fallback_delay 0;
        negative_ttl 0;
        retry_empty_record on;
        protective_query_timeout 1s;
_EOC_

ok($ok, 'all directives of fail_over') or diag $output;

($ok, $output) = EgressNginx::test(fail_over('primary a; standby a;') . "\n");
ok($ok, 'the same resolver twice is no loop') or diag $output;

done_testing();
