#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Each error of the egress block: a snippet, and what "nginx -t" says of it.
# %% in an expected text is the path of the configuration.

use strict;
use warnings;

use lib 't/lib';

use EgressNginx;
use Test::More;

my @errors = (

['a second egress block',
 'egress { } egress { }',
 '"egress" directive is duplicate in %%:2'],

['a directive that does not exist',
 'egress { nonsense; }',
 'unknown directive "nonsense" in %%:2'],

['an object without a block',
 'egress { escaper e dummy_deny; }',
 'directive "escaper" has no opening "{" in %%:2'],

['an escaper type that does not exist',
 'egress { escaper e nonsense { } }',
 'unknown escaper type "nonsense", use "direct_fixed", "dummy_deny" '
 . 'or "divert_tcp" in %%:2'],

['a name declared twice',
 "egress {\n escaper e dummy_deny { }\n escaper e dummy_deny { } }",
 'duplicate escaper "e", the first one is at %%:3, this one in %%:4'],

['a name that is empty',
 'egress { escaper "" dummy_deny { } }',
 'empty name in %%:2'],

['a directive that the type does not have',
 'egress { escaper e dummy_deny { bind_ip 127.0.0.1; } }',
 'unknown directive "bind_ip" in %%:2'],

['a resolver that nobody declares',
 "egress {\n escaper e direct_fixed {\n resolver nowhere; } }",
 'unknown resolver "nowhere" in %%:4'],

['a zone that is too small',
 'egress { zone z 64k; }',
 qr/zone "z" is too small, it needs \d+k in \S+:2/],

['a zone without a size',
 'egress { zone z much; }',
 'invalid zone size "much" in %%:2'],

['two zones',
 'egress { zone a 4m; zone b 4m; }',
 '"zone" directive is duplicate in %%:2'],

['bind_ip that is no address',
 'egress { escaper e direct_fixed { bind_ip example.com; } }',
 'invalid address "example.com" in %%:2'],

['bind_ip of a family that is not used',
 "egress {\n escaper e direct_fixed { no_ipv6 on; bind_ip ::1; } }",
 'bind_ip "::1" is of a family that escaper "e" does not use in %%:3'],

['a version of the PROXY protocol that does not exist',
 'egress { escaper e direct_fixed { use_proxy_protocol 3; } }',
 'value must be between 1 and 2 in %%:2'],

['path selection that is neither on nor off',
 'egress { escaper e direct_fixed { enable_path_selection maybe; } }',
 'invalid value "maybe" in "enable_path_selection" directive, '
 . 'it must be "on" or "off" in %%:2'],

['a filter rule that is no network',
 'egress { escaper e direct_fixed { egress_network_filter { deny x; } } }',
 'invalid address or network "x" in %%:2'],

['allow ... always',
 'egress { escaper e direct_fixed { egress_network_filter '
 . '{ allow 10.0.0.0/8 always; } } }',
 '"always" is for "deny" only in %%:2'],

['allow ... report',
 'egress { escaper e direct_fixed { egress_network_filter '
 . '{ allow 10.0.0.0/8 report; } } }',
 '"report" is for "deny" only in %%:2'],

['a default that is no verdict',
 'egress { escaper e direct_fixed { egress_network_filter '
 . '{ default maybe; } } }',
 '"default" directive takes "allow" or "deny" in %%:2'],

['two defaults',
 'egress { escaper e direct_fixed { egress_network_filter '
 . '{ default deny; default deny; } } }',
 '"default" directive is duplicate in %%:2'],

['special_purpose twice',
 'egress { escaper e direct_fixed { egress_network_filter '
 . '{ special_purpose deny; special_purpose allow; } } }',
 '"special_purpose" directive is duplicate in %%:2'],

['two filters',
 'egress { escaper e direct_fixed { egress_network_filter { } '
 . 'egress_network_filter { } } }',
 '"egress_network_filter" directive is duplicate in %%:2'],

['two redirections',
 'egress { escaper e direct_fixed { resolve_redirection { } '
 . 'resolve_redirection { } } }',
 '"resolve_redirection" directive is duplicate in %%:2'],

['a host that is redirected twice',
 'egress { escaper e direct_fixed { resolve_redirection '
 . '{ exact a.test to 127.0.0.1; exact A.test. to 127.0.0.2; } } }',
 'duplicate host "A.test." in %%:2'],

['a redirection without "to"',
 'egress { escaper e direct_fixed { resolve_redirection '
 . '{ exact a.example b.example c.example; } } }',
 '"exact" directive must be of the form "NAME to VALUE" in %%:2'],

['a redirection of an address',
 'egress { escaper e direct_fixed { resolve_redirection '
 . '{ exact 192.0.2.1 to b.example; } } }',
 '"exact" directive is for names, not for addresses in %%:2'],

['a redirection of a malformed name',
 'egress { escaper e direct_fixed { resolve_redirection '
 . '{ exact a..example to b.example; } } }',
 qr/invalid host "a\.\.example": .* in \S+:2/],

['a domain that is redirected to an address',
 'egress { escaper e direct_fixed { resolve_redirection '
 . '{ parent a.example to 192.0.2.1; } } }',
 '"parent" directive must lead to a domain in %%:2'],

['a name that is redirected to several names',
 'egress { escaper e direct_fixed { resolve_redirection '
 . '{ exact a.example to b.example c.example; } } }',
 '"exact" directive takes one name or several addresses in %%:2'],

);

for my $case (@errors) {
    my ($name, $text, $want) = @$case;

    my ($ok, $output) = EgressNginx::test($text);

    if (!ref $want) {
        my $re = quotemeta $want;
        $re =~ s/\\%\\%/\\S+/g;
        $want = qr/\[emerg\].*$re/;
    }

    ok(!$ok, "$name is an error");
    like($output, $want, "$name: what it says");
}

my @good = (

['no block', ''],

['an empty block', 'egress { }'],

['a block after http',
 'http { } egress { escaper e dummy_deny { } }'],

['a name used before it is declared',
 'egress { escaper e direct_fixed { resolver r; } resolver r c_ares { } }'],

['several rules in several lines',
 'egress { escaper e direct_fixed { egress_network_filter '
 . '{ allow 10.0.0.0/8 fc00::/7; allow 127.0.0.1; '
 . 'deny 10.1.0.0/16 10.2.0.0/16 always report; default deny; '
 . 'report on; special_purpose allow; } } }'],

['redirections of all forms',
 'egress { escaper e direct_fixed { resolve_redirection { '
 . 'exact a.example to 192.0.2.1 2001:db8::1; exact B.example. to c.example; '
 . 'parent example.com to example.net; } } }'],

['a zone', 'egress { zone z 4m; }'],

);

for my $case (@good) {
    my ($name, $text) = @$case;

    my ($ok, $output) = EgressNginx::test($text);

    ok($ok, "$name is fine") or diag $output;
}

done_testing();
