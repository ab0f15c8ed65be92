# Copyright (C) ngx_egress authors

# What becomes of a CONNECT: tunnels, what is sent early, what a refusal
# leaves behind, how tunnels end and are logged.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;
use Time::HiRes qw/sleep time/;

use EgressClient;
use EgressNginx;
use EgressOrigin;
use EgressPort qw/PROXY SHORT SPEED/;
use EgressTcp ECHO => 'echo', SINK => 'sink', DEAD => 'refuse',
              PARK => 'no_accept', RESET => { mode => 'reset 1' },
              SAY => { mode => 'say hello\n' }, HANG => 'hang',
              BULK => { mode => 'bulk 3000000' };

my %port = map { /^TEST_NGINX_(\w+)_PORT$/ ? ($1 => $ENV{$_}) : () } keys %ENV;
my %at = map { $_ => "127.0.0.1:$port{$_}" } keys %port;

my $ngx = EgressNginx->new(conf => <<'_EOC_', master => 0);
egress {
    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; allow ::1; }
        tcp_connect max_retry=0 each_timeout=1s;
    }
}

http {
    log_format  t '$status $egress_reason $bytes_sent $request_length '
                  '$egress_bytes_sent $egress_bytes_received '
                  '$egress_host:$egress_port $request';
    access_log  logs/access.log t;

    server {
        listen             127.0.0.1:$TEST_NGINX_PROXY_PORT;
        egress_http_proxy  direct;
        location / { return 200 "local\n"; }
    }

    server {
        listen               127.0.0.1:$TEST_NGINX_SHORT_PORT;
        egress_http_proxy    direct;
        egress_idle_timeout  300ms;
    }

    server {
        listen                       127.0.0.1:$TEST_NGINX_SPEED_PORT;
        egress_http_proxy            direct;
        egress_tcp_sock_speed_limit  download=100k;
    }
}
_EOC_


sub client { EgressClient->new($port{$_[0] // 'PROXY'}) }


# The log line of what this test did.

my $lines = 0;

sub logged {
    my @all = $ngx->wait_access(++$lines);

    is(scalar @all, $lines, 'one line more is logged');

    return $all[-1];
}


sub head {
    my ($target, @headers) = @_;

    return join "\r\n", "CONNECT $target HTTP/1.1", "Host: $target", @headers,
                '', '';
}


# An HTTP request through a tunnel, and its log line.

my $head = head($at{ORIGIN});
my $established = "HTTP/1.1 200 Connection established\r\n\r\n";

my $c = client();
$c->write($head);
is($c->read_until(qr/\r\n\r\n/), $established, 'the answer is short');
is($c->get('/', Connection => 'close')->{body}, "origin\n", 'then it is HTTP');
ok($c->ended, 'the end of the target is passed on');
$c->close;

my $line = logged();
my ($status, $reason, $sent, $length, $down, $up, $to, @rest) =
    split / /, $line;

is("$status $reason $to @rest", "200 - $at{ORIGIN} CONNECT $at{ORIGIN} HTTP/1.1",
   'status, reason, target and request');
is($length, length $head, '$request_length is the head of CONNECT');
is($sent, $down + length $established, '$bytes_sent has head and tunnel');
ok($up > 20 && $down > 50, 'both directions are counted');


# Early bytes.

$c = client();
$c->write(head($at{ECHO}) . "early");
$c->write(" late");
EgressHttp::read_head($c);
is($c->read_n(10), 'early late', 'bytes behind the head come first');
$c->close;
logged();

$c = client();
$c->write(head($at{SINK}) . 'x' x 500);
$c->shut;
is(EgressHttp::read_head($c)->{status}, 200, 'early bytes and a half-close');
like($c->read_all, qr/bytes=500 /, 'arrive, and so does the answer');
$c->close;
logged();

$c = client();
$c->write(head($at{SINK}, 'X-Large: ' . 'x' x 3000) . 'y' x 40000);
$c->shut;
EgressHttp::read_head($c);
like($c->read_all, qr/bytes=40000 /, 'more of them than any buffer has room');
$c->close;
logged();


# Half-close, a target that speaks first, bulk.

$c = client();
is($c->tunnel($at{SAY})->{status}, 200, 'a target that speaks first');
is($c->read_n(6), "hello\n", 'is heard');
ok($c->ended, 'and so is its end');
$c->write('still');
$c->shut;
ok(EgressDaemon::wait_line('SAY', qr/in=5 /), 'the other way stays open');
$c->close;
logged();

$c = client();
$c->tunnel($at{SINK});
$c->write('0123456789');
$c->shut;
like($c->read_all, qr/bytes=10 /, 'an answer after the half-close');
$c->close;
logged();

$c = client();
$c->tunnel($at{BULK});
is(length $c->read_all(20), 3000000, 'three megabytes');
$c->close;
like(logged(), qr/^200 - 30000\d\d /, 'all of them are counted');


# Refusals: the connection is closed, and nothing behind is a request.

my $smuggled = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

for my $t (
    [DEAD => head($at{DEAD}), 502, 'connection_refused'],
    [length => head($at{ECHO}, 'Content-Length: 5'), 400, '-|bad_request'],
    [chunked => head($at{ECHO}, 'Transfer-Encoding: chunked'), 400,
     '-|bad_request'],
    [literal => head('127.1:80'), 400, 'bad_target'],
    [denied => head('10.1.2.3:80'), 403, 'destination_denied'],
    [self => head($at{PROXY}), 403, 'self_connect'],
) {
    my ($name, $request, $code, $word) = @$t;

    $c = client();
    $c->write($request . $smuggled);
    my $m = $c->response;
    is($m->{status}, $code, "refused: $name");
    is(EgressHttp::header($m, 'Connection'), 'close', 'says that it closes');
    is($c->read_all, '', 'closes, and answers nothing else');
    $c->close;
    like(logged(), qr/^$code (?:$word) /, 'and is logged with its reason');
}

$c = client();
$c->write(head($at{ECHO}, 'Content-Length: 0'));
is(EgressHttp::read_head($c)->{status}, 200, 'no body is no body');
$c->close;
logged();


# Clients that go while the target is being connected.

$c = client();
$c->write(head($at{PARK}));
sleep 0.1;
$c->close;
like(logged(), qr/^499 client_aborted 0 /, 'an abort while connecting');

$c = client();
$c->write(head($at{PARK}));
$c->shut;
like(logged(), qr/^499 client_aborted 0 /, 'a FIN with nothing said');

$c = client();
$c->write(head($at{PARK}));
sleep 0.1;
$c->reset;
like(logged(), qr/^499 client_aborted 0 /, 'a reset while connecting');

$c = client();
$c->write(head($at{PARK}) . 'early');
$c->shut;
is($c->response->{status}, 504, 'a half-close with bytes for the target waits');
$c->close;
like(logged(), qr/^504 connection_timeout /, 'for what becomes of it');


# Tunnels that end badly.

$c = client();
$c->tunnel($at{RESET});
$c->write('x');
ok($c->ended, 'a target that resets');
$c->close;
like(logged(), qr/^200 upstream_aborted /, 'is told in the log');

$c = client();
$c->tunnel($at{HANG});
$c->reset;
like(logged(), qr/^200 client_aborted /, 'a client that resets');

my $start = time();
$c = client('SHORT');
$c->tunnel($at{ECHO});
sleep 0.2;
$c->write('x');
is($c->read_n(1), 'x', 'an idle timeout that begins anew');
ok($c->ended, 'then ends the tunnel');
cmp_ok(time() - $start, '>', 0.45, 'not before its time');
$c->close;
like(logged(), qr/^200 idle_timeout /, 'and is told in the log');


# Speed

sub seconds {
    my ($server, $target, $code) = @_;

    my $t = client($server);
    $t->tunnel($at{$target});

    my $begin = time();
    $code->($t);
    $t->close;
    logged();

    return time() - $begin;
}

my $down_time = seconds('SPEED', 'BULK', sub { $_[0]->read_n(200000, 20) });
cmp_ok($down_time, '>', 0.9, 'a limited download takes its time');
cmp_ok($down_time, '<', 4, 'but not for ever');
cmp_ok(seconds('SPEED', 'SINK', sub {
    $_[0]->write('x' x 1200000); $_[0]->shut; $_[0]->read_all
}), '<', 5, 'an upload beside it does not');


# Not for a proxy.

is(client()->get('/')->{body}, "local\n", 'origin-form goes to locations');
logged();
is(client('SHORT')->get('/')->{status}, 400, 'without one it is refused');
logged();

done_testing();
