#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Each error of the directives of the SOCKS proxy: lines of a server, and what
# "nginx -t" says.  %% stands for the path of the configuration; the lines
# begin on line 6 of it.

use strict;
use warnings;

use lib 't/lib';

use EgressNginx;
use EgressPort qw/ONE TWO/;
use Test::More;

my $local = 'listen 127.0.0.1:$TEST_NGINX_ONE_PORT; egress_socks_proxy e;';
my $open = 'listen $TEST_NGINX_ONE_PORT; egress_socks_proxy e;';
my $not_open = "\"egress_socks_proxy\" would be open to everybody on "
    . "0.0.0.0:$ENV{TEST_NGINX_ONE_PORT}: listen on a loopback address, "
    . 'restrict clients by "egress_user_group", "allow" and "deny", or say '
    . '"egress_open_proxy on", in %%:6';

my $rate = 'has an invalid rate, use bytes a second as in "512k" in %%:6';
my $packets = 'has an invalid number of packets a second in %%:6';
my $range = 'has an invalid range, use "first-last" in %%:6';

sub map_error {
    return qq(invalid map "$_[0]", use "on", "off" or )
           . '"local-address=address" in %%:6';
}

my @errors = (

['an escaper that nobody declares',
 'listen 127.0.0.1:$TEST_NGINX_ONE_PORT; egress_socks_proxy nowhere;',
 'unknown escaper "nowhere" in %%:6'],

['two of them', "$local egress_socks_proxy e;",
 '"egress_socks_proxy" directive is duplicate in %%:6'],

['another handler', "$local egress_tcp_stream e 127.0.0.1:1;",
 '"egress_tcp_stream" directive cannot be used where the server has another '
 . 'handler already in %%:6'],

['a handler that would override it', "$local proxy_pass 127.0.0.1:1;",
 '"egress_socks_proxy" is overridden by another handler of the server, such '
 . 'as "proxy_pass": remove one, in %%:6'],

['an empty name', 'egress_socks_proxy "";',
 '"egress_socks_proxy" directive needs the name of an escaper in %%:6'],

['no name', 'egress_socks_proxy;',
 'invalid number of arguments in "egress_socks_proxy" directive in %%:6'],

['a proxy for everybody', $open, $not_open],
['only allow rules', "$open allow all;", $not_open],
['an explicit off', "$open egress_open_proxy off;", $not_open],

['a second listener for everybody',
 "$local listen \$TEST_NGINX_TWO_PORT;",
 $not_open =~ s/$ENV{TEST_NGINX_ONE_PORT}/$ENV{TEST_NGINX_TWO_PORT}/r],

['SOCKS4 neither on nor off', "$local egress_socks4 yes;",
 'invalid value "yes" in "egress_socks4" directive, it must be "on" or "off" '
 . 'in %%:6'],

['UDP in a way there is not', "$local egress_udp_associate many;",
 'invalid value "many" in %%:6'],

['UDP twice', "$local egress_udp_associate on; egress_udp_associate off;",
 '"egress_udp_associate" directive is duplicate in %%:6'],

['an IPv6 address for IPv4', "$local egress_udp_bind_ipv4 ::1;",
 '"::1" is no IPv4 address in %%:6'],

['an IPv4 address for IPv6', "$local egress_udp_bind_ipv6 ::1 127.0.0.1;",
 '"127.0.0.1" is no IPv6 address in %%:6'],

['a name for an address', "$local egress_udp_bind_ipv4 localhost;",
 '"localhost" is no IPv4 address in %%:6'],

(map { ["the port range $_", "$local egress_udp_bind_port_range $_;",
        "\"egress_udp_bind_port_range\" directive $range"] }
    qw/5000 5000- -5000 6000-5000 0-5000 5000-70000 a-b/),

['two port ranges',
 "$local egress_udp_bind_port_range 1-2; egress_udp_bind_port_range 1-2;",
 '"egress_udp_bind_port_range" directive is duplicate in %%:6'],

['no size', "$local egress_udp_socket_buffer send=big;",
 'invalid size "send=big" in %%:6'],

['two sizes',
 "$local egress_udp_socket_buffer 1k; egress_udp_socket_buffer send=1k;",
 '"egress_udp_socket_buffer" directive is duplicate in %%:6'],

['no time', "$local egress_udp_client_initial_timeout soon;",
 '"egress_udp_client_initial_timeout" directive invalid value in %%:6'],

(map { ["the map $_", "$local egress_transmute_udp_echo_ip $_;",
        map_error($_)] }
    qw/127.0.0.1 127.0.0.1= =127.0.0.1 localhost=127.0.0.1
       127.0.0.1=example.net 127.1=127.0.0.1/),

['a map and on', "$local egress_transmute_udp_echo_ip 127.0.0.1=127.0.0.2;"
 . ' egress_transmute_udp_echo_ip on;',
 '"egress_transmute_udp_echo_ip" directive is duplicate in %%:6'],

['off and a map', "$local egress_transmute_udp_echo_ip off;"
 . ' egress_transmute_udp_echo_ip 127.0.0.1=127.0.0.2;',
 '"egress_transmute_udp_echo_ip" directive is duplicate in %%:6'],

['no rate', "$local egress_udp_sock_speed_limit fast;",
 "\"egress_udp_sock_speed_limit\" directive $rate"],

['no rate of a direction', "$local egress_udp_sock_speed_limit download=x;",
 "\"egress_udp_sock_speed_limit\" directive $rate"],

['no number', "$local egress_udp_sock_speed_limit upload_packets=1k;",
 "\"egress_udp_sock_speed_limit\" directive $packets"],

['no other number', "$local egress_udp_sock_speed_limit download_packets=;",
 "\"egress_udp_sock_speed_limit\" directive $packets"],

);


sub conf {
    my ($lines, $escaper) = @_;

    return 'egress { escaper e direct_fixed { ' . ($escaper // '')
           . " } }\nstream {\nserver {\n$lines\n} }\n";
}

sub check {
    my ($name, $text, $error) = @_;

    my ($ok, $output) = EgressNginx::test("events {}\n$text");

    is($ok, 0, $name);
    $output =~ s{\S+/nginx\.conf}{%%}g;
    like($output, qr/\Q$error\E/, 'what it says');
}

check($_->[0], conf($_->[1]), $_->[2]) for @errors;

check('no rate of an escaper', conf($local, 'udp_sock_speed_limit x;'),
      '"udp_sock_speed_limit" directive has an invalid rate');
check('UDP limits of another type',
      "egress { escaper e dummy_deny { udp_sock_speed_limit 1k; } }\n",
      'unknown directive "udp_sock_speed_limit"');


for (
    ['a guarded proxy', "$open allow 127.0.0.1; deny all;"],
    ['an open proxy that was asked for', "$open egress_open_proxy on;"],
    ['maps and lists in many lines', "$local egress_udp_associate connect;"
     . ' egress_transmute_udp_echo_ip 127.0.0.1=192.0.2.1 ::1=2001:db8::1;'
     . ' egress_transmute_udp_echo_ip [::2]=[2001:db8::2];'
     . ' egress_udp_bind_ipv4 127.0.0.1 127.0.0.2;'
     . ' egress_udp_bind_ipv4 127.0.0.3; egress_udp_bind_ipv6 ::1;'
     . ' egress_udp_bind_port_range 20000-20000;'
     . ' egress_udp_socket_buffer receive=64k send=32k;'
     . ' egress_udp_sock_speed_limit upload=1m download=off'
     . ' upload_packets=100;'
     . ' egress_udp_sock_speed_limit download_packets=0;'],
)
{
    my ($ok, $output) = EgressNginx::test("events {}\n" . conf($_->[1]));
    is($ok, 1, $_->[0]) or diag($output);
}

done_testing();
