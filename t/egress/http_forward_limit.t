#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Speed limits of absolute-form requests: of the server and of the escaper, in
# both directions, by length and in chunks, after an upgrade.

use strict;
use warnings;

use lib 't/lib';

use Digest::MD5 qw/md5_hex/;
use Test::More;
use Time::HiRes qw/time/;

use EgressCert;
use EgressClient;
use EgressHttp;
use EgressNginx;
use EgressOrigin ORIGIN => {}, SECURE => { tls => 1 };
use EgressPort qw/FREE DOWN UP BOTH ESCAPER/;
use EgressTcp;

my %port = map { /^TEST_NGINX_(\w+)_PORT$/ ? ($1 => $ENV{$_}) : () } keys %ENV;
my $at = "http://127.0.0.1:$port{ORIGIN}";
my $secure = "https://127.0.0.1:$port{SECURE}";

my $ngx = EgressNginx->new(conf => <<'_EOC_', master => 0);
egress {
    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
    }

    escaper slow direct_fixed {
        tcp_sock_speed_limit download=400k upload=400k;
        egress_network_filter { allow 127.0.0.0/8; }
    }
}

http {
    egress_https_forward  on;
    egress_tls_client { ca_certificate $TEST_NGINX_CERT_DIR/ca.pem; }

    server {
        listen             127.0.0.1:$TEST_NGINX_FREE_PORT;
        egress_http_proxy  direct;
    }

    server {
        listen                       127.0.0.1:$TEST_NGINX_DOWN_PORT;
        egress_http_proxy            direct;
        egress_tcp_sock_speed_limit  download=400k;
    }

    server {
        listen                       127.0.0.1:$TEST_NGINX_UP_PORT;
        egress_http_proxy            direct;
        egress_tcp_sock_speed_limit  upload=400k;
    }

    server {
        listen                       127.0.0.1:$TEST_NGINX_BOTH_PORT;
        egress_http_proxy            slow;
        egress_tcp_sock_speed_limit  800k;
    }

    server {
        listen             127.0.0.1:$TEST_NGINX_ESCAPER_PORT;
        egress_http_proxy  slow;
    }
}
_EOC_

my $data = EgressTcp::pattern(0, 600_000);
my $sum = md5_hex($data);


sub timed {
    my ($want, $name, $code) = @_;

    my $start = time();
    my $result = $code->();
    my $taken = time() - $start;

    if ($want) {
        cmp_ok($taken, '>', $want, "$name: not too fast");
    }

    cmp_ok($taken, '<', $want + 2, "$name: not too slow");

    return $result;
}


sub down {
    my ($server, $want, $url) = @_;

    my $c = EgressClient->new($port{$server});

    my $r = timed($want, "$server: $url", sub { $c->get($url) });
    ok($r->{body} eq $data, 'and complete');

    return EgressHttp::header($r, 'X-Conn');
}


sub up {
    my ($server, $want, $url, @headers) = @_;

    my $c = EgressClient->new($port{$server});

    my $r = timed($want, "$server: up", sub {
        $c->request('POST', $url, \@headers,
                    @headers ? EgressHttp::chunked(unpack '(a50000)*', $data)
                               . "0\r\n\r\n" : $data)
    });

    like($r->{body}, qr/^bytes=600000 md5=$sum /, 'and complete');
}

my $conn = down('DOWN', 1.2, "$at/big?600000");

is(down('FREE', 0, "$at/big?600000"), $conn,
   'the connection is used again without a limit');
is(down('DOWN', 1.2, "$at/big?600000"), $conn, 'and with it');

down('DOWN', 1.2, "$at/chunked?600000,7000");
down('DOWN', 1.2, "$at/close?600000");
down('DOWN', 1.2, "$secure/big?600000");
down('UP', 0, "$at/big?600000");
down('BOTH', 1.2, "$at/big?600000");
down('ESCAPER', 1.2, "$at/big?600000");

up('UP', 1.2, "$at/md5");
up('UP', 1.2, "$at/md5", 'Transfer-Encoding' => 'chunked');
up('UP', 1.2, "$secure/md5");
up('DOWN', 0, "$at/md5");
up('FREE', 0, "$at/md5");
up('ESCAPER', 1.2, "$at/md5");

{
    my $c = EgressClient->new($port{BOTH});

    $c->send_request('GET', "$at/upgrade",
                     [Upgrade => 'x', Connection => 'upgrade']);
    is(EgressHttp::read_head($c)->{status}, 101, 'after an upgrade');

    my $echo = timed(1.2, 'both ways', sub {
        $c->write($data);
        $c->read_n(600_000);
    });
    ok($echo eq $data, 'and complete');
}

{
    # a client that goes while its answer waits

    my $c = EgressClient->new($port{DOWN});
    $c->send_request('GET', "$at/big?60000000");
    $c->read_n(1000);
    $c->reset;

    ok($ngx->wait_until(sub { $ngx->access_log =~ /big\?60000000/ }),
       'a client that goes ends it');
}

done_testing();
