# Copyright (C) ngx_egress authors

# Pipes of the worker: bulk flows of plain TCP take one, and give it back; they
# are bounded; bytes of one tunnel never come out of another.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Digest::MD5 qw/md5_hex/;
use Test::More;
use Time::HiRes qw/sleep/;

use EgressTunnel;

plan skip_all => 'splice(2) is of Linux' if $^O ne 'linux';

my $n = 4000000;
my $ngx;


sub bulk {
    my ($kind) = @_;

    my $s = EgressTunnel::open($kind, "bulk $n");
    is(md5_hex($s->read_all // ''), EgressTcp::pattern_md5($n),
       "$kind: $n bytes arrive");
    $s->close;
    like(EgressTunnel::logged($ngx), qr/^- $n /, "$kind: and are counted");
}


# A tunnel whose client does not read, with bytes in nginx: much more is sent
# than the sockets take.

sub stuck {
    my ($kind) = @_;

    my $s = EgressTunnel::open($kind, 'bulk 100000000');
    sleep 0.5;

    return $s;
}


EgressTunnel::each_mode(sub {
    my ($mode) = @_;
    (undef, $ngx) = @_;

    my $some = $mode eq 'splice';

    is(EgressTunnel::pipes($ngx), 0, 'no pipe in the beginning');

    my $s = EgressTunnel::open('connect', 'echo');
    for (1 .. 50) {
        $s->write('x' x 16384);
        $s->read_n(16384);
    }
    $s->close;
    EgressTunnel::logged($ngx);
    is(EgressTunnel::pipes($ngx), 0, 'small messages take none');

    bulk($_) for qw/connect_tls stream_tls/;
    is(EgressTunnel::pipes($ngx), 0, 'neither does TLS on either side');

    bulk($_) for qw/connect connect_unix stream/;
    is(EgressTunnel::pipes($ngx), $some ? 1 : 0,
       $some ? 'bulk takes a pipe, again and again the same'
             : 'never with relay_pipes 0');

    # flows that are stuck keep theirs; they are not given to others

    my @stuck = map { stuck('connect') } 1 .. 3;
    my $during = EgressTunnel::pipes($ngx);

    is($during, $some ? 3 : 0, 'flows that are stuck keep theirs') or
        diag "$during pipes";

    bulk('stream');

    # a pipe with bytes inside must not be used again

    $_->reset for @stuck;
    EgressTunnel::logged($ngx) for @stuck;
    cmp_ok(EgressTunnel::pipes($ngx), '<=', 1,
           'what they had inside goes with them');

    bulk($_) for qw/connect connect_unix stream/;
});


# The budget.

$ngx = EgressNginx->new(master => 0, conf => EgressTunnel::conf('splice',
    egress => 'relay_pipes 2;'));

{
    local $EgressTunnel::mode = 'splice';

    my @s = map { EgressTunnel::open('stream', "bulk $n") } 1 .. 4;
    sleep 0.5;
    cmp_ok(EgressTunnel::pipes($ngx), '<=', 2, 'never more pipes than allowed');

    for my $s (@s) {
        is(md5_hex($s->read_all // ''), EgressTcp::pattern_md5($n),
           'with and without a pipe all bytes arrive');
        $s->close;
    }
}

$ngx->stop;


# No descriptor left for a pipe: copy.

my $limit = limit_for(2 * 3 + 1);

$ngx = EgressNginx->new(workers => 1, conf => "worker_rlimit_nofile $limit;\n"
    . EgressTunnel::conf('splice', egress => 'relay_pipes 100;'));

{
    local $EgressTunnel::mode = 'splice';

    my @s = map { EgressTunnel::connect_to('stream') } 1 .. 3;
    sleep 0.3;
    $_->write("bulk $n\n") for @s;

    for my $s (@s) {
        is(md5_hex($s->read_all // ''), EgressTcp::pattern_md5($n),
           'without a descriptor for a pipe all bytes arrive');
    }

    is(EgressTunnel::pipes($ngx), 0, 'there was none indeed');
    $_->close for @s;
}

$ngx->stop;


# The limit that leaves a worker room for $n descriptors.

sub limit_for {
    my ($room) = @_;

    my $free = EgressNginx->new(workers => 1, conf =>
        EgressTunnel::conf('splice'));
    my ($worker) = $free->workers;
    my %used = map { m{(\d+)$} ? ($1 => 1) : () } glob "/proc/$worker/fd/*";
    my $below = 0;

    $free->stop;

    while ($room) {
        $room-- if !$used{$below};
        $below++;
    }

    return $below;
}

done_testing();
