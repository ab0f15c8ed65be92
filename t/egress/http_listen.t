# Copyright (C) ngx_egress authors

# Where a proxy can listen: TLS, PROXY protocol, unix sockets, and what it
# says to HTTP/2.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use File::Temp;
use IO::Socket::UNIX;
use Test::More;

use EgressCert;
use EgressClient;
use EgressNginx;
use EgressPort qw/TLS PP H2 BOTH/;
use EgressTcp ECHO => 'echo', SINK => 'sink', DEAD => 'refuse',
              BULK => { mode => 'bulk 2000000' }, PARK => 'no_accept';

my %port = map { /^TEST_NGINX_(\w+)_PORT$/ ? ($1 => $ENV{$_}) : () } keys %ENV;
my %at = map { $_ => "127.0.0.1:$port{$_}" } keys %port;

my $dir = File::Temp->newdir;
my $socket = "$dir/proxy.sock";

my $http2 = version() >= 1025001 ? '; http2 on' : ' http2';

my $ngx = EgressNginx->new(master => 0, conf => <<"_EOC_");
egress { escaper direct direct_fixed {
    egress_network_filter { allow 127.0.0.0/8; } } }

http {
    ssl_certificate      \$TEST_NGINX_CERT_DIR/server.pem;
    ssl_certificate_key  \$TEST_NGINX_CERT_DIR/server.key;
    set_real_ip_from     127.0.0.0/8;
    real_ip_header       proxy_protocol;
    log_format           t '\$status \$remote_addr \$egress_reason';
    access_log           logs/access.log t;

    server {
        listen             127.0.0.1:\$TEST_NGINX_TLS_PORT ssl;
        egress_http_proxy  direct;
    }

    server {
        listen             127.0.0.1:\$TEST_NGINX_PP_PORT proxy_protocol;
        egress_http_proxy  direct;
        deny               192.0.2.66;
    }

    server {
        listen             127.0.0.1:\$TEST_NGINX_BOTH_PORT proxy_protocol ssl;
        egress_http_proxy  direct;
    }

    server {
        listen             unix:$socket;
        egress_http_proxy  direct;
    }

    server {
        listen             127.0.0.1:\$TEST_NGINX_H2_PORT$http2;
        egress_http_proxy  direct;
    }
}
_EOC_


sub version {
    my ($v) = qx(@{[ EgressNginx::binary() ]} -v 2>&1) =~ m{nginx/([\d.]+)};
    my @v = split /\./, $v;

    return $v[0] * 1000000 + $v[1] * 1000 + $v[2];
}


sub echoes {
    my ($c, $name) = @_;

    is($c->tunnel($at{ECHO})->{status}, 200, "$name: a tunnel");
    $c->write('ping');
    is($c->read_n(4), 'ping', "$name: bytes in it");
    $c->close;
}


my $tls = EgressCert::client_options(name => 'localhost');
my $pp = "PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n";

echoes(EgressClient->new($port{TLS}, tls => $tls), 'TLS');
echoes(EgressClient->new($port{PP}, first => $pp), 'PROXY protocol');
echoes(EgressClient->new($port{BOTH}, first => $pp, tls => $tls),
       'PROXY protocol and TLS');

my $unix = IO::Socket::UNIX->new($socket);
echoes(bless(EgressSocket->new($unix), 'EgressClient'), 'a unix socket');


# TLS: early bytes, half-close, large bodies, refusals.

my $c = EgressClient->new($port{TLS}, tls => $tls);
$c->write("CONNECT $at{SINK} HTTP/1.1\r\nHost: a\r\n\r\n" . 'x' x 9);
$c->shut;
is(EgressHttp::read_head($c)->{status}, 200, 'TLS: early bytes');
like($c->read_all, qr/bytes=9 /, 'and a close_notify behind them');
is($c->how_ended, 'close_notify', 'the end of the target is a close_notify');
$c->close;

$c = EgressClient->new($port{TLS}, tls => $tls);
$c->tunnel($at{BULK});
is(length $c->read_all(20), 2000000, 'TLS: two megabytes');
$c->close;

$c = EgressClient->new($port{TLS}, tls => $tls);
is($c->tunnel($at{DEAD})->{status}, 502, 'TLS: a refusal');
ok($c->ended, 'and its close');
$c->close;


$c = EgressClient->new($port{TLS}, tls => $tls);
$c->send_request('CONNECT', $at{PARK}, []);
$c->shut;
$c->close;
ok($ngx->wait_until(sub {
    $ngx->access_log =~ /^499 127\.0\.0\.1 client_aborted/m
}), 'TLS: a client that goes while its target is being connected');


# PROXY protocol: rules see the client it tells.

$c = EgressClient->new($port{PP},
                       first => "PROXY TCP4 192.0.2.66 192.0.2.2 1 2\r\n");
is($c->tunnel($at{ECHO})->{status}, 403, 'deny looks at the PROXY header');
$c->close;
ok($ngx->wait_until(sub {
    $ngx->access_log =~ /^403 192\.0\.2\.66 /m
}), 'and so does the log');


# HTTP/2, with prior knowledge: a SETTINGS frame, then CONNECT or GET.

sub h2 {
    my ($block) = @_;

    my $h = EgressClient->new($port{H2});

    $h->write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
              . pack('x3Cx5', 4)
              . substr(pack('N', length $block), 1) . pack('CCN', 1, 5, 1)
              . $block);

    while (my $head = $h->read_n(9)) {
        my ($length, $type) = unpack 'NC', "\0$head";
        my $payload = $length ? $h->read_n($length) : '';

        # the first field is :status, indexed or as a literal of its name

        next if $type != 1;

        $payload =~ s/^[\x20-\x3f]//;

        return 200 if $payload =~ /^\x88/;
        return 400 if $payload =~ /^\x8c/;
        return 404 if $payload =~ /^\x8d/;
        return $1 if $payload =~ /^[\x08\x48]\x03(\d{3})/;
        return 405 if $payload =~ /^[\x08\x48]\x82/;
        return 'status ' . unpack 'H*', $payload;
    }

    return 'closed';
}


sub literal { pack 'C(C/a*)*', 0, @_ }

my $authority = "\x01" . pack 'C/a*', $at{ECHO};

like(h2("\x02" . pack('C/a*', 'CONNECT') . $authority), qr/^(?:40[05]|closed)$/,
     'HTTP/2: CONNECT is refused');
like(h2("\x82\x86\x84$authority"), qr/^400$/,
     'HTTP/2: another request is none for a proxy');
ok(!$ngx->faults, 'and nothing bad happens');

$ngx->stop;

done_testing();
