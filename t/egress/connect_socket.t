#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Options of the sockets towards targets, read from the sockets themselves: a
# copy of nginx's descriptor is taken with pidfd_getfd(2).

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use IO::Socket::IP;
use POSIX ();
use Socket qw/:all/;
use Test::More;

use EgressClient;
use EgressNginx;
use EgressPort qw/PROXY/;
use EgressTcp PEER => { mode => 'peer', addr => ['127.0.0.1', '::1'] };

use constant {
    SYS_pidfd_open => 434, SYS_pidfd_getfd => 438,

    TCP_MAXSEG => 2, TCP_KEEPIDLE => 4, TCP_KEEPINTVL => 5, TCP_KEEPCNT => 6,
    TCP_CONGESTION => 13, IPV6_UNICAST_HOPS => 16, IPV6_TCLASS => 67,
    SO_MARK => 36, SO_BINDTODEVICE => 25, IP_BIND_ADDRESS_NO_PORT => 24,
};

my $allow = 'egress_network_filter { allow 127.0.0.0/8; allow ::1; }';

my $ngx = EgressNginx->new(master => 0, conf => <<"_EOC_");
egress {
    escaper plain direct_fixed { $allow }
    escaper alive direct_fixed { $allow tcp_keepalive on; }
    escaper lively direct_fixed {
        $allow tcp_keepalive on idle=31s interval=7 count=3;
    }
    escaper off direct_fixed {
        $allow tcp_keepalive off; tcp_misc_opts no_delay=off;
    }
    escaper misc direct_fixed {
        $allow tcp_misc_opts mss=700 ttl=33 tos=16;
        tcp_misc_opts congestion_control=reno;
    }
    escaper route direct_fixed {
        $allow tcp_misc_opts mark=4294967295; bind_interface lo;
    }
    escaper nowhere direct_fixed { $allow bind_interface nowhere0; }
    escaper bound direct_fixed { $allow bind_ip 127.0.0.8 ::1; }
}
http {
    server {
        listen 127.0.0.1:\$TEST_NGINX_PROXY_PORT;
        egress_http_proxy \$http_x_way;
    }
}
_EOC_


# The socket of nginx that is bound to this port.

sub socket_of {
    my ($port) = @_;

    my $pid = $ngx->pid + 0;
    my $pidfd = syscall(SYS_pidfd_open, $pid, 0);
    my $found;

    for my $path (glob "/proc/$pid/fd/*") {
        next if (readlink $path // '') !~ /^socket:/;

        my ($n) = $path =~ /(\d+)$/;
        my $fd = syscall(SYS_pidfd_getfd, $pidfd, $n + 0, 0);

        next if $fd < 0;

        open my $fh, '+<&=', $fd or next;
        my $name = getsockname $fh or next;
        my ($error, undef, $local) = getnameinfo($name,
                                                 NI_NUMERICHOST|NI_NUMERICSERV);

        $found = $fh if !$error && $local eq $port;
    }

    POSIX::close($pidfd) if $pidfd >= 0;

    return $found;
}


sub may_copy {
    my $pidfd = syscall(SYS_pidfd_open, $ngx->pid + 0, 0);
    my $fd = syscall(SYS_pidfd_getfd, $pidfd, 2, 0);

    POSIX::close($_) for grep { $_ >= 0 } $pidfd, $fd;

    return $fd >= 0;
}


sub open_tunnel {
    my ($escaper, $host) = @_;

    my $c = EgressClient->new($ENV{TEST_NGINX_PROXY_PORT});
    my $r = $c->tunnel("$host:$ENV{TEST_NGINX_PEER_PORT}",
                       'X-Way' => $escaper);

    is($r->{status}, 200, "$escaper: a tunnel opens to $host");

    my ($port) = ($c->read_until(qr/\n/) // '') =~ /:(\d+)\n/;

    return ($c, socket_of($port));
}


sub option {
    my ($fh, $level, $option) = @_;

    return unpack 'i', getsockopt($fh, $level, $option) // pack 'i', -1;
}


sub text_option {
    my ($fh, $level, $option) = @_;

    return unpack 'Z*', getsockopt($fh, $level, $option) // '';
}


plan skip_all => 'no permission for pidfd_getfd(2)' if !may_copy();

my ($c, $fh) = open_tunnel('plain', '127.0.0.1');

isnt(option($fh, IPPROTO_TCP, TCP_NODELAY), 0, 'no_delay is on by default');
is(option($fh, SOL_SOCKET, SO_KEEPALIVE), 0, 'keepalive is off by default');
is(text_option($fh, SOL_SOCKET, SO_BINDTODEVICE), '', 'no interface is bound');

my $flags = POSIX::strtol((split ' ', do {
    my $n = fileno $fh;
    open my $info, '<', "/proc/self/fdinfo/$n";
    (grep /^flags:/, <$info>)[0];
})[1], 8);

ok($flags & 04000, 'the socket does not block');

($c, $fh) = open_tunnel('alive', '127.0.0.1');
isnt(option($fh, SOL_SOCKET, SO_KEEPALIVE), 0, 'tcp_keepalive on');
is(option($fh, IPPROTO_TCP, TCP_KEEPIDLE), 60, 'probes after 60s idle');

($c, $fh) = open_tunnel('lively', '127.0.0.1');
is(option($fh, IPPROTO_TCP, TCP_KEEPIDLE), 31, 'idle=');
is(option($fh, IPPROTO_TCP, TCP_KEEPINTVL), 7, 'interval=');
is(option($fh, IPPROTO_TCP, TCP_KEEPCNT), 3, 'count=');

($c, $fh) = open_tunnel('off', '127.0.0.1');
is(option($fh, SOL_SOCKET, SO_KEEPALIVE), 0, 'tcp_keepalive off');
is(option($fh, IPPROTO_TCP, TCP_NODELAY), 0, 'no_delay=off');

($c, $fh) = open_tunnel('misc', '127.0.0.1');
cmp_ok(option($fh, IPPROTO_TCP, TCP_MAXSEG), '<=', 700, 'mss=');
is(option($fh, IPPROTO_IP, IP_TTL), 33, 'ttl=');
is(option($fh, IPPROTO_IP, IP_TOS), 16, 'tos=');
is(text_option($fh, IPPROTO_TCP, TCP_CONGESTION), 'reno',
   'congestion_control=');

($c, $fh) = open_tunnel('misc', '[::1]');
is(option($fh, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 33, 'ttl= is the hop limit');
is(option($fh, IPPROTO_IPV6, IPV6_TCLASS), 16, 'tos= is the traffic class');

SKIP: {
    my $test = IO::Socket::IP->new(LocalHost => '127.0.0.1', Listen => 1);

    skip 'no permission for SO_MARK', 3
        if !setsockopt $test, SOL_SOCKET, SO_MARK, 1;

    ($c, $fh) = open_tunnel('route', '127.0.0.1');
    is(option($fh, SOL_SOCKET, SO_MARK) & 0xffffffff, 0xffffffff, 'mark=');
    is(text_option($fh, SOL_SOCKET, SO_BINDTODEVICE), 'lo', 'bind_interface');
}

($c, $fh) = open_tunnel('bound', '127.0.0.1');
is(option($fh, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT), 1,
   'a bound socket takes no port before it connects');

($c, $fh) = open_tunnel('bound', '[::1]');
is(option($fh, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT), 1, 'nor does one of IPv6');

# Without its interface a connection would leave by another way

my $none = EgressClient->new($ENV{TEST_NGINX_PROXY_PORT});

is($none->tunnel("127.0.0.1:$ENV{TEST_NGINX_PEER_PORT}",
                 'X-Way' => 'nowhere')->{status}, 502,
   'without its interface there is no connection');
like($ngx->error_log, qr/setsockopt\(SO_BINDTODEVICE, "nowhere0"\) failed/,
     'and the log says why');

done_testing();
