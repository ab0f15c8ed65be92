#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Programs that people use, through egress_socks_proxy.

use strict;
use warnings;

use lib 't/lib';

use EgressCert;
use EgressDns DNS => { zone => {
    'a.test' => { A => '127.0.0.1' },
    'six.test' => { AAAA => '::1' },
} };
use EgressNginx;
use EgressOrigin 'ORIGIN', SECURE => { tls => 1 }, SIX => { addr => '::1' };
use EgressPort qw/SOCKS/;
use EgressTcp ECHO => 'echo', SINK => 'sink', BULK => 'bulk 3000000';
use EgressUdp DATAGRAMS => 'echo';
use File::Temp;
use Test::More;

my $ngx = EgressNginx->new(conf => <<'_EOC_');

egress {
    resolver dns c_ares { server 127.0.0.1:$TEST_NGINX_DNS_PORT; }

    escaper direct direct_fixed {
        resolver dns;
        egress_network_filter { allow 127.0.0.0/8 ::1; }
    }
}

stream {
    log_format socks '$egress_host:$egress_port';
    access_log logs/socks.log socks;

    server {
        listen 127.0.0.1:$TEST_NGINX_SOCKS_PORT;
        egress_socks_proxy direct;
        egress_socks4 on;
        egress_udp_associate on;
    }
}

_EOC_


my %port = map { /^TEST_NGINX_(\w+)_PORT$/ ? ($1 => $ENV{$_}) : () } keys %ENV;
my $proxy = "127.0.0.1:$port{SOCKS}";
my $ca = EgressCert::file('ca.pem');
my $dir = File::Temp->newdir('egress_socks_XXXXXX', TMPDIR => 1);

delete @ENV{grep { /_proxy$/i } keys %ENV};


# the target of the last session

my $sessions = 0;

sub target {
    $sessions++;

    my @all = split /\n/, $ngx->wait_until(sub {
        my $log = $ngx->file('logs/socks.log');
        return ($log =~ tr/\n//) >= $sessions ? $log : undef;
    }, 5) || '';

    return $all[$sessions - 1] // '';
}

sub have {
    my ($program) = @_;

    return 1 if grep { -x "$_/$program" } split /:/, $ENV{PATH};

    SKIP: { skip "$program is not installed", 1; }
    return 0;
}


if (have('curl')) {
    for (['socks4', '127.0.0.1', $port{ORIGIN}],
         ['socks4a', 'a.test', $port{ORIGIN}],
         ['socks4a', 'six.test', $port{SIX}],
         ['socks5', '127.0.0.1', $port{ORIGIN}],
         ['socks5', '[::1]', $port{SIX}],
         ['socks5-hostname', 'a.test', $port{ORIGIN}],
         ['socks5-hostname', 'six.test', $port{SIX}])
    {
        my ($option, $host, $port) = @$_;

        is(`curl -sS -m 10 --$option $proxy 'http://$host:$port/' 2>&1`,
           "origin\n", "curl --$option $host");
        is(target(), $host =~ s/[\[\]]//gr . ":$port", 'the target');
    }

    is(`curl -sS -m 10 --cacert $ca --socks5-hostname $proxy \\
        https://a.test:$port{SECURE}/ 2>&1`, "origin\n", 'curl, HTTPS');
    is(target(), "a.test:$port{SECURE}", 'the target');

    like(`curl -sS -m 10 --socks5 $proxy http://10.0.0.1/ 2>&1`,
         qr/\(97\)|not allowed/i, 'curl understands a refusal');
    is(target(), '10.0.0.1:80', 'the target');
}


if (have('proxychains4')) {
    for my $type (qw/socks4 socks5/) {
        write_file('chains', <<"_EOC_");
strict_chain
quiet_mode
proxy_dns
[ProxyList]
$type 127.0.0.1 $port{SOCKS}
_EOC_

        is(`proxychains4 -q -f $dir/chains curl -sS -m 10 \\
            http://a.test:$port{ORIGIN}/ 2>/dev/null`, "origin\n",
           "proxychains4, $type: curl");
        is(target(), "a.test:$port{ORIGIN}", 'the target is a name');
    }

    like(`echo | timeout 10 proxychains4 -q -f $dir/chains openssl s_client \\
          -CAfile $ca -verify_return_error -verify_hostname a.test \\
          -connect a.test:$port{SECURE} 2>&1`,
         qr/Verify return code: 0/, 'openssl s_client');
    is(target(), "a.test:$port{SECURE}", 'the target');
}


if (have('socksify')) {
    for ([4, '127.0.0.1'], [5, '127.0.0.1'], [5, 'a.test']) {
        my ($version, $host) = @$_;

        write_file('dante', <<"_EOC_");
resolveprotocol: fake
route {
    from: 0.0.0.0/0 to: 0.0.0.0/0 via: 127.0.0.1 port = $port{SOCKS}
    proxyprotocol: socks_v$version
    command: connect
    protocol: tcp
    method: none
}
_EOC_

        local $ENV{SOCKS_CONF} = "$dir/dante";
        local $ENV{SOCKS_AUTOADD_LANROUTES} = 'no';

        is(`socksify curl -sS -m 10 \\
            http://$host:$port{ORIGIN}/ 2>$dir/err`, "origin\n",
           "socksify, SOCKS$version, $host: curl")
            or diag(read_file('err'));
        is(target(), "$host:$port{ORIGIN}", 'the target');
    }

    # a program that knows nothing of SOCKS and sends datagrams

    write_file('dante', <<"_EOC_");
resolveprotocol: fake
route {
    from: 0.0.0.0/0 to: 0.0.0.0/0 via: 127.0.0.1 port = $port{SOCKS}
    proxyprotocol: socks_v5
    command: udpassociate
    protocol: udp
    method: none
}
_EOC_

    write_file('datagrams', <<'_EOC_');
use Socket;
socket my $s, AF_INET, SOCK_DGRAM, 0 or die "socket: $!\n";
my $to = sockaddr_in($ARGV[0], inet_aton('127.0.0.1'));
for (1 .. 3) {
    send $s, "hello $_\n", 0, $to or die "send: $!\n";
    recv $s, my $data, 100, 0;
    print $data;
}
_EOC_

    local $ENV{SOCKS_CONF} = "$dir/dante";
    local $ENV{SOCKS_AUTOADD_LANROUTES} = 'no';

    is(`timeout 20 socksify perl $dir/datagrams $port{DATAGRAMS} 2>$dir/err`,
       "hello 1\nhello 2\nhello 3\n", 'socksify: datagrams')
        or diag(read_file('err'));
    is(target(), "127.0.0.1:$port{DATAGRAMS}", 'the target');
}


if (have('ncat')) {
    for my $type (qw/socks4 socks5/) {
        is(`echo hello | timeout 10 ncat --proxy $proxy --proxy-type $type \\
            127.0.0.1 $port{ECHO} 2>&1`, "hello\n", "ncat, $type");
        is(target(), "127.0.0.1:$port{ECHO}", 'the target');
    }

    is(length(`timeout 10 ncat --recv-only --proxy $proxy --proxy-type socks5 \\
               127.0.0.1 $port{BULK} 2>&1`), 3000000, 'ncat: three megabytes');
    target();
}


sub write_file {
    my ($name, $text) = @_;

    open my $out, '>', "$dir/$name" or die "$name: $!\n";
    print $out $text;
    close $out;
}

sub read_file {
    my ($name) = @_;

    open my $in, '<', "$dir/$name" or return '';
    local $/;
    return scalar <$in>;
}

done_testing();
