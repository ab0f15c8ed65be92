#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# use_proxy_protocol: what the target is told about the client.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use File::Temp;
use IO::Socket::UNIX;
use Test::More;

use EgressClient;
use EgressNginx;
use EgressPort qw/PROXY REAL/;
use EgressProxyHeader;
use EgressTcp PP => 'pp';

my $dir = File::Temp->newdir;
my $unix = "$dir/proxy.sock";

my $allow = 'egress_network_filter { allow 127.0.0.0/8; }';

my $ngx = EgressNginx->new(master => 0, conf => <<"_EOC_");
egress {
    escaper v1 direct_fixed { $allow use_proxy_protocol 1; }
    escaper v2 direct_fixed { $allow use_proxy_protocol 2; }
}
http {
    server {
        listen 127.0.0.1:\$TEST_NGINX_PROXY_PORT;
        listen [::1]:\$TEST_NGINX_PROXY_PORT;
        listen unix:$unix;
        egress_http_proxy \$http_x_way;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_REAL_PORT proxy_protocol;
        set_real_ip_from 127.0.0.0/8;
        real_ip_header proxy_protocol;
        egress_http_proxy \$http_x_way;
        allow all;
    }
}
_EOC_

my $proxy = $ENV{TEST_NGINX_PROXY_PORT};
my $real = $ENV{TEST_NGINX_REAL_PORT};


# The header that the target got; <port> stands for the client's own.

sub header {
    my ($escaper, $port, %how) = @_;

    my $c = $how{unix} ? unix_client($how{unix})
                       : EgressClient->new($port, %how);

    my ($own) = $how{unix} ? () : $c->local =~ /:(\d+)$/;

    my $r = $c->tunnel("127.0.0.1:$ENV{TEST_NGINX_PP_PORT}",
                       'X-Way' => $escaper);

    return $r->{status} if $r->{status} != 200;

    my $line = $c->read_until(qr/\n/) // 'nothing';
    $line =~ s/\n$//;
    $line =~ s/:$own\b/:<port>/ if $own;

    # the tunnel begins right behind it

    $c->write('ping');
    is($c->read_n(4), 'ping', "$escaper: bytes follow the header");

    return $line;
}


sub unix_client {
    my ($path) = @_;

    my $fh = IO::Socket::UNIX->new(Peer => $path) or die "$path: $!\n";

    return bless EgressSocket->new($fh), 'EgressClient';
}


is(header('v1', $proxy),
   "v1 PROXY TCP4 127.0.0.1:<port> 127.0.0.1:$proxy", 'version 1');
is(header('v2', $proxy),
   "v2 PROXY TCP4 127.0.0.1:<port> 127.0.0.1:$proxy", 'version 2');

is(header('v1', $proxy, host => '::1'),
   "v1 PROXY TCP6 [::1]:<port> [::1]:$proxy", 'version 1 of an IPv6 client');
is(header('v2', $proxy, host => '::1'),
   "v2 PROXY TCP6 [::1]:<port> [::1]:$proxy", 'version 2 of an IPv6 client');

is(header('v1', $real,
          first => EgressProxyHeader::v1('192.0.2.7', 777, '192.0.2.8', 888)),
   "v1 PROXY TCP4 192.0.2.7:777 127.0.0.1:$real",
   'the client is the one that realip tells');
is(header('v2', $real, first =>
          EgressProxyHeader::v2('2001:db8::7', 777, '2001:db8::8', 888)),
   "v2 PROXY TCP6 [2001:db8::7]:777 [::ffff:127.0.0.1]:$real",
   'an IPv6 client at an IPv4 listener: both become IPv6');

is(header('v1', $proxy, unix => $unix), 'v1 PROXY UNKNOWN',
   'version 1 has no words for a unix client');
is(header('v2', $proxy, unix => $unix), 'v2 LOCAL UNSPEC',
   'version 2 of a unix client is LOCAL');

# it removes its socket, the directory must still be there

$ngx->stop;

done_testing();
