# Copyright (C) ngx_egress authors

# Each reason for which a CONNECT can be refused: status, extended status,
# Proxy-Status, page and log.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use IO::Socket::IP;
use Socket qw/SOCK_STREAM SOL_SOCKET SO_LINGER/;

use EgressClient;
use EgressDaemon;
use EgressDns DNS => { zone => {
    'a.test' => { A => '127.0.0.1' },
    'six.test' => { AAAA => '::1' },
    'private.test' => { A => '10.1.2.3' },
    'fail.test' => { rcode => 'SERVFAIL' },
    'drop.test' => { drop => 1 },
} };
use EgressNginx;
use EgressPort qw/STD EXT/;
use EgressTcp ECHO => 'echo', DEAD => 'refuse', PARK => 'no_accept';

my %port = map { /^TEST_NGINX_(\w+)_PORT$/ ? ($1 => $ENV{$_}) : () } keys %ENV;
my %at = map { $_ => "127.0.0.1:$port{$_}" } keys %port;

my $ngx = EgressNginx->new(master => 0, log_level => 'debug', conf => <<'_EOC_');
egress {
    resolver dns c_ares {
        server         127.0.0.1:$TEST_NGINX_DNS_PORT;
        each_timeout   300ms;
        each_tries     1;
    }
    resolver none deny_all { }

    escaper direct direct_fixed {
        resolver          dns;
        resolve_strategy  ipv4_only;
        tcp_connect       max_retry=0 each_timeout=300ms;
        egress_network_filter { allow 127.0.0.0/8; }
    }
    escaper patient direct_fixed {
        tcp_connect max_retry=0 each_timeout=30s;
        egress_network_filter { allow 127.0.0.0/8; }
    }
    escaper silent direct_fixed { resolver none; }
    escaper unbound direct_fixed {
        bind_ip  192.0.2.1;
        egress_network_filter { allow 127.0.0.0/8; }
    }
    escaper deny dummy_deny { }
}

http {
    log_format  t '$status $egress_reason $egress_host';
    access_log  logs/access.log t;

    map $http_x_way $way { default direct; ~. $http_x_way; }

    server {
        listen                        127.0.0.1:$TEST_NGINX_STD_PORT;
        egress_http_proxy             $way;
        egress_path_selection_header  X-Path;
    }

    server {
        listen                        127.0.0.1:$TEST_NGINX_EXT_PORT;
        egress_http_proxy             $way;
        egress_path_selection_header  X-Path;
        egress_error_codes            extended;
        egress_server_id              gw-7.example;
    }
}
_EOC_


my @reasons = (
    # reason, target, headers, status, extended, error of Proxy-Status, text

    ['bad_request', $at{ECHO}, ['Content-Length' => 3], 400, 400,
     'http_request_error', 'malformed request'],
    ['bad_target', '127.1:80', [], 400, 400,
     'http_request_error', 'malformed target host or port'],
    ['bad_path_selection', $at{ECHO}, ['X-Path' => 'x'], 400, 400,
     'http_request_error', 'malformed egress path selection'],
    ['escaper_denied', $at{ECHO}, ['X-Way' => 'deny'], 403, 403,
     'http_request_denied', 'no way out for this request'],
    ['destination_denied', '10.1.2.3:80', [], 403, 403,
     'destination_ip_prohibited', "the target's address is not allowed"],
    ['destination_denied', 'private.test:80', [], 403, 403,
     'destination_ip_prohibited', "the target's address is not allowed"],
    ['self_connect', $at{STD}, [], 403, 403,
     'destination_ip_prohibited', 'the target is this gateway itself'],
    ['self_connect', "a.test:$port{EXT}", [], 403, 403,
     'destination_ip_prohibited', 'the target is this gateway itself'],
    ['dns_error', 'fail.test:80', [], 502, 530,
     'dns_error', 'the name cannot be resolved'],
    ['dns_nxdomain', 'nowhere.test:80', [], 502, 530,
     'dns_error', 'no such name'],
    ['dns_no_address', 'six.test:80', [], 502, 530,
     'dns_error', 'the name has no usable address'],
    ['dns_timeout', 'drop.test:80', [], 504, 530,
     'dns_timeout', 'name resolution timed out'],
    ['dns_denied', 'a.test:80', ['X-Way' => 'silent'], 403, 530,
     'dns_error', 'name resolution is not allowed'],
    ['connection_refused', $at{DEAD}, [], 502, 521,
     'connection_refused', 'connection refused'],
    ['connection_refused', "a.test:$port{DEAD}", [], 502, 521,
     'connection_refused', 'connection refused'],
    ['connection_timeout', $at{PARK}, [], 504, 522,
     'connection_timeout', 'connection timed out'],
    ['bind_failed', $at{ECHO}, ['X-Way' => 'unbound'], 502, 502,
     'proxy_internal_error', 'local address not usable'],
);

# Since 1.31.0 the core itself refuses a CONNECT with a body.

my ($minor) = qx(@{[ EgressNginx::binary() ]} -v 2>&1) =~ m{nginx/1\.(\d+)};
shift @reasons if $minor >= 31;

for my $t (@reasons) {
    my ($reason, $target, $headers, $status, $extended, $error, $text) = @$t;

    check('STD', $status, 'ngx_egress', $t);
    check('EXT', $extended, 'gw-7.example', $t);
}


sub check {
    my ($server, $status, $id, $t) = @_;
    my ($reason, $target, $headers, undef, undef, $error, $text) = @$t;

    my $name = "$reason, $target, $server";
    my $c = EgressClient->new($port{$server});

    $c->send_request('CONNECT', $target, [Host => $target, @$headers]);

    my $m = $c->response;

    is($m->{status}, $status, "$name: status");
    is(EgressHttp::header($m, 'Proxy-Status'),
       qq{$id; error=$error; details="$text"}, 'Proxy-Status');
    is($m->{body}, join("\r\n", '<html>',
                        "<head><title>$status $text</title></head>",
                        "<body><h1>$status $text</h1></body>", '</html>', ''),
       'page');
    is(EgressHttp::header($m, 'Connection'), 'close', 'Connection');
    ok($c->ended, 'closed');
    $c->close;

    my $host = $reason eq 'bad_target' ? '-' : $target =~ s/:\d+$//r;

    ok($ngx->wait_until(sub {
        $ngx->access_log =~ /^$status $reason \Q$host\E$/m
    }), 'access log');
}


# Over HTTP/1.0, and to HEAD and other methods of the absolute form, the page
# obeys the rules of HTTP.

my $c = EgressClient->new($port{STD});
$c->write("CONNECT $at{DEAD} HTTP/1.0\r\n\r\n");
my $m = $c->response;
is($m->{status}, 502, 'HTTP/1.0');
ok($c->ended, 'closed');


# What the log says: one line, of the level of the reason.

my @all = grep { /egress failed/ } split /\n/, $ngx->error_log;
is(scalar @all, 2 * @reasons + 1, 'one line for each failure');

like($ngx->error_log, qr/\[error\] .*?egress failed: connection_refused, /,
     'a target that refuses is an error');
like($ngx->error_log, qr/\[info\] .*?egress failed: destination_denied, /,
     'what a client may not do is not');


# A connection that is open and reset before nginx can look at it: the first
# SYN finds no room, nginx is stopped, and the kernel sends the next one.

{
    my $listener = EgressDaemon::listen_on('127.0.0.1', EgressPort::any(),
                                           SOCK_STREAM);
    my $addr = '127.0.0.1:' . $listener->sockport;

    listen $listener, 0;

    my $first = IO::Socket::IP->new(PeerAddr => $addr) or die "connect: $@\n";

    $c = EgressClient->new($port{STD});
    $c->send_request('CONNECT', $addr, [Host => $addr, 'X-Way' => 'patient']);
    ok($ngx->wait_log(qr/egress connect to \Q$addr\E/), 'the first SYN');
    $ngx->signal('STOP');
    ok($ngx->wait_until(sub {
        EgressNginx::slurp('/proc/' . $ngx->pid . '/stat') =~ /\) T /
    }), 'nginx is stopped');

    my @accepted = map { scalar $listener->accept } 1 .. 2;

    setsockopt $accepted[1], SOL_SOCKET, SO_LINGER, pack 'll', 1, 0;
    close $accepted[1];
    $ngx->signal('CONT');

    $m = $c->response;
    is($m->{status}, 502, 'a connection that is reset at once');
    is(EgressHttp::header($m, 'Proxy-Status'), 'ngx_egress; '
       . 'error=connection_terminated; details="connection reset"',
       'is told to the client');
    ok($ngx->wait_until(sub {
        $ngx->access_log =~ /^502 connection_reset 127/m
    }), 'and logged');
}

done_testing();
