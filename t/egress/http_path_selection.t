# Copyright (C) ngx_egress authors

# The path selection header of CONNECT: which local address it picks, what is
# refused.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use EgressClient;
use EgressNginx;
use EgressPort qw/NUM DICT OFF NONE/;
use EgressTcp PEER => 'peer';

my %port = map { /^TEST_NGINX_(\w+)_PORT$/ ? ($1 => $ENV{$_}) : () } keys %ENV;

my $ngx = EgressNginx->new(master => 0, conf => <<'_EOC_');
egress {
    escaper direct direct_fixed {
        bind_ip                127.0.0.11 127.0.0.12 127.0.0.13;
        enable_path_selection  on;
        egress_network_filter { allow 127.0.0.0/8; }
    }
    escaper fixed direct_fixed {
        bind_ip  127.0.0.21;
        egress_network_filter { allow 127.0.0.0/8; }
    }
}

http {
    log_format  t '$status $egress_path $egress_bind';
    access_log  logs/access.log t;

    egress_path_selection_header  X-Path;

    server {
        listen             127.0.0.1:$TEST_NGINX_NUM_PORT;
        egress_http_proxy  direct;
    }

    server {
        listen                        127.0.0.1:$TEST_NGINX_DICT_PORT;
        egress_http_proxy             direct;
        egress_path_selection_header  X-Way dictionary;
    }

    server {
        listen                        127.0.0.1:$TEST_NGINX_OFF_PORT;
        egress_http_proxy             direct;
        egress_path_selection_header  off;
    }

    server {
        listen             127.0.0.1:$TEST_NGINX_NONE_PORT;
        egress_http_proxy  fixed;
    }
}
_EOC_


# The last byte of the address that the target saw, or the status.

sub from {
    my ($server, @headers) = @_;

    my $c = EgressClient->new($port{$server});
    my $m = $c->tunnel("127.0.0.1:$port{PEER}", @headers) or return 'nothing';

    return $m->{status} if $m->{status} != 200;

    my ($byte) = ($c->read_until(qr/\n/) // '') =~ /peer 127\.0\.0\.(\d+):/;

    $c->close;

    return $byte;
}


# Numbers.

is(from('NUM', 'X-Path' => 1), 11, '1 is the first');
is(from('NUM', 'X-Path' => 2), 12, '2 is the second');
is(from('NUM', 'X-Path' => 3), 13, '3 is the third');
is(from('NUM', 'X-Path' => 4), 11, '4 wraps');
is(from('NUM', 'X-Path' => 3000000002), 12, 'a large one wraps');
is(from('NUM', 'X-Path' => 0), 13, '0 is the last');
is(from('NUM', 'X-PATH' => '002'), 12, 'case of the name, leading zeros');

my %seen = map { from('NUM') => 1 } 1 .. 60;
is(join(' ', sort keys %seen), '11 12 13', 'without a header: at random');

for my $bad ('x', '-1', '1x', '1 2', '1,2', '1.5', '+1', '0x1', '', '=1',
             'direct=1', '99999999999999999999999')
{
    is(from('NUM', 'X-Path' => $bad), 400, "\"$bad\" is no number");
}

is(from('NUM', 'X-Path' => 1, 'X-Path' => 1), 400, 'two headers');


# Dictionaries.

is(from('DICT', 'X-Way' => 2), 12, 'a number alone');
is(from('DICT', 'X-Way' => 'direct=2'), 12, 'an escaper and its number');
is(from('DICT', 'X-Way' => 'other=1, direct=3, more="a \" b"'), 13,
   'one among others');
is(from('DICT', 'X-Way' => 'direct=3, direct=1'), 11, 'the last one counts');

for my $bad ('direct=', '=1', 'direct=1,', 'direct="x', 'direct 1', ',',
             'direct=1; x', 'direct=-1')
{
    is(from('DICT', 'X-Way' => $bad), 400, "\"$bad\" is no dictionary");
}


# Without it.

like(from('OFF', 'X-Path' => 'x'), qr/^1[123]$/, 'switched off');
is(from('NONE', 'X-Path' => 7), 21, 'an escaper that does not take it');
is(from('NONE', 'X-Path' => 'x'), 400, 'but the value is checked');


my $log = $ngx->access_log;
like($log, qr/^200 direct=2 127\.0\.0\.12:\d+$/m, 'the log tells number, bind');
like($log, qr/^200 other=1, direct=3, more=\\x22a \\x22 b\\x22 127/m,
     'and a dictionary');
like($log, qr/^400 - -$/m, 'and nothing of a bad one');

done_testing();
