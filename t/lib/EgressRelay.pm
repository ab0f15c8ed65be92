package EgressRelay;

# Copyright (C) ngx_egress authors
#
# Joins two EgressSockets until both directions have ended.
#
#     run($x, $y, $timeout)    passes bytes, half-closes and resets; returns
#                              the bytes of ($x to $y, $y to $x).  Ends, too,
#                              when nothing moves for $timeout (60) seconds
#
# It never waits for one direction while the other could move.

use strict;
use warnings;


sub run {
    my ($x, $y, $timeout) = @_;

    my @ways = map { { from => $_->[0], to => $_->[1], out => '', n => 0 } }
               [$x, $y], [$y, $x];

    while (my @open = grep { !$_->{done} } @ways) {
        my $moved = 0;

        $moved += step($_) for @open;

        last if !$moved && !wait_any($timeout || 60, @open);
    }

    return map { $_->{n} } @ways;
}


# 1: something moved, 0: the sockets have to become ready

sub step {
    my ($way) = @_;

    return write_out($way) if length $way->{out};

    my $from = $way->{from};

    if (length $from->{buf}) {
        $way->{out} = $from->take;
        return 1;
    }

    return defined $from->fill(0) ? 1 : 0 if !$from->how_ended;

    $from->how_ended eq 'reset' ? $way->{to}->reset : $way->{to}->shut;

    return $way->{done} = 1;
}


sub write_out {
    my ($way) = @_;

    my $n = syswrite $way->{to}->handle, $way->{out};

    if (defined $n) {
        substr $way->{out}, 0, $n, '';
        $way->{n} += $n;
        return 1;
    }

    return 0 if $way->{to}->again;

    $way->{out} = '';

    return $way->{done} = 1;
}


sub wait_any {
    my ($timeout, @ways) = @_;

    my ($read, $write) = ('', '');

    for my $way (@ways) {
        my ($bits, $s) = length $way->{out} ? (\$write, $way->{to})
                         : (\$read, $way->{from});
        my $fd = fileno $s->handle;

        vec($$bits, $fd, 1) = 1 if defined $fd && $fd >= 0;
    }

    return select($read, $write, undef, $timeout) > 0;
}


1;
