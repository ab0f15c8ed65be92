package EgressCert;

# Copyright (C) ngx_egress authors
#
# Certificates for tests, made by the openssl command in a directory that goes
# with the test file, exported as $ENV{TEST_NGINX_CERT_DIR}.
#
#     use EgressCert;
#
#     ca.pem           signs all but untrusted; ca.key
#     server.pem/key   localhost, a.test, b.test, origin.test, proxy.test,
#                      *.example.test, 127.0.0.1, ::1
#     client.pem/key   CN=client, for mTLS
#     expired.pem/key  the server's names, valid until 2020
#     future.pem/key   the server's names, valid from 2049
#     wrong.pem/key    wrong.invalid only
#     untrusted.pem/key, other-ca.pem     the server's names, another CA
#
#     EgressCert::file("ca.pem")          its path
#     EgressCert::make("name", "DNS:a.test,IP:10.0.0.1")
#                                         one more server certificate
#     EgressCert::server_options(1)       options for accept_tls()
#     EgressCert::server_options({ cert => "expired", client_ca => 1,
#                                  alpn => ["http/1.1"], SSL_... => ... })
#                                         client_ca demands a certificate
#     EgressCert::client_options(name => "localhost", cert => "client",
#                                alpn => [...], SSL_... => ...)
#                                         options for start_tls(), verified
#                                         with ca.pem; verify => 0 does not

use strict;
use warnings;

use File::Temp;
use POSIX ();

my $names = join ',', (map { "DNS:$_" } qw/localhost a.test b.test origin.test
                       proxy.test *.example.test/), 'IP:127.0.0.1', 'IP:::1';
my $dir;


sub import { directory() }


sub directory {
    return "$dir" if $dir;

    $dir = File::Temp->newdir('egress_cert_XXXXXX', TMPDIR => 1);
    $ENV{TEST_NGINX_CERT_DIR} = "$dir";

    authority($_) for qw/ca other-ca/;

    make('server', $names);
    make('client', 'DNS:client');
    make('wrong', 'DNS:wrong.invalid');
    make('expired', $names, dates => ['190101000000Z', '200101000000Z']);
    make('future', $names, dates => ['490101000000Z', '491231000000Z']);
    make('untrusted', $names, ca => 'other-ca');

    return "$dir";
}


sub file { directory() . "/$_[0]" }


sub openssl {
    my (@args) = @_;

    my $pid = open my $fh, '-|';
    die "fork: $!\n" if !defined $pid;

    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', '/dev/null';
        exec 'openssl', @args or POSIX::_exit(127);
    }

    my $output = do { local $/; <$fh> };

    close $fh or die "openssl @args: $output\n";
}


sub write_file {
    my ($path, $text) = @_;

    open my $fh, '>', $path or die "cannot write $path: $!\n";
    print $fh $text;
    close $fh;
}


sub new_key {
    my ($name) = @_;

    return ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
            '-keyout', "$dir/$name.key");
}


# "openssl ca" alone sets both ends of the validity in every version.

sub authority {
    my ($ca) = @_;

    write_file("$dir/$ca.cnf", <<"_EOC_");
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[ca]
default_ca = one
[one]
database = $dir/$ca.db
new_certs_dir = $dir
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
_EOC_

    write_file("$dir/$ca.db", '');
    openssl('req', '-x509', '-days', 3650, '-subj', "/CN=test $ca", '-config',
            "$dir/$ca.cnf", '-extensions', 'root', new_key($ca), '-out',
            "$dir/$ca.pem");
}


sub make {
    my ($name, $alt, %opt) = @_;

    directory();

    my $ca = $opt{ca} || 'ca';
    my ($from, $to) = @{ $opt{dates} || ['200101000000Z', '491231000000Z'] };

    write_file("$dir/$name.ext", "subjectAltName = $alt\n"
               . "basicConstraints = CA:FALSE\n"
               . "extendedKeyUsage = serverAuth,clientAuth\n");

    openssl('req', '-new', '-subj', "/CN=$name", '-config', "$dir/$ca.cnf",
            new_key($name), '-out', "$dir/$name.csr");

    openssl('ca', '-batch', '-notext', '-config', "$dir/$ca.cnf", '-cert',
            "$dir/$ca.pem", '-keyfile', "$dir/$ca.key", '-extfile',
            "$dir/$name.ext", '-startdate', $from, '-enddate', $to, '-in',
            "$dir/$name.csr", '-out', "$dir/$name.pem");

    return "$dir/$name.pem";
}


sub server_options {
    my ($spec) = @_;

    require IO::Socket::SSL;

    my %opt = ref $spec ? %$spec : ();
    my ($cert, $client_ca, $alpn) = delete @opt{qw/cert client_ca alpn/};

    $cert ||= 'server';

    return {
        SSL_cert_file => file("$cert.pem"),
        SSL_key_file  => file("$cert.key"),
        $client_ca
            ? (SSL_ca_file => file('ca.pem'), SSL_verify_mode =>
               IO::Socket::SSL::SSL_VERIFY_PEER()
               | IO::Socket::SSL::SSL_VERIFY_FAIL_IF_NO_PEER_CERT())
            : (),
        $alpn ? (SSL_alpn_protocols => $alpn) : (),
        %opt,
    };
}


sub client_options {
    my (%opt) = @_;

    require IO::Socket::SSL;

    my ($name, $cert, $alpn) = delete @opt{qw/name cert alpn/};
    my $verify = delete $opt{verify} // 1;

    $name //= 'localhost';

    return {
        SSL_hostname    => $name,
        SSL_ca_file     => file('ca.pem'),
        SSL_verify_mode => $verify ? IO::Socket::SSL::SSL_VERIFY_PEER()
                           : IO::Socket::SSL::SSL_VERIFY_NONE(),
        SSL_verifycn_scheme => $verify ? 'http' : 'none',
        SSL_verifycn_name   => $name,
        $cert ? (SSL_cert_file => file("$cert.pem"),
                 SSL_key_file  => file("$cert.key")) : (),
        $alpn ? (SSL_alpn_protocols => $alpn) : (),
        %opt,
    };
}


1;
