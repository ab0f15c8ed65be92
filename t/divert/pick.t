#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# proxy_addr and proxy_addr_pick_policy: which next proxy a connection gets,
# which one comes after it, and that hashes are the same everywhere.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use EgressClient;
use EgressDns DNS => { zone => {
    'one.test' => { A => '127.0.0.1' },
    'two.test' => { A => '127.0.0.1' },
} };
use EgressNginx;
use EgressPort qw/PROXY OTHER USERS OTHERUSERS/;
use EgressTcp A => 'pp', B => 'pp', C => 'pp', D => 'pp', DEAD => 'refuse',
              SHUT => 'close', SIX => { mode => 'pp', addr => '::1' };

my %by_port = map { $ENV{"TEST_NGINX_${_}_PORT"} => $_ }
              qw/A B C D DEAD SHUT SIX/;


# the same proxies, in another order if there is a second one

sub conf {
    my ($port, $users, @order) = @_;

    my $list = join ' ', map { "127.0.0.1:\$TEST_NGINX_${_}_PORT" } @order;

    return <<"_EOC_";
egress {
    resolver dns c_ares { server 127.0.0.1:\$TEST_NGINX_DNS_PORT; }

    user_group all basic {
        user ann { password a; }
        user bob { password b; }
    }

    escaper ketama divert_tcp {
        proxy_addr $list;
        proxy_addr_pick_policy ketama;
    }
    escaper rendezvous divert_tcp {
        proxy_addr $list;
        proxy_addr_pick_policy rendezvous;
    }
    escaper jump_hash divert_tcp {
        proxy_addr 127.0.0.1:\$TEST_NGINX_A_PORT 127.0.0.1:\$TEST_NGINX_B_PORT;
        proxy_addr 127.0.0.1:\$TEST_NGINX_C_PORT weight=2;
        proxy_addr_pick_policy jump_hash;
    }
    escaper random divert_tcp { proxy_addr $list; }
    escaper serial divert_tcp {
        proxy_addr 127.0.0.1:\$TEST_NGINX_A_PORT;
        proxy_addr 127.0.0.1:\$TEST_NGINX_B_PORT weight=3
                   127.0.0.1:\$TEST_NGINX_C_PORT weight=2;
        proxy_addr_pick_policy serial;
    }
    escaper round_robin divert_tcp {
        proxy_addr 127.0.0.1:\$TEST_NGINX_A_PORT weight=3;
        proxy_addr 127.0.0.1:\$TEST_NGINX_B_PORT;
        proxy_addr_pick_policy round_robin;
    }
    escaper failing divert_tcp {
        proxy_addr 127.0.0.1:\$TEST_NGINX_DEAD_PORT weight=3;
        proxy_addr nowhere.test:80 weight=2;
        proxy_addr 127.0.0.1:\$TEST_NGINX_D_PORT;
        proxy_addr_pick_policy serial;
        resolver dns;
    }
    escaper dead divert_tcp { proxy_addr 127.0.0.1:\$TEST_NGINX_DEAD_PORT; }
    escaper self divert_tcp { proxy_addr 127.0.0.1:$port; }
    escaper names divert_tcp {
        proxy_addr ONE.test.:\$TEST_NGINX_A_PORT two.test:\$TEST_NGINX_B_PORT;
        proxy_addr_pick_policy serial;
        resolver dns;
        resolve_strategy ipv4_only;
    }
    escaper bound divert_tcp {
        proxy_addr 127.0.0.1:\$TEST_NGINX_A_PORT;
        bind_ipv4 127.0.0.5;
    }
    escaper bound_other divert_tcp {
        proxy_addr [::1]:\$TEST_NGINX_SIX_PORT;
        bind_ipv4 127.0.0.5;
    }
    escaper no4 divert_tcp {
        proxy_addr 127.0.0.1:\$TEST_NGINX_A_PORT
                   [::1]:\$TEST_NGINX_SIX_PORT;
        proxy_addr_pick_policy serial;
        no_ipv4 on;
    }
    escaper slow divert_tcp {
        proxy_addr 127.0.0.1:\$TEST_NGINX_A_PORT;
        tcp_sock_speed_limit 2k;
        tcp_connect max_retry=0 each_timeout=1s;
        happy_eyeballs connection_attempt_delay=100ms;
        tcp_keepalive on idle=10s;
        tcp_misc_opts no_delay=off;
    }
}
http {
    log_format way '\$egress_escaper \$egress_host \$egress_addr \$egress_bind '
                   '\$egress_reason';
    access_log logs/access.log way;

    server {
        listen 127.0.0.1:$port;
        egress_http_proxy \$http_x_way;
    }
    server {
        listen 127.0.0.1:$users;
        egress_http_proxy \$http_x_way;
        egress_user_group all;
    }
}
_EOC_
}


my $one = EgressNginx->new(workers => 2,
                           conf => conf(@ENV{qw/TEST_NGINX_PROXY_PORT
                                              TEST_NGINX_USERS_PORT/},
                                        qw/A B C/));
my $two = EgressNginx->new(conf => conf(@ENV{qw/TEST_NGINX_OTHER_PORT
                                              TEST_NGINX_OTHERUSERS_PORT/},
                                        qw/C A B/));


# the name of the proxy that a request for that host reaches, or the status

sub way {
    my ($ngx, $way, $host, %opt) = @_;

    my ($user, $password) = @{ delete $opt{user} || [] };
    my $name = ($ngx == $one ? '' : 'OTHER') . ($user ? 'USERS' : '');
    my $c = EgressClient->new(EgressPort::port($name || 'PROXY'), %opt);
    my @auth = $user ? ('Proxy-Authorization' => $c->basic($user, $password))
                     : ();
    my $lines = () = $ngx->access_log =~ /\n/g;

    my $r = $c->tunnel("$host:443", 'X-Way' => $way, @auth);

    if ($r->{status} == 200) {
        $c->read_until(qr/\n/) // return 'nothing';
    }

    $c->close;

    my $line = ($ngx->wait_access($lines + 1))[$lines] // '';

    return $line =~ /^\S+ \Q$host\E \S+?:(\d+) .* -$/ ? $by_port{$1} : $line;
}


sub ways {
    my ($ngx, $way, @opt) = @_;

    return join '', map { way($ngx, $way, "h$_.example", @opt) } 1 .. 24;
}


for my $policy (qw/ketama rendezvous jump_hash/) {
    my $ways = ways($one, $policy);

    like($ways, qr/$_/, "$policy: some go to $_") for qw/A B C/;
    is(ways($one, $policy), $ways, "$policy: a host has its proxy");
    is(ways($two, $policy), $ways, "$policy: the same on another machine");
    isnt(ways($one, $policy, bind => '127.0.0.9'), $ways,
         "$policy: another client has other ones");

    ok($one->reload, 'a reload');
    is(ways($one, $policy), $ways, "$policy: still the same");
}

my $ann = ways($one, 'ketama', user => ['ann', 'a']);
isnt($ann, ways($one, 'ketama', user => ['bob', 'b']),
     'another user has other ones');
is(ways($two, 'ketama', user => ['ann', 'a']), $ann,
   'a user has the same on another machine');

my $random = ways($two, 'random');
like($random, qr/$_/, "random: some go to $_") for qw/A B C/;

is(ways($two, 'serial'), 'B' x 24, 'serial: the heaviest');

my $turns = ways($two, 'round_robin');
is(($turns =~ tr/A//), 18, 'round_robin: by weight');

is(way($two, 'failing', 'a.example'), 'D',
   'a refused one and a name without address are followed by the next');
ok($two->wait_log(qr/next proxy "127.0.0.1:\d+" failed: connection_refused/),
   'which is said');
ok($two->wait_log(qr/next proxy "nowhere.test:80" failed: dns_/), 'twice');

like(way($two, 'dead', 'a.example'), qr/connection_refused$/,
     'the last failure is the reason');
like(way($two, 'self', 'a.example'), qr/self_connect$/,
     'a listening socket of this nginx is no next proxy');

is(way($two, 'names', 'a.example'), 'A', 'a name is resolved');
is(way($two, 'bound_other', 'a.example'), 'SIX',
   'bind_ipv4 does not forbid IPv6');
is(way($two, 'no4', 'a.example'), 'SIX', 'no_ipv4: the next proxy with IPv6');
is(way($two, 'bound', 'a.example'), 'A', 'bind_ipv4');
like((split /\n/, $two->access_log)[-1], qr/ 127.0.0.5:\d+ -$/,
     'bind_ipv4: that is the address');
is(way($two, 'slow', 'a.example'), 'A', 'with the common directives');

done_testing();
