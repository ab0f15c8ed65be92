#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# UDP associations that meet errors: peers and clients whose host says that
# nobody is there, datagrams at the limits of their size, ends while something
# is waited for.

use strict;
use warnings;

use lib 't/lib';

use EgressClient;
use EgressDns DNS => { zone => {
    'slow.test' => { A => '127.0.0.1', delay => 3000 },
    'never.test' => { drop => 1 },
} };
use EgressNginx;
use EgressPort qw/MANY ONE SIX/;
use EgressUdp ECHO => 'echo', SIZE => 'size';
use EgressUdpClient;
use IO::Socket::IP;
use Socket qw/SOCK_DGRAM/;
use Test::More;

my $conf = <<'_EOC_';

worker_shutdown_timeout 500ms;

egress {
    resolver dns c_ares {
        server 127.0.0.1:$TEST_NGINX_DNS_PORT;
        each_timeout 30s;
        max_timeout 60s;
    }

    escaper direct direct_fixed {
        resolver dns;
        resolve_strategy ipv4_only;
        egress_network_filter { allow 127.0.0.0/8 ::1; }
    }
}

stream {
    log_format udp '$egress_reason $egress_bytes_sent $egress_bytes_received';
    access_log logs/udp.log udp;

    egress_udp_associate on;

    server {
        listen 127.0.0.1:$TEST_NGINX_MANY_PORT;
        egress_socks_proxy direct;
    }

    server {
        listen [::1]:$TEST_NGINX_SIX_PORT;
        egress_socks_proxy direct;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_ONE_PORT;
        egress_socks_proxy direct;
        egress_udp_associate connect;
    }
}

_EOC_

my $ngx = EgressNginx->new(conf => $conf);


sub port { $ENV{"TEST_NGINX_$_[0]_PORT"} }
sub associate { EgressUdpClient->associate(port($_[0]), @_[1 .. $#_]) }

sub ask {
    my ($u, $port, $data) = @_;

    $u->send('127.0.0.1', $port, $data);

    return ($u->recv(10))[2];
}

sub peer {
    my (%opt) = @_;

    return IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0,
                               Type => SOCK_DGRAM, %opt)
           || die "no socket: $@\n";
}

my $lines = 0;

sub logged {
    my @all = split /\n/, $ngx->wait_until(sub {
        my $log = $ngx->file('logs/udp.log');
        return $log if ($log =~ tr/\n//) > $lines;
        return;
    }, 10) || '';

    return $all[$lines++] // '';
}


# A peer that is not there yet: its host says so, once for each datagram.

for my $server (qw/MANY ONE/) {
    my $peer = peer();
    my $at = $peer->sockport;
    close $peer;

    my $u = associate($server);
    $u->send('127.0.0.1', $at, "nobody $_") for 1 .. 20;

    # all of them have been sent when this one is there

    if ($server eq 'MANY') {
        is(ask($u, port('ECHO'), 'x'), 'x', "$server: others are served");
    }

    $peer = peer(LocalPort => $at);

    my $from;

    for (1 .. 50) {
        $u->send('127.0.0.1', $at, 'somebody');

        my $bits = '';
        vec($bits, fileno $peer, 1) = 1;
        next if select($bits, undef, undef, 0.2) <= 0;

        $from = $peer->recv(my $data, 1024);
        last if $data eq 'somebody';
    }

    ok($from, "$server: a peer that comes late is reached");

    send $peer, '', 0, $from;
    is(($u->recv(10))[2], '', "$server: and may answer with nothing");
    send $peer, 'word', 0, $from;
    is(($u->recv(10))[2], 'word', "$server: or with something");

    $u->{control}->close;
    like(logged(), qr/^- \d+ \d+$/, "$server: it ends well");
}


# A client whose socket is gone for a while.

my $peer = peer();
my $u = associate('MANY');
my $own = $u->{sock}->sockport;

$u->send('127.0.0.1', $peer->sockport, 'hello');
my $from = $peer->recv(my $data, 1024);

close $u->{sock};
send $peer, "lost $_", 0, $from for 1 .. 20;

$u->{sock} = peer(LocalPort => $own, PeerHost => '127.0.0.1',
                  PeerPort => $u->{relay}{port});

my %seen;

for (1 .. 50) {
    send $peer, 'back', 0, $from;
    my $got = ($u->recv(0.2))[2] // next;
    $seen{$got}++;
    last if $got eq 'back';
}

ok($seen{back}, 'a client that comes back to its port gets datagrams');
is(ask($u, port('ECHO'), 'still') =~ s/^back$/still/r, 'still',
   'and can send them');
$u->{control}->close;
like(logged(), qr/^- /, 'it ends well');


# Sizes: with its header a datagram may be too large for one of the ways.

$u = associate('MANY');
is(length(ask($u, port('ECHO'), 'x' x (65507 - 10)) // ''), 65507 - 10,
   'the largest datagram goes and comes back');
$u->send('127.0.0.1', port('SIZE'), 65507 - 9);
is(ask($u, port('ECHO'), 'x'), 'x', 'what has no room for its header is lost');
$u->{control}->close;
logged();

$u = associate('SIX', host => '::1', from => '::');
$u->send('127.0.0.1', port('ECHO'), 'x' x (65527 - 10));
is(ask($u, port('ECHO'), 'x'), 'x', 'what IPv4 has no room for is lost');
$u->{control}->close;
logged();


# Ends while names are being resolved.

for my $name (qw/slow.test never.test/) {
    for my $end (qw/close reset/) {
        $u = associate('MANY');
        $u->send($name, port('ECHO'), "held $_") for 1 .. 30;
        is(ask($u, port('ECHO'), 'x'), 'x', "$name is being resolved");
        $u->{control}->$end;
        like(logged(), $end eq 'reset' ? qr/^client_aborted 1 1$/ : qr/^- 1 1$/,
             "$end ends the association before");
    }
}

$u = associate('ONE');
$u->send('never.test', port('ECHO'), 'held');
$ngx->wait_until(sub { EgressDns::count('DNS', 'never.test', 'A') > 0 }, 10);
$u->{control}->reset;
like(logged(), qr/^client_aborted 0 0$/, 'the only peer is never known');


# A reload, then the time of the old worker is over.

$u = associate('MANY');
$u->send('never.test', port('ECHO'), 'held');
is(ask($u, port('ECHO'), 'x'), 'x', 'a name is being resolved');

my $one = associate('ONE');
my $silent = associate('ONE');
is(ask($one, port('ECHO'), 'x'), 'x', 'another association');

ok($ngx->reload, 'nginx reloads');
ok($_->{control}->ended(20), 'the old worker ends its associations')
    for $u, $one, $silent;
is(join(' ', sort map { logged() } 1 .. 3),
   'shutdown 0 0 shutdown 1 1 shutdown 1 1', 'the log says why');

$u = associate('MANY');
$u->send('never.test', port('ECHO'), 'held');
is(ask($u, port('ECHO'), 'x'), 'x', 'the new one serves');
$ngx->stop;

unlike($ngx->error_log, qr/\[crit\]|\[alert\]/, 'nothing of it is our fault');

done_testing();
