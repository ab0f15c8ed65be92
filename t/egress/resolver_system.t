#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# A resolver without servers: /etc/resolv.conf and /etc/hosts, which are files
# of this test, seen by it alone; the servers listen on port 53 of a network
# of its own.

use strict;
use warnings;

use lib 't/lib';

BEGIN {
    if (($ENV{EGRESS_MOUNTS} || '') ne $$) {
        if (system('unshare -m true 2>/dev/null') != 0) {
            print "1..0 # SKIP no permission for a mount namespace\n";
            exit 0;
        }

        $ENV{EGRESS_MOUNTS} = $$;
        exec 'unshare', '-m', $^X, (map { "-I$_" } grep { !ref } @INC), $0
            or die "unshare: $!\n";
    }
}

use EgressNetns;
use EgressDns DNS => {
    addr => '127.0.0.53',
    port => 53,
    zone => {
        'a.test'          => { A => '127.0.0.1' },
        'file.test'       => { A => '127.0.0.2' },
        'short'           => { A => '127.0.0.8' },
        'word.found.test' => { A => '127.0.0.3' },
        'x.y.found.test'  => { A => '127.0.0.3' },
    },
}, OTHER => {
    addr => '127.0.0.54',
    port => 53,
    zone => { 'a.test' => { A => '127.0.0.4' } },
};
use EgressResolve;
use File::Temp;
use Test::More;

my $dir = File::Temp->newdir;


sub replace {
    my ($file, $text) = @_;

    open my $fh, '>', "$dir/$file" or die "$file: $!\n";
    print $fh $text;
    close $fh;
}


for my $file (qw/resolv.conf hosts/) {
    replace($file, '');

    if (system("mount --bind $dir/$file /etc/$file 2>/dev/null") != 0) {
        plan(skip_all => "/etc/$file cannot be mounted over");
    }
}

replace('resolv.conf', "nameserver 127.0.0.53\nsearch found.test\n");
replace('hosts', "127.0.0.5 file.test other.test\n::1 file.test\n");

my $r = EgressResolve->new(<<'_EOC_');
    resolver system c_ares { }

    resolver servers c_ares { server 127.0.0.53; }

    resolver files c_ares { server 127.0.0.53; hosts on; }

    resolver nofiles c_ares { hosts off; }
_EOC_

is($r->ask('system', 'a.test'), '127.0.0.1', 'the server of resolv.conf');
is($r->ask('system', 'file.test'), '127.0.0.5', 'the hosts file goes first');
is($r->ask('system', 'file.test', 6), '::1', 'for both families');
is($r->ask('system', 'other.test'), '127.0.0.5', 'a second name of a line');
is(EgressDns::count('DNS', 'file.test'), 0, 'no server is asked');

is($r->ask('servers', 'a.test'), '127.0.0.1', 'port 53 is the default');
is($r->ask('servers', 'file.test'), '127.0.0.2', 'a server: no hosts file');
is($r->ask('files', 'file.test'), '127.0.0.5', 'unless hosts is on');
is($r->ask('nofiles', 'file.test'), '127.0.0.2', 'hosts off');

is($r->ask('system', 'word'), 'dns_nxdomain', 'the search list is not used');
is($r->ask('system', 'x.y'), 'dns_nxdomain', 'nor for names with dots');
is($r->ask('system', 'short'), '127.0.0.8', 'a name without a dot is asked');

replace('resolv.conf', "nameserver 127.0.0.54\n");
is($r->ask('system', 'a.test'), '127.0.0.1', 'a new resolv.conf');
ok($r->reload, 'a reload');
is($r->ask('system', 'a.test'), '127.0.0.4', 'makes it known');

done_testing();
