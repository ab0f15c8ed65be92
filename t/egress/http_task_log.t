#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# egress_task_log of the HTTP proxy: requests that have not ended yet.

use strict;
use warnings;

use lib 't/lib';

use EgressClient;
use EgressNginx;
use EgressOrigin;
use EgressPort qw/SPARE FILE ERROR OFF/;
use EgressTcp ECHO => 'echo', DEAD => 'refuse';
use Test::More;

my $ngx = EgressNginx->new(conf => <<'_EOC_');
egress {
    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
    }
}
http {
    map $remote_addr $mapped {
        ~(?<found>^127) "<$found>";
    }
    map $request_method $method {
        ~(?<head>^.) $head;
    }
    egress_task_log logs/task.log created connected 300ms;
    egress_task_log_format '$egress_task_event $egress_task_id $mapped '
                           '$remote_user $egress_host:$egress_port '
                           '$egress_bytes_sent $egress_bytes_received';
    log_format end 'end $egress_task_id $status $mapped $method $remote_user '
                   '$egress_bytes_sent [$egress_task_event]';
    access_log logs/end.log end;

    server {
        listen 127.0.0.1:$TEST_NGINX_FILE_PORT;
        egress_http_proxy direct;
    }
    server {
        listen 127.0.0.1:$TEST_NGINX_ERROR_PORT;
        egress_http_proxy direct;
        egress_task_log connected;
    }
    server {
        listen 127.0.0.1:$TEST_NGINX_OFF_PORT;
        egress_http_proxy direct;
        egress_task_log off;
    }
}
_EOC_


sub client { EgressClient->new($ENV{"TEST_NGINX_$_[0]_PORT"}) }


sub lines {
    my ($id) = @_;

    return grep { / \Q$id\E / } split /\n/, $ngx->file('logs/task.log');
}


# The id of the task whose line matches, once it does.

sub id_of {
    my ($re) = @_;

    return $ngx->wait_until(sub {
        $ngx->file('logs/task.log') =~ /^$re/m && $1;
    }, 10);
}


my %at = map { $_ => '127.0.0.1:' . EgressPort::port($_) } qw/ECHO DEAD ORIGIN/;

# a tunnel; newer cores take $remote_user from the header that is for proxies

my $anna = 'Basic YW5uYTp4';

my $c = client('FILE');
is($c->tunnel($at{ECHO}, Authorization => $anna,
              'Proxy-Authorization' => $anna)->{status}, 200, 'a tunnel');
$c->write('hello');
$c->read_n(5);

my $id = id_of(qr/created (\S{36}) <127> anna $at{ECHO} 0 0$/m);
ok($id, 'created: the target is known');
ok($ngx->wait_until(sub {
    3 <= grep { /^periodic \S+ <127> anna $at{ECHO} 5 5$/ } lines($id)
}, 10), 'then in intervals');

my @lines = lines($id);
is($lines[1], "connected $id <127> anna $at{ECHO} 0 0", 'connected in between');

$c->close;
is($ngx->wait_until(sub { $ngx->file('logs/end.log') =~ /(.+)\n/ && $1 }, 10),
   "end $id 200 <127> C anna 5 [periodic]",
   'the access log has values of its own');


# an answer that takes long

$c = client('FILE');
$c->send_request('GET', "http://$at{ORIGIN}/drip?8,200", []);
$id = id_of(qr/created (\S{36}) <127>  $at{ORIGIN} 0 \d+$/m);
ok($id, 'created: a forwarded request');
ok($ngx->wait_until(sub {
    grep { /^periodic .* [1-9]\d* [1-9]\d*$/ } lines($id)
}, 10), 'is shown with what has come so far');
like((lines($id))[1], qr/^connected /, 'and when it is connected');
is($c->response->{body}, EgressTcp::pattern(0, 8), 'and goes on');


# what ends has no more lines: the next request of that connection has others

is($c->get("http://$at{ORIGIN}/")->{body}, "origin\n", 'the next request');
my $next = id_of(qr/connected (?!\Q$id\E)(\S{36}) <127>  $at{ORIGIN} /);
ok($next, 'is a task of its own');

my $periods = () = lines($id);
$c->write("GET http://$at{ORIGIN}/drip?4,300 HTTP/1.1\r\nHost: h\r\n\r\n");
is($c->response->{status}, 200, 'and another one');
is(scalar(() = lines($id)), $periods, 'an ended task is silent');

$c = client('FILE');
is($c->tunnel($at{DEAD})->{status}, 502, 'a target that refuses');
$id = id_of(qr/created (\S{36}) <127>  $at{DEAD} /);
ok($id, 'was known');
is(scalar(() = lines($id)), 1, 'and never connected');

my $size = length $ngx->file('logs/task.log');


# other ways

$c = client('ERROR');
$c->tunnel($at{ECHO});
like($ngx->wait_log(qr/egress task: connected.*/, 10), qr/<127>/,
     'without a file: the error log');
$c->close;

$c = client('OFF');
$c->tunnel($at{ECHO});
$c->close;

is(length $ngx->file('logs/task.log'), $size, 'off');

# a quitting worker

$c = client('FILE');
$c->tunnel($at{ECHO});
ok(!$ngx->quit(1), 'a tunnel holds a quitting worker');
$c->close;
ok($ngx->wait_until(sub { !$ngx->pid }, 10), 'the log alone does not');


for my $case (
    ['nothing to log', 'egress_task_log logs/x.log',
     '"egress_task_log" directive needs "created", "connected" or an interval'],
    ['two logs', 'egress_task_log created; egress_task_log created',
     '"egress_task_log" directive is duplicate'],
    ['two formats', 'egress_task_log_format a; egress_task_log_format b',
     '"egress_task_log_format" directive is duplicate'],
    ['an unknown variable', 'egress_task_log_format $nonsense',
     'unknown "nonsense" variable'],
) {
    my ($name, $text, $want) = @$case;

    my ($ok, $output) = EgressNginx::test("http { $text; }");

    ok(!$ok, "$name is an error");
    like($output, qr/\[emerg\].*\Q$want\E/, "$name: what it says");
}

my ($ok, $output) = EgressNginx::test('egress { escaper e dummy_deny { } } http { '
    . 'server { listen 127.0.0.1:$TEST_NGINX_SPARE_PORT; egress_http_proxy e; '
    . 'egress_task_log logs/t.log 60s; } }');
ok($ok, 'the default format') or diag $output;

done_testing();
