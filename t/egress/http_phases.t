# Copyright (C) ngx_egress authors

# What of the core applies to proxied requests: everything said in the server
# itself, nothing said in a location.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use MIME::Base64 qw/encode_base64/;
use Test::More;

use EgressClient;
use EgressNginx;
use EgressPort qw/PROXY OTHER/;
use EgressTcp ECHO => 'echo', DEAD => 'refuse';

my %port = map { /^TEST_NGINX_(\w+)_PORT$/ ? ($1 => $ENV{$_}) : () } keys %ENV;
my %at = map { $_ => "127.0.0.1:$port{$_}" } keys %port;

my $egress = <<'_EOC_';
egress {
    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
    }
    escaper deny dummy_deny { }
}
_EOC_

my $ngx;


# Begins anew with these lines in the server, and perhaps in http.

sub server {
    my ($server, $http) = @_;

    my $listen = 'listen 127.0.0.1:$TEST_NGINX_PROXY_PORT';

    $http //= '';
    $ngx->stop if $ngx;
    $ngx = EgressNginx->new(master => 0, conf => <<"_EOC_");
$egress
http {
    $http
    server { $listen; egress_http_proxy direct; $server }
}
_EOC_
}


sub tunnel {
    my ($target, @headers) = @_;

    my $c = EgressClient->new($port{PROXY});
    my $m = $c->tunnel($target // $at{ECHO}, @headers) or return 'nothing';

    return $m->{status} if $m->{status} != 200;

    $c->write('ping');

    return ($c->read_n(4) // '') eq 'ping' ? 'tunnel' : 'no echo';
}


sub refusal {
    my ($target, @headers) = @_;

    my $c = EgressClient->new($port{PROXY});
    $c->send_request('CONNECT', $target, [Host => $target, @headers]);

    my $m = $c->response;
    $m->{closed} = $c->ended ? 1 : 0;

    return $m;
}


server('deny all; location / { allow all; }');
is(tunnel(), 403, 'deny of the server; locations cannot allow');

server('location / { deny all; } location ~ . { deny all; }');
is(tunnel(), 'tunnel', 'deny of a location is not for proxied requests');

server('deny 127.0.0.2; allow all;');
is(tunnel(), 'tunnel', 'allow of the server');

server('return 402 "pay\n";');
is(tunnel(), 402, 'return of the server');

server('set $no ""; if ($http_x_no) { set $no 1; } if ($no) { return 451; }');
is(tunnel(), 'tunnel', 'if and set of the server: not met');
is(tunnel($at{ECHO}, 'X-No' => 1), 451, 'if and set of the server: met');

server('if ($egress_host) { return 500; } set $h $host;');
is(tunnel(), 'tunnel', '$egress_* are not found before the task begins');

server('rewrite ^ /page last; location /page { internal; return 418; }');
is(refusal($at{ECHO})->{status}, 418, 'rewrite of the server finds a location');
ok(refusal($at{ECHO})->{closed}, 'and the connection is closed');

server('limit_req zone=r;', 'limit_req_zone $remote_addr zone=r:64k rate=1r/m;');
is(tunnel(), 'tunnel', 'limit_req of the server: the first');
is(tunnel(), 503, 'limit_req of the server: the second');

server('limit_conn c 1;', 'limit_conn_zone $remote_addr zone=c:64k;');
{
    my $c = EgressClient->new($port{PROXY});
    is($c->tunnel($at{ECHO})->{status}, 200, 'limit_conn: a tunnel');
    is(tunnel(), 503, 'a second one beside it');
    $c->close;
    ok($ngx->wait_until(sub { tunnel() eq 'tunnel' }), 'when it is gone');
}

server('auth_request /auth;
        location = /auth { internal; if ($http_x_key = open) { return 204; }
                           return 403; }');
is(tunnel(), 403, 'auth_request of the server refuses');
is(tunnel($at{ECHO}, 'X-Key' => 'open'), 'tunnel', 'and lets in');

server('auth_request /auth; satisfy any; allow 127.0.0.1; deny all;
        location = /auth { internal; return 403; }');
is(tunnel(), 'tunnel', 'satisfy any');

server('auth_request /auth; satisfy all; allow 127.0.0.1; deny all;
        location = /auth { internal; return 403; }');
is(tunnel(), 403, 'satisfy all');

server('auth_basic x; auth_basic_user_file /dev/null;');
like(tunnel(), qr/^40[17]$/, 'auth_basic answers as it does to everybody');

server('client_max_body_size 10; location / { client_max_body_size 0; }');
{
    my $c = EgressClient->new($port{PROXY});
    is($c->request('POST', "http://$at{ECHO}/", [], 'x' x 11)->{status}, 413,
       'client_max_body_size of the server');
}


# error_page of a refusal

server('error_page 502 /page; error_page 403 =503 @named;
        location = /page { internal; add_header X-Reason $egress_reason always;
                           return 200 "page $egress_host\n"; }
        location @named { return 503 "named $egress_reason\n"; }');

my $m = refusal($at{DEAD});
is($m->{status}, 502, 'error_page: the status stays');
is($m->{body}, "page 127.0.0.1\n", 'the page is a location, with variables');
is(EgressHttp::header($m, 'X-Reason'), 'connection_refused', 'and the reason');
like(EgressHttp::header($m, 'Proxy-Status'), qr/error=connection_refused/,
     'and Proxy-Status');
ok($m->{closed}, 'and the connection is closed');

$m = refusal('10.1.1.1:80');
is($m->{status}, 503, 'error_page: another status, a named location');
is($m->{body}, "named destination_denied\n", 'and its page');
ok($m->{closed}, 'and the connection is closed');

server('error_page 502 http://127.0.0.2/help;');
$m = refusal($at{DEAD});
is($m->{status}, 302, 'error_page: elsewhere');
ok($m->{closed}, 'and the connection is closed');


# Which server and which escaper

$ngx->stop;
$ngx = EgressNginx->new(master => 0, conf => <<"_EOC_");
$egress
http {
    map \$http_x_way \$way { default direct; none ""; no deny; odd nobody; }
    server {
        listen 127.0.0.1:\$TEST_NGINX_PROXY_PORT;
        egress_http_proxy  \$way;
    }
}
_EOC_

is(tunnel(), 'tunnel', 'an escaper by a variable');
is(tunnel($at{ECHO}, 'X-Way' => 'no'), 403, 'another one');
is(tunnel($at{ECHO}, 'X-Way' => 'none'), 403, 'an empty name is refused');
is(tunnel($at{ECHO}, 'X-Way' => 'odd'), 403, 'an unknown name is refused');
like($ngx->error_log, qr/unknown escaper "nobody"/, 'and logged');


# The target is known when the escaper is asked for, and so is the user.

$egress =~ s/\}\s*\z/user_group staff basic { user anna { password p; }
    user bert { password p; } } }/;

my $maps = <<"_EOC_";
map \$egress_port \$by_port { default deny; $port{ECHO} direct; }
map \$egress_host \$way { hostnames; default \$by_port; .example.com deny; }
map \$egress_user \$by_user { default deny; anna \$way; }
_EOC_

$ngx->stop;
$ngx = EgressNginx->new(master => 0, conf => <<"_EOC_");
$egress
http {
    $maps
    server {
        listen 127.0.0.1:\$TEST_NGINX_PROXY_PORT;
        egress_http_proxy  \$by_user;
        egress_user_group  staff;
    }
}
stream {
    $maps
    server {
        listen 127.0.0.1:\$TEST_NGINX_OTHER_PORT;
        egress_socks_proxy  \$by_user;
        egress_user_group   staff;
    }
}
_EOC_

sub socks {
    my ($user, $host, $target) = @_;

    return EgressClient->new($port{OTHER})->socks5($host, $port{$target},
               user => $user, password => 'p')->{reply};
}

my %as = map { $_ => ['Proxy-Authorization' =>
                      'Basic ' . encode_base64("$_:p", '')] } qw/anna bert/;

is(tunnel($at{ECHO}, @{$as{anna}}), 'tunnel', 'an escaper by user and target');
is(tunnel($at{DEAD}, @{$as{anna}}), 403, 'a port that has none');
is(tunnel("www.example.com:$port{ECHO}", @{$as{anna}}), 403,
   'a name that has none');
is(tunnel($at{ECHO}, @{$as{bert}}), 403, 'a user who has none');

is(socks('anna', '127.0.0.1', 'ECHO'), 0, 'the same in stream');
is(socks('anna', '127.0.0.1', 'DEAD'), 2, 'a port that has none');
is(socks('anna', 'www.example.com', 'ECHO'), 2, 'a name that has none');
is(socks('bert', '127.0.0.1', 'ECHO'), 2, 'a user who has none');

done_testing();
