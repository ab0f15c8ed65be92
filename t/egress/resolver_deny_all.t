#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Resolvers of type deny_all: names are refused, addresses are not names.

use strict;
use warnings;

use lib 't/lib';

use EgressResolve;
use Test::More;

my $r = EgressResolve->new(<<'_EOC_', master => 0);
    resolver nobody deny_all { }
_EOC_

is($r->ask('nobody', 'a.test'), 'dns_denied', 'a name is refused');
is($r->ask('nobody', 'a.test'), 'dns_denied', 'and once more');
is($r->ask('nobody', 'a.test', 6), 'dns_denied', 'for both families');
is($r->ask('nobody', 'localhost'), 'dns_denied', 'localhost is a name');
is($r->ask('nobody', '127.0.0.1'), '127.0.0.1', 'an address is none');
is($r->ask('nobody', '[::1]', 6), '::1', 'an IPv6 address is none either');

done_testing();
