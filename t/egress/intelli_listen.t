#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# egress_intelli_proxy in front of all kinds of listening sockets; what a
# server that gets a connection knows about where its client has come to.

use strict;
use warnings;

use lib 't/lib';

use EgressCert;
use EgressClient;
use EgressHello;
use EgressNginx;
use EgressPort qw/MANY SAME UNIX TWO FRONT HTTP TLS SOCKS SNI CLEAR H2
                  TELL/;
use EgressTcp TARGET => 'echo', PP => 'pp';
use EgressUdp ECHO => 'echo';
use EgressUdpClient;
use File::Temp;
use IO::Socket::UNIX;
use Test::More;

my $http2 = qx(@{[ EgressNginx::binary() ]} -V 2>&1) =~ /http_v2_module/;

# of the test, which ends after its nginx

our $dir = File::Temp->newdir;

$ENV{TEST_NGINX_SOCKET_DIR} = $dir;
$ENV{TEST_NGINX_HTTP2} = $http2 ? 'http2' : '';

my $ngx = EgressNginx->new(workers => 2, conf => <<'_EOC_');

stream {
    log_format sni '$egress_host:$egress_port $egress_reason';
    access_log logs/sni.log sni;

    server {
        listen 127.0.0.1:$TEST_NGINX_MANY_PORT reuseport;
        egress_intelli_proxy http_server=127.0.0.1:$TEST_NGINX_HTTP_PORT
                             tls_server=127.0.0.1:$TEST_NGINX_TLS_PORT;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_H2_PORT;
        egress_intelli_proxy http_server=127.0.0.1:$TEST_NGINX_CLEAR_PORT;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_UNIX_PORT;
        listen unix:$TEST_NGINX_SOCKET_DIR/front.sock;
        egress_intelli_proxy http_server=unix:$TEST_NGINX_SOCKET_DIR/http.sock
                             socks_server=unix:$TEST_NGINX_SOCKET_DIR/socks.sock;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_TWO_PORT;
        egress_intelli_proxy http_server=127.0.0.2:$TEST_NGINX_SAME_PORT
                             tls_server=127.0.0.3:$TEST_NGINX_SAME_PORT;
    }

    server {
        listen 127.0.0.9:$TEST_NGINX_FRONT_PORT;
        egress_intelli_proxy socks_server=127.0.0.1:$TEST_NGINX_SOCKS_PORT
                             tls_server=127.0.0.1:$TEST_NGINX_SNI_PORT;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_TELL_PORT;
        egress_intelli_proxy socks_server=unix:$TEST_NGINX_SOCKET_DIR/tell.sock;
    }

    server {
        listen unix:$TEST_NGINX_SOCKET_DIR/tell.sock;
        egress_socks_proxy tell;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_SOCKS_PORT;
        listen unix:$TEST_NGINX_SOCKET_DIR/socks.sock;
        egress_socks_proxy direct;
        egress_udp_associate on;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_SNI_PORT;
        egress_sni_proxy direct;
        egress_sni_hosts { child test redirect_host=127.0.0.1; }
    }
}

egress {
    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
    }

    escaper tell direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
        use_proxy_protocol 2;
    }
}

http {
    access_log off;

    server {
        listen 127.0.0.1:$TEST_NGINX_HTTP_PORT deferred reuseport;
        listen 127.0.0.1:$TEST_NGINX_CLEAR_PORT $TEST_NGINX_HTTP2;
        listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl $TEST_NGINX_HTTP2;
        listen unix:$TEST_NGINX_SOCKET_DIR/http.sock;

        ssl_certificate     $TEST_NGINX_CERT_DIR/server.pem;
        ssl_certificate_key $TEST_NGINX_CERT_DIR/server.key;

        return 200 "$scheme $server_protocol $server_addr:$server_port\n";
    }

    server {
        listen $TEST_NGINX_SAME_PORT;
        listen 127.0.0.2:$TEST_NGINX_SAME_PORT;
        return 200 "two\n";
    }

    server {
        listen 127.0.0.3:$TEST_NGINX_SAME_PORT ssl;
        ssl_certificate     $TEST_NGINX_CERT_DIR/server.pem;
        ssl_certificate_key $TEST_NGINX_CERT_DIR/server.key;
        return 200 "three\n";
    }
}

_EOC_


sub port { $ENV{"TEST_NGINX_$_[0]_PORT"} }

sub client {
    my ($name, %opt) = @_;

    return EgressClient->new(port($name), %opt);
}

my $tls = EgressCert::client_options(name => 'localhost');


# "reuseport" on both sides, "deferred" on one: each worker has sockets of its own

for (1 .. 6) {
    my $c = client('MANY');

    is($c->request('GET', '/')->{body},
       "http HTTP/1.1 127.0.0.1:@{[ port('HTTP') ]}\n", "HTTP, $_");
    is($c->request('GET', '/')->{body},
       "http HTTP/1.1 127.0.0.1:@{[ port('HTTP') ]}\n", "HTTP, $_, again");

    is(client('MANY', tls => $tls)->request('GET', '/')->{body},
       "https HTTP/1.1 127.0.0.1:@{[ port('TLS') ]}\n", "TLS, $_");
}

SKIP: {
    my $curl = `curl --version 2>/dev/null` // '';

    skip 'HTTP/2 is not available', 2 if !$http2 || $curl !~ /\bHTTP2\b/;

    delete @ENV{grep { /_proxy$/i } keys %ENV};

    my $url = '127.0.0.1:' . port('MANY');
    my $clear = '127.0.0.1:' . port('H2');

    is(`curl -sS -m 20 --http2 -k https://$url/ 2>&1`,
       "https HTTP/2.0 127.0.0.1:@{[ port('TLS') ]}\n", 'HTTP/2 by ALPN');
    is(`curl -sS -m 20 --http2-prior-knowledge http://$clear/ 2>&1`,
       "http HTTP/2.0 127.0.0.1:@{[ port('CLEAR') ]}\n",
       'HTTP/2 by its preface');
}


# unix sockets

like(client('UNIX')->request('GET', '/')->{body}, qr{^http HTTP/1\.1 unix:},
     'HTTP for a unix socket');

my $c = client('UNIX');
is($c->socks5('127.0.0.1', port('TARGET'))->{reply}, 0,
   'SOCKS for a unix socket');

my $front = IO::Socket::UNIX->new(Peer => "$dir/front.sock");
$front = EgressSocket->new($front);
$front->write("GET / HTTP/1.0\r\n\r\n");
like($front->read_all, qr{\n\r?\nhttp HTTP/1\.0 unix:},
     'a client of a unix socket');


# one listening socket for several addresses

is(client('TWO')->request('GET', '/')->{body}, "two\n",
   'an address of its own beside all others');
is(client('TWO', tls => $tls)->request('GET', '/')->{body}, "three\n",
   'and another one');


# where the client has come to

my $u = EgressUdpClient->associate(port('FRONT'), host => '127.0.0.9');
is($u->{relay}{host}, '127.0.0.9',
   'UDP ASSOCIATE: the address the client knows');
$u->send('127.0.0.1', port('ECHO'), 'hello');
is(($u->recv(10))[2], 'hello', 'datagrams pass');

$u = EgressUdpClient->associate(port('UNIX'));
is($u->{relay}{host}, '127.0.0.1', 'also behind a unix socket');
$u->send('127.0.0.1', port('ECHO'), 'hello');
is(($u->recv(10))[2], 'hello', 'datagrams pass there, too');

$c = client('FRONT', host => '127.0.0.9');
$c->write(EgressHello::make(sni => 'a.test'));
$c->read_all;
like($ngx->wait_until(sub { $ngx->file('logs/sni.log') =~ /.+refused\n/ && $& }, 10),
     qr/^127\.0\.0\.1:@{[ port('FRONT') ]} connection_refused$/,
     'SNI: the port the client knows');

$c = client('TELL');
my $from = $c->local;
$c->socks5('127.0.0.1', port('PP'));
is($c->read_until(qr/\n/), "v2 PROXY TCP4 $from 127.0.0.1:"
   . port('TELL') . "\n", 'a PROXY header of ours: the address it knows');

# a worker that has closed its listening sockets still knows their servers

undef $_ for $u, $c, $front;

my @waiting = map { client($_) } qw/MANY TWO UNIX/;

for my $w (@waiting) {
    my $from = $w->local;

    $w->write('G');
    ok($ngx->wait_log(qr/client \Q$from\E connected/, 10),
       'a client that has not said what it speaks');
}

ok($ngx->reload, 'a reload');
ok($ngx->wait_until(sub {
    2 == (() = $ngx->error_log =~ /gracefully shutting down/g);
}, 20), 'its worker closes its listening sockets');

$_->write("ET / HTTP/1.0\r\n\r\n") for @waiting;
like($_->read_all, qr{^HTTP/1\.1 200 }, 'it is served nevertheless')
    for @waiting;

is(client('MANY')->request('GET', '/')->{body},
   "http HTTP/1.1 127.0.0.1:@{[ port('HTTP') ]}\n", 'as others are');

ok($ngx->quit(10), 'nginx quits');

done_testing();
