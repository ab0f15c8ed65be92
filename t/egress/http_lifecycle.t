# Copyright (C) ngx_egress authors

# Tunnels across reload, graceful quit, worker_shutdown_timeout, a binary
# upgrade and the death of a worker.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw/sleep time/;

use EgressClient;
use EgressNginx;
use EgressPort qw/PROXY/;
use EgressTcp ECHO => 'echo', PARK => 'no_accept';

my %port = map { /^TEST_NGINX_(\w+)_PORT$/ ? ($1 => $ENV{$_}) : () } keys %ENV;
my $echo = "127.0.0.1:$port{ECHO}";


sub conf {
    my ($main, $server) = @_;

    return <<"_EOC_";
$main
egress {
    zone egress 2m;
    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; } } }

http {
    log_format  t '\$status \$egress_reason \$pid';
    access_log  logs/access.log t;

    server {
        listen             127.0.0.1:\$TEST_NGINX_PROXY_PORT;
        egress_http_proxy  direct;
        $server
    }
}
_EOC_
}


sub tunnel {
    my $c = EgressClient->new($port{PROXY});
    my $m = $c->tunnel($echo);

    return $m && $m->{status} == 200 ? $c : undef;
}


sub lives {
    my ($c, $name) = @_;

    $c->write('ping');
    is($c->read_n(4), 'ping', $name);
}


# Reload

my $ngx = EgressNginx->new(workers => 2, conf => conf('', ''));

my @old = map { tunnel() } 1 .. 8;

ok($ngx->reload(conf('', 'deny all;')), 'a reload');
lives($_, 'an old tunnel lives') for @old;

my $c = EgressClient->new($port{PROXY});
is($c->tunnel($echo)->{status}, 403, 'the new configuration is in force');
$c->close;

ok($ngx->reload(conf('', '')), 'another reload');
my @more = map { tunnel() } 1 .. 8;
lives($_, 'tunnels of two generations live') for @old, @more;
$_->close for @old, @more;

ok($ngx->wait_until(sub {
    (() = $ngx->access_log =~ /^200 - /mg) == 16
}), 'all of them end well');


# A configuration that is refused leaves everything as it is.

$c = tunnel();
ok(!$ngx->reload(conf('', 'egress_http_proxy twice;')), 'a refused reload');
lives($c, 'the tunnel lives');
$c->close;
$ngx->{expect} = qr/directive is duplicate/;
$ngx->reload(conf('', ''));


# A killed worker

$c = tunnel();
my ($victim) = $ngx->workers;
$ngx->signal('KILL', $_) for $ngx->workers;
ok($c->ended, 'a tunnel dies with its worker');
ok($ngx->wait_until(sub {
    my @now = $ngx->workers;
    @now == 2 && !grep { $_ == $victim } @now
}, 10), 'new workers come');
ok($ngx->wait_until(sub { my $t = tunnel(); $t && $t->close; $t }),
   'and serve');
$ngx->{expect} = qr/directive is duplicate|exited on signal 9/;


# Binary upgrade

$c = tunnel();
ok($ngx->upgrade, 'a binary upgrade');
lives($c, 'the tunnel lives in the old generation');
$ngx->signal('WINCH', $ngx->old_pid);
sleep 0.3;
lives($c, 'also when its workers are told to go');
my $new = tunnel();
lives($new, 'a new tunnel');
$c->close;
ok($ngx->quit_old, 'the old generation goes');
lives($new, 'the new tunnel lives');
$new->close;


# Graceful quit: waits for the tunnel.

$c = tunnel();
my $pid = $ngx->pid;
$ngx->signal('QUIT');
sleep 0.3;
lives($c, 'a graceful quit waits for a tunnel');
ok(!EgressClient->try($port{PROXY}), 'but takes no more connections');
$c->close;
ok($ngx->wait_until(sub { !EgressNginx::alive($pid) }), 'and ends with it');
$ngx->stop;


# worker_shutdown_timeout

$ngx = EgressNginx->new(conf => conf('worker_shutdown_timeout 500ms;', ''));
$c = tunnel();
my $parked = EgressClient->new($port{PROXY});
$parked->send_request('CONNECT', "127.0.0.1:$port{PARK}", []);
sleep 0.1;
my $start = time();
ok($ngx->reload, 'a reload with worker_shutdown_timeout');
lives($c, 'the tunnel lives on for a while');
ok($c->ended(5), 'then it is ended');
ok($parked->ended(5), 'and so is one that is still being connected');
cmp_ok(time() - $start, '>', 0.4, 'in time');
$c->close;
$parked->close;
like(join("\n", $ngx->wait_access(2)), qr/^200 shutdown /m, 'and logged so');

done_testing();
