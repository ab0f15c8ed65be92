#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Resolvers of type c_ares: servers, sockets, what answers may look like, what
# happens when servers are away.  resolver.t has the cache, resolver_system.t
# /etc/resolv.conf and /etc/hosts.

use strict;
use warnings;

use lib 't/lib';

my %mangled;

BEGIN {
    %mangled = map { ("$_.bad.test" => { A => '127.0.0.1', mangle => $_ }) }
               qw/id question short garbage loop/;
}

use EgressDns DNS => {
    addr => ['127.0.0.1', '::1'],
    zone => {
        'a.test'     => { A => '127.0.0.1' },
        'me.test'    => { A => 'asker', AAAA => 'asker' },
        'three.test' => { A => ['127.0.0.3', '127.0.0.1', '127.0.0.2'] },
        'c.test'     => { CNAME => 'd.test' },
        'd.test'     => { CNAME => 'a.test' },
        'only.test'  => { CNAME => 'a.test', cname_only => 1 },
        'far.test'   => { CNAME => 'elsewhere.invalid' },
        'loop.test'  => { CNAME => 'loop.test' },
        'inner.test' => { CNAME => 'private.test' },
        'private.test' => { A => '10.1.2.3' },
        'tc.test'    => { A => [map { "127.0.0.2" } 1 .. 60], tc => 1 },
        'huge.test'  => { A => [map { "127.0.0.3" } 1 .. 500], tc => 1 },
        'refused.test' => { rcode => 'REFUSED' },
        'formerr.test' => { rcode => 'FORMERR' },
        'notimp.test'  => { rcode => 'NOTIMP' },
        'drop.test'  => { drop => 1 },
        'once.test'  => { A => '127.0.0.1', delay => 450 },
        '*.rr.test'  => { A => '127.0.0.1' },
        %mangled,
    },
}, SECOND => { zone => {
    '*.rr.test'    => { A => '127.0.0.2' },
    'refused.test' => { A => '127.0.0.4' },
} };
use EgressPort qw/DEAD LATE/;
use EgressResolve;

use Socket qw/:all/;
use Test::More;
use Time::HiRes qw/sleep time/;

use constant { SYS_pidfd_open => 434, SYS_pidfd_getfd => 438 };

my $r = EgressResolve->new(<<'_EOC_', master => 0, log_level => 'warn');
    resolver plain c_ares {
        server 127.0.0.1:$TEST_NGINX_DNS_PORT;
        each_timeout 300ms;
        each_tries   2;
    }

    resolver once c_ares {
        server 127.0.0.1:$TEST_NGINX_DNS_PORT;
        each_timeout 300ms;
        each_tries   1;
    }

    resolver v6 c_ares {
        server [::1]:$TEST_NGINX_DNS_PORT;
    }

    resolver bound c_ares {
        server 127.0.0.1:$TEST_NGINX_DNS_PORT;
        bind_ipv4 127.0.0.5;
        bind_ipv6 ::1;
    }

    resolver elsewhere c_ares {
        server 127.0.0.1:$TEST_NGINX_DNS_PORT;
        bind_ipv4 192.0.2.1;
    }

    resolver both c_ares {
        server 127.0.0.1:$TEST_NGINX_DEAD_PORT [::1]:$TEST_NGINX_DNS_PORT;
    }

    resolver next c_ares {
        server 127.0.0.1:$TEST_NGINX_DNS_PORT;
        server 127.0.0.1:$TEST_NGINX_SECOND_PORT;
    }

    resolver turns c_ares {
        server 127.0.0.1:$TEST_NGINX_DNS_PORT
               127.0.0.1:$TEST_NGINX_SECOND_PORT;
        round_robin on;
    }

    resolver late c_ares {
        server 127.0.0.1:$TEST_NGINX_LATE_PORT;
        each_timeout 300ms;
        each_tries   1;
    }

    resolver limited c_ares {
        server 127.0.0.1:$TEST_NGINX_DNS_PORT;
        each_timeout 300ms;
        each_tries   4;
        max_timeout  400ms;
    }

    resolver sized c_ares {
        server 127.0.0.1:$TEST_NGINX_DNS_PORT;
        each_timeout            5s;
        socket_send_buffer_size 20k;
        socket_recv_buffer_size 24k;
    }
_EOC_

my $ngx = $r->nginx;

sub asked { EgressDns::count('DNS', @_) }


# servers, local addresses

is($r->ask('plain', 'me.test'), '127.0.0.1', 'a server with a port');
is($r->ask('v6', 'me.test', 6), '::1', 'an IPv6 server');
is($r->ask('bound', 'me.test'), '127.0.0.5', 'bind_ipv4');
is($r->ask('elsewhere', 'a.test'), 'dns_error', 'bind_ipv4 that is not ours');
is($r->ask('both', 'a.test'), '127.0.0.1', 'the second server helps out');

my %by = map { $r->ask('next', "$_.rr.test") => 1 } 1 .. 6;
is(join(' ', keys %by), '127.0.0.1', 'the first server is asked first');
is($r->ask('next', 'refused.test'), '127.0.0.4', 'the next after a REFUSED');

%by = map { $r->ask('turns', "$_.rr.test") => 1 } 1 .. 12;
is(join(' ', sort keys %by), '127.0.0.1 127.0.0.2', 'round_robin asks both');


# answers

is($r->ask('plain', 'three.test'), '127.0.0.3', 'the order of the server');
is($r->ask('plain', 'c.test'), '127.0.0.1', 'a chain of CNAME');
is($r->ask('plain', 'only.test'), 'dns_no_address', 'a CNAME alone');
is($r->ask('plain', 'far.test'), 'dns_no_address', 'a CNAME to nowhere');
is($r->ask('plain', 'loop.test'), 'dns_no_address', 'a CNAME to itself');
is($r->ask('plain', 'inner.test'), 'destination_denied',
   'a CNAME to an address that is denied');

is($r->ask('plain', 'tc.test'), '127.0.0.2', 'truncated: asked over TCP');
is($r->ask('plain', 'huge.test'), '127.0.0.3', 'more than is kept');
is((grep { /^tcp A tc\.test/ } EgressDns::questions('DNS')), 1, 'only then');

for my $rcode (qw/refused formerr notimp/) {
    is($r->ask('plain', "$rcode.test"), 'dns_error', uc $rcode);
}

for my $how (qw/id question/) {
    is($r->ask('plain', "$how.bad.test"), 'dns_timeout',
       "an answer with a wrong $how is no answer");
}

for my $how (qw/short garbage loop/) {
    like($r->ask('plain', "$how.bad.test"), qr/^dns_(error|timeout)$/,
         "a broken answer: $how");
}

is($r->ask('plain', 'localhost'), '127.0.0.1', 'localhost');
is($r->ask('plain', 'a.localhost', 6), '::1', 'what is below localhost');
is($r->ask('plain', 'nolocalhost'), 'dns_nxdomain', 'is not what ends so');
is(asked('localhost') + asked('a.localhost'), 0, 'no server hears of it');

is($r->ask('plain', 'x' x 64 . '.test'), 'bad_target', 'too long a label');


# timeouts

is($r->ask('plain', 'drop.test'), 'dns_timeout', 'no answer');
is(asked('drop.test'), 2, 'each_tries');
ok($r->took > 0.5 && $r->took < 2, 'each_timeout') or diag $r->took;

is($r->ask('plain', 'once.test'), '127.0.0.1', 'the second try is longer');
is($r->ask('once', 'once.test'), 'dns_timeout', 'one try of 300 ms');

SKIP: {
    skip 'max_timeout needs c-ares 1.22', 1
        if $ngx->file('logs/stderr.log') =~ /"max_timeout" .* has no effect/;

    $r->ask('limited', 'drop.test');
    ok($r->took < 2.2, 'max_timeout') or diag $r->took;
}


# a server that comes later

is($r->ask('late', "$_.rr.test"), 'dns_error', "no server, $_") for 1 .. 4;
sleep 1;
is($r->ask('late', 'a.rr.test'), 'dns_error', 'still none');
ok($ngx->wait_log(qr/resolver "late" starts over after \d+ failures/),
   'the library is started anew');

EgressDns->import(LATER => { port => 'LATE',
                             zone => { default => { A => '127.0.0.9' } } });
is($r->ask('late', 'a.rr.test'), '127.0.0.9', 'the server is back');


# more questions than a channel lives for

is(scalar(grep { $r->ask('v6', "n$_.test") ne 'dns_nxdomain' } 1 .. 1050), 0,
   'a thousand questions');
is($r->ask('v6', 'a.test'), '127.0.0.1', 'and one more');


# sockets

sub udp_sockets {
    my $pid = $ngx->pid + 0;
    my $pidfd = syscall(SYS_pidfd_open, $pid, 0);
    my @found;

    for my $path (glob "/proc/$pid/fd/*") {
        my ($n) = $path =~ /(\d+)$/;
        my $fd = syscall(SYS_pidfd_getfd, $pidfd, $n + 0, 0);

        next if $fd < 0;
        open my $fh, '+<&=', $fd or next;

        my $type = getsockopt($fh, SOL_SOCKET, SO_TYPE) or next;
        push @found, $fh if unpack('i', $type) == SOCK_DGRAM;
    }

    return @found;
}

sub size { unpack 'i', getsockopt($_[0], SOL_SOCKET, $_[1]) }

my $q = $r->start('sized', 'drop.test');
sleep 0.2;
my @udp = udp_sockets();

SKIP: {
    skip 'descriptors cannot be copied here', 2 if !@udp;

    # Linux doubles what is asked for

    my @size = map { size($_, SO_SNDBUF) . ' ' . size($_, SO_RCVBUF) } @udp;

    ok((grep { /^(20480|40960) / } @size), 'socket_send_buffer_size')
        or diag "@size";
    ok((grep { / (24576|49152)$/ } @size), 'socket_recv_buffer_size')
        or diag "@size";
}

$r->drop($q);

done_testing();
