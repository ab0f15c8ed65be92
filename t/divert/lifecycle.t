#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Diverted sessions across reload and quit; sessions that end before they have
# begun.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use EgressCert;
use EgressClient;
use EgressNginx;
use EgressPort qw/PASS ACCEPT STUCK SECURE MAP/;
use EgressProxyHeader;
use EgressTcp ECHO => 'echo', PP => 'pp', FULL => 'no_accept',
              MUTE => { mode => 'hang', proxy_protocol => 1 };

my $conf = <<'_EOC_';
worker_shutdown_timeout 60s;
egress {
    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
    }
}
stream {
    log_format id '$server_port $egress_reason $status';
    access_log logs/access.log id;

    divert_target a.example:1;

    server {
        listen 127.0.0.1:$TEST_NGINX_PASS_PORT;
        divert_pass 127.0.0.1:$TEST_NGINX_PP_PORT;
    }
    server {
        listen 127.0.0.1:$TEST_NGINX_ACCEPT_PORT;
        divert_accept on;
        divert_trusted 127.0.0.1;
        divert_accept_timeout 60s;
        egress_tcp_stream direct $divert_target;
    }
    server {
        listen 127.0.0.1:$TEST_NGINX_STUCK_PORT;
        divert_pass 127.0.0.1:$TEST_NGINX_FULL_PORT;
    }
    server {
        listen 127.0.0.1:$TEST_NGINX_MAP_PORT;
        egress_tcp_stream direct 127.0.0.1:$TEST_NGINX_FULL_PORT;
    }
    server {
        listen 127.0.0.1:$TEST_NGINX_SECURE_PORT;
        divert_pass 127.0.0.1:$TEST_NGINX_MUTE_PORT;
        divert_ssl on;
        divert_tls_client { ca_certificate $TEST_NGINX_CERT_DIR/ca.pem; }
    }
}
_EOC_

my $ngx = EgressNginx->new(workers => 2, conf => $conf);


sub client { EgressClient->new($ENV{"TEST_NGINX_$_[0]_PORT"}, @_[1 .. $#_]) }

sub header {
    return EgressProxyHeader::v2('192.0.2.7', 1, '192.0.2.8', 2,
                         [0xe0, "127.0.0.1:$ENV{TEST_NGINX_ECHO_PORT}"]);
}

sub diverted {
    my $c = client('PASS');

    $c->write('x');
    $c->read_until(qr/\n/);
    $c->read_n(1);

    return $c;
}

sub received {
    my $c = client('ACCEPT', first => header());

    $c->write('x');
    $c->read_n(1);

    return $c;
}

sub lives {
    my ($c, $what) = @_;

    $c->write('ping');
    is($c->read_n(4), 'ping', $what);
}


my ($pass, $accept) = (diverted(), received());
my $late = client('ACCEPT');
my $header = header();

$late->write(substr $header, 0, 30);

ok($ngx->reload, 'a reload');
lives($pass, 'a sender lives on');
lives($accept, 'and so does a receiver');

$late->write(substr $header, 30);
lives($late, 'a header that began before the reload is read to its end');

lives(diverted(), 'new senders come');
lives(received(), 'new receivers come');

$_->close for $pass, $accept, $late;


# a client that goes away ends it all, wherever it is

my %where = (
    STUCK => 'while the next hop is being connected',
    SECURE => 'while TLS with the next hop begins',
    MAP => 'while the target of a mapped port is being connected',
    ACCEPT => 'while its header is awaited',
);

for my $name (sort keys %where) {
    for my $how (qw/close reset/) {
        my $c = client($name);
        my $seen = () = $ngx->access_log =~ /\n/g;

        if ($name eq 'SECURE') {
            EgressDaemon::wait_line('MUTE', qr/E0="a.example:1"/);
            EgressDaemon::forget('MUTE');

        } else {
            $c->quiet(0.2);
        }

        $c->$how;

        my $line = ($ngx->wait_access($seen + 1))[$seen] // 'nothing';

        like($line, $name eq 'ACCEPT' ? qr/ - 200$/ : qr/ client_aborted /,
             "$how $where{$name}");
    }
}


# the end of a worker

$ngx->reload($conf =~ s/60s;/500ms;/r);

my %open = (PASS => diverted(), ACCEPT => client('ACCEPT'),
            STUCK => client('STUCK'), SECURE => client('SECURE'));

EgressDaemon::wait_line('MUTE', qr/E0=/);
$open{PASS}->quiet(0.2);

ok($ngx->quit(10), 'worker_shutdown_timeout ends every state');
ok($open{$_}->ended(1), "$_ has ended") for sort keys %open;

done_testing();
