#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# TLS towards targets: whom a tls_client block accepts, what it says in the
# handshake, which sessions are resumed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use POSIX ();
use Test::More;
use Time::HiRes qw/time/;

use EgressCert;
use EgressClient;
use EgressNginx;
use EgressPort;
use EgressTcp ECHO => { mode => 'echo', tls => 1 },
              NOT_TLS => { mode => 'say hello\n' },
              SILENT => 'hang', CLOSING => 'close',
              RESETTING => { mode => 'reset 1' };

my $names = 'DNS:a.test,IP:127.0.0.1';
my $dir = $ENV{TEST_NGINX_CERT_DIR};

# one certificate is revoked, one is for a partial wildcard, one is issued by
# an authority between

EgressCert::make('revoked', $names);
EgressCert::make('partial', 'DNS:a*.test');

my @ca = ('-config', "$dir/ca.cnf", '-cert', "$dir/ca.pem", '-keyfile',
          "$dir/ca.key");

EgressCert::openssl('ca', @ca, '-revoke', "$dir/revoked.pem");
EgressCert::openssl('ca', @ca, '-gencrl', '-crldays', 3650, '-out',
                    "$dir/crl.pem");

EgressCert::authority('sub');
EgressCert::openssl('req', '-new', '-key', "$dir/sub.key", '-config',
                    "$dir/sub.cnf", '-subj', '/CN=test sub', '-out',
                    "$dir/sub.csr");
EgressCert::openssl('ca', @ca, '-batch', '-notext', '-days', 3650, '-extfile',
                    "$dir/sub.cnf", '-extensions', 'root', '-in',
                    "$dir/sub.csr", '-out', "$dir/sub.pem");
EgressCert::make('chained', $names, ca => 'sub');
EgressCert::write_file("$dir/chained.pem", join '', map { slurp($_) }
                       "$dir/chained.pem", "$dir/sub.pem");


sub slurp {
    my ($path) = @_;

    open my $fh, '<', $path or die "$path: $!\n";
    local $/;
    return scalar <$fh>;
}


# The peers: servers that say what they saw.

my @certs = qw/server expired future wrong untrusted revoked partial
                chained/;

my %server = (
    (map { $_ => [$_, ''] } @certs),
    mtls => ['server', 'ssl_verify_client on; '
                       . "ssl_client_certificate $dir/ca.pem;"],
    v12  => ['server', 'ssl_protocols TLSv1.2;'],
    v13  => ['server', 'ssl_protocols TLSv1.3;'],
    old  => ['server', 'ssl_protocols TLSv1.1; '
                       . 'ssl_ciphers DEFAULT:@SECLEVEL=0;'],
);

my $servers = '';

for my $name (sort keys %server) {
    my ($cert, $more) = @{ $server{$name} };
    my $port = EgressPort::reserve("S_$name");

    $servers .= <<"_EOC_";
    server {
        listen 127.0.0.1:$port ssl;
        set \$saw "sni=\$ssl_server_name \$ssl_protocol \$ssl_session_reused";
        set \$saw "\$saw alpn=\$ssl_alpn_protocol client=\$ssl_client_s_dn";
        ssl_certificate $dir/$cert.pem;
        ssl_certificate_key $dir/$cert.key;
        $more
        return 200 "\$saw\\n";
    }
_EOC_
}

my $peers = EgressNginx->new(master => 0, expect => qr/SSL_do_handshake/,
                             conf => "http {\n$servers}\n");

# What is tested: a server { } for each pair of a target and a block.

my $trust = "ca_certificate $dir/ca.pem;";
my ($config, @cases) = ('');
my ($escapers, $escaper) = ('', 'direct');


sub way_to {
    my ($target, $block, @more) = @_;

    my $port = EgressPort::any();
    my $to = $ENV{"TEST_NGINX_${target}_PORT"} || EgressPort::port("S_$target");

    $config .= <<"_EOC_";
    server {
        listen 127.0.0.1:$port;
        egress_tcp_stream $escaper 127.0.0.1:$to;
        egress_tls_client { $block }
        @more
    }
_EOC_

    return $port;
}


# "says": what the target saw; "fails": the reason in the log.

sub says {
    my ($name, $want, @way) = @_;

    push @cases, [$name, way_to(@way), $want];
}


sub fails {
    my ($name, $reason, @way) = @_;

    push @cases, [$name, way_to(@way), undef, $reason];
}


says('a certificate of a trusted authority is accepted', qr/^sni= TLSv1/,
     'server', $trust);
says('"name" is what is verified and sent', qr/^sni=a\.test /,
     'server', "$trust name A.test;");
says('egress_upstream_tls_name is, too', qr/^sni=b\.test /,
     'server', $trust, 'egress_upstream_tls_name b.test;');
says('a name may match a wildcard', qr/^sni=x\.example\.test /,
     'server', "$trust name x.example.test;");
says('an IPv6 address is verified', qr/^sni= /,
     'server', "$trust name [::1];");
says('server_name off sends nothing', qr/^sni= /,
     'server', "$trust name a.test; server_name off;");

fails('a name that the certificate does not have', 'tls_certificate',
      'server', "$trust name c.test;");
fails('an address that the certificate does not have', 'tls_certificate',
      'server', "$trust name 127.0.0.2;");
fails('a wildcard for a part of a label', 'tls_certificate',
      'partial', "$trust name ab.test;");
fails("an $_ certificate", 'tls_certificate', $_, $trust)
    for qw/expired future wrong untrusted/;
fails('an authority that the system does not trust', 'tls_certificate',
      'server', '');
says('verify off accepts anybody', qr/^sni=c\.test /,
     'expired', 'verify off; name c.test;');

says('a revoked certificate is accepted without "crl"', qr/^sni=/,
     'revoked', $trust);
fails('a revoked certificate', 'tls_certificate',
      'revoked', "$trust crl $dir/crl.pem;");
says('others of its authority are accepted with "crl"', qr/^sni=/,
     'server', "$trust crl $dir/crl.pem;");
says('an authority between is accepted', qr/^sni=/,
     'chained', "$trust verify_depth 1;");
fails('a chain longer than verify_depth', 'tls_certificate',
      'chained', "$trust verify_depth 0;");

says('a client certificate is sent', qr/client=CN=client$/, 'mtls',
     "$trust certificate $dir/client.pem; private_key $dir/client.key;");
says('TLS 1.3 is spoken', qr/ TLSv1\.3 /, 'v13', $trust);
says('TLS 1.2 is spoken', qr/ TLSv1\.2 /, 'v12', $trust);
fails('TLS 1.1', 'tls_error', 'old', $trust);
says('TLS 1.1 when it is asked for', qr/ TLSv1\.1 /, 'old',
     "$trust protocols TLSv1.1; ciphers DEFAULT:\@SECLEVEL=0;");
fails('protocols that the peer does not have', 'tls_error',
      'v13', "$trust protocols TLSv1.2;");
fails('ciphers that the peer does not have', 'tls_error',
      'v12', "$trust ciphers NULL-SHA256:\@SECLEVEL=0; protocols TLSv1.2;");
says('no protocol is offered by default', qr/ alpn= /, 'server', $trust);
says('one of alpn is chosen', qr/ alpn=http\/1\.1 /,
     'server', "$trust alpn x http/1.1;");

fails('a peer that speaks no TLS', 'tls_error', 'NOT_TLS', $trust);
fails('a peer that closes', 'tls_error', 'CLOSING', $trust);
fails('a peer that resets', 'tls_error', 'RESETTING', $trust);
fails('a peer that is silent', 'tls_timeout', 'SILENT', $trust);

my $echo = way_to('ECHO', $trust);
my $keep = way_to('v12', $trust);
my $keep13 = way_to('v13', $trust);
my $forget = way_to('v12', "$trust session_reuse off;");
my $named = way_to('v12', $trust, 'egress_upstream_tls_name a.test;');
my $refused = way_to('expired', "$trust protocols TLSv1.2;");

my $ngx = EgressNginx->new(master => 0, conf => <<"_EOC_");
egress {
    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
        peer_negotiation_timeout 500ms;
    }
}
stream {
    log_format t '\$egress_reason \$server_port';
    access_log logs/stream.log t;
$config
}
_EOC_


sub get {
    my ($port) = @_;

    my $c = EgressClient->new($port);

    $c->write("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");

    my $all = $c->read_all // '';

    return $all =~ /\r\n\r\n(.*)\n/s ? $1 : 'nothing';
}


sub reason {
    my ($port) = @_;

    return $ngx->wait_until(sub {
        $ngx->file('logs/stream.log') =~ /^(\S+) $port$/m ? $1 : undef;
    }, 5) // 'no line';
}


for my $case (@cases) {
    my ($name, $port, $want, $reason) = @$case;

    my $start = time;
    my $got = get($port);

    if ($want) {
        like($got, $want, $name);
        next;
    }

    is($got, 'nothing', "$name is refused");
    is(reason($port), $reason, "as $reason");

    if ($reason eq 'tls_timeout') {
        my $took = time - $start;
        ok($took > 0.45 && $took < 3, 'after peer_negotiation_timeout');
    }
}

# What is sent arrives as it was

my $c = EgressClient->new($echo);
my $data = EgressTcp::pattern(0, 1_000_000);

$c->{timeout} = 20;

if (my $pid = fork) {
    is($c->read_n(length $data), $data, 'a megabyte goes both ways');
    waitpid $pid, 0;

} else {
    $c->write($data);
    POSIX::_exit(0);
}

$c->shut;
ok($c->ended(5), 'the end of the client becomes the end of the target');

# Sessions

like(get($keep), qr/ \. /, 'the first session is new');
like(get($keep), qr/ r /, 'the second one is resumed');
like(get($keep), qr/ r /, 'and so is the third one');
like(get($keep13), qr/ \. /, 'a first one of TLS 1.3 is new');
like(get($keep13), qr/ r /, 'its tickets are used');
like(get($named), qr/ \. /, 'another name does not use its session');
like(get($named), qr/ r /, 'but one of its own');
like(get($forget), qr/ \. /, 'session_reuse off: a first session');
like(get($forget), qr/ \. /, 'is not resumed');
is(get($refused), 'nothing', 'a refused peer');
is(get($refused), 'nothing', 'leaves no session to come back with');

done_testing();
