#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Which address a connection ends up at: strategies, families, retries, happy
# eyeballs, and what the client is told when no address works.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw/time/;

use EgressClient;
use EgressNginx;
use EgressPort qw/PROXY/;
use EgressTcp LIVE => { mode => 'peer', addr => ['127.0.0.3', '127.0.0.5'] },
              SIX => { mode => 'peer', addr => '::1', port => 'LIVE' },
              PARK => { mode => 'no_accept', port => 'LIVE',
                        addr => ['127.0.0.4', '127.0.0.6'] };

# 127.0.0.2 refuses, .4 and .6 never answer, .3, .5 and ::1 are alive; the
# filter denies 127.0.0.7

use EgressDns DNS => {
    zone => {
        'live.test'    => { A => '127.0.0.3' },
        'six.test'     => { AAAA => '::1' },
        'both.test'    => { A => '127.0.0.3', AAAA => '::1' },
        'dead4.test'   => { A => '127.0.0.2', AAAA => '::1' },
        'park4.test'   => { A => '127.0.0.4', AAAA => '::1' },
        'second.test'  => { A => ['127.0.0.2', '127.0.0.3'] },
        'third.test'   => { A => ['127.0.0.2', '127.0.0.2', '127.0.0.3'] },
        'parked.test'  => { A => ['127.0.0.4', '127.0.0.3'] },
        'park.test'    => { A => '127.0.0.4' },
        'parks.test'   => { A => ['127.0.0.4', '127.0.0.6'] },
        'choice.test'  => { A => ['127.0.0.3', '127.0.0.5'] },
        'denied.test'  => { A => '127.0.0.7' },
        'mixed.test'   => { A => ['127.0.0.7', '127.0.0.3'] },
        'bad.test'     => { A => ['127.0.0.7', '127.0.0.2'] },
        'late6.test'   => { A => '127.0.0.3', AAAA => '::1',
                            delay => { AAAA => 1900 } },
        'never6.test'  => { A => '127.0.0.2', AAAA => '::1',
                            drop => { AAAA => 1 } },
        'broken6.test' => { A => '127.0.0.3', AAAA => '::1',
                            rcode => { AAAA => 'SERVFAIL' } },
        'broken.test'  => { rcode => 'SERVFAIL' },
        'empty.test'   => { TXT => 'nothing' },
    },
};

my $port = $ENV{TEST_NGINX_LIVE_PORT};
my $allow = 'egress_network_filter { allow 127.0.0.0/8; allow ::1; '
            . 'deny 127.0.0.7; } resolver dns;';

my $ngx = EgressNginx->new(master => 0, conf => <<"_EOC_");
egress {
    resolver dns c_ares {
        server 127.0.0.1:\$TEST_NGINX_DNS_PORT;
        each_timeout 2s; each_tries 1;
    }

    escaper plain direct_fixed { $allow resolve_strategy ipv4_first first; }
    escaper random direct_fixed { $allow }
    escaper six direct_fixed { $allow resolve_strategy ipv6_first; }
    escaper only4 direct_fixed { $allow resolve_strategy ipv4_only; }
    escaper only6 direct_fixed { $allow resolve_strategy ipv6_only; }
    escaper no4 direct_fixed { $allow no_ipv4 on; }
    escaper no6 direct_fixed { $allow no_ipv6 on; }
    escaper once direct_fixed {
        $allow resolve_strategy ipv4_only first;
        tcp_connect max_retry=0 each_timeout=300ms;
    }
    escaper patient direct_fixed {
        $allow resolve_strategy ipv6_first;
        happy_eyeballs resolution_delay=5s;
    }
    escaper hasty direct_fixed {
        $allow resolve_strategy ipv4_first first;
        happy_eyeballs second_resolution_timeout=200ms
                       connection_attempt_delay=100ms;
        tcp_connect each_timeout=600ms;
    }
    escaper twice direct_fixed {
        $allow resolve_strategy ipv4_first first;
        happy_eyeballs first_address_family_count=2;
    }
    escaper bound direct_fixed { $allow bind_ip 127.0.0.9; }
    escaper bound6 direct_fixed { $allow bind_ip ::1; }
    escaper away direct_fixed { $allow bind_ip 192.0.2.1; }
    escaper elsewhere direct_fixed {
        $allow
        resolve_redirection {
            exact one.invalid to 127.0.0.3;
            exact two.invalid to live.test;
            exact many.invalid to 127.0.0.3 127.0.0.5;
            exact half.invalid to 127.0.0.2 127.0.0.3;
            exact six.invalid to 127.0.0.2 ::1;
            parent sub.invalid to test;
            exact bad.invalid to 127.0.0.7;
        }
    }
    escaper only4led direct_fixed {
        $allow resolve_strategy ipv4_only;
        resolve_redirection { exact six.invalid to ::1; }
    }
    escaper nameless direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
        resolve_redirection { exact one.invalid to 127.0.0.3; }
    }
}
http {
    log_format t '\$egress_reason \$egress_addr \$egress_bind';
    access_log logs/access.log t;

    server {
        listen 127.0.0.1:\$TEST_NGINX_PROXY_PORT;
        egress_http_proxy \$http_x_way;
    }
}
_EOC_

my ($lines, $took) = (0, 0);


# One CONNECT: "status who-connected" of a tunnel, "status reason" else.

sub way {
    my ($escaper, $host) = @_;

    my $start = time;
    my $c = EgressClient->new($ENV{TEST_NGINX_PROXY_PORT});
    my $r = $c->tunnel("$host:$port", 'X-Way' => $escaper);
    $took = time - $start;

    my $peer = '';

    if ($r->{status} == 200) {
        $peer = ($c->read_until(qr/\n/) // '') =~ /peer (.*):\d+\n/ ? $1 : '?';
    }

    $c->close;

    my ($reason, $addr) = split / /, ($ngx->wait_access(++$lines))[-1];

    return "$r->{status} $reason" if $r->{status} != 200;

    return "$peer at " . ($addr =~ s/:\d+$//r);
}


# Strategies and families

is(way('plain', 'live.test'), '127.0.0.1 at 127.0.0.3', 'a name is resolved');
is(way('plain', 'both.test'), '127.0.0.1 at 127.0.0.3',
   'ipv4_first goes to the IPv4 address');
is(way('six', 'both.test'), '[::1] at [::1]',
   'ipv6_first goes to the IPv6 address');
is(way('six', 'live.test'), '127.0.0.1 at 127.0.0.3',
   'ipv6_first takes IPv4 when there is nothing else');
is(way('only4', 'six.test'), '502 dns_no_address',
   'ipv4_only has nothing for a name with an IPv6 address');
is(way('only6', 'both.test'), '[::1] at [::1]', 'ipv6_only takes IPv6');
is(way('only4', '[::1]'), '[::1] at [::1]', 'a strategy is not about literals');
is(way('no6', '[::1]'), '502 dns_no_address', 'no_ipv6 is about literals');
is(way('no4', '127.0.0.3'), '502 dns_no_address', 'and so is no_ipv4');
is(way('no6', 'both.test'), '127.0.0.1 at 127.0.0.3',
   'no_ipv6 leaves IPv4 of a name');
is(way('no4', 'both.test'), '[::1] at [::1]', 'no_ipv4 leaves IPv6 of a name');

my %seen = map { way('random', 'choice.test') => 1 } 1 .. 24;
is_deeply([sort keys %seen], ['127.0.0.1 at 127.0.0.3',
          '127.0.0.1 at 127.0.0.5'], 'random uses all addresses of a name');

# Retries

is(way('plain', 'second.test'), '127.0.0.1 at 127.0.0.3',
   'the next address is tried when one refuses');
is(way('plain', 'third.test'), '127.0.0.1 at 127.0.0.3',
   'by default three are tried');
is(way('once', 'second.test'), '502 connection_refused',
   'max_retry=0 tries one address');
is(way('plain', 'dead4.test'), '[::1] at [::1]',
   'the other family is tried when the preferred one refuses');
is(way('once', '127.0.0.4'), '504 connection_timeout',
   'each_timeout ends an attempt');
cmp_ok($took, '>', 0.28, 'not before its time');
cmp_ok($took, '<', 2, 'and soon after it');

# Happy eyeballs

is(way('plain', 'parked.test'), '127.0.0.1 at 127.0.0.3',
   'an address that does not answer is overtaken by the next one');
cmp_ok($took, '>', 0.2, 'after the delay');
cmp_ok($took, '<', 2, 'long before its timeout');

is(way('plain', 'park4.test'), '[::1] at [::1]',
   'a family that does not answer is overtaken by the other one');

is(way('hasty', 'parks.test'), '504 connection_timeout',
   'two attempts that go on at once end in one timeout');
cmp_ok($took, '<', 2, 'not one after the other');

is(way('plain', 'late6.test'), '127.0.0.1 at 127.0.0.3',
   'a late answer for the other family is not awaited');
cmp_ok($took, '<', 1.5, 'not at all');

EgressDns::set('DNS', 'late6b.test', { A => '127.0.0.3', AAAA => '::1',
               delay => { AAAA => 1900 } });
is(way('six', 'late6b.test'), '127.0.0.1 at 127.0.0.3',
   'resolution_delay ends the wait for the preferred family');
cmp_ok($took, '>', 0.04, 'which is waited for');
cmp_ok($took, '<', 1.5, 'but not longer');

EgressDns::set('DNS', 'late6c.test', { A => '127.0.0.3', AAAA => '::1',
               delay => { AAAA => 400 } });
is(way('patient', 'late6c.test'), '[::1] at [::1]',
   'with a long resolution_delay the preferred family is used');

is(way('hasty', 'never6.test'), '502 connection_refused',
   'second_resolution_timeout ends the wait for the last answer');
cmp_ok($took, '>', 0.15, 'not before its time');
cmp_ok($took, '<', 1.5, 'before the resolver gives up');

is(way('six', 'broken6.test'), '127.0.0.1 at 127.0.0.3',
   'an error of one family does not matter when the other one has addresses');

# Names that lead nowhere

is(way('plain', 'nothing.test'), '502 dns_nxdomain', 'NXDOMAIN is told');
is(way('plain', 'empty.test'), '502 dns_no_address',
   'a name without addresses is told');
is(way('plain', 'broken.test'), '502 dns_error', 'SERVFAIL is told');
is(way('nameless', 'live.test'), '403 dns_denied',
   'without a resolver names are refused');
is(way('nameless', '127.0.0.3'), '127.0.0.1 at 127.0.0.3',
   'and literals are connected to');

# Names that are led elsewhere

is(way('elsewhere', 'one.invalid'), '127.0.0.1 at 127.0.0.3',
   'a name is redirected to an address');
is(way('elsewhere', 'two.invalid'), '127.0.0.1 at 127.0.0.3',
   'a name is redirected to another one');
is(way('elsewhere', 'live.sub.invalid'), '127.0.0.1 at 127.0.0.3',
   'a domain is redirected to another one');
like(way('elsewhere', 'many.invalid'), qr/at 127\.0\.0\.[35]$/,
     'a name is redirected to one of several addresses');
is_deeply([map { way('elsewhere', 'half.invalid') } 1 .. 8],
          [('127.0.0.1 at 127.0.0.3') x 8],
          'when one of them refuses, another one is tried');
is(way('elsewhere', 'six.invalid'), '[::1] at [::1]',
   'also one of the other family');
is(way('only4led', 'six.invalid'), '502 dns_no_address',
   'a strategy is about such addresses, too');
is(way('nameless', 'one.invalid'), '127.0.0.1 at 127.0.0.3',
   'they need no resolver');
is(way('elsewhere', 'bad.invalid'), '403 destination_denied',
   'the filter judges where it leads to');

# The filter judges every address

is(way('plain', 'denied.test'), '403 destination_denied',
   'a name whose only address is denied is refused');
is(way('plain', 'mixed.test'), '127.0.0.1 at 127.0.0.3',
   'a denied address is skipped');
is(way('plain', 'bad.test'), '502 connection_refused',
   'an address that was tried says more than one that was denied');
is(way('plain', "127.0.0.1:$ENV{TEST_NGINX_PROXY_PORT}" =~ s/:.*//r),
   '502 connection_refused', 'another port of an own address is no loop');

# The local address

is(way('bound', 'live.test'), '127.0.0.9 at 127.0.0.3',
   'bind_ip is where connections come from');
is(way('bound', 'both.test'), '127.0.0.9 at 127.0.0.3',
   'of two families the one of bind_ip is used');
is(way('bound6', 'both.test'), '[::1] at [::1]', 'also for IPv6');
is(way('bound', '[::1]'), '502 dns_no_address',
   'a literal of the other family cannot be reached from bind_ip');
is(way('away', 'live.test'), '502 bind_failed',
   'an address that is not of this machine is told');

done_testing();
