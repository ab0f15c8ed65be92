#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Health checks of servers that come and go with the answers of a resolver, on
# cores that have "server ... resolve" in the open.

use strict;
use warnings;

use lib 't/lib';

use Test::More;

use EgressDns DNS => { zone => {
    'pool.test' => { A => ['127.0.9.1', '127.0.9.2'], ttl => 1 },
} };
use EgressNginx;
use EgressPort qw/PROXY SERVER/;
use WsHealth;

my $port = EgressPort::port('PROXY');
my $server = EgressPort::port('SERVER');
my %at = map { $_ => "127.0.9.$_:$server" } 1 .. 4;

my $conf = <<"_EOC_";
worker_shutdown_timeout 5s;
http {
    resolver 127.0.0.1:\$TEST_NGINX_DNS_PORT valid=1s ipv6=off;

    upstream pool {
        zone pool 256k;
        server pool.test:$server resolve max_fails=0;
        ws_proxy_health_check uri=/health interval=100ms timeout=1s;
    }

    server {
        listen 127.0.0.1:\$TEST_NGINX_PROXY_PORT;
        proxy_next_upstream off;
        location / { proxy_pass http://pool; }
        location /status { ws_proxy_health_status; }
    }
}
_EOC_

my ($ok, $output) = EgressNginx::test($conf);

plan skip_all => 'no "server ... resolve"'
    if $output =~ /parameter "resolve"|invalid parameter "\S+"/;

my $backends = WsHealth->new(values %at);

$backends->set($at{2}, 'fail');

my $ngx = EgressNginx->new(workers => 3, conf => $conf);

sub states {
    my ($upstream) = @{ WsHealth::view($port, '/status')->{upstreams} };

    return join ' ', sort map { ($_->{address} =~ /(\d+):/)[0] . $_->{state} }
                          @{ $upstream->{servers} };
}

sub become {
    my ($want, $text) = @_;

    $ngx->wait_until(sub { states() eq $want }, 20);
    is(states(), $want, $text);
}

sub asked {
    my %seen;

    for (1 .. 60) {
        my ($status, $body) = WsHealth::get($port, '/');
        $seen{$body =~ /^127\.0\.9\.(\d)/ && $status == 200 ? $1 : $status}++;
    }

    return join ' ', sort keys %seen;
}


become('1up 2down', 'servers of a name are checked one by one');
is(asked(), '1', 'only the healthy one is asked');

EgressDns::set('DNS', 'pool.test',
               { A => [map { "127.0.9.$_" } 2, 3, 4], ttl => 1 });
become('2down 3up 4up', 'servers that come are checked, those that go are not');
is(asked(), '3 4', 'only healthy ones are asked');

$backends->set($at{3}, 'fail');
become('2down 3down 4up', 'one that came goes down');
is(asked(), '4', 'only one is left');

ok($ngx->reload, 'nginx reloads');
become('2down 3down 4up', 'the states are known still');
is(asked(), '4', 'and nobody else is asked');

$backends->set($at{$_}, 'ok') for 2, 3;
become('2up 3up 4up', 'all come back');
is(asked(), '2 3 4', 'and are asked');

done_testing();
