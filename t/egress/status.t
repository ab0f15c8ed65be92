#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# The counters of the zone: over workers, a reload and a killed worker.

use strict;
use warnings;

use lib 't/lib';

use EgressClient;
use EgressNginx;
use EgressPort qw/PROXY STATUS/;
use EgressTcp ECHO => 'echo', REFUSE => 'refuse';
use JSON::PP;
use Test::More;

my $ngx = EgressNginx->new(workers => 2, expect => qr/exited on signal 9/,
                           conf => <<'_EOC_');

egress {
    zone egress 8m;

    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
    }
}

http {
    server {
        listen 127.0.0.1:$TEST_NGINX_PROXY_PORT default_server;
        egress_http_proxy direct;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_STATUS_PORT;
        location / { egress_status; }
    }
}

_EOC_


sub status {
    my $c = EgressClient->new($ENV{TEST_NGINX_STATUS_PORT});
    my $r = $c->request('GET', '/');
    return decode_json($r->{body});
}

sub tunnel {
    my $c = EgressClient->new($ENV{TEST_NGINX_PROXY_PORT});
    my $r = $c->tunnel('127.0.0.1:' . $ENV{"TEST_NGINX_$_[0]_PORT"});
    return ($c, $r->{status});
}

sub alive {
    my ($n) = @_;
    return $ngx->wait_until(sub { status()->{tasks}{alive} == $n }, 5);
}


is_deeply(status(), { tasks => { created => 0, alive => 0, ended => {} },
                      bytes => { sent => 0, received => 0 } }, 'nothing yet');

my @tunnels;

for (1 .. 10) {
    my ($c) = tunnel('ECHO');
    $c->write('hello');
    $c->read_n(5);
    push @tunnels, $c;
}

my $status = status();
is($status->{tasks}{created}, 10, 'tasks of all workers');
is($status->{tasks}{alive}, 10, 'and all alive');

(tunnel('REFUSE'))[0]->close for 1 .. 3;
ok(alive(10), 'failed ones are not');
is(status()->{tasks}{ended}{connection_refused}, 3, 'they ended for a reason');

shift(@tunnels)->shut for 1 .. 4;
ok(alive(6), 'an end of tunnels');
$status = status();
is($status->{tasks}{ended}{done}, 4, 'well ended');
is($status->{bytes}{sent}, 20, 'bytes sent');
is($status->{bytes}{received}, 20, 'bytes received');

ok($ngx->reload, 'a reload');
ok(alive(6), 'tunnels of old workers count');
is(status()->{tasks}{created}, 13, 'and so does what was before');

$_->close for @tunnels;
ok(alive(0), 'until they end');


# whoever takes the place of a killed worker takes back what it had alive

@tunnels = map { (tunnel('ECHO'))[0] } 1 .. 8;
ok(alive(8), 'tunnels again');

my @old = $ngx->workers;
kill 9, @old;

ok($ngx->wait_until(sub { my @now = $ngx->workers;
                          @now == 2 && !grep { my $p = $_;
                                               grep { $_ == $p } @old } @now },
                    10), 'killed workers are replaced');
ok(alive(0), 'nothing of theirs stays alive');

my (undef, $code) = tunnel('ECHO');
is($code, 200, 'and the gateway goes on');


for my $case (
    ['egress_status twice', 'egress_status; egress_status',
     '"egress_status" directive is duplicate, or another handler is set here'],
    ['egress_status without a zone', 'egress_status',
     '"egress_status" needs a "zone" in egress { } in '],
) {
    my ($name, $text, $want) = @$case;
    my ($ok, $output) = EgressNginx::test(
        "http { server { listen 127.0.0.1:1; location / { $text; } } }");
    ok(!$ok, "$name is an error");
    like($output, qr/\[emerg\].*\Q$want\E/, "$name: what it says");
}

done_testing();
