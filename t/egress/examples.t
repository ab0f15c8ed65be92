#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Every example, conf.d/*.conf, starts and does what it is for.  An example without
# a row here fails.

use strict;
use warnings;

use lib 't/lib';

use EgressCert;
use EgressClient;
use EgressExample;
use EgressHttp;
use EgressNginx;
use EgressProxyHeader;
use EgressTcp PP => 'pp';
use EgressUdp UDP => 'echo';
use Test::More;

my $tls = EgressCert::client_options(name => 'localhost');
my $mtls = EgressCert::client_options(name => 'localhost', cert => 'client');


sub connect_to {
    my ($number, %opt) = @_;

    return EgressClient->new(EgressExample::port($number), %opt);
}

sub origin { '127.0.0.1:' . EgressExample::port(8080) }


# a response of the example "origin" through a tunnel to it

sub tunnelled {
    my ($c) = @_;

    my $r = $c->tunnel(origin());
    return $r->{status} if $r->{status} != 200;

    return $c->request('GET', '/')->{body};
}

my $hello = qr/^GET \/ from 127\.0\.0\.\d+, http$/;
my $header = EgressProxyHeader::v1('192.0.2.7', 1, '192.0.2.1', 2);

my %examples = (

quickstart => sub {
    like(tunnelled(connect_to(3128)), $hello, 'quickstart: CONNECT');
    like(tunnelled(connect_to(3129, tls => $tls)), $hello,
         'quickstart: CONNECT over TLS');
},

http_forward => sub {
    my $c = connect_to(3128);
    my $r = $c->get('http://' . origin() . '/');

    like($r->{body}, $hello, 'http_forward: http');
    is(EgressHttp::header($r, 'Via'), '1.1 gate-1', 'http_forward: Via');

    $r = $c->get('https://localhost:' . EgressExample::port(8443) . '/');
    like($r->{body}, qr/^GET \/ from \S+, https$/, 'http_forward: https');
},

resolvers => sub {
    like(tunnelled(connect_to(3128)), $hello, 'resolvers: a literal');

    my $c = connect_to(3128);
    is($c->tunnel('intranet.example:' . EgressExample::port(8080))->{status},
       200, 'resolvers: a redirected name');
},

path_selection => sub {
    for my $n (1 .. 3) {
        my $c = connect_to(3128);
        $c->tunnel(origin(), 'X-Path' => $n);
        is($c->request('GET', '/')->{body},
           'GET / from 127.0.0.1' . $n . ", http\n",
           "path_selection: address $n");
    }
},

limits => sub {
    like(tunnelled(connect_to(3128)), $hello, 'limits: allowed');
},

tcp_stream => sub {
    like(connect_to(10086)->request('GET', '/')->{body}, $hello, 'tcp_stream');
},

tls_offloading => sub {
    like(connect_to(10080)->request('GET', '/')->{body},
         qr/^GET \/ from \S+, https$/, 'tls_offloading');
},

tls_encapsulation => sub {
    like(connect_to(10443, tls => $mtls)->request('GET', '/')->{body}, $hello,
         'tls_encapsulation');
},

sni_proxy => sub {
    like(connect_to(10443, tls => $tls)->request('GET', '/')->{body},
         qr/https$/, 'sni_proxy: TLS');
    like(connect_to(10080)->request('GET', '/', [Host => 'localhost'])->{body},
         $hello, 'sni_proxy: HTTP');
},

socks => sub {
    for my $host ('127.0.0.1', 'localhost') {
        my $c = connect_to(1080);
        is($c->socks5($host, EgressExample::port(8080))->{reply}, 0,
           "socks: SOCKS5 to $host");
        like($c->request('GET', '/')->{body}, $hello, 'socks: a response');
    }

    my $c = connect_to(1080);
    is($c->socks4('127.0.0.1', EgressExample::port(8080))->{reply}, 90,
       'socks: SOCKS4');

    my $u = EgressUdpClient->associate(EgressExample::port(1080));
    $u->send('127.0.0.1', $ENV{TEST_NGINX_UDP_PORT}, 'datagram');
    is(($u->recv(5))[2], 'datagram', 'socks: UDP');
},

user_auth => sub {
    my @to = ('127.0.0.1', EgressExample::port(8080));

    is(connect_to(3128)->tunnel(origin())->{status}, 407,
       'user_auth: nobody');

    my $c = connect_to(3128);
    is($c->tunnel(origin(), 'Proxy-Authorization' => 'Basic cm9vdDp0b29y')
       ->{status}, 200, 'user_auth: a user');
    like($c->request('GET', '/')->{body}, $hello, 'user_auth: a response');

    $c = connect_to(1080);
    is($c->socks5(@to, user => 'guest', password => 'in-the-clear')->{reply},
       0, 'user_auth: SOCKS');
    is(connect_to(1080)->socks5(@to)->{method}, 0xff,
       'user_auth: SOCKS, nobody');
},

intelli_proxy => sub {
    like(tunnelled(connect_to(8081)), $hello, 'intelli_proxy: HTTP');

    my $c = connect_to(8081);
    is($c->socks5('127.0.0.1', EgressExample::port(8080))->{reply}, 0,
       'intelli_proxy: SOCKS');
    like($c->request('GET', '/')->{body}, $hello, 'intelli_proxy: its tunnel');

    like(tunnelled(connect_to(8081, tls => $tls)), $hello,
         'intelli_proxy: TLS');
},

divert_receiver => sub {
    my $c = connect_to(3130, first => EgressProxyHeader::v2('192.0.2.7', 1,
                '192.0.2.1', 2, [0xe0, origin()]));
    like($c->request('GET', '/')->{body}, $hello, 'divert_receiver');
},

divert_sender => sub {
    my $far = EgressNginx->new(conf => EgressExample::text('divert_receiver'));

    like(tunnelled(connect_to(3128)), $hello, 'divert_sender: CONNECT');

    my $c = connect_to(1080);
    is($c->socks5('localhost', EgressExample::port(8080))->{reply}, 0,
       'divert_sender: SOCKS');
    like($c->request('GET', '/')->{body}, $hello,
         'divert_sender: a response over SOCKS');

    like(connect_to(10443, tls => $tls)->request('GET', '/')->{body},
         qr/https$/, 'divert_sender: TLS by server name');

    ok($far->wait_until(sub {
        $far->file('logs/divert_receiver.log') =~ / mapped localhost:/;
    }), 'divert_sender: the other end knows target and user');
    $far->stop;
},

proxy_protocol => sub {
    like(tunnelled(connect_to(3128, first => $header)), $hello,
         'proxy_protocol: in');

    my $c = connect_to(10086, first => $header);
    like($c->read_some, qr/192\.0\.2\.7/, 'proxy_protocol: in and out');
},

);


# what the examples talk to

my $origin = EgressNginx->new(conf => EgressExample::text('origin'));

for my $name (sort keys %examples) {
    my $text = EgressExample::text($name);

    my $sink = EgressExample::port(8082);
    $text =~ s/127\.0\.0\.1:\Q$sink\E/127.0.0.1:$ENV{TEST_NGINX_PP_PORT}/;

    $text =~ s/(server_name):(8443)/"$1:" . EgressExample::port($2)/e;
    $text =~ s/\b(tls|http)=(\d+)/"$1=" . EgressExample::port($2)/ge;

    # a certificate that signs itself is made by "make run"; here a CA has
    # signed it

    my ($server, $ca) = map { EgressCert::file($_) } qw/server.pem ca.pem/;
    $text =~ s/(certificate\s+)\Q$server\E/$1$ca/
        if $name =~ /^(?:tls_offloading|http_forward)$/;
    $text =~ s/(ssl_client_certificate\s+)\Q$server\E/$1$ca/;

    my $ngx = EgressNginx->new(conf => $text);

    $examples{$name}->();
    $ngx->stop;
}

for my $name (EgressExample::names()) {
    ok($examples{$name} || $name =~ /^(origin|ws_proxy)/,
       "$name is tried");
}

done_testing();
