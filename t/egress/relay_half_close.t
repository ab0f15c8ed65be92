# Copyright (C) ngx_egress authors

# One side ends before the other: FIN and close_notify are passed on, whichever
# comes first, and the other direction goes on for as long as it takes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Digest::MD5 qw/md5_hex/;
use Test::More;
use Time::HiRes qw/sleep/;

use EgressTunnel;

my $n = 2000000;
my $md5 = EgressTcp::pattern_md5($n);
my $ngx;


# What the client of that kind sees of an end in order.

sub end_of { $_[0] eq 'connect_tls' ? 'close_notify' : 'fin' }


sub client_first {
    my ($kind) = @_;

    my $s = EgressTunnel::open($kind, 'sink');
    $s->write(EgressTcp::pattern(0, $n));
    $s->shut;
    like($s->read_all, qr/^bytes=$n md5=$md5$/,
         "$kind: a target that answers when the client has ended");
    is($s->how_ended, end_of($kind), "$kind: which ends in order");
    $s->close;
    is(EgressTunnel::logged($ngx), join(' ', '-', 44 + length $n, $n + 5),
       "$kind: logged");
    EgressTunnel::peer($kind, qr/sink in=$n /);

    $s = EgressTunnel::open($kind, "bulk $n");
    $s->shut;
    sleep 0.1;
    my $data = $s->read_all // '';
    is(md5_hex($data), $md5, "$kind: much comes behind the client's end");
    is($s->how_ended, end_of($kind), "$kind: and then the end");
    $s->close;
    like(EgressTunnel::logged($ngx), qr/^- $n /, "$kind: logged");
    EgressTunnel::peer($kind, qr/bulk in=0 .* (?:fin|close_notify)$/);

    # bytes and the end arrive together, before the tunnel is there

    $s = EgressTunnel::open($kind, 'wait done');
    $s->shut;
    is($s->read_all, 'done', "$kind: an end right behind the first bytes");
    $s->close;
    EgressTunnel::logged($ngx);
}


sub target_first {
    my ($kind) = @_;

    my $how = $kind eq 'stream_tls' ? 'close_notify' : 'fin';

    my $s = EgressTunnel::open($kind, 'say first');
    is($s->read_n(5), 'first', "$kind: a target that ends first");
    ok($s->ended, "$kind: its end is passed on");
    is($s->how_ended, end_of($kind), "$kind: in the way of the client");

    sleep 0.1;
    $s->write(EgressTcp::pattern(0, $n));
    $s->shut;
    ok(EgressTunnel::peer($kind, qr/say in=$n md5=$md5 $how$/),
       "$kind: the client goes on and ends in the way of the target");
    $s->close;
    like(EgressTunnel::logged($ngx), qr/^- 5 /, "$kind: logged");
}


# TLS to the client: what OpenSSL calls an unexpected end is an end, too.

sub without_close_notify {
    my $s = EgressTunnel::open('connect_tls', 'sink');

    $s->write('12345');
    shutdown $s->handle, 1;
    ok(EgressTunnel::peer('connect_tls', qr/sink in=5 .* fin$/),
       'a TLS client that ends with nothing but a FIN');
    $s->close;
    like(EgressTunnel::logged($ngx), qr/ 10$/, 'logged');
}


EgressTunnel::each_mode(sub {
    (undef, $ngx) = @_;

    for my $kind (EgressTunnel::kinds()) {
        client_first($kind);
        target_first($kind);
    }

    without_close_notify();
});

done_testing();
