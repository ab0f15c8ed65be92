#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# The sockets of UDP associations: addresses and ports they are bound to, what
# clients are told, whose datagrams they take behind PROXY protocol, over TLS
# and on listeners of both families.

use strict;
use warnings;

use lib 't/lib';

use EgressNetns addr => ['10.1.2.3'];
use EgressCert;
use EgressClient;
use EgressNginx;
use EgressPort qw/BIND RANGE ON MAP SIX BOTH PROXIED TLS BUFFER UNIX SETS
                  UDP/;
use EgressProxyHeader;
use EgressUdp PEER => 'peer';
use File::Temp;
use IO::Socket::UNIX;
use Socket qw/SOCK_DGRAM/;
use Test::More;

my $dir = File::Temp->newdir('egress_socks_XXXXXX', TMPDIR => 1);
$ENV{TEST_NGINX_SOCKET} = "$dir/socks";

my $ngx = EgressNginx->new(conf => <<'_EOC_');

egress {
    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8 ::1; }
    }
    escaper two direct_fixed {
        bind_ip 127.0.0.21 127.0.0.22 ::1;
        egress_network_filter { allow 127.0.0.0/8 ::1; }
    }
    escaper lost direct_fixed {
        bind_ip 127.0.0.21 2001:db8::1;
        egress_network_filter { allow 127.0.0.0/8 ::1; }
    }
}

stream {
    log_format udp '$egress_reason $status';
    access_log logs/udp.log udp;

    egress_udp_associate on;

    server {
        listen 127.0.0.1:$TEST_NGINX_BIND_PORT;
        egress_socks_proxy two;
        egress_udp_bind_ipv4 127.0.0.5 127.0.0.6;
        egress_udp_bind_ipv6 ::1;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_RANGE_PORT;
        egress_socks_proxy direct;
        egress_udp_bind_port_range $TEST_NGINX_UDP_PORT-$TEST_NGINX_UDP_PORT;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_ON_PORT;
        listen [::1]:$TEST_NGINX_ON_PORT;
        egress_socks_proxy direct;
        egress_transmute_udp_echo_ip on;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_MAP_PORT;
        listen 127.0.0.7:$TEST_NGINX_MAP_PORT;
        listen [::1]:$TEST_NGINX_SIX_PORT;
        egress_socks_proxy direct;
        egress_transmute_udp_echo_ip 127.0.0.1=198.51.100.1
                                     [::1]=2001:db8::5;
    }

    server {
        listen [::]:$TEST_NGINX_BOTH_PORT ipv6only=off;
        egress_socks_proxy direct;
        egress_open_proxy on;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_PROXIED_PORT proxy_protocol;
        set_real_ip_from 127.0.0.1;
        egress_socks_proxy direct;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl;
        ssl_certificate $TEST_NGINX_CERT_DIR/server.pem;
        ssl_certificate_key $TEST_NGINX_CERT_DIR/server.key;
        egress_socks_proxy direct;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_BUFFER_PORT;
        egress_socks_proxy direct;
        egress_udp_socket_buffer receive=40k send=20k;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_SETS_PORT;
        egress_socks_proxy lost;
    }

    server {
        listen unix:$TEST_NGINX_SOCKET;
        listen 127.0.0.1:$TEST_NGINX_UNIX_PORT proxy_protocol;
        egress_socks_proxy direct;
    }
}

_EOC_


sub port { $ENV{"TEST_NGINX_$_[0]_PORT"} }

sub reply {
    my ($server, %opt) = @_;

    my $c = EgressClient->new(port($server), %opt);
    my $reply = $c->socks5('0.0.0.0', 0, command => 3);

    return ($reply, $c);
}

sub where {
    my ($u) = @_;

    $u->send('127.0.0.1', port('PEER'), 'x');
    my (undef, undef, $data) = $u->recv(5);

    return $data // '';
}


# Both ends of an association.

my (%near, %far);

for (1 .. 16) {
    my $u = EgressUdpClient->associate(port('BIND'));
    $near{$u->{relay}{host}} = 1;
    $far{where($u) =~ /^([\d.]+):/ ? $1 : ''} = 1;
    $u->{control}->close;
}

is(join(' ', sort keys %near), '127.0.0.5 127.0.0.6',
   'towards clients all addresses are used');
is(join(' ', sort keys %far), '127.0.0.21 127.0.0.22',
   'towards peers those of the escaper');

my $u = EgressUdpClient->associate(port('RANGE'));
is($u->{relay}{port}, port('UDP'), 'a port of the range');
like(where($u), qr/ x$/, 'works');

my ($reply) = reply('RANGE');
is($reply->{reply}, 1, 'when all are in use, the request fails');
ok($ngx->wait_until(sub { $ngx->file('logs/udp.log') =~ /^bind_failed /m }, 5),
   'reason bind_failed');
like(where($u), qr/ x$/, 'others are not disturbed');
$u->{control}->close;

ok($ngx->wait_until(sub { (reply('RANGE'))[0]{reply} == 0 }, 5),
   'the port is free again');

$u = EgressUdpClient->associate(port('SETS'));
$u->send('::1', port('PEER'), 'x');
$u->send('::1', port('PEER'), 'x');
like(where($u), qr/^127\.0\.0\.21:\d+ x$/,
     'an address that is not there does not disturb the other family');
is(scalar(() = $ngx->error_log =~ /bind\(.*2001:db8::1.*failed/g), 1,
   'it is tried and logged once');
$u->{control}->close;


# What the client is told.

is((reply('ON'))[0]{host}, '0.0.0.0', 'on: the unspecified address');
is((reply('ON', host => '::1'))[0]{host}, '::', 'of the same family');
is((reply('MAP'))[0]{host}, '198.51.100.1', 'a map: another address');
is((reply('MAP', host => '127.0.0.7'))[0]{host}, '0.0.0.0',
   'what is not in it');
is((reply('SIX', host => '::1'))[0]{host}, '2001:db8::5', 'over IPv6');

$u = EgressUdpClient->associate(port('ON'));
like(where($u), qr/ x$/, 'the port is the real one');
$u->{control}->close;


# A listener of both families.

$u = EgressUdpClient->associate(port('BOTH'));
is($u->{relay}{host}, '127.0.0.1', 'an IPv4 client of an IPv6 socket');
like(where($u), qr/ x$/, 'is served');
$u->{control}->close;

$u = EgressUdpClient->associate(port('BOTH'), host => '::1');
is($u->{relay}{host}, '::1', 'an IPv6 client');
like(where($u), qr/ x$/, 'too');
$u->{control}->close;


# The address that counts is the one nginx believes in.

my $c = EgressClient->new(port('PROXIED'), first =>
    EgressProxyHeader::v1('127.0.0.42', 1234, '127.0.0.1', port('PROXIED')));
$reply = $c->socks5('0.0.0.0', 0, command => 3);
is($reply->{reply}, 0, 'behind PROXY protocol');

my $datagram = "\0\0\0" . EgressClient::socks_address('127.0.0.1',
                                                      port('PEER'));

for (['127.0.0.1', 0], ['127.0.0.42', 1]) {
    my ($from, $served) = @$_;
    my $s = IO::Socket::IP->new(LocalHost => $from, Type => SOCK_DGRAM,
        PeerHost => $reply->{host}, PeerPort => $reply->{port});

    $s->send("${datagram}hi");
    my $bits = '';
    vec($bits, fileno $s, 1) = 1;

    is(select($bits, undef, undef, $served ? 5 : 0.3), $served,
       "datagrams from $from are " . ($served ? 'served' : 'dropped'));
}

$c->close;


# TLS, buffers.

$c = EgressClient->new(port('TLS'),
                       tls => EgressCert::client_options(name => 'localhost'));
$reply = $c->socks5('0.0.0.0', 0, command => 3);
is($reply->{reply}, 0, 'over TLS');
$u = bless({ control => $c, relay => $reply }, 'EgressUdpClient')->open_socket;
like(where($u), qr/ x$/, 'datagrams pass beside it');
$c->close;

$u = EgressUdpClient->associate(port('BUFFER'));
where($u);
my $sockets = `ss -Hunam 2>/dev/null`;
my $n = () = $sockets =~ /rb81920,\S*tb40960\b/g;
is($n, 2, 'buffers of both sockets') or diag($sockets);
$u->{control}->close;


# A client without an IP address has no datagrams.

$c = EgressClient->new(port('UNIX'), first => "PROXY UNKNOWN\r\n");
is($c->socks5('0.0.0.0', 0, command => 3)->{reply}, 0,
   'a PROXY header without addresses changes nothing');
$c->close;

my $unix = IO::Socket::UNIX->new($ENV{TEST_NGINX_SOCKET});
syswrite $unix, "\5\1\0\5\3\0\1\0\0\0\0\0\0";
sysread $unix, my $answer, 2;
sysread $unix, $answer, 10;
is(unpack('xC', $answer), 7, 'over a unix socket UDP is not supported');
close $unix;

ok($ngx->quit(10), 'nginx quits, no socket stays open');

done_testing();
