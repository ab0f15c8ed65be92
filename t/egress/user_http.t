#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# User groups in the HTTP proxy: who is asked, who is let in, and that nothing
# of one request is left for the next.

use strict;
use warnings;

use lib 't/lib';

use Digest::MD5 qw/md5_hex/;
use Digest::SHA qw/sha1_hex/;
use MIME::Base64 qw/encode_base64/;
use Test::More;
use Time::HiRes qw/time sleep/;

use EgressClient;
use EgressDaemon;
use EgressHttp;
use EgressNginx;
use EgressOrigin;
use EgressPort qw/PROXY ANY PAGE/;

my %port = map { /^TEST_NGINX_(\w+)_PORT$/ ? ($1 => $ENV{$_}) : () } keys %ENV;
my $at = "127.0.0.1:$port{ORIGIN}";

my $salt = '0001fe00ff7f3a0d';
my $sum = 'swordfish' . pack 'H*', $salt;
my ($md5, $sha1) = (md5_hex($sum), sha1_hex($sum));
my ($no_md5, $no_sha1) = ('0' x 32, '0' x 40);

my $conf = <<'_EOC_';
http {
    log_format  t '$status $egress_reason user=$egress_user '
                  '$request_method $request_time';
    access_log  logs/access.log t;

    server {
        listen             127.0.0.1:$TEST_NGINX_PROXY_PORT;
        egress_http_proxy  direct;
        egress_user_group  staff;
        egress_server_id   gw-1;
    }

    server {
        listen             127.0.0.1:$TEST_NGINX_PAGE_PORT;
        egress_http_proxy  direct;
        egress_user_group  staff;
        error_page         407 /desk;

        location = /desk { internal; return 407 "ask the desk\n"; }
    }

    server {
        listen             127.0.0.1:$TEST_NGINX_ANY_PORT;
        egress_http_proxy  direct;
    }
}

egress {
    user_group staff basic {
        user anna { password pa:ss; }
        user bert { password other; }
        user Anna { password upper; }
        user both { token salt=%salt md5=%md5 sha1=%sha1; }
        user md5 { token salt=%salt md5=%md5; }
        user sha1 { token sha1=%sha1 salt=%salt; }
        user half_md5 { token salt=%salt md5=%md5 sha1=%no_sha1; }
        user half_sha1 { token salt=%salt md5=%no_md5 sha1=%sha1; }
        user root {
            token salt=113323bdab6fd2cc md5=5c81f2becadde7fa5fde9026652ccc84
                  sha1=ff9d5c1a14328dd85ee95d4e574bd0558a1dfa96;
        }
    }

    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
    }
}
_EOC_

my %hash = (salt => $salt, md5 => $md5, sha1 => $sha1,
            no_md5 => $no_md5, no_sha1 => $no_sha1);
$conf =~ s/%(no_md5|no_sha1|salt|md5|sha1)/$hash{$1}/g;

my $ngx = EgressNginx->new(conf => $conf, master => 0, log_level => 'info');


sub client { EgressClient->new($port{$_[0] // 'PROXY'}) }

sub basic { 'Basic ' . encode_base64($_[0], '') }

sub get {
    my ($credentials, $c) = @_;

    return ($c // client())->get("http://$at/",
               defined $credentials
               ? ('Proxy-Authorization' => basic($credentials)) : ());
}

my $lines = 0;

sub logged {
    my @all = $ngx->wait_access(++$lines, 5);

    return $all[$lines - 1] // '';
}

sub header { EgressHttp::header(@_) // '' }


# nobody

my $r = get();
is($r->{status}, 407, 'no credentials');
is(header($r, 'Proxy-Authenticate'), 'Basic realm="gw-1"', 'are asked for');
like(header($r, 'Proxy-Status'), qr/^gw-1; error=http_request_denied/,
     'the reason is told');
like(logged(), qr/^407 auth_required user=\S* GET 0\./, 'and logged, at once');

my $c = client();
$r = $c->tunnel($at);
is($r->{status}, 407, 'CONNECT without credentials');
is(header($r, 'Proxy-Authenticate'), 'Basic realm="gw-1"', 'the same header');
ok($c->refused, 'a refused CONNECT closes');
like(logged(), qr/^407 auth_required user=\S* CONNECT 0\./, 'logged');

is(client()->get("http://$at/", 'Authorization' => basic('anna:pa:ss'))
   ->{status}, 407, 'Authorization is for the origin');
logged();

is(client()->get("http://$at/", 'Proxy-Authorization' => 'Bearer abc')
   ->{status}, 407, 'another scheme');
like(logged(), qr/ 0\.\d+$/, 'counts as no credentials');

is(client()->get('http://no such:x/')->{status} == 200 ? 1 : 0, 0,
   'a request that is malformed');
$lines++;
$ngx->wait_access($lines, 5);

is(client()->get('http://127.1/')->{status}, 407,
   'who is nobody learns nothing about a target');
logged();


# somebody

for my $who ('anna:pa:ss', 'bert:other', 'Anna:upper', 'root:toor',
             'both:swordfish', 'md5:swordfish', 'sha1:swordfish')
{
    my ($name) = split /:/, $who;

    is(get($who)->{status}, 200, "$name is let in");
    like(logged(), qr/^200 \S* user=\Q$name\E GET/, "$name is logged");
}

is(client()->get("http://$at/", 'Proxy-Authorization' => 'bAsIc  '
   . encode_base64('anna:pa:ss', ''))->{status}, 200,
   'the name of the scheme in any case');
logged();

$c = client();
is($c->tunnel($at, 'Proxy-Authorization' => basic('bert:other'))->{status},
   200, 'CONNECT');
is($c->request('GET', '/')->{body}, "origin\n", 'is a tunnel');
undef $c;
like(logged(), qr/^200 \S* user=bert CONNECT/, 'of that user');

$r = client()->get("http://$at/echo",
                   'Proxy-Authorization' => basic('anna:pa:ss'),
                   'Authorization' => 'Basic b3JpZ2lu');
unlike($r->{body}, qr/proxy-authorization/i,
       'the origin does not see the credentials');
like($r->{body}, qr/^Authorization: Basic b3JpZ2lu/m, 'it sees its own');
logged();

like(client('ANY')->get("http://$at/")->{body}, qr/origin/,
     'a server without users asks nobody');
like(logged(), qr/user=-? GET/, 'and knows nobody');


# somebody else: all at once, since each is kept waiting

EgressDaemon::forget('ORIGIN');

my @wrong = ('anna:wrong', 'nobody:pa:ss', 'ANNA:pa:ss', 'anna:', ':', ':x',
             'anna:pa:ss ', "anna:pa:ss\0", "anna\0:pa:ss", 'anna:other',
             'half_md5:swordfish', 'half_sha1:swordfish', 'nocolon',
             'nobody:' . 'x' x 3000);

my @clients = map { client() } @wrong;
my $start = time;

for my $i (0 .. $#wrong) {
    $clients[$i]->send_request('GET', "http://$at/",
        [Host => $at, 'Proxy-Authorization' => basic($wrong[$i])]);
}

my $free = time;
is(get('bert:other')->{status}, 200, 'the worker is free meanwhile');
cmp_ok(time - $free, '<', 10, 'not after all of them');

for my $i (0 .. $#wrong) {
    my $name = substr($wrong[$i], 0, 20) =~ s/\0/\\0/gr;

    $r = $clients[$i]->response;
    is($r->{status}, 407, "wrong: \"$name\"");
    is(header($r, 'Proxy-Authenticate'), 'Basic realm="gw-1"', 'asked again');
}

cmp_ok(time - $start, '>', 0.9, 'the answers took a while');
$lines += 1 + @wrong;
$ngx->wait_access($lines, 5);

$c = client();
$c->send_request('GET', "http://$at/",
                 [Host => $at, 'Proxy-Authorization' => 'Basic ***']);
my $two = client();
$two->send_request('GET', "http://$at/",
                   [Host => $at, 'Proxy-Authorization' => basic('anna:pa:ss'),
                    'Proxy-Authorization' => basic('bert:other')]);
my $tunnel = client();
my $gone = client();
$gone->send_request('GET', "http://$at/",
                    [Host => $at, 'Proxy-Authorization' => basic('a:b')]);
undef $gone;
$start = time;
is($tunnel->tunnel($at, 'Proxy-Authorization' => basic('anna:no'))->{status},
   407, 'CONNECT with a wrong password');
cmp_ok(time - $start, '>', 0.9, 'takes a while, too');
ok($tunnel->refused, 'and closes');
is($c->response->{status}, 407, 'what is not base64');
isnt($two->response->{status}, 200, 'two headers');
$lines += 4;
like(join("\n", $ngx->wait_access($lines, 5)), qr/^499 client_aborted /m,
     'a client that does not wait for its refusal');

is(scalar(() = EgressOrigin::requests('ORIGIN')), 1, 'the origin saw one request');


# each request is judged anew

$c = client();
is(get('anna:pa:ss', $c)->{status}, 200, 'keep-alive: anna');
like(logged(), qr/user=anna /, 'is logged');
is(get('bert:other', $c)->{status}, 200, 'keep-alive: then bert');
like(logged(), qr/user=bert /, 'is logged');
is(get(undef, $c)->{status}, 407, 'keep-alive: then nobody');
like(logged(), qr/^407 auth_required user=-? /, 'is logged');
is(get('anna:bad', $c)->{status}, 407, 'keep-alive: then a wrong password');
like(logged(), qr/^407 auth_required user=-? /, 'is logged');
is(get('anna:pa:ss', $c)->{status}, 200, 'keep-alive: anna again');
logged();


# bodies

$c = client();
is($c->request('POST', "http://$at/body", [], 'x' x 5000)->{status}, 407,
   'a body without credentials');
is($c->request('POST', "http://$at/body",
               ['Proxy-Authorization' => basic('anna:no')], 'y' x 5000)
   ->{status}, 407, 'a body with wrong ones, on the same connection');
is($c->request('POST', "http://$at/body",
               ['Proxy-Authorization' => basic('anna:pa:ss')], 'text')
   ->{body}, 'text', 'and with the right ones');

$c = client();
$c->send_request('POST', "http://$at/body",
                 [Expect => '100-continue', 'Content-Length' => 4]);
is($c->response->{status}, 407, 'no 100 before a refusal');

$c = client();
$c->send_request('GET', "http://$at/",
                 [Host => $at, 'Proxy-Authorization' => basic('bert:no')]);
$c->send_request('GET', "http://$at/",
                 [Host => $at, 'Proxy-Authorization' => basic('bert:other')]);
is($c->response->{status}, 407, 'pipelined: the first is refused');
is($c->response->{status}, 200, 'pipelined: the second is served');

$r = client('PAGE')->get("http://$at/");
is($r->{status}, 407, 'error_page: the status');
is($r->{body}, "ask the desk\n", 'error_page: the page');
is(header($r, 'Proxy-Authenticate'), 'Basic realm="ngx_egress"',
   'error_page: the question');

$lines += 7;
$ngx->wait_access($lines, 5);


# connections to origins belong to a user

my %conn;

for my $who ('anna:pa:ss', 'bert:other', 'Anna:upper', 'anna:pa:ss',
             'bert:other')
{
    my ($name) = split /:/, $who;
    push @{ $conn{$name} }, header(get($who), 'X-Conn');
    $lines++;
}

is($conn{anna}[0], $conn{anna}[1], 'a connection is used again by its user');
is($conn{bert}[0], $conn{bert}[1], 'also by another user');
isnt($conn{anna}[0], $conn{bert}[0], 'who has one of his own');
isnt($conn{anna}[0], $conn{Anna}[0], 'names differ by case');


# programs

SKIP: {
    skip 'curl is not installed', 3
        unless grep { -x "$_/curl" } split /:/, $ENV{PATH};

    delete @ENV{grep { /_proxy$/i } keys %ENV};

    my $curl = "curl -sS -m 10 -x http://127.0.0.1:$port{PROXY}";

    is(`$curl --proxy-user anna:pa:ss http://$at/ 2>&1`, "origin\n",
       'curl --proxy-user');
    is(`$curl --proxy-user anna:pa:ss -p http://$at/ 2>&1`, "origin\n",
       'curl --proxy-user, CONNECT');
    is(`$curl --proxy-anyauth --proxy-user bert:other http://$at/ 2>&1`,
       "origin\n", 'curl waits to be asked');
}


my $log = $ngx->error_log . $ngx->access_log;

unlike($log, qr/pa:ss|swordfish|toor|cGE6c3M/, 'no password is in a log');
like($log, qr/client sent wrong credentials for the proxy/,
     'that one was wrong is');


# reload: other users, and a file with an error changes nothing

$ngx->stop;
$ngx = EgressNginx->new(conf => $conf, log_level => 'info',
                        expect => qr/unknown user group "stuff"/);

my $kept = client();
is(get('bert:other', $kept)->{status}, 200, 'before a reload');

my $waiting = client();
$waiting->send_request('GET', "http://$at/",
    [Host => $at, 'Proxy-Authorization' => basic('bert:changed')]);

my $changed = $conf =~ s/bert \{ password other;/bert { password changed;/r;

ok($ngx->reload($changed), 'a reload with another password');
is($waiting->response->{status}, 407,
   'who was judged before it is refused in his time');
is(get('bert:changed')->{status}, 200, 'the new one counts');
is(get('bert:other')->{status}, 407, 'the old one does not');
ok($kept->ended, 'also where it was right before');

my $broken = $changed =~ s/egress_user_group +staff;/egress_user_group stuff;/r;

ok(!$ngx->reload($broken), 'a reload with an unknown group is refused');
is(get('bert:changed')->{status}, 200, 'and leaves everything as it is');

done_testing();
