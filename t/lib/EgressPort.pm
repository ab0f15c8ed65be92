package EgressPort;

# Copyright (C) ngx_egress authors
#
# Free ports for test files, safe under "prove -jN".
#
#     use EgressPort qw/ORIGIN OTHER/;
#
# reserves one port for each name and exports it as
# $ENV{TEST_NGINX_ORIGIN_PORT}: configuration sections expand
# $TEST_NGINX_ORIGIN_PORT and evals see the variable.
#
#     EgressPort::reserve("NAME")    the same at run time, returns the port
#     EgressPort::port("NAME")       a port reserved earlier; dies if unknown
#     EgressPort::any()              a port without a name
#
# A port is reserved by a lock on a file of its own, held until the test file
# and the fixtures it started are gone.  It was free for TCP and UDP, IPv4 and
# IPv6, and lies outside of the range the kernel takes ephemeral ports from.

use strict;
use warnings;

use Fcntl qw/:flock O_CREAT O_RDWR/;
use File::Spec;
use IO::Socket::IP;
use Socket qw/SOCK_STREAM SOCK_DGRAM/;

my $lowest = 10240;
my @range;
my @locks;


sub import {
    my ($class, @names) = @_;

    reserve($_) for @names;
}


sub reserve {
    my ($name) = @_;

    return $ENV{"TEST_NGINX_${name}_PORT"} = any();
}


sub port {
    my ($name) = @_;

    return $ENV{"TEST_NGINX_${name}_PORT"} || die "no port \"$name\"\n";
}


sub any {
    @range = candidates() if !@range;

    for (1 .. 2000) {
        my $port = $range[rand @range];
        my $lock = lock_port($port) or next;

        if (is_free($port)) {
            push @locks, $lock;
            return $port;
        }
    }

    die "no free port found\n";
}


sub candidates {
    my ($low, $high) = (32768, 60999);

    if (open my $fh, '<', '/proc/sys/net/ipv4/ip_local_port_range') {
        ($low, $high) = split ' ', <$fh>;
    }

    my @ports = grep { $_ < $low || $_ > $high } $lowest .. 65535;

    return @ports > 1000 ? @ports : ($lowest .. 65535);
}


sub lock_port {
    my ($port) = @_;

    my $dir = File::Spec->tmpdir() . "/ngx_egress_ports.$>";

    if (!mkdir($dir, 0700) && !-d $dir) {
        die "cannot create $dir: $!\n";
    }

    sysopen(my $fh, "$dir/$port", O_CREAT | O_RDWR, 0600)
        or die "cannot open $dir/$port: $!\n";

    return flock($fh, LOCK_EX | LOCK_NB) ? $fh : undef;
}


sub is_free {
    my ($port) = @_;

    for my $host ('0.0.0.0', '::') {
        for my $type (SOCK_STREAM, SOCK_DGRAM) {
            my $sock = IO::Socket::IP->new(LocalHost => $host,
                LocalPort => $port, Type => $type, V6Only => 1,
                ReuseAddr => $type == SOCK_STREAM);

            return 0 if !$sock && $!{EADDRINUSE};
        }
    }

    return 1;
}


1;
