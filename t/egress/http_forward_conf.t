#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Each error of the directives of forwarding: lines of a server, and what
# "nginx -t" says.  %% stands for the path of the configuration; the lines
# begin on line 5 of it.

use strict;
use warnings;

use lib 't/lib';

use Test::More;

use EgressCert;
use EgressNginx;
use EgressPort qw/ONE/;

my @errors = (

(map {
    my $directive = $_;

    ["$directive that is neither on nor off",
     "$directive maybe;",
     "invalid value \"maybe\" in \"$directive\" directive, it must be \"on\" "
     . 'or "off" in %%:5'],

    ["$directive twice",
     "$directive on; $directive off;",
     "\"$directive\" directive is duplicate in %%:5"],

    ["$directive in a location",
     "location / { $directive on; }",
     "\"$directive\" directive is not allowed here in %%:5"],
} qw/egress_https_forward egress_via egress_steal_forwarded_for
     egress_allow_custom_host/),

(map {
    ["$_ that is no time",
     "$_ soon;",
     "\"$_\" directive invalid value in %%:5"],
} qw/egress_send_timeout egress_read_timeout
     egress_upstream_keepalive_timeout/),

['a way of forwarding that does not exist',
 'egress_forwarded maybe;',
 'invalid value "maybe" in %%:5'],

['connections that are no number',
 'egress_upstream_keepalive many;',
 '"egress_upstream_keepalive" directive must be a number of connections or '
 . '"off" in %%:5'],

['connections twice',
 'egress_upstream_keepalive 1; egress_upstream_keepalive off;',
 '"egress_upstream_keepalive" directive is duplicate in %%:5'],

['a negative number of connections',
 'egress_upstream_keepalive -1;',
 '"egress_upstream_keepalive" directive must be a number of connections or '
 . '"off" in %%:5'],

['a buffer without a size',
 'egress_buffer_size large;',
 '"egress_buffer_size" directive invalid value in %%:5'],

['a buffer that is too small',
 'egress_buffer_size 100;',
 'value must be between 1024 and 16777216 in %%:5'],

['egress_tls_client twice',
 "egress_tls_client { }\n egress_tls_client { }",
 '"egress_tls_client" directive is duplicate in %%:6'],

['an authority that does not exist',
 'egress_tls_client { ca_certificate /nonexistent/ca.pem; }',
 qr{cannot load certificate.*/nonexistent/ca\.pem|"/nonexistent/ca\.pem"}],

);


sub conf {
    my ($lines) = @_;

    return 'egress { escaper e direct_fixed { } }' . "\n"
           . "http {\n"
           . "server { listen 127.0.0.1:\$TEST_NGINX_ONE_PORT;"
           . " egress_http_proxy e;\n$lines\n}\n}\n";
}


for my $case (@errors) {
    my ($name, $lines, $want) = @$case;
    my ($ok, $output) = EgressNginx::test(conf($lines));

    ok(!$ok, "$name: refused");

    if (ref $want) {
        like($output, $want, 'the message');

    } else {
        $want = quotemeta $want;
        $want =~ s{\\%\\%}{\\S+/nginx.conf};
        like($output, qr/\[emerg\] .*?$want$/m, 'the message');
    }
}

for ('', 'egress_upstream_keepalive 0; egress_buffer_size 64k;',
     'egress_https_forward on;', 'egress_forwarded off;',
     'egress_https_forward on; egress_tls_client { '
     . 'ca_certificate $TEST_NGINX_CERT_DIR/ca.pem; }')
{
    my ($ok, $output) = EgressNginx::test(conf($_));
    ok($ok, "valid: $_") or diag $output;
}

done_testing();
