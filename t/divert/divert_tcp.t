#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# The escaper divert_tcp: what the next proxy is told, for each way in.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use File::Temp;
use IO::Socket::UNIX;
use Socket qw/SOL_SOCKET/;
use Test::More;

use EgressCert;
use EgressClient;
use EgressHello;
use EgressNginx;
use EgressPort qw/PROXY SIX REAL HTTPS DEVICE MAP TLSMAP SNI SOCKS/;
use EgressProxyHeader;
use EgressTcp PP => 'pp', TLS => { mode => 'echo', proxy_protocol => 1,
                                   tls => 1 };

use constant SO_BINDTODEVICE => 25;

my $dir = File::Temp->newdir;
my $unix = "$dir/proxy.sock";
my $id = qr/[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}/;

my $ngx = EgressNginx->new(master => 0, conf => <<"_EOC_");
egress {
    escaper next divert_tcp {
        proxy_addr 127.0.0.1:\$TEST_NGINX_PP_PORT;
    }
    escaper tls divert_tcp {
        proxy_addr 127.0.0.1:\$TEST_NGINX_TLS_PORT;
        egress_network_filter { allow 127.0.0.0/8; }
    }
    escaper lo divert_tcp {
        proxy_addr 127.0.0.1:\$TEST_NGINX_PP_PORT;
        bind_interface lo;
    }
    escaper nowhere divert_tcp {
        proxy_addr 127.0.0.1:\$TEST_NGINX_PP_PORT;
        bind_interface nowhere0;
    }
}
http {
    log_format id '\$egress_task_id \$egress_host:\$egress_port '
                  '\$egress_addr \$egress_escaper \$egress_reason';
    access_log logs/access.log id;

    server {
        listen 127.0.0.1:\$TEST_NGINX_PROXY_PORT;
        listen [::1]:\$TEST_NGINX_SIX_PORT;
        listen unix:$unix;
        egress_http_proxy next;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_REAL_PORT proxy_protocol;
        set_real_ip_from 127.0.0.0/8;
        real_ip_header proxy_protocol;
        egress_http_proxy next;
        allow all;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_HTTPS_PORT;
        egress_http_proxy tls;
        egress_https_forward on;
        egress_tls_client {
            ca_certificate \$TEST_NGINX_CERT_DIR/ca.pem;
        }
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_DEVICE_PORT;
        egress_http_proxy \$http_x_way;
    }
}
stream {
    log_format id '\$egress_task_id \$egress_host:\$egress_port '
                  '\$egress_addr \$egress_escaper \$egress_reason';
    access_log logs/access.log id;

    server {
        listen 127.0.0.1:\$TEST_NGINX_MAP_PORT;
        egress_tcp_stream next [2001:4860:4860::8888]:53;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_TLSMAP_PORT;
        egress_tcp_stream tls 127.0.0.1:4433;
        egress_upstream_tls_name localhost;
        egress_tls_client {
            ca_certificate \$TEST_NGINX_CERT_DIR/ca.pem;
        }
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_SNI_PORT;
        egress_sni_proxy next;
        egress_sni_port 443;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_SOCKS_PORT;
        egress_socks_proxy next;
        egress_socks4 on;
    }
}
_EOC_


# The header that the next proxy got, its own parts by name; the tunnel begins
# right behind it.

sub header {
    my ($c) = @_;

    my $line = $c->read_until(qr/\n/) // return 'nothing';
    my $own = eval { $c->local =~ /:(\d+)$/ ? $1 : undef };

    $line =~ s/\n$//;
    $line =~ s/:$own\b/:<port>/ if $own;

    $c->write('ping');
    is($c->read_n(4), 'ping', 'bytes follow the header');

    return $line;
}


sub tunnel {
    my ($c, $target, @headers) = @_;

    my $r = $c->tunnel($target, @headers);

    return $r->{status} == 200 ? header($c) : $r->{status};
}


sub proxy { "127.0.0.1:$ENV{'TEST_NGINX_' . $_[0] . '_PORT'}" }
sub client { EgressClient->new($ENV{"TEST_NGINX_$_[0]_PORT"}, @_[1 .. $#_]) }


my $line = tunnel(client('PROXY'), 'Name.Example.:443');

like($line, qr/^v2 PROXY TCP4 127.0.0.1:<port> \Q@{[proxy('PROXY')]}\E (?x:
               E0="name.example:443"\ E3=$id)$/,
     'CONNECT: addresses, target, task id, and nothing else');

my ($sent) = $line =~ /E3=(\w+)/;

like(($ngx->wait_access(1))[0] =~ tr/-//dr,
     qr/^$sent name.example:443 127.0.0.1:\d+ next /,
     'the id is that of the access log');

like(tunnel(client('SIX', host => '::1'), '[2001:4860:4860:0::8888]:443'),
     qr/^v2 PROXY TCP6 \[::1\]:<port> \[::1\]:\d+ (?x:
        E0="\[2001:4860:4860::8888\]:443"\ E3=$id)$/,
     'an IPv6 client, an IPv6 target');

like(tunnel(client('REAL', first =>
                   EgressProxyHeader::v1('192.0.2.7', 777, '192.0.2.8', 888)),
            'a.example:80'),
     qr/^v2 PROXY TCP4 192.0.2.7:777 \Q@{[proxy('REAL')]}\E E0=/,
     'the client is the one that realip tells');

my $fh = IO::Socket::UNIX->new(Peer => $unix) or die "$unix: $!\n";
my $c = bless EgressSocket->new($fh), 'EgressClient';

like(tunnel($c, 'a.example:80'), qr/^v2 LOCAL UNSPEC E0="a.example:80" E3=$id$/,
     'a unix client is LOCAL, and the target is told all the same');


$c = client('PROXY');
$c->send_request('GET', 'http://name.example/path', []);
like($c->read_until(qr/\n/), qr/^HTTP\/1.1 502 /,
     'a next proxy that answers a forwarded request with its header');

ok(EgressDaemon::wait_line('PP', qr/in=[1-9]/),
   'the forwarded request came after a header');


$c = client('HTTPS');
$c->send_request('GET', 'https://localhost:4433/path', []);
like($c->read_until(qr/\n/), qr/^HTTP\/1.1 502 /,
     'an origin that answers https with the request');
like(EgressDaemon::wait_line('TLS', qr/PROXY/),
     qr/E0="localhost:4433" E1="localhost" E3=$id$/,
     'a forwarded https request: TLS starts here, and its name is told');
EgressDaemon::forget('TLS');


SKIP: {
    my $test = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);

    skip 'no permission for SO_BINDTODEVICE', 3
        if !setsockopt $test, SOL_SOCKET, SO_BINDTODEVICE, "lo\0";

    like(tunnel(client('DEVICE'), 'a.example:80', 'X-Way' => 'lo'),
         qr/ E0="a.example:80" /, 'bind_interface');
    is(tunnel(client('DEVICE'), 'a.example:80', 'X-Way' => 'nowhere'), 502,
       'an interface that is not there');
    ok($ngx->wait_log(qr/setsockopt\(SO_BINDTODEVICE, "nowhere0"\) failed/),
       'and the log says so');
}


like(header(client('MAP')),
     qr/^v2 PROXY TCP4 \S+ \S+ E0="\[2001:4860:4860::8888\]:53" E3=$id$/,
     'a mapped port');


$c = client('TLSMAP');
$c->write('through TLS');
is($c->read_n(11), 'through TLS', 'TLS is spoken through the next proxy');
like(EgressDaemon::wait_line('TLS', qr/PROXY/),
     qr/E0="127.0.0.1:4433" E1="localhost" E3=$id$/,
     'TLS to the target: its name is told, behind it TLS begins');


$c = client('SNI');
my $hello = EgressHello::make(sni => 'sni.example');
$c->write($hello);
like($c->read_until(qr/\n/),
     qr/^v2 PROXY TCP4 \S+ \S+ E0="sni.example:443" E3=$id$/,
     'a server name; TLS of the client itself has no E1');
is($c->read_n(length $hello), $hello, 'the ClientHello follows');


$c = client('SOCKS');
is($c->socks5('socks.example', 8080)->{reply}, 0, 'SOCKS5');
like(header($c), qr/E0="socks.example:8080" E3=$id$/, 'SOCKS5: the target');

$c = client('SOCKS');
is($c->socks4('socks.example', 81, 'somebody')->{reply}, 90, 'SOCKS4a');
like(header($c), qr/E0="socks.example:81" E3=$id$/,
     'a name of SOCKS4 that nobody has checked is no user');


# literal targets are judged here, names by the next proxy

is(tunnel(client('PROXY'), '10.0.0.1:80'), 403, 'a private literal is denied');
is(tunnel(client('PROXY'), '[::ffff:127.0.0.1]:80'), 403,
   'also as an IPv4-mapped address');
ok($ngx->wait_log(qr/address 10.0.0.1 of "10.0.0.1" is denied by rule/),
   'and the rule is logged');

$ngx->stop;

done_testing();
