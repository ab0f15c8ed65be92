# Copyright (C) ngx_egress authors

# $egress_* in http: for tunnels, refusals, requests that never had a task,
# and after error_page.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use JSON::PP;
use Test::More;

use EgressClient;
use EgressDns DNS => { zone => {
    'slow.test' => { A => '127.0.0.1', delay => 300 },
} };
use EgressNginx;
use EgressPort qw/PROXY/;
use EgressTcp ECHO => 'echo', DEAD => 'refuse';

my %port = map { /^TEST_NGINX_(\w+)_PORT$/ ? ($1 => $ENV{$_}) : () } keys %ENV;
my %at = map { $_ => "127.0.0.1:$port{$_}" } keys %port;

my @names = qw/task_id user escaper host port addr bind reason path
               resolve_time connect_time tls_time ready_time
               bytes_sent bytes_received would_deny/;

my $format = join ',', map { qq{"$_":"\$egress_$_"} } @names;

my $ngx = EgressNginx->new(master => 0, conf => <<"_EOC_");
egress {
    resolver dns c_ares { server 127.0.0.1:\$TEST_NGINX_DNS_PORT; }
    escaper direct direct_fixed {
        resolver          dns;
        resolve_strategy  ipv4_only;
        bind_ip           127.0.0.9;
        enable_path_selection on;
        egress_network_filter { allow 127.0.0.0/8; deny 127.0.0.2 report; }
    }
}

http {
    log_format  t escape=json '{"status":"\$status",$format}';
    access_log  logs/access.log t;

    server {
        listen                        127.0.0.1:\$TEST_NGINX_PROXY_PORT;
        egress_http_proxy             direct;
        egress_path_selection_header  X-Path;

        if (\$http_x_no) { return 410; }

        error_page 502 /failed;

        location = /failed {
            internal;
            return 502 "\$egress_reason \$egress_host \$egress_task_id\\n";
        }

        location = /plain { return 200 "[\$egress_task_id\$egress_host]\\n"; }
    }
}
_EOC_


my $lines = 0;

sub logged {
    my @all = $ngx->wait_access(++$lines);

    return decode_json($all[-1] // '{}');
}


my $uuid7 = qr/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-
               [0-9a-f]{12}$/x;


# A tunnel

my $c = EgressClient->new($port{PROXY});
$c->tunnel("SLOW.test.:$port{ECHO}", 'X-Path' => 5);
$c->write('0123456789');
$c->read_n(10);
$c->close;

my $v = logged();
is($v->{status}, 200, 'a tunnel');
like($v->{task_id}, $uuid7, 'task_id is a UUIDv7');
is($v->{user}, '', 'user');
is($v->{escaper}, 'direct', 'escaper');
is($v->{host}, 'slow.test', 'host, as it is looked up');
is($v->{port}, $port{ECHO}, 'port');
is($v->{addr}, $at{ECHO}, 'addr');
like($v->{bind}, qr/^127\.0\.0\.9:\d+$/, 'bind');
is($v->{reason}, '', 'reason');
is($v->{path}, 'direct=5', 'path');
like($v->{resolve_time}, qr/^0\.[3-9]\d\d$/, 'resolve_time');
cmp_ok($v->{connect_time}, '>=', $v->{resolve_time}, 'connect_time');
is($v->{tls_time}, '', 'tls_time');
cmp_ok($v->{ready_time}, '>=', $v->{connect_time}, 'ready_time');
is($v->{bytes_sent}, 10, 'bytes_sent');
is($v->{bytes_received}, 10, 'bytes_received');
is($v->{would_deny}, '', 'would_deny');

my $id = $v->{task_id};


# Report-only rules

$c = EgressClient->new($port{PROXY});
$c->tunnel("127.0.0.2:$port{DEAD}");
$c->close;
$v = logged();
like($v->{would_deny}, qr/127\.0\.0\.2/, 'would_deny tells the rule');
isnt($v->{task_id}, $id, 'another task');


# A refusal, and its page

$c = EgressClient->new($port{PROXY});
$c->send_request('CONNECT', $at{DEAD});
my $m = $c->response;
$c->close;
$v = logged();
is($v->{reason}, 'connection_refused', 'reason of a refusal');
is($m->{body}, "connection_refused 127.0.0.1 $v->{task_id}\n",
   'the same after error_page');
is($v->{resolve_time}, '', 'nothing was resolved');
is($v->{ready_time}, '', 'nothing was ready');
is($v->{bytes_sent}, 0, 'no byte was sent');


# Requests without a task

$c = EgressClient->new($port{PROXY});
$c->send_request('CONNECT', $at{ECHO}, ['X-No' => 1]);
$c->response;
$c->close;
$v = logged();
is($v->{status}, 410, 'a request that the server ends itself');
is(join('', @$v{@names}), '', 'has no variables');

$c = EgressClient->new($port{PROXY});
is($c->get('/plain')->{body}, "[]\n", 'nor has one for a location');
$c->close;
logged();


# On a connection that is used again

$c = EgressClient->new($port{PROXY});
$c->get('/plain');
$c->tunnel($at{ECHO});
$c->write('x');
$c->read_n(1);
$c->close;
logged();
$v = logged();
is($v->{host}, '127.0.0.1', 'a tunnel behind another request');
is($v->{bytes_sent}, 1, 'counts itself alone');

done_testing();
