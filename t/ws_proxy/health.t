#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Health checks: what makes a server healthy, who is asked and who is not.

use strict;
use warnings;

use lib 't/lib';

use Test::More;

use EgressNginx;
use EgressPort qw/PROXY A B C D E/;
use WsClient;
use WsHealth;

my $port = EgressPort::port('PROXY');
my %at = map { $_ => '127.0.0.1:' . EgressPort::port($_) } qw/A B C D E/;
my $backends = WsHealth->new(values %at);

# the seventh server is nobody's: connections to it are refused

EgressPort::reserve('NONE');

my @balancers = (
    ['rr', ''],
    ['least', 'least_conn;'],
    ['hash', 'hash $arg_k;'],
    ['ketama', 'hash $arg_k consistent;'],
    ['ip', 'ip_hash;'],
    ['random', 'random;'],
    ['two', 'random two least_conn;'],
);

my ($upstreams, $locations) = ('', '');

for my $b (@balancers) {
    for my $zone (0, 1) {
        my $name = "$b->[0]$zone";
        my $line = $zone ? "zone $name 128k;" : '';

        $upstreams .= <<"_EOC_";
    upstream $name {
        $b->[1] $line
        server $at{A};
        server $at{B};
        server $at{C};
        ws_proxy_health_check uri=/health/$name interval=100ms jitter=20ms
                              timeout=300ms;
    }
_EOC_
        $locations .= "location /$name { proxy_pass http://$name; }\n";
    }
}

my $ngx = EgressNginx->new(workers => 2, conf => <<"_EOC_");
events { worker_connections 1024; }
http {
    ws_proxy_health_zone 512k;
    log_format h '\$uri \$status \$ws_proxy_health_upstream '
                 '\$ws_proxy_health_up/\$ws_proxy_health_down/'
                 '\$ws_proxy_health_total \$ws_proxy_health_peer '
                 '\$ws_proxy_health_up_rr0/\$ws_proxy_health_down_rr0/'
                 '\$ws_proxy_health_total_rr0 [\$ws_proxy_health_up_nobody]';
    access_log logs/access.log h;

    $upstreams

    ws_proxy_match seed {
        status 101;
        header X-Status = healthy;
    }

    ws_proxy_match words {
        status 200-299 !204;
        header Server ~ "^node-";
        header !X-Not-There;
        body contains healthy;
        body !~ "ill";
    }

    ws_proxy_match chunks {
        body ~ "^\\S+ healthy\\n\$";
    }

    upstream ws {
        server $at{A};
        server $at{B};
        ws_proxy_health_check type=websocket uri=/health/ws interval=100ms
                              timeout=300ms header="X-Health-Check: nginx"
                              user=me:secret host=h.test match=seed;
        ws_proxy_health_check type=http uri=/health interval=100ms
                              method=POST body=ping match=words;
    }

    upstream ping {
        server $at{C};
        ws_proxy_health_check type=websocket uri=/ping ping interval=100ms
                              timeout=200ms;
    }

    upstream tcp {
        server $at{D};
        server 127.0.0.1:\$TEST_NGINX_NONE_PORT;
        ws_proxy_health_check type=tcp interval=100ms;
    }

    upstream spare {
        server $at{A};
        server $at{B} down;
        server $at{C} backup;
        ws_proxy_health_check uri=/spare interval=100ms timeout=200ms;
    }

    upstream none {
        zone none 64k;
        server $at{D} max_fails=1;
        ws_proxy_health_check uri=/none interval=100ms;
    }

    upstream any {
        server $at{D};
        ws_proxy_health_check uri=/any interval=100ms;
        ws_proxy_health_fallback any;
    }

    upstream port {
        server 127.0.0.1:\$TEST_NGINX_NONE_PORT;
        ws_proxy_health_check uri=/port port=@{[ $at{D} =~ /(\d+)$/ ]}
                              interval=100ms;
    }

    upstream mandatory {
        server $at{E};
        ws_proxy_health_check uri=/mandatory mandatory interval=100ms
                              timeout=30s;
    }

    upstream flap {
        server $at{E};
        ws_proxy_health_check uri=/flap interval=50ms fails=2 passes=2;
    }

    upstream chunks {
        server $at{C};
        ws_proxy_health_check uri=/chunks interval=100ms match=chunks;
    }

    upstream unchecked {
        server $at{A};
    }

    server {
        listen 127.0.0.1:\$TEST_NGINX_PROXY_PORT;
        proxy_next_upstream off;

        $locations

        location /ws { ws_proxy_pass http://ws; }
        location /var { ws_proxy_pass http://\$arg_u; }
        location /spare { proxy_pass http://spare; }
        location /none { proxy_pass http://none; }
        location /page { proxy_pass http://none; error_page 503 =503 \@page; }
        location \@page { return 503 "sorry\\n"; }
        location /any { proxy_pass http://any; }
        location /mandatory { proxy_pass http://mandatory; }
        location /flap { proxy_pass http://flap; }
        location /unchecked { proxy_pass http://unchecked; }
        location /status { ws_proxy_health_status; }
        location /metrics { ws_proxy_health_status prometheus; }
    }
}
_EOC_

sub status { (WsHealth::get($port, $_[0]))[0] }

sub becomes {
    my ($upstream, $name, $state, $text) = @_;

    ok($ngx->wait_until(sub {
        WsHealth::state($port, '/status', $upstream, $at{$name} || $name)
        eq $state;
    }, 10), $text);
}

sub servers_of {
    my ($path, $n) = @_;

    my %seen;

    for my $i (1 .. $n) {
        my ($status, $body) = WsHealth::get($port, "$path?k=$i");
        $seen{$status == 200 ? ($body =~ /^(\S+)/)[0] : $status}++;
    }

    return %seen;
}


# balancers

$ngx->wait_until(sub {
    my $view = (WsHealth::get($port, '/status'))[1];
    $view !~ /unchecked/;
}, 10);

for my $b (@balancers) {
    for my $zone (0, 1) {
        my %seen = servers_of("/$b->[0]$zone", 40);
        my $want = $b->[0] eq 'ip' ? 1 : 3;

        is(scalar keys %seen, $want, "$b->[0]$zone: all servers are used");
    }
}

$backends->set($at{B}, 'fail');

for my $b (@balancers) {
    for my $zone (0, 1) {
        becomes("$b->[0]$zone", 'B', 'down', "$b->[0]$zone: one is down");
    }
}

for my $b (@balancers) {
    for my $zone (0, 1) {
        my %seen = servers_of("/$b->[0]$zone", 40);

        ok(!$seen{$at{B}} && !$seen{503} && !$seen{502},
           "$b->[0]$zone: and is not asked") or diag explain \%seen;
    }
}

ok($ngx->error_log =~ /\[error\].*server "\Q$at{B}\E" of upstream "rr0" is /
   && $ngx->error_log =~ /"rr0" is unhealthy, http check failed: unexpected st/,
   'the change is logged with its reason');

$backends->set($at{B}, 'ok');
becomes('rr0', 'B', 'up', 'it comes back');
ok($ngx->error_log =~ /"\Q$at{B}\E" of upstream "rr0" passes the http check/,
   'which is logged, too');


# types

becomes('ws', 'A', 'up', 'a WebSocket server passes both checks');

is(WsClient::status($port, '/ws'), 101, 'and is used by ws_proxy_pass');
is(WsClient::status($port, '/var?u=ws'), 101, 'and with variables');

my ($probe) = $backends->requests(qr{^\Q$at{A}\E GET /health/ws });
like($probe, qr{check=nginx auth=Basic bWU6c2VjcmV0 host=h\.test},
     'a WebSocket probe has the headers it was told to have');

($probe) = $backends->requests(qr{^\Q$at{A}\E POST /health });
like($probe, qr{host=ws body=ping}, 'an HTTP probe its method and body');
ok($backends->requests(qr/^close 1000$/), 'a probe closes its session');

for my $case (['forged', 'a forged Sec-WebSocket-Accept'],
              ['fail', 'a 500'], ['hang', 'no answer'],
              ['reset', 'a closed connection'])
{
    $backends->set($at{A}, $case->[0]);
    becomes('ws', 'A', 'down', "a server is down for $case->[1]");
    $backends->set($at{A}, 'ok');
    becomes('ws', 'A', 'up', 'and comes back');
}

ok($ngx->error_log =~ /websocket check failed: wrong Sec-WebSocket-Accept/,
   'the forged one is told apart');
ok($ngx->error_log =~ /websocket check failed: timed out/,
   'and so is the silent one');

becomes('ping', 'C', 'up', 'a ping is answered');
$backends->set($at{C}, 'mute');
becomes('ping', 'C', 'down', 'a server that answers no ping is down');

becomes('tcp', 'D', 'up', 'a server that accepts passes type=tcp');
becomes('tcp', '127.0.0.1:' . EgressPort::port('NONE'), 'down',
        'one that refuses does not');
becomes('port', '127.0.0.1:' . EgressPort::port('NONE'), 'up',
        'port= asks another port');

$backends->set($at{C}, 'chunked');
becomes('chunks', 'C', 'up', 'a chunked body is matched');
$backends->set($at{C}, 'fail');
becomes('chunks', 'C', 'down', 'and is needed');
$backends->set($at{C}, 'ok');


# backup, down, none, any

becomes('spare', 'A', 'up', 'the first server of three is up');
becomes('spare', 'C', 'up', 'the backup is checked');
is(WsHealth::state($port, '/status', 'spare', $at{B}), 'disabled',
   'a server that is "down" is not');
is_deeply([keys %{{ servers_of('/spare', 10) }}], [$at{A}],
          'the first one is asked');
$backends->set($at{A}, 'hang');
becomes('spare', 'A', 'down', 'a server that never answers is down');
is_deeply([keys %{{ servers_of('/spare', 10) }}], [$at{C}],
          'the backup is asked');
$backends->set($at{A}, 'ok');

is(status('/none'), 200, 'the only server is up');
$backends->set($at{D}, 'fail');
becomes('none', 'D', 'down', 'the only server is down');
is(status('/none'), 503, 'that is 503');
my ($code, $body) = WsHealth::get($port, '/page');
is("$code $body", "503 sorry\n", 'for which error_page works');
is(WsClient::status($port, '/var?u=none'), 503, 'for ws_proxy_pass as well');
becomes('any', 'D', 'down', 'it is down in another upstream');
is(status('/any'), 500, 'ws_proxy_health_fallback any asks it');
is(status('/status'), 200, 'the view is 200 all the time');
is(status('/metrics'), 200, 'and so is that for Prometheus');
$backends->set($at{D}, 'ok');
becomes('none', 'D', 'up', 'the only server is back');
is(status('/none'), 200, 'and asked');


# mandatory, flapping

$backends->set($at{E}, 'hang');

ok($ngx->reload, 'nginx reloads');

$backends->set($at{E}, 'flap');
becomes('flap', 'E', 'up', 'a server that flaps stays up');
$backends->forget;
$ngx->wait_until(sub { $backends->count(qr{/flap}) >= 10 }, 5);
is(WsHealth::state($port, '/status', 'flap', $at{E}), 'up',
   'as long as fails= in a row do not come');
$backends->set($at{E}, 'fail');
becomes('flap', 'E', 'down', 'and goes down when they do');
$backends->set($at{E}, 'flap');
$backends->forget;
$ngx->wait_until(sub { $backends->count(qr{/flap}) >= 10 }, 5);
is(WsHealth::state($port, '/status', 'flap', $at{E}), 'down',
   'it stays down until passes= in a row have come');


# views and variables

my $view = WsHealth::view($port, '/status');
my ($ws) = grep { $_->{name} eq 'ws' } @{ $view->{upstreams} };

is(scalar @{ $ws->{servers} }, 2, 'the view has all servers');
is(scalar @{ $ws->{servers}[0]{checks} }, 2, 'and all checks');
cmp_ok($ws->{servers}[0]{checks}[0]{checks}, '>', 0, 'with counters');

my $metrics = (WsHealth::get($port, '/metrics'))[1];

like($metrics, qr/^ws_proxy_health_server_up\{upstream="flap",
     server="\Q$at{E}\E"\}\ 0$/mx, 'a metric of a server that is down');
like($metrics, qr/^ws_proxy_health_checks_total\{upstream="ws",
     server="\Q$at{A}\E",type="websocket",check="1"\}\ \d+$/mx,
     'a counter of a check');
like($metrics, qr/^# TYPE ws_proxy_health_changes_total counter$/m,
     'metrics have types');

status('/unchecked');
status('/rr0');

my $log = $ngx->access_log;

like($log, qr{^/rr0 200 rr0 3/0/3 up 3/0/3 \[-\]$}m, 'variables of a request');
like($log, qr{^/none 503 none 0/1/1 - }m, 'of one that found nobody');
like($log, qr{^/unchecked 200 - -/-/- - 3/0/3 }m, 'and of one without checks');


# a server that must pass first

{
    $backends->set($at{E}, 'hang');

    my $other = EgressPort::reserve('OTHER');
    my $fresh = EgressNginx->new(conf => <<"_EOC_");
http {
    upstream mandatory {
        server $at{E};
        ws_proxy_health_check uri=/mandatory mandatory interval=100ms
                              timeout=300ms;
    }

    server {
        listen 127.0.0.1:$other;
        location / { proxy_pass http://mandatory; }
        location /status { ws_proxy_health_status json; }
    }
}
_EOC_

    is((WsHealth::get($other, '/'))[0], 503, 'mandatory: not before it passes');
    $backends->set($at{E}, 'ok');
    ok($fresh->wait_until(sub { (WsHealth::get($other, '/'))[0] == 200 }, 5),
       'and when it has passed');
}

done_testing();
