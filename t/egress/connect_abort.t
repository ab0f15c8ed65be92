#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# What is left when a connection is given up on its way: nothing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw/time/;

use EgressClient;
use EgressDns DNS => {
    zone => {
        'never.test'  => { A => '127.0.0.1', drop => 1 },
        'parked.test' => { A => ['127.0.0.1', '127.0.0.2'] },
    },
};
use EgressNginx;
use EgressPort qw/PROXY TLS/;
use EgressTcp PARK => { mode => 'no_accept',
                        addr => ['127.0.0.1', '127.0.0.2'] },
              SILENT => 'hang';

my $conf = <<'_EOC_';
worker_shutdown_timeout 1s;
egress {
    resolver dns c_ares {
        server 127.0.0.1:$TEST_NGINX_DNS_PORT;
        each_timeout 30s;
    }
    escaper direct direct_fixed {
        resolver dns;
        resolve_strategy ipv4_only;
        egress_network_filter { allow 127.0.0.0/8; }
        tcp_connect each_timeout=30s;
        happy_eyeballs connection_attempt_delay=100ms;
        peer_negotiation_timeout 30s;
    }
}
http {
    log_format t '$egress_reason';
    access_log logs/access.log t;

    server {
        listen 127.0.0.1:$TEST_NGINX_PROXY_PORT;
        egress_http_proxy direct;
    }
}
stream {
    log_format t '$egress_reason';
    access_log logs/stream.log t;

    server {
        listen 127.0.0.1:$TEST_NGINX_TLS_PORT;
        egress_tcp_stream direct 127.0.0.1:$TEST_NGINX_SILENT_PORT;
        egress_tls_client { }
    }
}
_EOC_

my $ngx = EgressNginx->new(conf => $conf, log_level => 'debug');


sub sockets {
    my ($worker) = $ngx->workers;

    my @fds = grep { (readlink $_ // '') =~ /^socket:/ }
              glob "/proc/$worker/fd/*";

    return scalar @fds;
}


# "sent": how far it came when the client goes.

sub stuck {
    my ($target, $sent) = @_;

    my $c = EgressClient->new($ENV{TEST_NGINX_PROXY_PORT});

    $c->write("CONNECT $target HTTP/1.1\r\nHost: $target\r\n\r\n");
    $ngx->wait_log($sent);

    return $c;
}


my $park = $ENV{TEST_NGINX_PARK_PORT};
my $lines = 0;
my $idle = sockets();

# the resolver's own socket comes to stay with the first question

for my $case (
    ['resolving', 'never.test:80', qr/"CONNECT never\.test/],
    ['connecting', "127.0.0.1:$park", qr/egress connect to 127/],
    ['racing', "parked.test:$park", qr/egress connect to 127.0.0.2/],
) {
    my ($name, $target, $sent) = @$case;

    stuck($target, $sent)->close;

    is(($ngx->wait_access(++$lines))[-1], 'client_aborted',
       "$name ends when the client goes away");
    ok($ngx->wait_until(sub { sockets() <= $idle + 1 }),
       'and leaves no socket') or diag sockets() . " of $idle";
}

my $c = EgressClient->new($ENV{TEST_NGINX_TLS_PORT});
ok($ngx->wait_log(qr/SSL_do_handshake: -1/), 'a handshake begins');
$c->close;

# In stream a client may half-close: an end alone does not say it is gone.

# Shutdown

my @stuck = (stuck('never.test:81', qr/never\.test/),
             stuck("127.0.0.2:$park", qr/egress connect to 127.0.0.2/),
             EgressClient->new($ENV{TEST_NGINX_TLS_PORT}));

my $start = time;

ok($ngx->quit(10), 'a graceful exit does not wait for ever');
cmp_ok(time - $start, '<', 5, 'but for worker_shutdown_timeout');

is_deeply([map { $ngx->file("logs/$_.log") =~ /shutdown/ ? $_ : () }
           qw/access stream/], [qw/access stream/], 'as the logs tell');

done_testing();
