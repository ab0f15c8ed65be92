package EgressUdp;

# Copyright (C) ngx_egress authors
#
# UDP peers.
#
#     use EgressUdp ECHO => 'echo', SIX => { mode => 'peer', addr => '::1' };
#
#     echo          sends each datagram back
#     peer          sends "ADDRESS:PORT DATA": who sent it
#     repeat N      sends each datagram back N times
#     size          the datagram is a number: sends that many bytes of pattern
#     other         answers from another port
#     silent        only records
#
# addr and port are told in EgressDaemon.  Each datagram is recorded as
# "ADDRESS:PORT LENGTH DATA", where DATA is cut after 64 bytes and anything
# unprintable in it is a dot.

use strict;
use warnings;

use IO::Socket::IP;
use Socket qw/SOCK_DGRAM NI_NUMERICHOST NI_NUMERICSERV getnameinfo/;

use EgressDaemon;
use EgressSocket;
use EgressTcp ();

my %mode = (
    echo => sub { $_[1] },
    peer => sub { "$_[0] $_[1]" },
    repeat => sub { ($_[1]) x $_[2] },
    size => sub { EgressTcp::pattern(0, $_[1]) },
    other => sub { $_[1] },
    silent => sub { },
);


sub import {
    my ($class, @args) = @_;

    EgressDaemon::start_all(\&start, @args);
}


sub start {
    my ($name, $opt) = @_;

    my ($mode, $arg) = split / /, $opt->{mode} || 'echo', 2;
    my $answer = $mode{$mode} || die "unknown mode \"$mode\"\n";
    my @socks = EgressDaemon::bind_name($name, $opt, SOCK_DGRAM);
    my %other;

    if ($mode eq 'other') {
        %other = map { fileno $_ => IO::Socket::IP->new(Type => SOCK_DGRAM,
                     LocalHost => $_->sockhost, LocalPort => 0) } @socks;
    }

    EgressDaemon::spawn($name, sub {
        my ($alive) = @_;

        while ($alive->()) {
            my $bits = '';
            vec($bits, fileno $_, 1) = 1 for @socks;

            next if select($bits, undef, undef, 0.5) <= 0;

            for my $sock (grep { vec $bits, fileno $_, 1 } @socks) {
                my ($from, $who, $data) = receive($sock) or next;

                note($name, $who, $data);
                send $other{fileno $sock} || $sock, $_, 0, $from
                    for $answer->($who, $data, $arg);
            }
        }
    });
}


# (socket address, "address:port", data)

sub receive {
    my ($sock) = @_;

    my $from = recv $sock, my $data, 65536, 0;
    return if !defined $from;

    my (undef, $host, $port) = getnameinfo($from,
                                   NI_NUMERICHOST | NI_NUMERICSERV);

    return ($from, EgressSocket::address($host, $port), $data);
}


sub note {
    my ($name, $who, $data) = @_;

    my $text = substr($data, 0, 64) =~ s/[^ -~]/./gr;

    EgressDaemon::record($name, "$who " . length($data) . " $text");
}


1;
