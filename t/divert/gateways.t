#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Two gateways: what comes into the first one by any server type leaves through
# the second one, and both logs know it by one id.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use EgressCert;
use EgressClient;
use EgressNginx;
use EgressOrigin 'ORIGIN', SECURE => { tls => 1 };
use EgressPort qw/HTTP SOCKS SNI MAP TLSMAP PASS FAR FARTLS CHAIN LAST OVERTLS
                  USERHTTP USERSOCKS/;
use EgressTcp 'ECHO', PP => 'pp';

my $certs = EgressCert::directory();
my $id = qr/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/;

my $log = <<'_EOC_';
    log_format id '$egress_task_id $egress_host:$egress_port $egress_reason '
                  '$egress_user';
    access_log logs/access.log id;
_EOC_

my $far = EgressNginx->new(conf => <<"_EOC_");
egress {
    resolver local c_ares { }
    escaper direct direct_fixed {
        resolver local;
        egress_network_filter { allow 127.0.0.0/8; }
    }
    escaper further divert_tcp {
        proxy_addr 127.0.0.1:\$TEST_NGINX_PP_PORT;
    }
}
stream {
    log_format id '\$divert_task_id \$egress_task_id \$egress_host:\$egress_port '
                  '\$divert_username \$egress_user \$remote_addr';
    access_log logs/access.log id;

    divert_accept   on;
    divert_trusted  127.0.0.0/8;
    set_real_ip_from 127.0.0.0/8;

    server {
        listen 127.0.0.1:\$TEST_NGINX_FAR_PORT;
        egress_tcp_stream direct \$divert_target;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_FARTLS_PORT ssl;
        ssl_certificate \$TEST_NGINX_CERT_DIR/server.pem;
        ssl_certificate_key \$TEST_NGINX_CERT_DIR/server.key;
        egress_tcp_stream direct \$divert_target;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_CHAIN_PORT;
        egress_tcp_stream further \$divert_target;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_LAST_PORT;
        divert_pass 127.0.0.1:\$TEST_NGINX_PP_PORT;
        divert_target \$divert_target;
    }
}
_EOC_

my $near = EgressNginx->new(conf => <<"_EOC_");
egress {
    escaper next divert_tcp {
        proxy_addr 127.0.0.1:\$TEST_NGINX_FAR_PORT;
        egress_network_filter { allow 127.0.0.0/8; }
    }
    user_group staff basic {
        user ann { password secret; }
    }
}
http {
$log
    server {
        listen 127.0.0.1:\$TEST_NGINX_USERHTTP_PORT;
        egress_http_proxy next;
        egress_user_group staff;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_HTTP_PORT;
        egress_http_proxy next;
    }
}
stream {
$log
    server {
        listen 127.0.0.1:\$TEST_NGINX_SOCKS_PORT;
        egress_socks_proxy next;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_USERSOCKS_PORT;
        egress_socks_proxy next;
        egress_user_group staff;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_SNI_PORT;
        egress_sni_proxy next;
        egress_sni_port tls=\$TEST_NGINX_SECURE_PORT;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_MAP_PORT;
        egress_tcp_stream next 127.0.0.1:\$TEST_NGINX_ECHO_PORT;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_TLSMAP_PORT;
        egress_tcp_stream next localhost:\$TEST_NGINX_SECURE_PORT;
        egress_tls_client { ca_certificate $certs/ca.pem; }
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_PASS_PORT;
        divert_pass 127.0.0.1:\$TEST_NGINX_FAR_PORT;
        divert_target localhost:\$TEST_NGINX_ECHO_PORT;
        divert_username "joe \\"x\\"";
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_OVERTLS_PORT;
        divert_pass 127.0.0.1:\$TEST_NGINX_FARTLS_PORT;
        divert_target localhost:\$TEST_NGINX_ECHO_PORT;
        divert_ssl on;
        divert_ssl_name localhost;
        divert_tls_client { ca_certificate $certs/ca.pem; }
    }
}
_EOC_


sub port { $ENV{"TEST_NGINX_$_[0]_PORT"} }
sub client { EgressClient->new(port($_[0]), @_[1 .. $#_]) }

my (%seen, $n);


# Both logs get one line more, and these agree.

sub same_id {
    my ($name, $host, $user) = @_;

    $n++;

    my $one = ($near->wait_access($n))[$n - 1] // 'nothing';
    my $two = ($far->wait_access($n))[$n - 1] // 'nothing';

    my ($sent) = $one =~ /^($id) /;

    ok($sent && !$seen{$sent}++, "$name: an id of its own") or diag($one);
    like($one, qr/^\S+ $host (?:-|client_aborted) /, "$name: reached");
    like($two, qr/^$sent $sent $host /, "$name: the same id in both logs");
    like($two, $user ? qr/ \Q$user\E \Q$user\E 127.0.0.1$/ : qr/ - - 127.0.0.1$/,
         "$name: and the same user");
}


my ($origin, $secure, $echo) = map { port($_) } qw/ORIGIN SECURE ECHO/;

my $c = client('HTTP');
is($c->tunnel("127.0.0.1:$origin")->{status}, 200, 'CONNECT');
is($c->get('/')->{body}, "origin\n", 'CONNECT: the origin');
$c->close;
same_id('CONNECT', "127.0.0.1:$origin");

$c = client('HTTP');
is($c->tunnel("LocalHost:$echo")->{status}, 200, 'CONNECT to a name');
$c->write('x' x 200000);
is(length($c->read_n(200000)), 200000, 'CONNECT: bytes both ways');
$c->close;
same_id('CONNECT to a name', "localhost:$echo");

$c = client('HTTP');

for my $i (1, 2) {
    my $r = $c->get("http://127.0.0.1:$origin/echo");

    is($r->{status}, 200, "request $i of a connection");
    like($r->{body}, qr/^GET \/echo HTTP\/1.1/, 'reaches the origin');
    same_id("request $i", "127.0.0.1:$origin");
}

isnt((EgressOrigin::requests('ORIGIN'))[-1]{conn},
     (EgressOrigin::requests('ORIGIN'))[-2]{conn},
     'a connection with a header is not used twice');

$c = client('SOCKS');
is($c->socks5('localhost', $echo)->{reply}, 0, 'SOCKS5');
$c->write('ping');
is($c->read_n(4), 'ping', 'SOCKS5: bytes');
$c->close;
same_id('SOCKS5', "localhost:$echo");

$c = client('USERHTTP');
my @ann = ('Proxy-Authorization' => $c->basic('ann', 'secret'));
is($c->tunnel("localhost:$echo", @ann)->{status}, 200, 'CONNECT of a user');
$c->close;
same_id('CONNECT of a user', "localhost:$echo", 'ann');

$c = client('USERHTTP');
my $r = $c->get("http://127.0.0.1:$origin/echo", @ann);
is($r->{status}, 200, 'a request of a user');
unlike($r->{body}, qr/Proxy-Authorization/i, 'the origin sees no credentials');
$c->close;
same_id('a request of a user', "127.0.0.1:$origin", 'ann');

$c = client('USERSOCKS');
is($c->socks5('localhost', $echo, user => 'ann', password => 'secret')->{reply},
   0, 'SOCKS5 of a user');
$c->close;
same_id('SOCKS5 of a user', "localhost:$echo", 'ann');

my $tls = EgressCert::client_options(name => 'localhost');

$c = client('SNI', tls => $tls);
is($c->get('/')->{body}, "origin\n", 'SNI: TLS with the origin');
$c->close;
same_id('SNI', "localhost:$secure");

$c = client('MAP');
$c->write('ping');
is($c->read_n(4), 'ping', 'a mapped port');
$c->close;
same_id('a mapped port', "127.0.0.1:$echo");

$c = client('TLSMAP');
is($c->get('/')->{body}, "origin\n", 'TLS to the target, through both');
$c->close;
same_id('TLS to the target', "localhost:$secure");

$c = client('PASS');
$c->write('ping');
is($c->read_n(4), 'ping', 'divert_pass');
$c->close;
same_id('divert_pass', "localhost:$echo", 'joe \x22x\x22');

$c = client('OVERTLS');
$c->write('ping');
is($c->read_n(4), 'ping', 'divert_pass over TLS');
$c->close;
same_id('divert_pass over TLS', "localhost:$echo");


# a third one: identity and client are handed on, not made anew

use EgressProxyHeader;

my $task = pack 'H*', '0190000000007000800000000000002a';

for my $name (qw/CHAIN LAST/) {
    $c = client($name, first => EgressProxyHeader::v2('192.0.2.7', 777,
            '192.0.2.8', 888, [0xe0, 'a.example:1'], [0xe2, 'joe'],
            [0xe3, $task]));
    like($c->read_until(qr/\n/) // '',
         qr/^v2 PROXY TCP4 192.0.2.7:777 127.0.0.1:\d+ (?x:
            E0="a.example:1"\ E2="joe"\ E3=@{[unpack 'H*', $task]})$/,
         "$name: the next receiver sees the first client, user and id");
}

done_testing();
