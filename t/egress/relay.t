# Copyright (C) ngx_egress authors

# Bytes through tunnels of every kind: unchanged, counted, in order, whoever is
# slow.  How tunnels end by a reset, the idle timeout, a worker that quits.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw/sleep time/;

use EgressTunnel;

my $n = 3000000;
my $md5 = EgressTcp::pattern_md5($n);
my $mode;
my $ngx;


sub small_messages {
    my ($kind) = @_;

    my $s = EgressTunnel::open($kind, 'echo');
    my $total = 0;
    my $same = 1;

    for my $i (1 .. 200) {
        my $message = EgressTcp::pattern($i, $i % 4 ? 1 : 17 * $i);
        $s->write($message);
        $same &&= ($s->read_n(length $message) // '') eq $message;
        $total += length $message;
    }

    ok($same, "$kind: small messages come back");

    $s->shut;
    ok($s->ended, "$kind: and then the end");
    $s->close;

    is(EgressTunnel::logged($ngx), join(' ', '-', $total, $total + 5),
       "$kind: every byte is counted once");
    EgressTunnel::peer($kind, qr/echo in=$total /);
}


sub both_ways {
    my ($kind) = @_;

    my $s = EgressTunnel::open($kind, "both $n");
    my ($got, $sum) = EgressTunnel::exchange($s, $n);

    is($got, $n, "$kind: both ways at once, down");
    is($sum, $md5, "$kind: unchanged");
    $s->close;

    ok(EgressTunnel::peer($kind, qr/both in=$n md5=$md5 /),
       "$kind: and up, unchanged");
    is(EgressTunnel::logged($ngx),
       join(' ', '-', $n, $n + length "both $n\n"), "$kind: counted");
}


sub slow_readers {
    my ($kind) = @_;

    my $s = EgressTunnel::open($kind, "bulk $n");
    $s->{chunk} = 40000;

    my $data = '';
    while (defined(my $some = $s->read_some)) {
        $data .= $some;
        sleep 0.002;
    }

    is(length $data, $n, "$kind: a client that reads slowly");
    ok($data eq EgressTcp::pattern(0, $n), "$kind: gets it all");
    $s->close;
    EgressTunnel::logged($ngx);
    EgressTunnel::peer($kind, qr/bulk in=0/);

    $s = EgressTunnel::open($kind, 'lazy 50000 2');
    $s->write(EgressTcp::pattern(0, $n));
    $s->shut;

    ok(EgressTunnel::peer($kind, qr/lazy in=$n md5=$md5 /),
       "$kind: and so does a target");
    $s->close;
    EgressTunnel::logged($ngx);
}


sub resets {
    my ($kind) = @_;

    my $s = EgressTunnel::open($kind, 'echo');
    $s->write('x');
    $s->read_n(1);
    $s->reset;

    like(EgressTunnel::logged($ngx), qr/^client_aborted /,
         "$kind: a reset of the client");
    EgressTunnel::peer($kind, qr/echo in=1/);

    $s = EgressTunnel::open($kind, 'reset_after 1000');
    is(length $s->read_n(1000), 1000, "$kind: what comes before a reset");
    $s->write('x');
    like(EgressTunnel::logged($ngx), qr/^upstream_aborted 1000 /,
         "$kind: a reset of the target");
    isnt($s->fill(time + 5), undef, "$kind: ends the client's side");
    isnt($s->how_ended, 'close_notify', "$kind: and not like a regular end");
    $s->close;
}


# Nobody reads here, so nobody would see the reset.

sub reset_while_blocked {
    my $s = EgressTunnel::open('connect', 'hang');
    my $data = 'x' x 65536;

    for (1 .. 400) {
        defined syswrite $s->handle, $data and next;
        $s->wait_for('write', 0.3) or last;
    }

    $s->reset;
    like(EgressTunnel::logged($ngx), qr/^client_aborted /,
         'a reset of a client whose target does not read');
}


# As an HTTP server does that refuses a body without reading it.

sub answer_before_reset {
    my $s = EgressTunnel::open('connect', 'say enough\n');

    $s->wait_for('read', 5);
    is($s->read_n(7), "enough\n", 'an answer is there');
    $s->close;
    EgressTunnel::logged($ngx);

    my $c = EgressTunnel::open('connect', 'reset_after 60000');

    ok($c->flood, 'the end comes to a client that goes on sending');
    is(length $c->take, 60000, 'it is read although more cannot be sent');
    $c->close;
    like(EgressTunnel::logged($ngx), qr/^upstream_aborted 60000 /,
         'and the end is what it is');
}


EgressTunnel::each_mode(sub {
    ($mode, $ngx) = @_;

    for my $kind (EgressTunnel::kinds()) {
        small_messages($kind);
        both_ways($kind);
        slow_readers($kind);
    }

    resets($_) for qw/connect connect_tls stream stream_tls/;
    answer_before_reset();
    reset_while_blocked();
});


EgressTunnel::each_mode(sub {
    ($mode, $ngx) = @_;

    for my $kind (qw/connect connect_tls stream/) {
        my $s = EgressTunnel::open($kind, 'echo');
        my $start;

        for (1 .. 3) {
            sleep 0.3;
            $start = time;
            $s->write('x');
            is($s->read_n(1), 'x', "$kind: not idle yet");
        }

        ok($s->ended, "$kind: an idle tunnel is ended");
        my $took = time - $start;
        ok($took > 0.4 && $took < 5, "$kind: in time, $took");
        $s->close;
        like(EgressTunnel::logged($ngx), qr/^idle_timeout /, "$kind: logged");
    }

    # a target that takes nothing is idle, too

    my $s = EgressTunnel::open('connect', 'hang');
    my $data = 'x' x 65536;

    for (1 .. 400) {
        defined syswrite $s->handle, $data and next;
        last;
    }

    like(EgressTunnel::logged($ngx), qr/^idle_timeout /,
         'a tunnel that is stuck is ended');
    $s->close;

}, server => 'egress_idle_timeout 500ms;');


# A worker that quits waits for its tunnels, but not for ever.

$ngx = EgressNginx->new(workers => 1, conf => EgressTunnel::conf('splice'));

my @s = map { EgressTunnel::open($_, 'echo') } qw/connect connect_tls stream/;
$_->write('1') && $_->read_n(1) for @s;

$ngx->signal('QUIT');
sleep 0.5;

for my $s (@s) {
    $s->write('2');
    is($s->read_n(1), '2', 'a tunnel in a worker that quits');
}

$_->close for @s;

ok($ngx->wait_until(sub { !$ngx->masters }, 10), 'which then is gone');

$ngx = EgressNginx->new(workers => 1, conf => "worker_shutdown_timeout 1s;\n"
                                              . EgressTunnel::conf('splice'));

@s = map { EgressTunnel::open($_, 'echo') } qw/connect connect_tls stream/;
$_->write('1') && $_->read_n(1) for @s;

my $start = time;
$ngx->signal('QUIT');

for my $s (@s) {
    isnt($s->fill(time + 5), undef, 'worker_shutdown_timeout ends a tunnel');
}

my $took = time - $start;
ok($took > 0.8 && $took < 3, "not before, $took");
ok($ngx->wait_until(sub { !$ngx->masters }, 10), 'and the worker');
$_->close for @s;


# Directives.

for my $t (
    ['relay_pipes x;', qr/invalid number/],
    ['relay_pipes 1; relay_pipes 2;', qr/"relay_pipes" directive is duplicate/],
    ['relay_buffer_size x;', qr/"relay_buffer_size" directive invalid value/],
    ['relay_buffer_size 1k;', qr/value must be between 4096 and 16777216/],
    ['relay_buffer_size 32m;', qr/value must be between 4096 and 16777216/],
) {
    my ($ok, $output) = EgressNginx::test("egress { $t->[0] }");

    ok(!$ok, "$t->[0] is refused");
    like($output, qr/$t->[1].*nginx\.conf:\d+/, 'with the reason');
}

done_testing();
