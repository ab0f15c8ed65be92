#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# egress_socks_proxy, the conversation with clients: what is granted, what is
# refused and how, however the bytes come; early data, deadlines, limits of
# the messages.

use strict;
use warnings;

use lib 't/lib';

use EgressClient;
use EgressDns DNS => { zone => {
    'a.test' => { A => '127.0.0.1' },
    'six.test' => { AAAA => '::1' },
} };
use EgressNginx;
use EgressPort qw/SOCKS FOUR SLOW LIMIT/;
use EgressTcp ECHO => 'echo', SINK => 'sink', PEER => 'peer',
              PEER6 => { mode => 'peer', addr => '::1' };
use Test::More;
use Time::HiRes qw/time/;

my $ngx = EgressNginx->new(conf => <<'_EOC_');

egress {
    resolver dns c_ares { server 127.0.0.1:$TEST_NGINX_DNS_PORT; }

    escaper direct direct_fixed {
        resolver dns;
        egress_network_filter { allow 127.0.0.0/8 ::1; }
    }
}

stream {
    log_format socks '$egress_host:$egress_port $egress_reason '
                     '$egress_bytes_sent $egress_bytes_received $status';
    access_log logs/socks.log socks;

    server {
        listen 127.0.0.1:$TEST_NGINX_SOCKS_PORT;
        egress_socks_proxy direct;
        egress_negotiation_timeout 60s;
    }

    limit_conn_zone $binary_remote_addr zone=clients:64k;

    server {
        listen 127.0.0.1:$TEST_NGINX_LIMIT_PORT;
        egress_socks_proxy direct;
        egress_negotiation_timeout 60s;
        limit_conn clients 1;
        access_log off;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_FOUR_PORT;
        egress_socks_proxy direct;
        egress_socks4 on;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_SLOW_PORT;
        egress_socks_proxy direct;
        egress_negotiation_timeout 400ms;
    }
}

_EOC_


sub port { $ENV{"TEST_NGINX_$_[0]_PORT"} }

sub client { EgressClient->new(port($_[0] // 'SOCKS'), timeout => 10) }


# the next line of the access log

my $lines = 0;

sub logged {
    my @all = split /\n/, $ngx->wait_until(sub {
        my $log = $ngx->file('logs/socks.log');
        return $log if ($log =~ tr/\n//) > $lines;
        return;
    }, 5) || '';

    return $all[$lines++] // '';
}


# Addresses of all types, through SOCKS5.

for (['127.0.0.1', 'PEER'], ['a.test', 'PEER'], ['A.Test.', 'PEER'],
     ['::1', 'PEER6'], ['six.test', 'PEER6'])
{
    my ($host, $peer) = @$_;
    my $c = client();
    my $reply = $c->socks5($host, port($peer));

    is($reply->{reply}, 0, "SOCKS5: $host is granted");
    is($reply->{method}, 0, 'without authentication');

    my $bound = EgressSocket::address($reply->{host}, $reply->{port});
    is($c->read_until(qr/\n/), "peer $bound\n",
       'BND.ADDR is what the target sees');

    $c->write('data');
    is($c->read_n(4), 'data', 'bytes pass');
    $c->shut;
    ok($c->ended, 'the end is passed on');
    $c->close;

    my $name = lc $host =~ s/\.$//r;
    like(logged(), qr/^\Q$name\E:@{[ port($peer) ]} - \d+ 4 200$/, 'logged');
}


# SOCKS4 and 4a.

for (['127.0.0.1', ''], ['127.0.0.1', 'somebody'], ['a.test', 'x' x 255]) {
    my ($host, $user) = @$_;
    my $c = client('FOUR');
    my $reply = $c->socks4($host, port('PEER'), $user);

    is($reply->{reply}, 90, "SOCKS4: $host is granted");
    is($reply->{version}, 0, 'version of the reply');
    is($c->read_until(qr/\n/), "peer $reply->{host}:$reply->{port}\n",
       'the reply has the local address');
    $c->close;

    like(logged(), qr/^\Q$host\E:/, 'logged');
}

my $c = client('FOUR');
is($c->socks4('six.test', port('PEER6'))->{reply}, 90, 'SOCKS4a to IPv6');
$c->close;
logged();

$c = client('FOUR');
is($c->socks5('127.0.0.1', port('ECHO'))->{reply}, 0,
   'SOCKS5 on the port of SOCKS4');
$c->close;
logged();

$c = client();
is($c->socks4('127.0.0.1', port('ECHO'))->{reply}, 91, 'SOCKS4 is off');
ok($c->ended, 'closed');
like(logged(), qr/^127\.0\.0\.1:\d+ forbidden /, 'reason');


# The same answer however the bytes come; what follows the request belongs to
# the target.

my $greeting = "\5\2\0\2";
my $request = "\5\1\0" . EgressClient::socks_address('a.test', port('ECHO'));
my $socks4 = pack('CCn', 4, 1, port('ECHO')) . "\0\0\0\7me\0a.test\0";

sub granted {
    my ($what, $server, $answer, @pieces) = @_;

    my $s = client($server);
    $s->write_slowly(\@pieces, 0.005);

    my $got = $s->read_n(length($answer) + ($answer eq '' ? 8 : 10)) // '';
    my ($status) = $answer eq '' ? unpack('xC', $got)
                                 : unpack('x' . length($answer) . 'xC', $got);

    is($status, $answer eq '' ? 90 : 0, "$what: granted");
    is($s->read_n(10), 'early data', "$what: early data");
    $s->close;
    logged();
}

my $all5 = $greeting . $request . 'early data';
my $all4 = $socks4 . 'early data';

granted('SOCKS5 at once', 'SOCKS', "\5\0", $all5);
granted('SOCKS4 at once', 'FOUR', '', $all4);
granted('SOCKS5 by bytes', 'SOCKS', "\5\0", split //, $all5);
granted('SOCKS4 by bytes', 'FOUR', '', split //, $all4);

srand(7);

for my $round (1 .. 12) {
    my ($server, $answer, $all) = $round % 2 ? ('SOCKS', "\5\0", $all5)
                                             : ('FOUR', '', $all4);
    my @pieces;

    while (length $all) {
        push @pieces, substr $all, 0, 1 + int rand 9, '';
    }

    granted("random pieces $round", $server, $answer, @pieces);
}

$c = client();
my $much = join '', map { pack 'N', $_ } 1 .. 50000;
$c->write("\5\1\0\5\1\0" . EgressClient::socks_address('127.0.0.1',
                                                       port('SINK')) . $much);
$c->shut;
is(substr($c->read_n(12), 3, 1), "\0", 'early data of 200k');
like($c->read_all, qr/^bytes=200000 /, 'arrives, and the half-close');
logged();


# What is refused, and how.

my $auth = "auth_required";

for ((
    # name, what is sent, what comes back, reason
    ['no method at all', "\5\0", "\5\xff", $auth],
    ['only GSSAPI', "\5\1\1", "\5\xff", $auth],
    ['only user and password, there are no users', "\5\1\2", "\5\xff", $auth],
    ['255 methods, none of ours', "\5\xff" . "\x80" x 255, "\5\xff", $auth],
    ['another version', "\6\1\0", '', 'bad_request'],
    ['HTTP', "GET / HTTP/1.1\r\n\r\n", '', 'bad_request'],
    ['TLS', "\x16\3\1\0\0", '', 'bad_request'],
    ['an end at once', '', '', 'client_aborted'],
    ['BIND', "\5\1\0\5\2\0\1\x7f\0\0\1\0\x50", "\5\0\5\7\0\1\0\0\0\0\0\0",
     'unsupported'],
    ['UDP ASSOCIATE, which is off', "\5\1\0\5\3\0\1\0\0\0\0\0\0",
     "\5\0\5\7\0\1\0\0\0\0\0\0", 'unsupported'],
    ['an unknown command', "\5\1\0\5\x80\0\1\x7f\0\0\1\0\x50",
     "\5\0\5\7\0\1\0\0\0\0\0\0", 'unsupported'],
    ['an unknown address type', "\5\1\0\5\1\0\2\x7f\0\0\1\0\x50",
     "\5\0\5\x08\0\1\0\0\0\0\0\0", 'bad_request'],
    ['another version in the request', "\5\1\0\4\1\0\1\x7f\0\0\1\0\x50",
     "\5\0\5\1\0\1\0\0\0\0\0\0", 'bad_request'],
    ['a reserved byte', "\5\1\0\5\1\1\1\x7f\0\0\1\0\x50",
     "\5\0\5\1\0\1\0\0\0\0\0\0", 'bad_request'],
    ['port 0', "\5\1\0\5\1\0\1\x7f\0\0\1\0\0",
     "\5\0\5\1\0\1\0\0\0\0\0\0", 'bad_target'],
    ['an empty name', "\5\1\0\5\1\0\3\0\0\x50",
     "\5\0\5\1\0\1\0\0\0\0\0\0", 'bad_target'],
    ['a zero in the name', "\5\1\0\5\1\0\3\5a.b\0c\0\x50",
     "\5\0\5\1\0\1\0\0\0\0\0\0", 'bad_target'],
    ['a number for a name', "\5\1\0\5\1\0\3\x0a2130706433\0\x50",
     "\5\0\5\1\0\1\0\0\0\0\0\0", 'bad_target'],
    ['a label that is too long', "\5\1\0\5\1\0\3\x40" . 'a' x 64 . "\0\x50",
     "\5\0\5\1\0\1\0\0\0\0\0\0", 'bad_target'],
    ['the proxy itself', "\5\1\0\5\1\0\1\x7f\0\0\1" . pack('n', port('FOUR')),
     "\5\0\5\2\0\1\0\0\0\0\0\0", 'self_connect'],
    ['a private address', "\5\1\0\5\1\0\1\x0a\0\0\1\0\x50",
     "\5\0\5\2\0\1\0\0\0\0\0\0", 'destination_denied'],
    ['half a request and an end', "\5\1\0\5\1\0\1\x7f",
     "\5\0\5\1\0\1\0\0\0\0\0\0", 'client_aborted'],
), (map { [@$_, 'FOUR'] }
    ['SOCKS4: BIND', "\4\2\0\x50\x7f\0\0\1\0", "\0\x5b\0\0\0\0\0\0",
     'unsupported'],
    ['SOCKS4: an unknown command', "\4\3\0\x50\x7f\0\0\1\0",
     "\0\x5b\0\0\0\0\0\0", 'bad_request'],
    ['SOCKS4: port 0', "\4\1\0\0\x7f\0\0\1\0", "\0\x5b\0\0\0\0\0\0",
     'bad_target'],
    ['SOCKS4: a user that never ends', "\4\1\0\x50\x7f\0\0\1" . 'x' x 256,
     "\0\x5b\0\0\0\0\0\0", 'bad_request'],
    ['SOCKS4a: a name that never ends', "\4\1\0\x50\0\0\0\1\0" . 'x' x 255,
     "\0\x5b\0\0\0\0\0\0", 'bad_target'],
    ['SOCKS4a: an empty name', "\4\1\0\x50\0\0\0\1\0\0",
     "\0\x5b\0\0\0\0\0\0", 'bad_target'],
    ['SOCKS4: a private address', "\4\1\0\x50\x0a\0\0\1\0",
     "\0\x5b\0\0\0\0\0\0", 'destination_denied'],
))
{
    my ($name, $sent, $expected, $reason, $server) = @$_;

    my $s = client($server);
    $s->write($sent);
    $s->shut if $reason eq 'client_aborted';

    my $got = $s->read_n(length $expected) // '';
    is(unpack('H*', $got), unpack('H*', $expected), $name);
    ok($s->ended, 'closed');
    $s->close;

    like(logged(), qr/ $reason /, "reason $reason");
}


# One deadline for the whole negotiation, whatever is sent how slowly.

for my $pieces (['', 0], ["\5", 0], ["\5\1\0", 12],
                ["\5\1\0\5\1\0\1\x7f\0\0\1", 12],
                [[split //, "\5\x60" . 'x' x 0x60], 0])
{
    my ($sent, $answer) = @$pieces;
    my $start = time;
    my $s = client('SLOW');

    $s->write($sent) if !ref $sent && length $sent;
    $s->write_slowly([@$sent[0 .. 9]], 0.06) if ref $sent;
    $s->read_n($answer) if $answer;

    ok($s->ended(10), 'a slow client is closed');
    cmp_ok(time - $start, '>', 0.3, 'in time');
    $s->close;

    like(logged(), qr/ client_timeout /, 'reason client_timeout');
}


# limit_conn counts who has not said yet what it wants.

my $first = client('LIMIT');
my $second = client('LIMIT');
ok($second->ended(10), 'one negotiation too many');
$first->write("\5\1\0");
is($first->read_n(2), "\5\0", 'the first one goes on');
$first->close;


# Requests that a reload interrupts.

$c = client();
my $own = client();

for my $s ($c, $own) {
    $s->write("\5\1\0");
    $s->read_n(2);
}

ok($ngx->reload, 'nginx reloads');
ok($ngx->wait_until(sub { $ngx->error_log =~ /gracefully shutting down/ }, 20),
   'the old worker waits');

$c->write("\5\1\0" . EgressClient::socks_address('127.0.0.1', port('ECHO')));
is(substr($c->read_n(10), 1, 1), "\0", 'a negotiation survives a reload');
$c->write('still');
is($c->read_n(5), 'still', 'and so does its tunnel');
$c->close;
like(logged(), qr/^127/, 'and logs');

$own->write("\5\1\0" . EgressClient::socks_address('127.0.0.1',
                                                    port('SOCKS')));
is(substr($own->read_n(10), 1, 1), "\2", 'no way back to ourselves, then, too');
like(logged(), qr/ self_connect /, 'reason self_connect');

done_testing();
