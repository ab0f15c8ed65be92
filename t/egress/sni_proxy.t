#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# egress_sni_proxy: the target of a ClientHello and of a request head, however
# the bytes come; what is served and what is not.

use strict;
use warnings;

use lib 't/lib';

use EgressNetns;
use EgressCert;
use EgressClient;
use EgressDns DNS => { zone => {
    'a.test' => { A => '127.0.0.1' },
    'b.test' => { A => '127.0.0.1' },
    'x.w.test' => { A => '127.0.0.1' },
    'private.test' => { A => '10.0.0.1' },
} };
use EgressHello;
use EgressNginx;
use EgressOrigin 'ORIGIN', SECURE => { tls => 1 },
    RETRY => { tls => { SSL_ecdh_curve => 'P-256' } };
use EgressPort qw/SNI HOSTS SLOW HASTY SMALL/;
use EgressTcp ECHO => 'echo', SINK => 'sink';
use Test::More;
use Time::HiRes qw/time sleep/;

my $ngx = EgressNginx->new(log_level => 'info', conf => <<'_EOC_');

egress {
    resolver local c_ares { server 127.0.0.1:$TEST_NGINX_DNS_PORT; }

    escaper direct direct_fixed {
        resolver local;
        egress_network_filter { allow 127.0.0.0/8; }
    }
}

stream {
    log_format sni '$egress_host:$egress_port $egress_reason '
                   'ech=$egress_sni_ech sent=$egress_bytes_sent '
                   'received=$egress_bytes_received $status';
    access_log logs/sni.log sni;

    server {
        listen 127.0.0.1:$TEST_NGINX_SNI_PORT;
        egress_sni_proxy direct;
        egress_sni_port tls=$TEST_NGINX_SECURE_PORT
                        http=$TEST_NGINX_ORIGIN_PORT;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_HOSTS_PORT;
        egress_sni_proxy direct;
        egress_sni_port $TEST_NGINX_ECHO_PORT;

        egress_sni_hosts {
            exact a.test;
            exact gone.test redirect_host=b.test;
            child w.test redirect_port=$TEST_NGINX_SINK_PORT;
            child retry.test redirect_host=127.0.0.1
                             redirect_port=$TEST_NGINX_RETRY_PORT;
            child moved.test redirect_host=127.0.0.1
                             redirect_port=$TEST_NGINX_SINK_PORT;
        }
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_SLOW_PORT;
        egress_sni_proxy direct;
        egress_sni_port $TEST_NGINX_ECHO_PORT;
        egress_request_wait_timeout 1s;
        egress_request_recv_timeout 60s;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_HASTY_PORT;
        egress_sni_proxy direct;
        egress_sni_port $TEST_NGINX_ECHO_PORT;
        egress_request_recv_timeout 300ms;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_SMALL_PORT;
        egress_sni_proxy direct;
        egress_sni_port $TEST_NGINX_ECHO_PORT;
        egress_sni_max_client_hello_size 1k;
    }
}

_EOC_


sub port { $ENV{"TEST_NGINX_$_[0]_PORT"} }


# the next line of the access log

my $lines = 0;

sub logged {
    my @all = split /\n/, $ngx->wait_until(sub {
        my $log = $ngx->file('logs/sni.log');
        return $log if ($log =~ tr/\n//) > $lines;
        return;
    }, 5) || '';

    return $all[$lines++] // '';
}


# real clients

my $curl = `curl -sS --max-time 5 --cacert @{[ EgressCert::file('ca.pem') ]} \\
    --connect-to ::127.0.0.1:@{[ port('SNI') ]} https://a.test/ 2>&1`;
is($curl, "origin\n", 'curl reaches a TLS origin by its server name');
like(logged(), qr/^a\.test:@{[ port('SECURE') ]} /, 'the name is the target');

$curl = `curl -sS --max-time 5 --connect-to ::127.0.0.1:@{[ port('SNI') ]} \\
    http://b.test/ 2>&1`;
is($curl, "origin\n", 'curl reaches an HTTP origin by its Host');
like(logged(), qr/^b\.test:@{[ port('ORIGIN') ]} /, 'the host is the target');

my $openssl = `echo | timeout 5 openssl s_client -servername a.test \\
    -CAfile @{[ EgressCert::file('ca.pem') ]} -verify_return_error \\
    -connect 127.0.0.1:@{[ port('SNI') ]} 2>&1`;
like($openssl, qr/Verify return code: 0/, 'openssl s_client');
logged();

# the group that the client has a key for is not one of the server's

$openssl = `echo | timeout 5 openssl s_client -servername x.retry.test -msg \\
    -groups X25519:P-256 -connect 127.0.0.1:@{[ port('HOSTS') ]} 2>&1`;
is(scalar(() = $openssl =~ /^>>>.*ClientHello/mg), 2,
   'a hello that is asked to be said again');
like($openssl, qr/New, TLSv1.3/, 'and the handshake that follows');
logged();


# ClientHello in any form; the echo shows that the bytes are unchanged

sub echoes {
    my ($name, $bytes, $pieces, $delay) = @_;

    my $c = EgressClient->new(port('HOSTS'));

    if ($pieces) {
        my @pieces = $bytes =~ /(.{1,$pieces})/gs;
        $c->write_slowly(\@pieces, $delay || 0);

    } else {
        $c->write($bytes);
    }

    is($c->read_n(length $bytes), $bytes, $name);
    $c->shut;
    ok($c->ended(10), "$name: and its end");

    return logged();
}

my $hello = EgressHello::make(sni => 'a.test');

like(echoes('a hello', $hello), qr/^a\.test:\d+ - ech=- /, 'hello: log');
echoes('a hello, byte by byte', $hello, 1);
echoes('a hello in slow pieces', $hello, 40, 0.02);
echoes('a hello in many records',
       EgressHello::make(sni => 'a.test', records => 20));
echoes('a hello in records of one byte',
       EgressHello::make(sni => 'a.test', records => 1000), 7);
echoes('a hello of post-quantum size',
       EgressHello::make(sni => 'a.test', pad => 1300), 1000, 0.02);
echoes('a hello of 60k',
       EgressHello::make(sni => 'a.test', pad => 60000, records => 5));
echoes('a name with capitals and a last dot',
       EgressHello::make(sni => 'A.Test.'));
like(echoes('a hello with ECH', EgressHello::make(sni => 'a.test', ech => 1)),
     qr/ ech=1 /, 'the variable says that the name is the outer one');
echoes('a hello and what follows it', $hello . 'x' x 100_000);
echoes('ALPN', EgressHello::make(sni => 'a.test', alpn => ['h2', 'http/1.1']));

my $head = "GET / HTTP/1.1\r\nUser-Agent: x\r\nHost: a.test\r\n\r\n";

echoes('a request', $head);
echoes('a request, byte by byte', $head, 1);
echoes('a request with a body', $head . 'y' x 50_000);
echoes('a request with a port in Host',
       "GET / HTTP/1.1\r\nHost: a.test:99\r\n\r\n");
echoes('an absolute-form request',
       "GET http://a.test/ HTTP/1.1\r\nHost: other.test\r\n\r\n");


# what is not served

sub refused {
    my ($name, $bytes, $reason, $port) = @_;

    my $c = EgressClient->new(port($port || 'HOSTS'));
    $c->write($bytes) if length $bytes;
    ok($c->ended(10), "$name is closed without a word");
    like(logged(), qr/ $reason /, "$name: reason");
}

refused('a name that is not listed', EgressHello::make(sni => 'c.test'),
        'forbidden');
refused('a name that only ends like a listed one',
        EgressHello::make(sni => 'aw.test'), 'forbidden');
refused('a hello without a name', EgressHello::make(), 'bad_target');
refused('an empty name', EgressHello::make(sni => ''), 'bad_request');
refused('two names', EgressHello::make(sni => ['a.test', 'b.test']),
        'bad_request');
refused('a name with a zero', EgressHello::make(sni => "a.test\0.b"),
        'bad_target');
refused('a name that is a decimal address',
        EgressHello::make(sni => '2130706433'), 'bad_target');
refused('a name with a port', EgressHello::make(sni => 'a.test:443'),
        'bad_target');
refused('an IPv6 address in brackets', EgressHello::make(sni => '[::1]'),
        'forbidden');
refused('a name of 254 bytes',
        EgressHello::make(sni => 'a' x 62 . '.b' x 96), 'bad_target');
refused('a name of 255 bytes', EgressHello::make(sni => 'x' x 255),
        'bad_target');
refused('a name of 256 bytes', EgressHello::make(sni => 'x' x 256),
        'bad_request');
refused('nothing but dots', EgressHello::make(sni => '..'), 'bad_target');
refused('two last dots', EgressHello::make(sni => 'a.test..'), 'bad_target');
refused('an address that is not listed',
        EgressHello::make(sni => '127.0.0.1'), 'forbidden');
refused('an address the filter denies',
        EgressHello::make(sni => '10.0.0.1'), 'destination_denied', 'SNI');
refused('a hello of SSL 2', "\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10"
        . 'r' x 37, 'bad_request');
refused('garbage', "\x01\x02\x03\x04garbage\r\n\r\n", 'bad_request');
refused('a TLS alert', "\x15\x03\x01\x00\x02\x02\x28", 'bad_request');
refused('CONNECT', "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n",
        'bad_target');
refused('two Hosts', "GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n",
        'bad_request');
refused('no Host', "GET / HTTP/1.1\r\n\r\n", 'bad_target');
refused('an empty record', "\x16\x03\x01\x00\x00" . $hello, 'bad_request');
refused('a hello that is too long',
        EgressHello::make(sni => 'a.test', pad => 2000), 'bad_request',
        'SMALL');
refused('a name that leads to a private address',
        EgressHello::make(sni => 'private.test'), 'destination_denied', 'SNI');
refused('a name that does not exist',
        EgressHello::make(sni => 'nowhere.test'), 'dns_nxdomain', 'SNI');


# redirects

for my $case (['exact, another host', 'gone.test', 'b.test', 'ECHO'],
              ['child, another port', 'x.w.test', 'x.w.test', 'SINK'],
              ['child, both', 'any.moved.test', '127.0.0.1', 'SINK'],
              ['253 bytes and a dot', 'AA.' . 'A.' x 120 . 'MOVED.TEST.',
               '127.0.0.1', 'SINK'])
{
    my ($name, $sni, $host, $port) = @$case;

    my $c = EgressClient->new(port('HOSTS'));
    $c->write(EgressHello::make(sni => $sni));
    $c->shut;
    ok(length $c->read_all, "redirect: $name");
    like(logged(), qr/^\Q$host\E:@{[ port($port) ]} /, "redirect: $name: log");
}


# deadlines

my $start = time;
refused('a client that says nothing', '', 'client_timeout', 'SLOW');
cmp_ok(time - $start, '>', 0.9, 'it may wait');

$start = time;
refused('a client that stops in the middle', substr($hello, 0, 30),
        'client_timeout', 'HASTY');
cmp_ok(time - $start, '>', 0.2, 'the whole hello has its own time');

my $c = EgressClient->new(port('HOSTS'));
$c->write(substr($hello, 0, 30));
$c->close;
like(logged(), qr/ client_aborted /, 'a client that goes away');

is(scalar(() = $ngx->error_log =~ /\[(?:error|crit)\]/g), 0,
   'nothing that clients did is an error of ours');

done_testing();
