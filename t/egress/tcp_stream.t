#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# egress_tcp_stream: mapped ports, choice among targets, TLS on either side.

use strict;
use warnings;

use lib 't/lib';

use EgressNetns;
use EgressCert;
use EgressClient;
use EgressDns DNS => { zone => { 'a.test' => { A => '127.0.0.1' } } };
use EgressNginx;
use EgressPort qw/LIMITED ONE NAME FAIL DEAD SERIAL RR RANDOM KETAMA RENDEZVOUS JUMP
                  VARIABLE BADVAR TLS TLSNAME WRONG MTLS NOCERT FULL OUTER/;
use EgressOrigin SECURE => { tls => 1 },
                 MUTUAL => { tls => { client_ca => 1 } };
use EgressTcp ECHO => 'echo', REFUSE => 'refuse', REFUSE2 => 'refuse',
              A => 'say a', B => 'say b', C => 'say c', HALF => 'sink';
use Test::More;

my $abc = join ' ', map { "127.0.0.1:\$TEST_NGINX_${_}_PORT" } qw/A B C/;
my $weighted = $abc =~ s/A_PORT/A_PORT weight=4/r;

sub policy {
    my ($port, $policy, $targets) = @_;

    return <<"_EOC_";
    server {
        listen 127.0.0.1:\$TEST_NGINX_${port}_PORT;
        egress_tcp_stream direct $targets;
        egress_upstream_pick_policy $policy;
    }
_EOC_
}

my $conf = <<'_EOC_' . policy('SERIAL', 'serial', $weighted)

egress {
    resolver local c_ares { server 127.0.0.1:$TEST_NGINX_DNS_PORT; }

    escaper direct direct_fixed {
        resolver local;
        egress_network_filter { allow 127.0.0.0/8; }
    }
}

stream {
    log_format tcp '$egress_port $egress_reason $egress_escaper '
                   '$egress_bytes_sent $egress_bytes_received $status';
    access_log logs/tcp.log tcp;

    limit_conn_zone $binary_remote_addr zone=clients:1m;

    server {
        listen 127.0.0.1:$TEST_NGINX_LIMITED_PORT;
        limit_conn clients 1;
        egress_tcp_stream direct 127.0.0.1:$TEST_NGINX_ECHO_PORT;
    }

    map $server_port $mapped {
        default a.test:$TEST_NGINX_ECHO_PORT;
    }

    map $server_port $bad {
        default "127.1:80";
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_ONE_PORT;
        egress_tcp_stream direct 127.0.0.1:$TEST_NGINX_ECHO_PORT;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_NAME_PORT;
        egress_tcp_stream direct a.test:$TEST_NGINX_HALF_PORT;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_FAIL_PORT;
        egress_tcp_stream direct 127.0.0.1:$TEST_NGINX_REFUSE_PORT
                                 nowhere.test:1 10.0.0.1:1
                                 127.0.0.1:$TEST_NGINX_ECHO_PORT;
        egress_upstream_pick_policy serial;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_DEAD_PORT;
        egress_tcp_stream direct 127.0.0.1:$TEST_NGINX_REFUSE_PORT
                                 127.0.0.1:$TEST_NGINX_REFUSE2_PORT;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_VARIABLE_PORT;
        egress_tcp_stream direct $mapped;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_BADVAR_PORT;
        egress_tcp_stream direct $bad;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_TLS_PORT;
        egress_tcp_stream direct a.test:$TEST_NGINX_SECURE_PORT;
        egress_tls_client {
            ca_certificate $TEST_NGINX_CERT_DIR/ca.pem;
        }
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_TLSNAME_PORT;
        egress_tcp_stream direct 127.0.0.1:$TEST_NGINX_SECURE_PORT;
        egress_upstream_tls_name b.test;
        egress_tls_client {
            ca_certificate $TEST_NGINX_CERT_DIR/ca.pem;
        }
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_WRONG_PORT;
        egress_tcp_stream direct a.test:$TEST_NGINX_SECURE_PORT;
        egress_upstream_tls_name other.invalid;
        egress_tls_client {
            ca_certificate $TEST_NGINX_CERT_DIR/ca.pem;
        }
    }

    # encapsulation and offloading, with certificates on both sides

    server {
        listen 127.0.0.1:$TEST_NGINX_MTLS_PORT;
        egress_tcp_stream direct localhost:$TEST_NGINX_MUTUAL_PORT;
        egress_tls_client {
            ca_certificate $TEST_NGINX_CERT_DIR/ca.pem;
            certificate    $TEST_NGINX_CERT_DIR/client.pem;
            private_key    $TEST_NGINX_CERT_DIR/client.key;
        }
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_OUTER_PORT ssl;
        ssl_certificate     $TEST_NGINX_CERT_DIR/server.pem;
        ssl_certificate_key $TEST_NGINX_CERT_DIR/server.key;
        ssl_client_certificate $TEST_NGINX_CERT_DIR/ca.pem;
        ssl_verify_client on;
        egress_tcp_stream direct 127.0.0.1:$TEST_NGINX_ECHO_PORT;
    }
_EOC_
    . policy('RR', 'round_robin', $abc)
    . policy('RANDOM', 'random', $weighted)
    . policy('KETAMA', 'ketama', $abc)
    . policy('RENDEZVOUS', 'rendezvous', $abc)
    . policy('JUMP', 'jump_hash', $abc)
    . '}';

# "localhost" of mTLS is a name: the fixture's zone has it too

EgressDns::set('DNS', 'localhost', { A => '127.0.0.1' });

my $ngx = EgressNginx->new(conf => $conf);


sub client { EgressClient->new($ENV{"TEST_NGINX_$_[0]_PORT"}) }

sub said {
    my $c = client($_[0]);
    my $text = $c->read_all;
    $c->close;
    return $text;
}

sub counts {
    my ($port, $n) = @_;
    my %count;
    $count{said($port)}++ for 1 .. $n;
    return \%count;
}


my $c = client('ONE');
$c->write('hello');
is($c->read_n(5), 'hello', 'a mapped port');
$c->shut;
ok($c->ended(5), 'half-close goes through and back');

my $first = client('LIMITED');
$first->write('hello');
is($first->read_n(5), 'hello', 'limit_conn: the first');
ok(client('LIMITED')->ended(5), 'limit_conn: one too many');
$first->shut;
ok($first->ended(5), 'limit_conn: the end of the first');
ok($ngx->wait_until(sub {
    $c = client('LIMITED');
    $c->write('hello');
    ($c->read_n(5, 1) // '') eq 'hello';
}, 5), 'limit_conn: and the next');

$c = client('NAME');
$c->write('x' x 1000);
$c->shut;
like($c->read_all, qr/^bytes=1000 /, 'a name is resolved');

$c = client('FAIL');
$c->write('hello');
is($c->read_n(5), 'hello',
   'targets that refuse, have no name or are denied are followed by the next');

$c = client('DEAD');
ok($c->ended(5), 'no target left: closed');
like($ngx->wait_until(sub { $ngx->file('logs/tcp.log')
                            =~ /^(.* connection_refused .*)$/m && $1 }, 5),
     qr/ 502$/, 'reason and status');


is_deeply(counts('SERIAL', 5), { a => 5 }, 'serial: the heaviest');
is_deeply(counts('RR', 9), { a => 3, b => 3, c => 3 }, 'round_robin: in turn');

my $random = counts('RANDOM', 120);
is(scalar(keys %$random), 3, 'random: everybody');
cmp_ok($random->{a}, '>', 50, 'random: by weight');

for my $hash (qw/KETAMA RENDEZVOUS JUMP/) {
    is(scalar(keys %{ counts($hash, 5) }), 1, "$hash: one client, one target");
}

my %before = map { $_ => said($_) } qw/KETAMA RENDEZVOUS JUMP/;
ok($ngx->reload, 'a reload');
is(said($_), $before{$_}, "$_: the same after a reload") for sort keys %before;


$c = client('VARIABLE');
$c->write('hello');
is($c->read_n(5), 'hello', 'a target from a variable');

ok(client('BADVAR')->ended(5), 'a malformed target from a variable');
like($ngx->wait_log(qr/invalid target "127\.1:80".*/, 5), qr/127\.1/,
     'and what is wrong with it');


is(client('TLS')->get('http://a.test/')->{body}, "origin\n",
   'TLS to the target');
is(client('TLSNAME')->get('http://a.test/')->{body}, "origin\n",
   'TLS with another name');
is(EgressOrigin::last('SECURE')->{sni}, 'b.test', 'which is its SNI');

ok(client('WRONG')->ended(5), 'a certificate for another name');
ok($ngx->wait_until(sub { $ngx->file('logs/tcp.log') =~ /tls_certificate/ },
                    5), 'is reason tls_certificate');

is(client('MTLS')->get('http://a.test/')->{body}, "origin\n",
   'a client certificate for the target');

$c = EgressClient->new($ENV{TEST_NGINX_OUTER_PORT},
                       tls => EgressCert::client_options(
                                  name => 'localhost', cert => 'client'));
$c->write('hello');
is($c->read_n(5), 'hello', 'TLS of the client, with a certificate');
$c->shut;
ok($c->ended(5), 'half-close over TLS');

$c = EgressClient->new($ENV{TEST_NGINX_OUTER_PORT},
                       tls => EgressCert::client_options(
                                  name => 'localhost'));
$c->write('hello');
isnt($c->read_n(5, 2), 'hello', 'TLS of the client, without');


for my $case (
    ['no target', 'egress_tcp_stream direct',
     'invalid number of arguments in "egress_tcp_stream"'],
    ['a target without a port', 'egress_tcp_stream direct a.test',
     'invalid address "a.test"'],
    ['a weight without a target', 'egress_tcp_stream direct weight=2',
     'invalid parameter "weight=2"'],
    ['a weight of nothing', 'egress_tcp_stream direct a.test:1 weight=0',
     'invalid parameter "weight=0"'],
    ['two servers in one',
     'egress_tcp_stream direct a.test:1; egress_sni_proxy direct',
     'the server has another handler already'],
    ['the directive twice',
     'egress_tcp_stream direct a.test:1; egress_tcp_stream direct a.test:1',
     '"egress_tcp_stream" directive is duplicate'],
    ['an unknown escaper', 'egress_tcp_stream nowhere a.test:1',
     'unknown escaper "nowhere"'],
    ['an unknown policy',
     'egress_tcp_stream direct a.test:1; egress_upstream_pick_policy best',
     'invalid value "best"'],
    ['egress_idle_timeout of nonsense',
     'egress_idle_timeout x; egress_tcp_stream direct a.test:1',
     '"egress_idle_timeout" directive invalid value'],
    ['egress_sni_port of nonsense',
     'egress_sni_port 0; egress_sni_proxy direct', 'invalid port "0"'],
    ['two ports without names',
     'egress_sni_port 1 2; egress_sni_proxy direct', 'invalid port "1"'],
    ['a hello limit that fits no hello',
     'egress_sni_max_client_hello_size 10; egress_sni_proxy direct',
     '"egress_sni_max_client_hello_size" must be 1k or more'],
    ['egress_sni_hosts with a malformed name',
     'egress_sni_hosts { exact a..b; } egress_sni_proxy direct',
     'invalid host "a..b"'],
    ['egress_sni_hosts without a name',
     'egress_sni_hosts { exact redirect_port=1; } egress_sni_proxy direct',
     '"exact" directive needs a name'],
    ['egress_sni_hosts with a bad port',
     'egress_sni_hosts { exact a redirect_port=x; } egress_sni_proxy direct',
     'invalid port "redirect_port=x"'],
    ['a host twice in egress_sni_hosts',
     'egress_sni_hosts { exact a.test; child a.test; exact b.test a.test; } '
     . 'egress_sni_proxy direct', 'duplicate host "a.test"'],
    ['egress_upstream_tls_name without TLS',
     'egress_upstream_tls_name a.test; egress_tcp_stream direct a.test:1',
     '"egress_upstream_tls_name" needs "egress_tls_client" in the server in'],
    ['an open SNI proxy', 'listen 192.0.2.1:443; egress_sni_proxy direct',
     '"egress_sni_proxy" would be open to everybody on 192.0.2.1:443'],
    ['a listener of datagrams',
     'listen 127.0.0.1:2 udp; egress_tcp_stream direct a.test:1',
     '"egress_tcp_stream" does not serve datagrams: remove "udp" from '
     . '"listen 127.0.0.1:2"'],
) {
    my ($name, $text, $want) = @$case;

    my ($ok, $output) = EgressNginx::test(
        'egress { escaper direct direct_fixed { } }'
        . " stream { server { listen 127.0.0.1:1; $text; } }");

    ok(!$ok, "$name is an error");
    like($output, qr/\[emerg\].*\Q$want\E/, "$name: what it says");
}

for my $case (
    ['a mapped port is no proxy',
     'listen 192.0.2.1:443; egress_tcp_stream direct a.test:1'],
    ['egress_open_proxy',
     'listen 192.0.2.1:443; egress_sni_proxy direct; egress_open_proxy on'],
    ['deny', 'listen 192.0.2.1:443; egress_sni_proxy direct; '
             . 'allow 192.0.2.0/24; deny all'],
    ['timeouts and limits', 'listen 127.0.0.1:1; egress_sni_proxy direct; '
             . 'egress_negotiation_timeout 1s; egress_idle_timeout 1m; '
             . 'egress_tcp_sock_speed_limit upload=1m download=2m'],
) {
    my ($name, $text) = @$case;

    # the address is not ours: only "bind() failed" may stand in the way

    my ($ok, $output) = EgressNginx::test(
        'egress { escaper direct direct_fixed { } }'
        . " stream { server { $text; } }");

    unlike($output, qr/\[emerg\](?! bind)/, "$name is fine");
}

done_testing();
