#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# UDP ASSOCIATE of egress_socks_proxy: datagrams to addresses and names and
# back, who may send, what is dropped, and how an association ends.

use strict;
use warnings;

use lib 't/lib';

use EgressClient;
use EgressDns DNS => { zone => {
    'a.test' => { A => '127.0.0.1' },
    'six.test' => { AAAA => '::1' },
    'both.test' => { A => '10.1.1.1', AAAA => '::1' },
    'slow.test' => { A => '127.0.0.1', delay => 2000 },
    'private.test' => { A => '10.0.0.1' },
    'drop.test' => { drop => 1 },
    'turn.test' => { A => [['127.0.0.1', '127.0.0.2'],
                           ['127.0.0.2', '127.0.0.1']], ttl => 1 },
}, addr => '127.0.0.1' };
use EgressDns DNS6 => { zone => { 'a.test' => { A => '127.0.0.66' } },
                        addr => '::1' };
use EgressNginx;
use EgressPort qw/SOCKS SIX SINGLE SHORT DENY TURN/;
use EgressUdp ECHO => 'echo', PEER => 'peer', SINK => 'silent',
              OTHER => 'other', SIZE => 'size', REPEAT => 'repeat 40',
              PEER6 => { mode => 'peer', addr => '::1' },
              FAR => { mode => 'peer', addr => '127.0.0.9' };
use Socket qw/SOCK_DGRAM/;
use Test::More;
use Time::HiRes qw/time sleep/;

my $ngx = EgressNginx->new(conf => <<'_EOC_');

egress {
    resolver dns c_ares {
        server 127.0.0.1:$TEST_NGINX_DNS_PORT;
        each_timeout 5s;
    }

    escaper direct direct_fixed {
        resolver dns;
        egress_network_filter {
            allow 127.0.0.0/8 ::1;
            deny 127.0.0.9;
        }
    }

    resolver hasty c_ares {
        server 127.0.0.1:$TEST_NGINX_DNS_PORT;
        each_timeout 5s;
        positive_min_ttl 1s;
    }

    escaper turn direct_fixed {
        resolver hasty;
        resolve_strategy ipv4_only first;
        egress_network_filter { allow 127.0.0.0/8; }
    }

    escaper bound direct_fixed {
        resolver dns;
        bind_ip 127.0.0.3;
        egress_network_filter { allow 127.0.0.0/8 ::1; }
    }

    escaper deny dummy_deny { }
}

stream {
    log_format udp '$egress_host:$egress_port $egress_addr $egress_bind '
                   '$egress_reason $egress_bytes_sent '
                   '$egress_bytes_received $status';
    access_log logs/udp.log udp;

    egress_udp_associate on;

    server {
        listen 127.0.0.1:$TEST_NGINX_SOCKS_PORT;
        egress_socks_proxy direct;
    }

    server {
        listen [::1]:$TEST_NGINX_SIX_PORT;
        egress_socks_proxy direct;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_SINGLE_PORT;
        egress_socks_proxy bound;
        egress_udp_associate connect;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_SHORT_PORT;
        egress_socks_proxy direct;
        egress_udp_client_initial_timeout 600ms;
        egress_idle_timeout 2s;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_TURN_PORT;
        egress_socks_proxy turn;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_DENY_PORT;
        egress_socks_proxy deny;
    }
}

_EOC_


sub port { $ENV{"TEST_NGINX_$_[0]_PORT"} }

sub associate {
    my ($server, %opt) = @_;

    return EgressUdpClient->associate(port($server // 'SOCKS'), %opt);
}


# the next line of the access log

my $lines = 0;

sub logged {
    my @all = split /\n/, $ngx->wait_until(sub {
        my $log = $ngx->file('logs/udp.log');
        return $log if ($log =~ tr/\n//) > $lines;
        return;
    }, 5) || '';

    return $all[$lines++] // '';
}


# sends, and what comes back is "host:port data"

sub ask {
    my ($u, $host, $port, $data, $timeout) = @_;

    $u->send($host, $port, $data);

    my ($from, $at, $back) = $u->recv($timeout // 5);
    return '' if !defined $from;

    return EgressSocket::address($from, $at) . " $back";
}

sub nothing { my ($u, $name) = @_; is($u->recv_raw(0.3), undef, $name) }


# Many peers, by address and by name, of both families.

my $u = associate();

is($u->{relay}{host}, '127.0.0.1', 'the reply has the address of the listener');
cmp_ok($u->{relay}{port}, '>', 0, 'and a port');

is(ask($u, '127.0.0.1', port('ECHO'), 'one'), "127.0.0.1:@{[ port('ECHO') ]} one",
   'IPv4');
is(ask($u, 'a.test', port('ECHO'), 'two'), "127.0.0.1:@{[ port('ECHO') ]} two",
   'a name');
like(ask($u, '::1', port('PEER6'), 'six'),
     qr/^\[::1\]:@{[ port('PEER6') ]} \[::1\]:\d+ six$/, 'IPv6');
like(ask($u, 'six.test', port('PEER6'), 'six'),
     qr/^\[::1\]:@{[ port('PEER6') ]} \[::1\]:\d+ six$/, 'a name of IPv6 only');
like(ask($u, 'both.test', port('PEER6'), 'six'),
     qr/^\[::1\]:@{[ port('PEER6') ]} /,
     'a name whose first address is denied has another one');
is(ask($u, 'A.Test.', port('ECHO'), ''), "127.0.0.1:@{[ port('ECHO') ]} ",
   'an empty datagram');

my ($first) = ask($u, '127.0.0.1', port('PEER'), 'x') =~ / (\S+) x$/;
my ($second) = ask($u, 'a.test', port('PEER'), 'x') =~ / (\S+) x$/;
is($first, $second, 'one address for all peers');

like(ask($u, '127.0.0.1', port('OTHER'), 'x'), qr/^127\.0\.0\.1:\d+ x$/,
     'a peer may answer from another port');


# A DNS server asked through the proxy, as dig would.

for (['127.0.0.1', 'DNS', '127.0.0.1'], ['::1', 'DNS6', '127.0.0.66'],
     ['a.test', 'DNS', '127.0.0.1'])
{
    my ($server, $daemon, $answer) = @$_;
    my $query = pack('nnnnnn', 4711, 0x100, 1, 0, 0, 0)
                . "\1a\4test\0" . pack('nn', 1, 1);

    $u->send($server, port($daemon), $query);

    my (undef, undef, $message) = $u->recv(5);
    my ($id, $flags, $qd, $an) = unpack 'n4', $message // '';

    is($id, 4711, "DNS through $server: the answer");
    is($an, 1, 'has one record');
    is(join('.', unpack 'C4', substr $message // '', -4), $answer, 'the one');
}


# Sizes and numbers.

for my $size (1, 1472, 9000, 65507 - 10) {
    is(length((split / /, ask($u, '127.0.0.1', port('SIZE'), $size), 2)[1]),
       $size, "a datagram of $size bytes comes back");
}

is(ask($u, '127.0.0.1', port('ECHO'), 'y' x 30000),
   "127.0.0.1:@{[ port('ECHO') ]} " . 'y' x 30000, 'and a large one goes');

$u->send('127.0.0.1', port('REPEAT'), 'z');
my $n = 0;
$n++ while $n < 40 && defined $u->recv_raw(5);
is($n, 40, 'forty answers arrive');

for (1 .. 60) {
    $u->send($_ % 2 ? '127.0.0.1' : 'a.test', port('ECHO'), "n$_");
}

my %got;
for (1 .. 60) {
    my (undef, undef, $data) = $u->recv(5);
    $got{$data // ''}++;
}
is(scalar(keys %got), 60, 'sixty datagrams at once go and come back');


# What is dropped.

sub dropped {
    my ($name, $do) = @_;

    EgressDaemon::forget('SINK');
    $do->();
    is(ask($u, '127.0.0.1', port('ECHO'), 'still'),
       "127.0.0.1:@{[ port('ECHO') ]} still", "$name: the association lives");
    is(scalar(EgressDaemon::lines('SINK')), 0, 'nothing arrived');
}

my $to_sink = EgressClient::socks_address('127.0.0.1', port('SINK'));

dropped('a fragment', sub {
    $u->send('127.0.0.1', port('SINK'), 'x', frag => 1);
    $u->send('127.0.0.1', port('SINK'), 'x', frag => 0x80);
});

dropped('short datagrams', sub {
    my $whole = "\0\0\0" . $to_sink;

    $u->send_raw(substr $whole, 0, $_) for 0 .. length($whole) - 1;
    $u->send_raw("\0\0\0\3");
    $u->send_raw("\0\0\0\3\5a.te");
    $u->send_raw("\0\0\0\4" . "\0" x 17);
});

dropped('other garbage', sub {
    $u->send_raw("\0\1\0${to_sink}x");
    $u->send_raw("\0\0\0\2${to_sink}x");
    $u->send_raw("\0\0\0\3\0" . pack('n', port('SINK')) . 'x');
    $u->send_raw("\0\0\0\3\4a\0bc" . pack('n', port('SINK')) . 'x');
    $u->send_raw("\0\0\0" . EgressClient::socks_address('127.0.0.1', 0)
                 . 'x');
    $u->send('127.1', port('SINK'), 'x');
    $u->send('2130706433', port('SINK'), 'x');
});

dropped('targets that the filter denies', sub {
    $u->send('10.0.0.1', port('SINK'), 'x');
    $u->send('private.test', port('SINK'), 'x');
    $u->send('::ffff:10.0.0.1', port('SINK'), 'x');
    $u->send('0.0.0.0', port('SINK'), 'x');
    $u->send('255.255.255.255', port('SINK'), 'x');
    $u->send('224.0.0.1', port('SINK'), 'x');
    $u->send('nowhere.test', port('SINK'), 'x');
});

EgressDaemon::forget('FAR');
$u->send('127.0.0.9', port('FAR'), 'x');
nothing($u, 'a rule of the filter holds for datagrams');
is(scalar(EgressDaemon::lines('FAR')), 0, 'nothing arrived there');
like($ngx->error_log, qr/address 127\.0\.0\.9 of "127\.0\.0\.9" is denied by rule/,
     'the rule is logged');

$u->send('127.0.0.1', port('SOCKS'), 'x');
nothing($u, 'the gateway itself is no target');
like($ngx->error_log, qr/is a listening socket of this nginx/, 'logged');

my $denied = () = $ngx->error_log =~ /of "127\.0\.0\.9" is denied/g;
$u->send('127.0.0.9', port('FAR'), 'x') for 1 .. 5;
ask($u, '127.0.0.1', port('ECHO'), 'x');
is(scalar(() = $ngx->error_log =~ /of "127\.0\.0\.9" is denied/g), $denied,
   'a target is judged once');


# Names that take time: what is sent meanwhile waits, some of it.

my $start = time;
$u->send('slow.test', port('ECHO'), "w$_") for 1 .. 10;
is(ask($u, '127.0.0.1', port('ECHO'), 'now'),
   "127.0.0.1:@{[ port('ECHO') ]} now", 'others do not wait for a slow name');
is(join(' ', map { ($u->recv(5))[2] // '' } 1 .. 10),
   join(' ', map { "w$_" } 1 .. 10), 'then all go, in order');


# A name that has expired is asked for again; nobody is at its other address.

my $turn = associate('TURN');
my $end = time + 30;
my $lost = 0;

while (EgressDns::count('DNS', 'turn.test', 'A') < 3 && time < $end) {
    $lost++ if ask($turn, 'turn.test', port('ECHO'), 'x') eq '';
    sleep 0.1;
}

cmp_ok(EgressDns::count('DNS', 'turn.test', 'A'), '>=', 3,
       'a name is asked for again');
is($lost, 0, 'and keeps its address while it has it');
$turn->{control}->close;
logged();


# Only its client may send, and only peers may answer.

my $other = $u->other;
EgressDaemon::forget('SINK');
$other->send('127.0.0.1', port('SINK'), 'x');
nothing($other, 'another port of the client gets no answer');
ask($u, '127.0.0.1', port('ECHO'), 'x');
is(scalar(EgressDaemon::lines('SINK')), 0, 'and nothing is sent for it');

$u->send('127.0.0.1', port('PEER'), 'where');
my (undef, undef, $where) = $u->recv(5);
my ($ip, $at) = $where =~ /^(\S+):(\d+) /;
my $stranger = IO::Socket::IP->new(LocalHost => '127.0.0.77', Type => SOCK_DGRAM,
                                   PeerHost => '127.0.0.1', PeerPort => $at);
$stranger->send('boo');
nothing($u, 'a stranger cannot send to the client');

$u->{control}->close;
like(logged(), qr/^127\.0\.0\.1:@{[ port('ECHO') ]}
                   \ 127\.0\.0\.1:\d+\ 0\.0\.0\.0:\d+\ -\ \d+\ \d+\ 200$/x,
     'it ends with its control connection');
$u->send('127.0.0.1', port('ECHO'), 'x');
nothing($u, 'and answers no more');


# A foreign sender does not take the association away from its client, even
# if it comes first.

$u = associate();
my $thief = IO::Socket::IP->new(LocalHost => '127.0.0.77', Type => SOCK_DGRAM,
    PeerHost => '127.0.0.1', PeerPort => $u->{relay}{port});
$thief->send("\0\0\0${to_sink}x") for 1 .. 80;
$u->send_raw("\0\0\1${to_sink}x");
is(ask($u, '127.0.0.1', port('ECHO'), 'mine'),
   "127.0.0.1:@{[ port('ECHO') ]} mine", 'the client is still served');
is(scalar(EgressDaemon::lines('SINK')), 0, 'nobody else was');
$u->{control}->close;
logged();


# Over IPv6.

$u = associate('SIX', host => '::1', from => '::');
is($u->{relay}{host}, '::1', 'an IPv6 client is given an IPv6 address');
is(ask($u, '127.0.0.1', port('ECHO'), 'x'), "127.0.0.1:@{[ port('ECHO') ]} x",
   'and reaches IPv4 peers');
is(ask($u, '::1', port('PEER6'), 'x') =~ s/\d+ x$//r,
   "[::1]:@{[ port('PEER6') ]} [::1]:", 'and IPv6 ones');
$u->{control}->close;
logged();


# One peer: the first datagram decides.

$u = associate('SINGLE');
like(ask($u, 'a.test', port('PEER'), 'x'), qr/^127\.0\.0\.1:\d+ 127\.0\.0\.3:\d+ x$/,
     'connect: datagrams leave from bind_ip');
$u->send('127.0.0.1', port('ECHO'), 'x');
$u->send('a.test', port('ECHO'), 'x');
nothing($u, 'another target is not served');
like(ask($u, 'a.test', port('PEER'), 'x'), qr/ x$/, 'the first one is');
$u->{control}->close;
like(logged(), qr/^a\.test:@{[ port('PEER') ]} 127\.0\.0\.1:@{[ port('PEER') ]} 127\.0\.0\.3:\d+ - /,
     'logged');

$u = associate('SINGLE');
$u->send('127.0.0.1', port('OTHER'), 'x');
nothing($u, 'connect: nobody else may answer, from no other port');
$u->{control}->close;
logged();

$u = associate('SINGLE');
$u->send('::1', port('PEER6'), 'x');
nothing($u, 'IPv6 is not reached from an IPv4 bind_ip');
$u->{control}->close;
logged();


# Ends.

$u = associate('SHORT');
$start = time;
ok($u->{control}->ended(8), 'who sends nothing is closed');
cmp_ok(time - $start, '>', 0.5, 'in time');
like(logged(), qr/^-:- - - client_timeout 0 0 200$/, 'logged');

$u = associate('SHORT');
$u->send_raw("\0\0\1${to_sink}x");
ok($u->{control}->ended(8), 'what is dropped is no first datagram');
logged();

$u = associate('SHORT');
for (1 .. 4) {
    ok(ask($u, '127.0.0.1', port('ECHO'), 'x'), 'a busy association lives');
    sleep 0.7;
}
ok($u->{control}->ended(8), 'an idle one ends');
like(logged(), qr/ idle_timeout 4 4 200$/, 'logged');

$u = associate();
ask($u, '127.0.0.1', port('ECHO'), 'x');
$u->{control}->reset;
like(logged(), qr/ client_aborted /, 'a reset of the control connection');

$u = associate();
$u->{control}->write('junk' x 1000);
ok(ask($u, '127.0.0.1', port('ECHO'), 'x'),
   'what is said on the control connection is ignored');
$u->{control}->shut;
ok($u->{control}->ended, 'a half-close ends the association');
logged();


# What an escaper does not offer.

my $c = EgressClient->new(port('DENY'));
is($c->socks5('0.0.0.0', 0, command => 3)->{reply}, 2,
   'an escaper that denies');
ok($c->ended, 'closed');
logged();


# A reload, and the end of the old worker.

$u = associate();
ask($u, '127.0.0.1', port('ECHO'), 'x');
ok($ngx->reload, 'nginx reloads');
is(ask($u, '127.0.0.1', port('ECHO'), 'old'),
   "127.0.0.1:@{[ port('ECHO') ]} old", 'the association lives on');

my $new = associate();
is(ask($new, 'a.test', port('ECHO'), 'new'),
   "127.0.0.1:@{[ port('ECHO') ]} new", 'the new worker serves');

$u->{control}->close;
$new->{control}->close;
ok($ngx->quit(10), 'nginx quits, no socket stays open');

done_testing();
