package EgressUdpClient;

# Copyright (C) ngx_egress authors
#
# Datagrams through a SOCKS5 UDP association.
#
#     my $u = EgressUdpClient->associate($proxy_port, user => ...,
#                                        from => "0.0.0.0", from_port => 0);
#                                   dies when the proxy refuses
#     $u->send($host, $port, $data, frag => 0)
#     $u->send_raw($bytes)          without the header
#     $u->recv($timeout)            (host, port, data), () on timeout
#     $u->recv_raw($timeout)
#     $u->{control}                 the EgressClient of the association
#     $u->{relay}                   the proxy's reply { host, port }
#     $u->other()                   the same relay from another local port

use strict;
use warnings;

use IO::Socket::IP;
use Socket qw/SOCK_DGRAM/;

use EgressClient;


sub associate {
    my ($class, $proxy_port, %opt) = @_;

    my ($from, $from_port) = delete @opt{qw/from from_port/};
    my $c = EgressClient->new($proxy_port, host => $opt{host});
    my $reply = $c->socks5($from || '0.0.0.0', $from_port || 0, %opt,
                           command => 3);

    if (!$reply || ($reply->{reply} // 1) != 0) {
        die sprintf "association refused: %s\n", $reply->{reply} // 'closed';
    }

    return bless({ control => $c, relay => $reply }, $class)->open_socket;
}


sub open_socket {
    my ($self) = @_;

    $self->{sock} = IO::Socket::IP->new(PeerHost => $self->{relay}{host},
        PeerPort => $self->{relay}{port}, Type => SOCK_DGRAM,
        GetAddrInfoFlags => 0)
        or die "cannot open a UDP socket: $@\n";

    return $self;
}


sub other {
    my ($self) = @_;

    return bless({ %$self }, ref $self)->open_socket;
}


sub send {
    my ($self, $host, $port, $data, %opt) = @_;

    return $self->send_raw(pack('nC', 0, $opt{frag} || 0)
                           . EgressClient::socks_address($host, $port) . $data);
}


sub send_raw { defined CORE::send $_[0]{sock}, $_[1], 0 }


sub recv_raw {
    my ($self, $timeout) = @_;

    my $bits = '';
    vec($bits, fileno $self->{sock}, 1) = 1;

    return if select($bits, undef, undef, $timeout // 5) <= 0;
    return if !defined CORE::recv $self->{sock}, my $data, 65536, 0;

    return $data;
}


sub recv {
    my ($self, $timeout) = @_;

    my $data = $self->recv_raw($timeout);
    return if !defined $data || length $data < 10;

    my ($type, $first) = unpack 'x3CC', $data;
    my ($at, $n) = $type == 1 ? (4, 4) : $type == 4 ? (4, 16) : (5, $first);
    my ($host, $port, $rest) = unpack "x$at a$n n a*", $data;

    return (EgressClient::socks_host($type, $host), $port, $rest);
}


1;
