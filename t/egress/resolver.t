#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# What all resolvers share: the cache and its times, one question for all who
# ask the same, deadlines, those who stop waiting.

use strict;
use warnings;

use lib 't/lib';

use EgressDns DNS => {
    zone => {
        'a.test'      => { A => '127.0.0.1', AAAA => '::1', ttl => 100 },
        'four.test'   => { A => '127.0.0.1' },
        'half.test'   => { A => '127.0.0.1', rcode => { AAAA => 'SERVFAIL' } },
        'turn.test'   => { A => [map { ["127.0.0.$_"] } 1 .. 3], ttl => 3 },
        'stale.test'  => { A => '127.0.0.1', ttl => 3 },
        'long.test'   => { A => [['127.0.0.1'], ['127.0.0.2']], ttl => 9999 },
        'zero.test'   => { A => [['127.0.0.1'], ['127.0.0.2']], ttl => 0 },
        'over.test'   => { A => [['127.0.0.1'], ['127.0.0.2']],
                           ttl => 4294967295 },
        'ttls.test'   => { A => [['127.0.0.1'], ['127.0.0.2']], AAAA => '::1',
                           ttl => { A => 100, AAAA => 1 } },
        'alias.test'  => { CNAME => 'kept.test', ttl => 1 },
        'kept.test'   => { A => [['127.0.0.1'], ['127.0.0.2']], ttl => 100 },
        'fail.test'   => { rcode => 'SERVFAIL' },
        'drop.test'   => { drop => 1 },
        'slow.test'   => { A => '127.0.0.1', delay => 200 },
        'away.test'   => { A => '127.0.0.1', delay => 200 },
        '*.many.test' => { A => '127.0.0.1' },
    },
};
use EgressResolve;
use Test::More;
use Time::HiRes qw/sleep time/;

my $r = EgressResolve->new(<<'_EOC_');
    resolver plain c_ares {
        server 127.0.0.1:$TEST_NGINX_DNS_PORT;
        each_timeout 1s;
        each_tries   1;
    }

    resolver short c_ares {
        server 127.0.0.1:$TEST_NGINX_DNS_PORT;
        positive_min_ttl 1s;
        negative_min_ttl 2s;
    }

    resolver capped c_ares {
        server 127.0.0.1:$TEST_NGINX_DNS_PORT;
        positive_min_ttl 1s;
        positive_max_ttl 2s;
        negative_ttl     0;
    }

    resolver few c_ares {
        server 127.0.0.1:$TEST_NGINX_DNS_PORT;
        cache_entries 4;
    }

    resolver hasty c_ares {
        server 127.0.0.1:$TEST_NGINX_DNS_PORT;
        each_timeout 10s;
        protective_query_timeout 500ms;
    }
_EOC_

sub asked { EgressDns::count('DNS', @_) }


# a name and its families

is($r->ask('plain', 'a.test'), '127.0.0.1', 'A');
is($r->ask('plain', 'a.test', 6), '::1', 'AAAA');
is($r->ask('plain', 'A.Test.'), '127.0.0.1', 'case and a last dot');
is($r->ask('plain', 'a.test'), '127.0.0.1', 'and once more');
is(asked('a.test'), 2, 'each family was asked once');

is($r->ask('plain', 'four.test', 6), 'dns_no_address', 'an empty answer');
is($r->ask('plain', 'four.test'), '127.0.0.1', 'is not that of the other one');
is($r->ask('plain', 'half.test', 6), 'dns_error', 'neither is an error');
is($r->ask('plain', 'half.test'), '127.0.0.1', 'the other one has an address');

is($r->ask('short', 'ttls.test', 6), '::1', 'AAAA lives for a second');
is($r->ask('short', 'ttls.test'), '127.0.0.1', 'A for a hundred');
is($r->ask('short', 'alias.test'), '127.0.0.1', 'a CNAME for one');


# what is not an address

is($r->ask('short', 'none.test'), 'dns_nxdomain', 'NXDOMAIN');
is($r->ask('short', 'none.test'), 'dns_nxdomain', 'is cached');
is(asked('none.test'), 1, 'and not asked again');
is($r->ask('short', 'four.test', 6), 'dns_no_address', 'an empty answer');
$r->ask('short', 'four.test', 6);
is(asked('four.test', 'AAAA'), 2, 'is cached as well');

is($r->ask('plain', 'fail.test'), 'dns_error', 'SERVFAIL');
EgressDns::set('DNS', 'fail.test', { A => '127.0.0.4' });
is($r->ask('plain', 'fail.test'), '127.0.0.4', 'is not cached');

EgressDns::set('DNS', 'none.test', { A => '127.0.0.5' });
is($r->ask('short', 'none.test'), 'dns_nxdomain', 'before negative_min_ttl');
sleep 2.1;
is($r->ask('short', 'none.test'), '127.0.0.5', 'after negative_min_ttl');

is($r->ask('short', 'ttls.test'), '127.0.0.1', 'A outlives its AAAA');
is($r->ask('short', 'alias.test'), '127.0.0.2', 'and the CNAME is gone');

is($r->ask('capped', 'gone.test'), 'dns_nxdomain', 'negative_ttl 0');
EgressDns::set('DNS', 'gone.test', { A => '127.0.0.6' });
is($r->ask('capped', 'gone.test'), '127.0.0.6', 'caches no refusal');


# expire and vanish

is($r->ask('short', 'turn.test'), '127.0.0.1', 'a TTL of 3 seconds');
is($r->ask('short', 'stale.test'), '127.0.0.1', 'and another one');
is($r->ask('plain', 'zero.test'), '127.0.0.1', 'a TTL of 0');
is($r->ask('short', 'over.test'), '127.0.0.1', 'a TTL that overflows');
is($r->ask('capped', 'long.test'), '127.0.0.1', 'a long TTL');
EgressDns::set('DNS', 'stale.test', { rcode => 'SERVFAIL' });

sleep 2.2;
is($r->ask('short', 'turn.test'), '127.0.0.1', 'expired: the old answer');
sleep 0.2;
is($r->ask('short', 'turn.test'), '127.0.0.2', 'was refreshed meanwhile');
is(asked('turn.test'), 2, 'by one question');

is($r->ask('short', 'stale.test'), '127.0.0.1', 'a refresh that fails');
my $failed = asked('stale.test');
sleep 0.2;
is($r->ask('short', 'stale.test'), '127.0.0.1', 'leaves the old answer');
is(asked('stale.test'), $failed, 'and is not tried at once');

is($r->ask('short', 'over.test'), '127.0.0.2', 'an overflow counts as 0');
is($r->ask('capped', 'long.test'), '127.0.0.1', 'positive_max_ttl: old');
sleep 0.1;
is($r->ask('capped', 'long.test'), '127.0.0.2', 'positive_max_ttl: new');
is($r->ask('plain', 'zero.test'), '127.0.0.1', 'positive_min_ttl');

sleep 0.8;
is($r->ask('short', 'stale.test'), 'dns_error', 'vanished');
sleep 2.2;
is($r->ask('short', 'turn.test'), '127.0.0.3', 'vanished, asked again');


# many at once

my @q = map { $r->start('plain', 'slow.test') } 1 .. 20;
is(join(' ', map { $r->answer($_) } @q), join(' ', ('127.0.0.1') x 20),
   'twenty clients get the answer');
is(asked('slow.test'), 1, 'of one question');

@q = map { $r->start('plain', 'away.test') } 1 .. 3;
sleep 0.1;
is($r->drop($q[1]), 'client_aborted', 'one of three stops waiting');
is($r->answer($q[$_]), '127.0.0.1', 'the others do not') for 0, 2;

EgressDns::set('DNS', 'away.test', undef);
EgressDns::set('DNS', 'left.test', { A => '127.0.0.1', delay => 200 });
my $q = $r->start('plain', 'left.test');
sleep 0.1;
$r->drop($q);
sleep 0.4;
is($r->ask('plain', 'left.test'), '127.0.0.1', 'nobody waited');
is(asked('left.test'), 1, 'but the answer was kept');


# a bounded cache

$r->ask('few', "$_.many.test") for 1 .. 8;
$r->ask('few', '8.many.test');
is(asked('8.many.test'), 1, 'the last one is kept');
$r->ask('few', '1.many.test');
is(asked('1.many.test'), 2, 'the first one is not');


# a deadline of our own

is($r->ask('hasty', 'drop.test'), 'dns_timeout', 'protective_query_timeout');
ok($r->took > 0.4 && $r->took < 1.5, 'is kept') or diag $r->took;


# ends of a worker

$q = $r->start('plain', 'drop.test');
sleep 0.2;
ok($r->reload, 'a reload while a question is open');
is($r->ask('plain', 'a.test'), '127.0.0.1', 'the new worker resolves');
is(asked('a.test', 'A'), 2, 'with a cache of its own');
is($r->answer($q), 'dns_timeout', 'the old one tells its client');

$q = $r->start('plain', 'drop.test');
sleep 0.2;
$r->drop($q);
my $start = time();
ok($r->nginx->quit, 'a question that nobody waits for');
ok(time() - $start < 3, 'holds no worker up');

done_testing();
