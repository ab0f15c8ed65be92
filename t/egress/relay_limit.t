# Copyright (C) ngx_egress authors

# Speed limits of a tunnel: each direction keeps its own within ten percent,
# without bursts and pauses that a person would notice.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw/sleep time/;

use EgressTunnel;

my $ngx;


# Bytes a second, the longest pause, and how much came in the first 50 ms.

sub measure {
    my ($s, $n) = @_;

    my ($got, $longest, $first) = (0, 0, 0);
    my $start = time;
    my $last = $start;

    $s->{chunk} = 1 << 18;

    while ($got < $n) {
        $s->fill(time + 10) or last;

        my $now = time;
        my $some = length $s->take;

        $longest = $now - $last if $now - $last > $longest;
        $first += $some if $now - $start < 0.05;
        $got += $some;
        $last = $now;
    }

    return ($got / ($last - $start), $longest, $first);
}


sub near {
    my ($rate, $limit, $name) = @_;

    ok($rate > 0.6 * $limit && $rate < 1.1 * $limit,
       "$name: " . int(100 * $rate / $limit) . ' percent');
}


sub download {
    my ($kind, $limit) = @_;

    my $n = int 1.5 * $limit;
    my $s = EgressTunnel::open($kind, "bulk $n");
    my ($rate, $longest, $first) = measure($s, $n);

    near($rate, $limit, "$kind: download of $limit");
    cmp_ok($longest, '<', 0.6, "$kind: without pauses");
    cmp_ok($first, '<', $limit / 4, "$kind: without a burst");
    ok($s->ended, "$kind: to the end");
    $s->close;
    like(EgressTunnel::logged($ngx), qr/^- $n /, "$kind: counted");
    EgressTunnel::peer($kind, qr/bulk/);
}


sub upload {
    my ($kind, $limit) = @_;

    my $n = int 1.5 * $limit;
    my $s = EgressTunnel::open($kind, 'sink');
    my $start = time;

    $s->write(EgressTcp::pattern(0, $n));
    $s->shut;
    like($s->read_all, qr/^bytes=$n /, "$kind: all of an upload arrives");
    near($n / (time - $start), $limit, "$kind: upload of $limit");
    $s->close;
    like(EgressTunnel::logged($ngx), qr/ @{[$n + 5]}$/, "$kind: counted");
    EgressTunnel::peer($kind, qr/sink in=$n /);
}


# A limited direction must not hold the other one up, nor hide its own end.

sub other_direction {
    my $s = EgressTunnel::open('connect', 'both 3000000');
    my $start = time;
    my $got = 0;

    $s->write('x' x 1000);

    while ($got < 3000000) {
        $s->fill(time + 10) or last;
        $got += length $s->take;
    }

    is($got, 3000000, 'the other direction');
    cmp_ok(time - $start, '<', 4, 'is not limited');
    $s->close;
    EgressTunnel::logged($ngx);
    EgressTunnel::peer('connect', qr/both/);
}


EgressTunnel::each_mode(sub {
    (undef, $ngx) = @_;

    download($_, 512 * 1024) for qw/connect connect_tls stream/;
}, server => 'egress_tcp_sock_speed_limit download=512k;');

EgressTunnel::each_mode(sub {
    (undef, $ngx) = @_;

    upload($_, 512 * 1024) for qw/connect connect_tls stream_tls/;
    other_direction();
}, server => 'egress_tcp_sock_speed_limit upload=512k;');

# large limits; and the smaller one of server and escaper counts

EgressTunnel::each_mode(sub {
    (undef, $ngx) = @_;

    download('connect', 20 << 20);
    upload('stream', 20 << 20);
}, server => 'egress_tcp_sock_speed_limit 40m;',
   direct => 'tcp_sock_speed_limit 20m;');

# a small one: single bytes are not delayed, packets are not cut into crumbs

EgressTunnel::each_mode(sub {
    (undef, $ngx) = @_;

    my $s = EgressTunnel::open('connect', 'echo');
    my $start = time;

    for (1 .. 20) {
        $s->write('x');
        $s->read_n(1);
    }

    cmp_ok(time - $start, '<', 1, 'single bytes pass at once');

    $s->write('y' x 8000);
    is(length $s->read_n(8000), 8000, 'more of them');

    my $took = time - $start;
    ok($took > 1.2 && $took < 5, "take their time, $took");
    $s->close;

}, server => 'egress_tcp_sock_speed_limit 4k;');

done_testing();
