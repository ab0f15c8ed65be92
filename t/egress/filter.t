#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Which addresses may be reached: every special-purpose range at both ends and
# one beyond, embedded IPv4 addresses, carve-outs, reports, our own listeners.
# Runs without any network but loopback: what a filter lets through ends as
# "network unreachable".

use strict;
use warnings;

use lib 't/lib';

use EgressNetns prohibit => ['192.0.9.0/24'];
use EgressClient;
use EgressHttp;
use EgressNginx;
use EgressPort qw/PROXY CARVED REPORT OTHER WILD/;
use Test::More;

my $ngx = EgressNginx->new(conf => <<'_EOC_');

egress {
    resolver local c_ares { server 127.0.0.1:9; each_timeout 100ms; }

    escaper plain direct_fixed { resolver local; }

    escaper carved direct_fixed {
        egress_network_filter {
            allow 10.20.0.0/16 10.30.0.0/16;
            deny  10.20.9.9;
            deny  10.30.0.0/16;              # a tie denies
            deny  10.40.0.0/16 always;
            allow 10.40.1.0/24;
            allow 169.254.0.0/16 169.254.169.254 fd00:ec2::254 fd00::/8;
            allow 64:ff9b::/96 2002::/16 2001::/32 ::ffff:0:0/96;
            deny  8.8.8.0/24;
            allow 127.0.0.0/8 ::1;
        }
    }

    escaper report direct_fixed {
        egress_network_filter {
            report on;
        }
    }

    escaper other direct_fixed {
        egress_network_filter {
            special_purpose allow;
            deny  198.51.100.7 report;
            allow 203.0.113.0/24 192.0.9.0/24;
            default deny;
        }
    }
}

http {
    log_format reason '$egress_host $egress_reason "$egress_would_deny"';
    access_log logs/reason.log reason;

    server {
        listen 127.0.0.1:$TEST_NGINX_PROXY_PORT default_server;
        egress_http_proxy plain;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_CARVED_PORT default_server;
        egress_http_proxy carved;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_REPORT_PORT default_server;
        egress_http_proxy report;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_OTHER_PORT default_server;
        egress_http_proxy other;
    }

    server {
        listen *:$TEST_NGINX_WILD_PORT;
        listen [::]:$TEST_NGINX_WILD_PORT;
    }
}

_EOC_

my $requests = 0;


sub status {
    my ($proxy, $target) = @_;

    $requests++;

    my $c = EgressClient->new($ENV{"TEST_NGINX_${proxy}_PORT"});
    my $r = $c->tunnel($target);

    return ($r->{status}, scalar EgressHttp::header($r, "Proxy-Status") // "");
}


sub denied {
    my ($proxy, @hosts) = @_;

    for my $host (@hosts) {
        my ($status, $why) = status($proxy, "$host:80");
        is($status, 403, "$proxy: $host is denied");
        like($why, qr/destination_ip_prohibited/, "$proxy: $host: why");
    }
}


sub allowed {
    my ($proxy, @hosts) = @_;

    for my $host (@hosts) {
        my ($status, $why) = status($proxy, "$host:80");
        is($status, 502, "$proxy: $host is allowed");
        like($why, qr/unroutable|connection_refused/, "$proxy: $host: why");
    }
}


# first and last of each range, then their neighbours that are public

denied('PROXY', qw/
    0.0.0.0 0.255.255.255  10.0.0.0 10.255.255.255
    100.64.0.0 100.127.255.255  127.0.0.0 127.0.0.1 127.255.255.255
    169.254.0.0 169.254.169.254 169.254.255.255
    172.16.0.0 172.31.255.255  192.0.0.0 192.0.0.255
    192.0.2.0 192.0.2.255  192.31.196.0 192.31.196.255
    192.52.193.0 192.52.193.255  192.88.99.0 192.88.99.255
    192.168.0.0 192.168.255.255  192.175.48.0 192.175.48.255
    198.18.0.0 198.19.255.255  198.51.100.0 198.51.100.255
    203.0.113.0 203.0.113.255  224.0.0.0 239.255.255.255
    240.0.0.0 255.255.255.255
    [::] [::1] [::2] [::7f00:1] [::ffff:8.8.8.8] [::ffff:127.0.0.1]
    [64:ff9b::808:808] [64:ff9b:1::] [64:ff9b:1:ffff:ffff:ffff:ffff:ffff]
    [100::] [100::ffff:ffff:ffff:ffff] [100:0:0:1::1]
    [2001::] [2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff]
    [2001:db8::] [2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]
    [2002::] [2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff]
    [2620:4f:8000::] [3fff::] [3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff]
    [5f00::] [5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff]
    [fc00::] [fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff] [fd00:ec2::254]
    [fe80::] [febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff]
    [fec0::] [feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]
    [ff00::] [ff02::1] [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]
/);

allowed('PROXY', qw/
    1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0
    126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0
    172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0
    192.0.1.255 192.0.3.0 192.31.195.255 192.31.197.0 192.88.98.255
    192.88.100.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0
    198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255
    [64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff] [64:ff9b:2::]
    [100:0:0:2::] [2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff] [2001:200::]
    [2001:db7:ffff:ffff:ffff:ffff:ffff:ffff] [2001:db9::]
    [2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff] [2003::]
    [2606:4700::1111] [3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff] [3fff:1000::]
    [5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff] [5f01::]
    [fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]
/);


# holes, and what cannot be opened

allowed('CARVED', qw/10.20.0.0 10.20.255.255 169.254.1.1 [fd00::1]/);
denied('CARVED', qw/10.20.9.9 10.30.0.1 10.40.0.1 10.40.1.1 10.21.0.0/);
denied('CARVED', qw/169.254.169.254 169.254.170.2 [fd00:ec2::254]/);


# an allowed IPv6 range is no back door to IPv4 addresses

denied('CARVED', qw/
    [64:ff9b::a00:1] [64:ff9b::c0a8:1] [::ffff:192.168.0.1]
    [::ffff:8.8.8.8] [2002:a00:1::] [2002:c0a8:1::1]
    [2001:0:a00:1::] [2001:0:101:101:0:0:f5ff:fffe]
    [2001:0:101:101:0:0:5601:5601]
/);

allowed('CARVED', qw/
    [64:ff9b::101:101] [2002:101:101::1] [::ffff:1.1.1.1]
    [2001:0:101:101:0:0:fefe:fefe]
/);


# every filter can report only

allowed('REPORT', '10.1.2.3');
is(($ngx->wait_until(sub { $ngx->file('logs/reason.log')
                           =~ /^10\.1\.2\.3 \S+ "(.*)"$/m && $1 }, 5)),
   '10.1.2.3=10.0.0.0/8', 'a reported denial is in $egress_would_deny');

my ($status) = status('REPORT', '169.254.169.254:80');
is($status, 502, 'report also lets metadata through, as it says');


# special_purpose allow, default deny

allowed('OTHER', '203.0.113.1', '198.51.100.7');
denied('OTHER', '8.8.8.8', '169.254.169.254');


# what the kernel forbids is a reason as well

my ($code, $why) = status('OTHER', '192.0.9.1:80');
is($code, 502, 'a prohibited route is a 502');
like($why, qr/destination_unavailable/, 'and why');
ok($ngx->wait_until(sub { $ngx->file('logs/reason.log')
                          =~ /^192\.0\.9\.1 connection_failed /m }, 5),
   'and its reason');


# our own listening sockets

for my $target ("127.0.0.1:$ENV{TEST_NGINX_CARVED_PORT}",
                "127.0.0.1:$ENV{TEST_NGINX_PROXY_PORT}",
                "127.0.0.1:$ENV{TEST_NGINX_WILD_PORT}",
                "127.9.9.9:$ENV{TEST_NGINX_WILD_PORT}",
                "0.0.0.0:$ENV{TEST_NGINX_PROXY_PORT}",
                "[::1]:$ENV{TEST_NGINX_WILD_PORT}",
                "[::ffff:127.0.0.1]:$ENV{TEST_NGINX_PROXY_PORT}")
{
    for my $proxy (qw/CARVED REPORT OTHER/) {
        ($code) = status($proxy, $target);
        is($code, 403, "$proxy: $target is ourselves");
    }
}

is(scalar(() = $ngx->error_log =~ /is a listening socket of this nginx/g), 21,
   'each was refused for that');

done_testing();
