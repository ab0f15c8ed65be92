#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# User groups in the SOCKS proxy: user and password (RFC 1929) or nothing.

use strict;
use warnings;

use lib 't/lib';

use Test::More;
use Time::HiRes qw/time/;

use EgressClient;
use EgressNginx;
use EgressOrigin;
use EgressPort qw/SOCKS OFF/;
use EgressTcp ECHO => 'echo';

my %port = map { /^TEST_NGINX_(\w+)_PORT$/ ? ($1 => $ENV{$_}) : () } keys %ENV;

my $ngx = EgressNginx->new(conf => <<'_EOC_', log_level => 'info', master => 0);
stream {
    log_format  t 'user=$egress_user $egress_reason $egress_host';
    access_log  logs/socks.log t;

    egress_user_group  staff;

    server {
        listen              127.0.0.1:$TEST_NGINX_SOCKS_PORT;
        egress_socks_proxy  direct;
        egress_socks4       on;
    }

    server {
        listen              127.0.0.1:$TEST_NGINX_OFF_PORT;
        egress_socks_proxy  direct;
        egress_user_group   off;
    }
}

egress {
    user_group staff basic {
        user anna { password secret; }
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


sub client { EgressClient->new($port{$_[0] // 'SOCKS'}) }

sub connect_as {
    my ($user, $password, %opt) = @_;

    my $c = client();
    my $r = $c->socks5('127.0.0.1', $port{ECHO}, user => $user,
                       password => $password, %opt);

    return $r ? $r->{reply} // "status $r->{auth}" : 'closed';
}

my $lines = 0;
my $line;

sub logged {
    $lines++;

    my @all = split /\n/, $ngx->wait_until(sub {
        my $log = $ngx->file('logs/socks.log');
        return ($log =~ tr/\n//) >= $lines ? $log : undef;
    }, 5) || '';

    return $all[$lines - 1] // '';
}


is(connect_as('anna', 'secret'), 0, 'a user');
like(logged(), qr/^user=anna \S* 127\.0\.0\.1$/, 'is logged');

is(connect_as('root', 'toor'), 0, 'a user with a token');
like(logged(), qr/^user=root /, 'is logged');

is(connect_as('anna', 'secret', pieces => 1), 0, 'byte by byte');
logged();

for (['anna', 'wrong', 'a wrong password'], ['nobody', 'secret', 'no user'],
     ['Anna', 'secret', 'a name in another case'])
{
    my ($user, $password, $name) = @$_;
    my $start = time;

    is(connect_as($user, $password), 'status 1', $name);
    cmp_ok(time - $start, '>', 0.9, "$name: the answer took a while");
    like(logged(), qr/^user=-? auth_required /, "$name: logged");
}


# the words themselves

my $c = client();
$c->write("\5\1\2");
is($c->read_n(2), "\5\2", 'user and password are chosen');
$c->write("\1\4anna\5wrong");
is($c->read_n(2), "\1\1", 'wrong ones are answered');
ok($c->ended, 'and the connection is closed');
logged();

$c = client();
$c->write("\5\1\0");
is($c->read_n(2), "\5\xff", '"no authentication" is not enough');
like(logged(), qr/^user=-? auth_required /, 'logged');

$c = client();
$c->write("\5\2\0\2");
is($c->read_n(2), "\5\2", 'both are offered: a password it is');
undef $c;
logged();

$c = client();
is($c->socks4('127.0.0.1', $port{ECHO}, 'anna')->{reply}, 93,
   'the name in SOCKS4 proves nothing');
like(logged(), qr/^user=-? auth_required /, 'logged');

# it has a second to go away, which a busy machine may need for itself

for (1 .. 10) {
    my $wrong = () = $ngx->error_log =~ /client sent wrong credentials/g;

    $c = client();
    $c->write("\5\1\2");
    $c->read_n(2);
    $c->write("\1\4anna\5wrong");
    $ngx->wait_until(sub {
        $wrong < (() = $ngx->error_log =~ /client sent wrong credentials/g);
    }, 10);
    undef $c;

    last if ($line = logged()) !~ /auth_required/;
}

like($line, qr/^user=-? client_aborted /,
     'a client that does not wait for its refusal');

$c = client('OFF');
is($c->socks5('127.0.0.1', $port{ECHO})->{reply}, 0,
   'egress_user_group off: nobody is asked');
undef $c;
like(logged(), qr/^user=-? /, 'nobody is logged');


SKIP: {
    skip 'curl is not installed', 3
        unless grep { -x "$_/curl" } split /:/, $ENV{PATH};

    delete @ENV{grep { /_proxy$/i } keys %ENV};

    my $curl = 'curl -sS -m 10';
    my $proxy = "127.0.0.1:$port{SOCKS}";
    my $url = "http://127.0.0.1:$port{ORIGIN}/";

    is(`$curl --socks5 anna:secret\@$proxy $url 2>&1`, "origin\n",
       'curl --socks5');
    is(`$curl --socks5-hostname $proxy --proxy-user root:toor $url 2>&1`,
       "origin\n", 'curl --socks5-hostname --proxy-user');
    isnt(`$curl --socks5 anna:wrong\@$proxy $url 2>/dev/null`, "origin\n",
         'curl with a wrong password');
}

my $log = $ngx->error_log . $ngx->file('logs/socks.log');

unlike($log, qr/secret|toor/, 'no password is in a log');
like($log, qr/client sent wrong credentials/, 'that one was wrong is');

done_testing();
