#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Resolvers of type fail_over: who is asked when, and whose answer counts.

use strict;
use warnings;

use lib 't/lib';

use EgressDns FIRST => {
    zone => {
        'both.test'  => { A => '127.0.0.1' },
        'fail.test'  => { rcode => 'SERVFAIL' },
        'late.test'  => { A => '127.0.0.1', delay => 700 },
        'later.test' => { A => '127.0.0.1', delay => 700 },
        'near.test'  => { A => '127.0.0.1', delay => 250 },
        'kept.test'  => { A => '127.0.0.1', ttl => 3 },
        'empty.test' => { },
        'dead.test'  => { rcode => 'SERVFAIL' },
        'tardy.test' => { rcode => 'SERVFAIL', delay => 250 },
        'drop.test'  => { drop => 1 },
        'worse.test' => { },
        'away.test'  => { A => '127.0.0.1', delay => 200 },
    },
}, SECOND => {
    zone => {
        'both.test'  => { A => '127.0.0.2' },
        'fail.test'  => { A => '127.0.0.2' },
        'late.test'  => { A => '127.0.0.2' },
        'near.test'  => { A => '127.0.0.2' },
        'empty.test' => { A => '127.0.0.2' },
        'none.test'  => { A => '127.0.0.2' },
        'dead.test'  => { },
        'tardy.test' => { A => '127.0.0.2' },
        'drop.test'  => { rcode => 'REFUSED' },
        'worse.test' => { rcode => 'SERVFAIL' },
        'away.test'  => { A => '127.0.0.2', delay => 200 },
    },
};
use EgressPort qw/DEAD/;
use EgressResolve;
use Test::More;
use Time::HiRes qw/sleep/;

my $r = EgressResolve->new(<<'_EOC_');
    resolver plain fail_over { primary first; standby second; }

    resolver patient fail_over {
        primary        first;
        standby        second;
        fallback_delay 1s;
        negative_ttl   1s;
    }

    resolver thorough fail_over {
        primary            first;
        standby            second;
        retry_empty_record on;
        protective_query_timeout 5s;
    }

    resolver chain fail_over { primary gone; standby plain; }
    resolver same fail_over { primary second; standby second; }
    resolver closed fail_over { primary nobody; standby nobody; }
    resolver hasty fail_over {
        primary first;
        standby nobody;
        fallback_delay 5s;
        protective_query_timeout 300ms;
    }

    resolver nobody deny_all { }

    resolver first c_ares {
        server 127.0.0.1:$TEST_NGINX_FIRST_PORT;
        each_timeout 1s;
        each_tries   1;
        positive_min_ttl 1s;
        negative_min_ttl 1s;
    }

    resolver second c_ares {
        server 127.0.0.1:$TEST_NGINX_SECOND_PORT;
        each_timeout 1s;
        each_tries   1;
    }

    resolver gone c_ares {
        server 127.0.0.1:$TEST_NGINX_DEAD_PORT;
        each_tries   1;
    }
_EOC_


# who answers

is($r->ask('plain', 'both.test'), '127.0.0.1', 'the primary');
is(EgressDns::count('SECOND', 'both.test'), 0, 'the standby is not asked');
is($r->ask('patient', 'fail.test'), '127.0.0.2', 'SERVFAIL: the standby');
ok($r->took < 0.9, 'at once') or diag $r->took;
is($r->ask('plain', 'none.test'), '127.0.0.2', 'NXDOMAIN: the standby');
is($r->ask('plain', 'late.test'), '127.0.0.2', 'too late: the standby');
ok($r->took > 0.09, 'after fallback_delay') or diag $r->took;
is($r->ask('patient', 'near.test'), '127.0.0.1', 'before fallback_delay');
is(EgressDns::count('SECOND', 'near.test'), 0, 'the standby is not asked');
is($r->ask('plain', 'tardy.test'), '127.0.0.2',
   'a failure after fallback_delay');
is($r->ask('chain', 'both.test'), '127.0.0.1', 'one behind another');
is($r->ask('same', 'both.test'), '127.0.0.2', 'twice the same');


# what is an answer

is($r->ask('plain', 'empty.test'), 'dns_no_address', 'an empty answer is one');
is($r->ask('thorough', 'empty.test'), '127.0.0.2', 'or not');
is($r->ask('thorough', 'worse.test'), 'dns_no_address',
   'but better than a later error');
is($r->ask('plain', 'dead.test'), 'dns_no_address', 'the last answer');
is($r->ask('plain', 'drop.test'), 'dns_timeout', 'the last error');
is($r->ask('plain', 'nowhere.test'), 'dns_nxdomain', 'unknown to both');
is($r->ask('closed', 'both.test'), 'dns_denied', 'both refuse');
is($r->ask('hasty', 'later.test'), 'dns_timeout', 'protective_query_timeout');


# times

is($r->ask('patient', 'new.test'), 'dns_nxdomain', 'negative_ttl');
EgressDns::set('SECOND', 'new.test', { A => '127.0.0.3' });
is($r->ask('patient', 'new.test'), 'dns_nxdomain', 'has not passed');

# the caches behind keep what they know as well

EgressDns::set('FIRST', 'new.test', { A => '127.0.0.4' });
sleep 1.2;
is($r->ask('patient', 'new.test'), '127.0.0.4', 'has passed');

is($r->ask('plain', 'kept.test'), '127.0.0.1', 'an answer of 3 seconds');
EgressDns::set('FIRST', 'kept.test', { A => '127.0.0.5' });
is($r->ask('plain', 'kept.test'), '127.0.0.1', 'is kept');
sleep 4;
is($r->ask('plain', 'kept.test'), '127.0.0.5', 'as long as the primary says');


# those who do not wait

my @q = map { $r->start('plain', 'away.test') } 1, 2;
sleep 0.15;
is($r->drop($q[0]), 'client_aborted', 'a client goes while both are asked');
like($r->answer($q[1]), qr/^127\.0\.0\.[12]$/, 'the other one is told');

my $q = $r->start('plain', 'drop.test');
sleep 0.2;
ok($r->reload, 'a reload while both are asked');
is($r->answer($q), 'dns_timeout', 'the old worker tells its client');

$r->start('patient', 'drop.test');
sleep 0.2;
$r->nginx->stop;
unlike($r->nginx->error_log, qr/\[alert\]/, 'a fast end in the middle');

done_testing();
