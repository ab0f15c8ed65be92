#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Tunnels for whose bytes there is no memory: they end at once, and no other
# one does.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use EgressClient;
use EgressNginx;
use EgressPort qw/PROXY/;
use EgressTcp ECHO => 'echo', HANG => 'hang';

my $ngx = EgressNginx->new(master => 0, expect => qr/malloc|memalign/,
                           conf => <<'_EOC_');
egress {
    relay_pipes 0;
    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
    }
}
http {
    log_format  t '$egress_reason $egress_port';
    access_log  logs/access.log t;

    server {
        listen             127.0.0.1:$TEST_NGINX_PROXY_PORT;
        egress_http_proxy  direct;
    }
}
_EOC_

my $status = EgressNginx::slurp('/proc/' . $ngx->pid . '/status');
my ($size) = $status =~ /^VmSize:\s+(\d+) kB/m;

plan skip_all => 'memory cannot be limited here'
    if !$size || $size > 1 << 30 || $ENV{TEST_NGINX_VALGRIND}
       || system('prlimit --version > /dev/null 2>&1') != 0;


sub tunnel {
    my ($name) = @_;

    my $c = EgressClient->new(EgressPort::port('PROXY'));
    $c->tunnel('127.0.0.1:' . EgressPort::port($name));

    return $c;
}


my @stuck = map { tunnel('HANG') } 1 .. 16;
my $good = tunnel('ECHO');

is(system('prlimit', '--as=' . $size * 1024, '--pid', $ngx->pid), 0,
   'no more memory');

my $data = 'x' x 262144;

for my $c (@stuck) {
    while ($c->wait_for('write', 0.3)) {
        defined syswrite $c->handle, $data or $!{EAGAIN} or last;
    }
}

ok($ngx->wait_until(sub { $ngx->access_log =~ /^internal / }, 20),
   'a tunnel whose bytes cannot be kept is ended');

$good->write('ping');
is($good->read_n(4), 'ping', 'others live on');

$good->close;
$_->reset for @stuck;
ok($ngx->wait_until(sub { 17 == (() = $ngx->access_log =~ /\n/g) }, 20),
   'all of them end');

done_testing();
