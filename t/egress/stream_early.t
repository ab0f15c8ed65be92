#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Bytes of a client that came before its target was connected: none is lost
# or counted twice, whoever has read them.

use strict;
use warnings;

use lib 't/lib';

use EgressCert;
use EgressClient;
use EgressHello;
use EgressNginx;
use EgressPort qw/PREREAD SNI TLS GONE STUCK GREET/;
use EgressSocket;
use EgressTcp ECHO => 'echo', SINK => 'sink', PARK => 'no_accept',
              BANNER => 'say hello';
use IO::Socket::INET;
use Net::SSLeay;
use Socket qw/IPPROTO_TCP/;
use Test::More;

use constant TCP_CORK => 3;

BEGIN {

    # its last handshake message, close_notify and FIN are one packet

    my @socks = EgressDaemon::bind_name('CLOSE', {});
    my $tls = EgressDaemon::tls_options({ tls => {
        SSL_version => 'TLSv1_2',
    } });

    EgressDaemon::serve_tcp('CLOSE', \@socks, sub {
        my ($fh) = @_;

        my $s = EgressSocket->new($fh, timeout => 10);

        setsockopt $fh, IPPROTO_TCP, TCP_CORK, 1;
        $s->accept_tls($tls);
        $s->close;
    });
}

my $ngx = EgressNginx->new(conf => <<'_EOC_');
egress {
    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
    }
}

stream {
    log_format bytes '$bytes_received $egress_bytes_received $egress_reason';
    access_log logs/bytes.log bytes;

    ssl_certificate      $TEST_NGINX_CERT_DIR/server.pem;
    ssl_certificate_key  $TEST_NGINX_CERT_DIR/server.key;
    ssl_protocols        TLSv1.3;

    server {
        listen 127.0.0.1:$TEST_NGINX_PREREAD_PORT;
        ssl_preread on;
        egress_tcp_stream direct 127.0.0.1:$TEST_NGINX_ECHO_PORT;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_SNI_PORT;
        ssl_preread on;
        egress_sni_proxy direct;
        egress_sni_hosts {
            child test redirect_host=127.0.0.1
                       redirect_port=$TEST_NGINX_ECHO_PORT;
        }
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl;
        egress_tcp_stream direct 127.0.0.1:$TEST_NGINX_SINK_PORT;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_STUCK_PORT;
        egress_tcp_stream direct 127.0.0.1:$TEST_NGINX_PARK_PORT;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_GREET_PORT;
        egress_tcp_stream direct 127.0.0.1:$TEST_NGINX_BANNER_PORT;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_GONE_PORT;
        egress_tcp_stream direct 127.0.0.1:$TEST_NGINX_CLOSE_PORT;
        egress_tls_client { verify off; protocols TLSv1.2; }
    }
}
_EOC_


sub port { $ENV{"TEST_NGINX_$_[0]_PORT"} }


my $lines = 0;

sub logged {
    my @all = split /\n/, $ngx->wait_until(sub {
        my $log = $ngx->file('logs/bytes.log');
        return $log if ($log =~ tr/\n//) > $lines;
        return;
    }) || '';

    return $all[$lines++] // '';
}


# A TLS 1.3 client whose last handshake message, data, close_notify and FIN
# are one packet; returns what the server has sent.

sub burst {
    my ($port, $data) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port,
                                  Timeout => 5)
        or die "connect: $@\n";

    my $ctx = Net::SSLeay::CTX_new();
    my $ssl = Net::SSLeay::new($ctx);
    my ($in, $out) = map { Net::SSLeay::BIO_new(Net::SSLeay::BIO_s_mem()) } 1,
                     2;

    Net::SSLeay::set_bio($ssl, $in, $out);
    Net::SSLeay::set_connect_state($ssl);

    while (Net::SSLeay::do_handshake($ssl) != 1) {
        syswrite $s, Net::SSLeay::BIO_read($out) // '';
        sysread $s, my $bytes, 65536 or die "no handshake\n";
        Net::SSLeay::BIO_write($in, $bytes);
    }

    Net::SSLeay::write($ssl, $data);
    Net::SSLeay::shutdown($ssl);

    setsockopt $s, IPPROTO_TCP, TCP_CORK, 1;
    syswrite $s, Net::SSLeay::BIO_read($out);
    shutdown $s, 1;

    my $got = '';

    while (sysread $s, my $bytes, 65536) {
        Net::SSLeay::BIO_write($in, $bytes);
        $got .= $bytes while length($bytes = Net::SSLeay::read($ssl) // '');
    }

    return $got;
}


# read by the preread phase

my $hello = EgressHello::make(sni => 'a.test');
my $c = EgressClient->new(port('PREREAD'));

$c->write($hello);
is($c->read_n(length $hello), $hello, 'a mapped target gets the preread bytes');
$c->write('more');
is($c->read_n(4), 'more', 'and those after them');
$c->close;

my $n = 4 + length $hello;
is(logged(), "$n $n -", 'preread bytes count once');

$c = EgressClient->new(port('PREREAD'));
$c->write($hello);
$c->shut;
is($c->read_n(length $hello), $hello, 'also of a client that half-closes');
ok($c->ended, 'whose end is passed on');
$n = length $hello;
is(logged(), "$n $n -", 'and they count');


# read by the preread phase, then by the server

$c = EgressClient->new(port('SNI'));
$c->write($hello);
is($c->read_n(length $hello), $hello, 'a target named by preread bytes');
$c->close;
is(logged(), "$n $n -", 'which count once as well');


# read by the server

$c = EgressClient->new(port('SNI'));
$c->write(substr $hello, 0, 3);
select undef, undef, undef, 0.1;
$c->write(substr($hello, 3) . 'more');
is($c->read_n($n + 4), "${hello}more", 'a target named by two pieces');
$c->close;
is(logged(), join(' ', $n + 4, $n + 4, '-'), 'bytes of a server count once');


# read by the handshake

like(burst(port('TLS'), 'hello'), qr/^bytes=5 /,
     'data and the end right behind a TLS handshake reach the target');
is(logged(), '5 5 -', 'and are no abort');


# no bytes at all

for my $i (1 .. 5) {
    $c = EgressClient->new(port('GREET'));
    $c->shut;
    is($c->read_n(5), 'hello', "a client that only listens is served, $i");
    is(logged(), '0 0 -', 'and is no abort');
}

$c = EgressClient->new(port('STUCK'));
ok($ngx->wait_log(qr/connected to 127.0.0.1:@{[ port('STUCK') ]}/),
   'a client of a target that does not answer');
$c->reset;
is(logged(), '0 0 client_aborted', 'ends with its reset');

$c = EgressClient->new(port('STUCK'));
$c->close;
is(logged(), '0 0 client_aborted', 'or a while after its end');


# a relay that is over when it begins

for my $i (1 .. 3) {
    $c = EgressClient->new(port('GONE'));
    $c->write('x');
    $c->shut;
    ok($c->ended, "a relay that ends at once, $i");
    like(logged(), qr/^1 1 (-|upstream_aborted)$/, 'ends in order');
}

done_testing();
