#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Each error of a tls_client block: what "nginx -t" says, and where.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use EgressCert;
use EgressNginx;

my $dir = $ENV{TEST_NGINX_CERT_DIR};

# errors of one directive are told in line 7, those of the block in line 8

my @errors = (

['nonsense on;', 'unknown directive "nonsense"', 7],
['verify maybe;', 'invalid value "maybe" in "verify" directive, it must be '
 . '"on" or "off"', 7],
['verify_depth deep;', '"verify_depth" directive invalid number', 7],
['protocols TLSv1.4;', 'invalid value "TLSv1.4"', 7],
['alpn h2; alpn h2;', '"alpn" directive is duplicate', 7],
['alpn "";', '"alpn" directive has a protocol that is not of 1 to 255 bytes',
 7],
['alpn ' . 'x' x 256 . ';',
 '"alpn" directive has a protocol that is not of 1 to 255 bytes', 7],
['name a..b;', '"name" directive has an invalid host, use a name or an address '
 . 'without port', 7],
['name a.test:443;', '"name" directive has an invalid host, use a name or an '
 . 'address without port', 7],
['name a.test; name b.test;', '"name" directive is duplicate', 7],
['server_name on; server_name on;', '"server_name" directive is duplicate', 7],

["certificate $dir/client.pem;",
 '"egress_tls_client" block has "certificate" but no "private_key"', 8],
["private_key $dir/client.key;",
 '"egress_tls_client" block has "private_key" but no "certificate"', 8],
["verify off; ca_certificate $dir/ca.pem;",
 '"egress_tls_client" block has "verify off", so nothing is checked against '
 . '"ca_certificate" or "crl"', 8],

["certificate $dir/none.pem; private_key $dir/client.key;",
 '"egress_tls_client" block is not usable, the line before tells why', 8,
 qr/cannot load certificate "\S+none\.pem"/],
["certificate $dir/client.pem; private_key $dir/server.key;",
 '"egress_tls_client" block is not usable, the line before tells why', 8,
 qr/SSL_CTX_use_PrivateKey\("\S+server\.key"\) failed/],
["ca_certificate $dir/none.pem;",
 '"egress_tls_client" block is not usable, the line before tells why', 8,
 qr/(?:SSL_CTX_load_verify_locations\(|certificate )"\S+none\.pem"/],
["crl $dir/none.pem;",
 '"egress_tls_client" block is not usable, the line before tells why', 8,
 qr/(?:X509_LOOKUP_load_file\(|CRL )"\S+none\.pem"/],
['ciphers none;',
 '"egress_tls_client" block is not usable, the line before tells why', 8,
 qr/SSL_CTX_set_cipher_list\("none"\) failed/],

);

for my $case (@errors) {
    my ($snippet, $want, $line, $before) = @$case;

    my ($ok, $output) = EgressNginx::test(<<"_EOC_");
egress { escaper d direct_fixed { } }
stream {
    server {
        listen unix:t.sock;
        egress_tcp_stream d 127.0.0.1:443; egress_tls_client {
            $snippet
        }
    }
}
_EOC_

    $snippet =~ s/x{256}/(256 bytes)/;
    $snippet =~ s/\Q$dir\E/DIR/g;

    ok(!$ok, "$snippet is an error");
    like($output, qr/\[emerg\] \Q$want\E in \S+:$line$/m, 'and is explained');
    like($output, $before, 'by the library as well') if $before;
}

my ($ok, $output) = EgressNginx::test(<<'_EOC_');
egress { escaper d direct_fixed { } }
stream {
    server {
        listen unix:t.sock;
        egress_tcp_stream d 127.0.0.1:443;
        egress_tls_client { }
        egress_tls_client { }
    }
}
_EOC_

ok(!$ok, 'a second block is an error');
like($output, qr/\[emerg\] "egress_tls_client" directive is duplicate in \S+:8$/m,
     'and is explained');

done_testing();
