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

my $n = 8000000;
my $data = EgressTcp::pattern(0, $n);
my $md5 = md5_hex($data);
my $ngx;


# What nginx reads is large for sure when it could not read for a while.
# Returns how much was taken from the client.

sub pour {
    my ($s, $worker) = @_;

    my $off = 0;

    kill 'STOP', $worker;

    while (1) {
        my $sent = syswrite $s->handle, $data, $n - $off, $off;
        last if !$sent;
        $off += $sent;
    }

    kill 'CONT', $worker;

    return $off;
}


sub worker { ($ngx->workers, $ngx->pid)[0] }


sub upload {
    my ($kind) = @_;

    my $s = EgressTunnel::open($kind, 'sink');
    sleep 0.1;
    $s->write(substr $data, pour($s, worker()));
    $s->shut;
    like($s->read_all, qr/^bytes=$n md5=$md5$/, "$kind: $n bytes arrive");
    $s->close;
}


sub bulk {
    my ($kind) = @_;

    upload($kind);
    like(EgressTunnel::logged($ngx), qr/ @{[$n + 5]}$/,
         "$kind: and are counted");
}


# A tunnel whose target does not read, with bytes in nginx: more are sent than
# the sockets take.

sub stuck {
    my ($kind) = @_;

    my $s = EgressTunnel::open($kind, 'hang');
    sleep 0.1;
    pour($s, worker());

    for (1 .. 500) {
        defined syswrite $s->handle, $data and next;
        $s->wait_for('write', 0.3) or last;
    }

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

    my @s = map { stuck('stream') } 1 .. 3;
    is(EgressTunnel::pipes($ngx), 2, 'never more pipes than allowed');

    upload('stream');
    $_->reset for @s;
}

$ngx->stop;


# No descriptor left for a pipe: copy.

my $limit = limit_for(2 * 3 + 1);

$ngx = EgressNginx->new(workers => 1, conf => "worker_rlimit_nofile $limit;\n"
    . EgressTunnel::conf('splice', egress => 'relay_pipes 100;'));

{
    local $EgressTunnel::mode = 'splice';

    my @s = map { EgressTunnel::open('stream', 'sink') } 1 .. 3;
    sleep 0.3;

    for my $s (@s) {
        $s->write(substr $data, pour($s, worker()));
        $s->shut;
        like($s->read_all, qr/^bytes=$n md5=$md5$/,
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
