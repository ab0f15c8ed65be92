package EgressNetns;

# Copyright (C) ngx_egress authors
#
# Runs the test file in a network namespace of its own, where nothing but
# loopback exists: any address may be asked for, no packet can leave.
#
#     use EgressNetns addr => ['10.1.2.3', '169.254.169.254', '2001:db8::5'],
#                     silent => ['192.0.2.0/24'],
#                     unreachable => ['198.51.100.0/24', '2001:db8:1::/48'],
#                     prohibit => ['192.0.9.0/24'];
#
# First of all fixtures: the file is executed again from its beginning.
#
#     addr           more addresses of this machine; daemons listen on them
#     silent         connect() is answered by nothing
#     unreachable    connect() fails with "no route to host"; every other
#                    address fails with "network is unreachable"
#     prohibit       connect() fails with "permission denied"
#
# Where namespaces are not permitted the whole file is skipped, unless it
# already runs in one that has loopback only.

use strict;
use warnings;


sub import {
    my ($class, %opt) = @_;

    my ($pid, $state) = split / /, $ENV{EGRESS_NETNS} || '';

    if (($pid || '') ne $$) {
        enter();
        $state = 'root';
    }

    delete $ENV{EGRESS_NETNS};

    return if $state eq 'ready';

    configure(%opt);
    leave_root(split /,/, $1) if $state =~ /^user=(.*)/;
}


sub enter {
    my $guard = $INC{'EgressGuard.pm'} ? 1 : 0;
    my $user = join ',', $>, $) + 0, $guard;

    again('root', $guard, 'unshare', '-n') if quiet('unshare', '-n', 'true');

    again("user=$user", 0, 'unshare', '-rn')
        if quiet('unshare', '-rn', 'true');

    skip('no permission for a network namespace') if !is_private();
}


# In a user namespace one is root, but nginx cannot become anybody else.

sub leave_root {
    my ($user, $group, $guard) = @_;

    open my $fh, '>', '/proc/sys/net/ipv4/ip_unprivileged_port_start';
    syswrite $fh, 0 if $fh;

    again('ready', $guard, 'unshare', '-U', "--map-user=$user",
          "--map-group=$group");
}


sub again {
    my ($state, $guard, @command) = @_;

    my @perl = ($^X, (map { "-I$_" } grep { !ref } @INC),
                $guard ? '-MEgressGuard' : ());

    $ENV{EGRESS_NETNS} = "$$ $state";
    exec @command, @perl, $0, @ARGV or die "$command[0]: $!\n";
}


sub is_private {
    my @links = qx(ip -o link show 2>/dev/null);

    return @links == 1 && $links[0] =~ /\blo:/;
}


sub configure {
    my (%opt) = @_;

    run('link', 'set', 'lo', 'up');

    for my $addr (@{ $opt{addr} || [] }) {
        run('addr', 'replace', $addr =~ /:/ ? ("$addr/128", 'dev', 'lo', 'nodad')
                               : ("$addr/32", 'dev', 'lo'));
    }

    for my $net (@{ $opt{silent} || [] }) {
        run(family($net), 'route', 'replace', $net, 'dev', 'lo');
    }

    for my $type (qw/unreachable prohibit/) {
        run(family($_), 'route', 'replace', $type, $_)
            for @{ $opt{$type} || [] };
    }
}


sub family { $_[0] =~ /:/ ? '-6' : '-4' }


sub run {
    my (@args) = @_;

    quiet('ip', @args) or skip("ip @args is not possible");
}


sub quiet {
    my (@command) = @_;

    my $pid = fork();
    die "fork: $!\n" if !defined $pid;

    if (!$pid) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec @command or kill KILL => $$;
    }

    waitpid $pid, 0;

    return $? == 0;
}


sub skip {
    print "1..0 # SKIP $_[0]\n";
    exit 0;
}


1;
