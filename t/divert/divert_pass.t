#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# divert_pass: what is said to the next hop, whom that is, and what follows.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use File::Temp;
use IO::Socket::UNIX;
use Test::More;

use EgressCert;
use EgressClient;
use EgressDns;
use EgressHello;
use EgressNginx;
use EgressPort qw/ONE ALL SNI LIST POOL VAR VARPOOL NAMED TLS TLSNAME BADTLS DOWN
                  SLOW STUCK TOUNIX REAL LAST TRIES BULK QUIET LONG/;
use EgressProxyHeader;
use EgressTcp PP => 'pp', A => 'pp', B => 'pp', DEAD => 'refuse',
              SECURE => { mode => 'echo', proxy_protocol => 1, tls => 1 },
              FULL => 'no_accept', SINK => { mode => 'command',
                                             proxy_protocol => 1 };

use EgressDns DNS => { zone => { 'hop.test' => { A => '127.0.0.1' } } };

my $dir = File::Temp->newdir;
my $unix = "$dir/divert.sock";
my $to_unix = "$dir/next.sock";
my $id = qr/[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}/;

my $ngx = EgressNginx->new(master => 0, conf => <<"_EOC_");
stream {
    log_format up '\$status \$upstream_addr \$upstream_bytes_sent '
                  '\$upstream_bytes_received \$egress_task_id \$egress_addr '
                  '\$egress_host:\$egress_port \$egress_reason '
                  '\$bytes_received \$bytes_sent \$server_port';
    access_log logs/access.log up;

    divert_target name.example:443;

    upstream pool {
        hash \$remote_addr consistent;
        server 127.0.0.1:\$TEST_NGINX_PP_PORT;
    }

    server {
        listen 127.0.0.1:\$TEST_NGINX_ONE_PORT;
        listen [::1]:\$TEST_NGINX_ONE_PORT;
        listen unix:$unix;
        divert_pass 127.0.0.1:\$TEST_NGINX_PP_PORT;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_ALL_PORT;
        divert_pass 127.0.0.1:\$TEST_NGINX_PP_PORT;
        divert_target [2001:DB8::1]:\$server_port;
        divert_tls_name verify.example;
        divert_username user-\$remote_addr;
        divert_tlv 0xE4 \$binary_remote_addr;
        divert_tlv 0xef \$not_there;
        divert_tlv ALPN h2;
        divert_tlv authority sni.example;
        divert_tlv unique_id \$connection;
        divert_tlv netns \$server_addr;
        divert_tlv CRC32C on;
        set \$not_there "";
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_LONG_PORT;
        divert_pass 127.0.0.1:\$TEST_NGINX_PP_PORT;
        divert_tlv unique_id @{['x' x 129]};
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_SNI_PORT;
        ssl_preread on;
        divert_pass 127.0.0.1:\$TEST_NGINX_PP_PORT;
        divert_target \$ssl_preread_server_name:443;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_LIST_PORT;
        divert_pass 127.0.0.1:\$TEST_NGINX_A_PORT
                    127.0.0.1:\$TEST_NGINX_B_PORT;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_POOL_PORT;
        divert_pass pool;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_VAR_PORT;
        set \$to 127.0.0.1:\$TEST_NGINX_PP_PORT;
        divert_pass \$to;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_VARPOOL_PORT;
        set \$to pool;
        divert_pass \$to;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_NAMED_PORT;
        resolver 127.0.0.1:\$TEST_NGINX_DNS_PORT ipv6=off;
        set \$to hop.test;
        divert_pass \$to:\$TEST_NGINX_PP_PORT;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_TLS_PORT;
        divert_pass 127.0.0.1:\$TEST_NGINX_SECURE_PORT;
        divert_ssl on;
        divert_tls_client { ca_certificate \$TEST_NGINX_CERT_DIR/ca.pem; }
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_TLSNAME_PORT;
        divert_pass 127.0.0.1:\$TEST_NGINX_SECURE_PORT;
        divert_ssl on;
        divert_ssl_name localhost;
        divert_tls_client { ca_certificate \$TEST_NGINX_CERT_DIR/ca.pem; }
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_BADTLS_PORT;
        divert_pass 127.0.0.1:\$TEST_NGINX_SECURE_PORT;
        divert_ssl on;
        divert_ssl_name other.example;
        divert_tls_client { ca_certificate \$TEST_NGINX_CERT_DIR/ca.pem; }
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_DOWN_PORT;
        divert_pass 127.0.0.1:\$TEST_NGINX_DEAD_PORT;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_LAST_PORT;
        divert_pass 127.0.0.1:\$TEST_NGINX_DEAD_PORT
                    127.0.0.1:\$TEST_NGINX_PP_PORT;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_TRIES_PORT;
        divert_pass 127.0.0.1:\$TEST_NGINX_DEAD_PORT
                    127.0.0.1:\$TEST_NGINX_PP_PORT;
        divert_next_upstream off;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_SLOW_PORT;
        divert_pass 127.0.0.1:\$TEST_NGINX_FULL_PORT
                    127.0.0.1:\$TEST_NGINX_FULL_PORT
                    127.0.0.1:\$TEST_NGINX_PP_PORT;
        divert_connect_timeout 100ms;
        divert_next_upstream_tries 2;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_STUCK_PORT;
        divert_pass 127.0.0.1:\$TEST_NGINX_FULL_PORT
                    127.0.0.1:\$TEST_NGINX_PP_PORT;
        divert_connect_timeout 200ms;
        divert_next_upstream_timeout 100ms;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_TOUNIX_PORT;
        divert_pass unix:$to_unix;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_REAL_PORT proxy_protocol;
        set_real_ip_from 127.0.0.1;
        divert_pass 127.0.0.1:\$TEST_NGINX_PP_PORT;
        divert_socket_keepalive on;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_BULK_PORT;
        divert_pass 127.0.0.1:\$TEST_NGINX_SINK_PORT;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_QUIET_PORT;
        divert_pass 127.0.0.1:\$TEST_NGINX_PP_PORT;
        divert_timeout 200ms;
    }
}
_EOC_


sub port { $ENV{"TEST_NGINX_$_[0]_PORT"} }
sub client { EgressClient->new(port($_[0]), @_[1 .. $#_]) }


sub header {
    my ($c, $first) = @_;

    $c->write($first // 'ping');

    my $line = $c->read_until(qr/\n/, 3) // return 'nothing';
    my $own = eval { $c->local =~ /:(\d+)$/ ? $1 : undef };

    $line =~ s/\n$//;
    $line =~ s/:$own\b/:<port>/ if $own;

    my $rest = $c->read_n(length($first // 'ping'));
    is($rest, $first // 'ping', 'bytes follow the header');

    return $line;
}


# the line of the access log that matches

sub logged {
    my ($re, $what) = @_;

    ok($ngx->wait_until(sub { grep { /$re/ } split /\n/, $ngx->access_log }),
       $what) or diag($ngx->access_log);
}


my $one = port('ONE');
my $line = header(client('ONE'));

like($line, qr/^v2 PROXY TCP4 127.0.0.1:<port> 127.0.0.1:$one (?x:
               E0="name.example:443"\ E3=$id)$/, 'the target and the task id');

my ($sent) = $line =~ /E3=(\w+)/;
my $dashed = $sent =~ s/^(.{8})(.{4})(.{4})(.{4})/$1-$2-$3-$4-/r;
my $pp = '127.0.0.1:' . port('PP');

logged(qr/^200 $pp \d+ \d+ $dashed $pp name.example:443 - 4 /,
       'peer, id and target are in the access log');

like(header(client('ONE', host => '::1')),
     qr/^v2 PROXY TCP6 \[::1\]:<port> \[::1\]:$one E0=/, 'an IPv6 client');

my $fh = IO::Socket::UNIX->new(Peer => $unix) or die "$unix: $!\n";
like(header(EgressSocket->new($fh)),
     qr/^v2 LOCAL UNSPEC E0="name.example:443" E3=$id$/,
     'a unix client is LOCAL, and the target is told all the same');

like(header(client('REAL', first =>
            EgressProxyHeader::v1('192.0.2.7', 777, '192.0.2.8', 888))),
     qr/^v2 PROXY TCP4 192.0.2.7:777 127.0.0.1:@{[port('REAL')]} E0=/,
     'the client is the one that realip tells');

$line = header(client('ALL'));

like($line, qr/ E0="\[2001:db8::1\]:@{[port('ALL')]}" E1="verify.example"/,
     'a target with a variable, in normal form, and a TLS name');
like($line, qr/ E2="user-127.0.0.1" E3=$id E4=7f000001 01="h2"/,
     'a user, a value with zeros, a TLV by name');
like($line, qr/ 02="sni.example" 05="\d+" 30="127.0.0.1" 03=[0-9a-f]{8}$/,
     'the others of the specification, the checksum last');
unlike($line, qr/EF=/, 'an empty value is left out');

my $hello = EgressHello::make(sni => 'sni.example', pad => 3000, records => 3);

like(header(client('SNI'), $hello), qr/ E0="sni.example:443" E3=$id$/,
     'bytes that ssl_preread has read follow the header');

my $c = client('SNI');
$c->write("no TLS at all\n");
is($c->read_all, '', 'a target that is none is refused');
logged(qr/^400 .* bad_target .*@{[port('SNI')]}$/, 'with that reason');

$c = client('LONG');
is($c->read_all, '', 'a unique id of 129 bytes is refused');
ok($ngx->wait_log(qr/unique_id" has 129 bytes, at most 128/),
   'and the log says why');


# who is the next hop

header(client('LIST')) for 1 .. 2;

logged(qr/^200 127.0.0.1:@{[port($_)]} /, "a list takes turns: $_")
    for qw/A B/;

like(header(client('POOL')), qr/E0="name.example:443"/,
     'an upstream {} with its balancer');
like(header(client('VAR')), qr/E0="name.example:443"/, 'a variable: address');
like(header(client('VARPOOL')), qr/E0="name.example:443"/,
     'a variable: name of an upstream {}');
like(header(client('NAMED')), qr/E0="name.example:443"/,
     'a variable: name that is resolved');

my $listen = IO::Socket::UNIX->new(Local => $to_unix, Listen => 5)
    or die "$to_unix: $!\n";

$c = client('TOUNIX');
$c->write('ping');
my $s = EgressSocket->new(scalar $listen->accept);
like(EgressProxyHeader::text(EgressProxyHeader::read($s)),
     qr/^v2 PROXY TCP4 .* E0="name.example:443"/, 'a unix socket');
is($s->read_n(4), 'ping', 'and the bytes after it');
$s->write('pong');
is($c->read_n(4), 'pong', 'and those from it');


# TLS

$c = client('TLSNAME');
$c->write('secret');
is($c->read_n(6), 'secret', 'TLS to the next hop, after the header');
like(EgressDaemon::wait_line('SECURE', qr/PROXY/),
     qr/E0="name.example:443" E3=$id$/, 'which is not inside');

$c = client('TLS');
$c->write('secret');
is($c->read_n(6), 'secret', 'the name to verify is that of the next hop');

$c = client('BADTLS');
is($c->read_all, '', 'a next hop with another name is refused');
logged(qr/^502 .* tls_certificate .*@{[port('BADTLS')]}$/, 'with that reason');


# failures

$c = client('DOWN');
is($c->read_all, '', 'nobody listens');
logged(qr/^502 .* connection_refused .*@{[port('DOWN')]}$/,
       'connection_refused');

like(header(client('LAST')), qr/E0=/, 'the next one is tried') for 1 .. 3;
logged(qr/^200 127.0.0.1:@{[port('DEAD')]}, $pp /, 'both are logged');

my @status = map { my $t = client('TRIES'); $t->write('x');
                   $t->read_until(qr/\n/, 1) ? 1 : 0 } 1 .. 2;
is_deeply([sort @status], [0, 1], 'unless it shall not');

$c = client('SLOW');
is($c->read_all, '', 'a next hop that does not answer');
logged(qr/^504 127.0.0.1:\d+, 127.0.0.1:\d+ .*(?x:
          \ connection_timeout\ .*@{[port('SLOW')]})$/,
       'two tries, each with its timeout');

$c = client('STUCK');
is($c->read_all, '', 'too late for another one');
logged(qr/^504 127.0.0.1:\d+ \d+ .* connection_timeout .*@{[port('STUCK')]}$/,
       'one try only');

$c = client('SLOW');
$c->reset;

$c = client('QUIET');
header($c);
ok($c->ended(2), 'divert_timeout ends an idle session');
logged(qr/^200 .* idle_timeout .*@{[port('QUIET')]}$/, 'with that reason');


# the relay

$c = client('BULK');
$c->write("bulk 3000000\n");
is(length($c->read_all), 3000000, 'much in one direction');

$c = client('BULK');
$c->write("sink\n" . 'x' x 3000000);
$c->shut;
like($c->read_all, qr/^bytes=3000000 /,
     'much in the other, and an answer after the half-close');

$ngx->stop;

done_testing();
