#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Each error of the directives of diversion: what "nginx -t" says, and where.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use EgressNginx;
use EgressPort qw/OPEN/;

# the first column is put into line 5 of the escaper

my @escaper = (

['', 'escaper "x" has no "proxy_addr"', 4],
['proxy_addr;', 'invalid number of arguments in "proxy_addr" directive', 5],
['proxy_addr a..b;', 'invalid address "a..b": ' . 'empty label', 5],
['proxy_addr 1.2.3.4:0;', 'invalid address "1.2.3.4:0": ', 5],
['proxy_addr 1.2.3.4 weight=0;', 'invalid parameter "weight=0"', 5],
['proxy_addr 1.2.3.4 weight=1001;', 'invalid parameter "weight=1001"', 5],
['proxy_addr 1.2.3.4 weight=x;', 'invalid parameter "weight=x"', 5],
['proxy_addr weight=2 1.2.3.4;', 'invalid parameter "weight=2"', 5],
['proxy_addr 1.2.3.4; proxy_addr weight=2;', 'invalid parameter "weight=2"', 5],
['proxy_addr 1.2.3.4 1.2.3.4:3128;', 'duplicate address "1.2.3.4:3128"', 5],
['proxy_addr next.example;', 'proxy_addr "next.example" is a name, so escaper '
 . '"x" needs a "resolver"', 4],
['proxy_addr 1.2.3.4; proxy_addr_pick_policy best;', 'invalid value "best"', 5],
['proxy_addr 1.2.3.4; proxy_addr_pick_policy rr; proxy_addr_pick_policy rr;',
 '"proxy_addr_pick_policy" directive is duplicate', 5],
['proxy_addr 1.2.3.4; bind_ipv4 ::1;', 'invalid IPv4 address "::1"', 5],
['proxy_addr 1.2.3.4; bind_ipv6 1.2.3.4;', 'invalid IPv6 address "1.2.3.4"',
 5],
['proxy_addr 1.2.3.4; bind_ipv4 a.b;', 'invalid IPv4 address "a.b"', 5],
['proxy_addr 1.2.3.4; bind_ipv4 1.2.3.4; bind_ipv4 1.2.3.4;',
 '"bind_ipv4" directive is duplicate', 5],
['proxy_addr 1.2.3.4; bind_ipv4 1.2.3.4; no_ipv4 on;', '"bind_ipv4" is of a '
 . 'family that escaper "x" does not use', 4],
['proxy_addr 1.2.3.4; bind_ipv6 ::1; no_ipv6 on;', '"bind_ipv6" is of a '
 . 'family that escaper "x" does not use', 4],
['proxy_addr 1.2.3.4; enable_path_selection on;',
 'unknown directive "enable_path_selection"', 5],
['proxy_addr 1.2.3.4; resolve_redirection { }',
 'unknown directive "resolve_redirection"', 5],
['proxy_addr 1.2.3.4; use_proxy_protocol 2;',
 'unknown directive "use_proxy_protocol"', 5],

);

# into line 6 of a server

my @pass = (

['divert_pass 1.2.3.4:1;', '"divert_pass" needs a "divert_target"', 6],
['divert_pass;', 'invalid number of arguments in "divert_pass" directive', 6],
['divert_target a:1; divert_pass 1.2.3.4;', 'no port in upstream "1.2.3.4"',
 6],
['divert_target a:1; divert_pass 1.2.3.4:1 1.2.3.5;', 'no port in "1.2.3.5"',
 6],
['divert_target a:1; divert_pass 1.2.3.4:1 $server_addr:1;', '"$server_addr:1" '
 . 'has variables, which is possible only for a single address', 6],
['divert_target a:1; divert_pass 1.2.3.4:1; divert_pass 1.2.3.4:1;',
 '"divert_pass" directive is duplicate', 6],
['divert_target a:1; return x; divert_pass 1.2.3.4:1;', '"divert_pass" '
 . 'directive cannot be used where the server has another handler already', 6],
['divert_target a;', 'invalid target "a": ', 6],
['divert_target a:0;', 'invalid target "a:0": ', 6],
['divert_target 0x7f.1:80;', 'invalid target "0x7f.1:80": ', 6],
['divert_target a:1; divert_target a:1;',
 '"divert_target" directive is duplicate', 6],
['divert_tlv 0xE0 x;', 'TLV "0xE0" is set by "divert_target", '
 . '"divert_tls_name", "divert_username" or the task id', 6],
['divert_tlv 0xe3 x;', 'TLV "0xe3" is set by ', 6],
['divert_tlv 0xF0 x;', 'invalid TLV "0xF0", use 0xE4 to 0xEF, alpn, authority, '
 . 'crc32c, unique_id or netns', 6],
['divert_tlv 228 x;', 'invalid TLV "228", use ', 6],
['divert_tlv ssl x;', 'invalid TLV "ssl", use ', 6],
['divert_tlv noop x;', 'invalid TLV "noop", use ', 6],
['divert_tlv 0xE4 a; divert_tlv 0xe4 b;', '"divert_tlv" directive is duplicate',
 6],
['divert_tlv alpn a; divert_tlv 0x01 b;', '"divert_tlv" directive is duplicate',
 6],
['divert_tlv crc32c 1;', '"divert_tlv" directive must have the value "on" for '
 . 'a checksum, it is computed', 6],
['divert_tlv crc32c on; divert_tlv CRC32C on;',
 '"divert_tlv" directive is duplicate', 6],
['divert_ssl maybe;', 'invalid value "maybe" in "divert_ssl" directive', 6],
['divert_connect_timeout soon;', '"divert_connect_timeout" directive invalid '
 . 'value', 6],

['divert_accept on; return x;', '"divert_accept" needs "divert_trusted" in the server', 4],
['divert_trusted example.org;', 'invalid address or network "example.org"', 6],
['divert_trusted;', 'invalid number of arguments in "divert_trusted"', 6],
['divert_accept yes;', 'invalid value "yes" in "divert_accept" directive', 6],
['divert_accept_max_size huge;', '"divert_accept_max_size" directive invalid '
 . 'value', 6],

);


sub fails {
    my ($conf, $snippet, $want, $line) = @_;

    my ($ok, $output) = EgressNginx::test($conf);

    ok(!$ok, ($snippet || 'nothing') . ' is an error');
    like($output, qr/\[emerg\] \Q$want\E.* in \S+:$line$/m, 'and is explained');
}


fails(<<"_EOC_", @$_) for @escaper;
# two lines
# before it
egress { escaper x divert_tcp {
    $_->[0]
} }
_EOC_

fails(<<"_EOC_", @$_) for @pass;
# one line before it
stream {
    server {
        listen unix:t.sock;
        $_->[0]
    }
}
_EOC_


# who may choose the target is asked who it is

fails(<<'_EOC_', 'a public listener with a target of the client', '"divert_pass" would be open to everybody', 6);
stream {
    server {
        listen 0.0.0.0:$TEST_NGINX_OPEN_PORT; ssl_preread on;
        divert_target $ssl_preread_server_name:443;
        divert_pass 1.2.3.4:1;
    }
}
_EOC_

my ($ok, $output) = EgressNginx::test(<<'_EOC_');
stream {
    server { listen unix:a.sock; divert_target a:1; divert_pass 1.2.3.4:1; }
    server { listen unix:b.sock; divert_target a:1; divert_pass b; }
    server { listen unix:c.sock; divert_target a:1; divert_pass unix:x unix:y; }
    server { listen unix:d.sock; divert_accept on; divert_trusted 10.0.0.0/8;
             divert_trusted ::1 unix:; return x; }
    upstream b { server 1.2.3.4:1; }
}
_EOC_

ok($ok, 'what is right is right') or diag($output);

done_testing();
