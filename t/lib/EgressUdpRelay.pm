package EgressUdpRelay;

# Copyright (C) ngx_egress authors
#
# SOCKS5 UDP ASSOCIATE of EgressNextProxy.
#
#     serve($control, \%settings)    replies and relays datagrams until the
#                                    control connection ends
#
# The settings "map", "bound" and "split" are those of EgressNextProxy.

use strict;
use warnings;

use IO::Socket::IP;
use Socket qw/SOCK_DGRAM AF_INET AF_INET6 inet_pton pack_sockaddr_in
              pack_sockaddr_in6/;

use EgressClient;
use EgressUdp;


sub serve {
    my ($control, $set) = @_;

    my %sock = (client => udp('127.0.0.1'), 4 => udp('0.0.0.0'),
                6 => udp('::'));

    my ($host, $port) = ('127.0.0.1', $sock{client}->sockport);
    ($host, $port) = $set->{bound} =~ /^(.*):(\d+)$/ if $set->{bound};

    EgressNextProxy::send_reply($control, $set, "\5\0\0"
                                . EgressClient::socks_address($host, $port));

    my $client;

    while (1) {
        my $bits = '';
        my @open = grep { defined } values %sock;

        vec($bits, fileno $_, 1) = 1 for @open, $control->handle;
        last if select($bits, undef, undef, 60) <= 0;

        for my $sock (grep { vec $bits, fileno $_, 1 } @open) {
            my ($from, $who, $data) = EgressUdp::receive($sock) or next;

            if ($sock == $sock{client}) {
                $client = $from;
                outward(\%sock, $set, $data);

            } elsif ($client) {
                inward($sock{client}, $client, $who, $data);
            }
        }

        last if vec($bits, fileno $control->handle, 1)
                && defined $control->fill(0) && $control->how_ended;
    }
}


sub udp {
    my ($host) = @_;

    return IO::Socket::IP->new(LocalHost => $host, LocalPort => 0,
                               Type => SOCK_DGRAM, V6Only => 1);
}


sub outward {
    my ($sock, $set, $data) = @_;

    my ($frag, $type, $len) = unpack 'x2CCC', $data;
    return if $frag;

    my ($at, $n) = $type == 1 ? (4, 4) : $type == 4 ? (4, 16) : (5, $len);
    my ($host, $port, $rest) = unpack "x$at a$n n a*", $data;

    $host = EgressClient::socks_host($type, $host);
    $host = ($set->{map} || {})->{$host} || ($type == 3 ? '127.0.0.1' : $host);

    if (my $ip = inet_pton(AF_INET6, $host)) {
        send $sock->{6}, $rest, 0, pack_sockaddr_in6($port, $ip);

    } else {
        send $sock->{4}, $rest, 0,
             pack_sockaddr_in($port, inet_pton(AF_INET, $host));
    }
}


sub inward {
    my ($sock, $client, $who, $data) = @_;

    my ($host, $port) = $who =~ /^\[?(.*?)\]?:(\d+)$/;

    send $sock, "\0\0\0" . EgressClient::socks_address($host, $port) . $data,
         0, $client;
}


1;
