#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# divert_accept: what is read from a sender, in any pieces, and what is refused
# with which words.  The headers are made by EgressProxyHeader, or by hand.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use File::Temp;
use IO::Socket::UNIX;
use Test::More;

use EgressCert;
use EgressClient;
use EgressHello;
use EgressNginx;
use EgressPort qw/SHOW REAL TLS NAME MAP SLOW SMALL STRANGER OTHER/;
use EgressProxyHeader;
use EgressTcp 'ECHO';

my $dir = File::Temp->newdir;
my $unix = "$dir/accept.sock";
my $id = pack 'H*', '0190000000007000800000000000002a';
my $id_text = '01900000-0000-7000-8000-00000000002a';

my $ngx = EgressNginx->new(master => 0, conf => <<"_EOC_");
egress {
    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
    }
}
stream {
    divert_accept   on;
    divert_trusted  127.0.0.0/24 ::1;

    log_format show '\$status \$divert_task_id \$egress_task_id '
                    '\$egress_user \$egress_host:\$egress_port';
    access_log logs/access.log show;

    server {
        listen 127.0.0.1:\$TEST_NGINX_SHOW_PORT;
        listen unix:$unix;
        divert_trusted 127.0.0.1 unix:;
        return "target=\$divert_target name=\$divert_tls_name user=\$divert_username id=\$divert_task_id client=\$divert_client_addr:\$divert_client_port server=\$divert_server_addr:\$divert_server_port pp=\$proxy_protocol_addr:\$proxy_protocol_port e4=\$divert_tlv_0xE4 alpn=\$divert_tlv_ALPN end";
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_REAL_PORT;
        set_real_ip_from 127.0.0.1;
        deny 192.0.2.9;
        return "\$remote_addr:\$remote_port \$realip_remote_addr";
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_TLS_PORT ssl;
        ssl_certificate \$TEST_NGINX_CERT_DIR/server.pem;
        ssl_certificate_key \$TEST_NGINX_CERT_DIR/server.key;
        return "\$divert_target over \$ssl_protocol";
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_NAME_PORT;
        ssl_preread on;
        return "\$divert_target \$ssl_preread_server_name";
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_MAP_PORT;
        egress_tcp_stream direct \$divert_target;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_SLOW_PORT;
        divert_accept_timeout 300ms;
        return "fast";
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_SMALL_PORT;
        divert_accept_max_size 1k;
        return "small";
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_STRANGER_PORT;
        divert_trusted 127.0.0.2 10.0.0.0/8;
        return "trusted";
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_OTHER_PORT;
        divert_accept off;
        return "\$divert_target-";
    }
}
_EOC_


sub client { EgressClient->new($ENV{"TEST_NGINX_$_[0]_PORT"}, @_[1 .. $#_]) }


# everything a server says to a client that begins so; a hash of the words

sub answer {
    my ($name, @pieces) = @_;

    my $c = client($name);

    $c->write_slowly(\@pieces, 0.002);

    return $c->read_all(3) // "nothing, $c->{buf}";
}


sub words { return { $_[0] =~ /(\w+)=(\S*)/g } }
sub v2 { EgressProxyHeader::v2('192.0.2.7', 777, '192.0.2.8', 888, @_) }


# The bits of a header by hand.

sub crc32c {
    my $crc = 0xffffffff;

    for my $byte (unpack 'C*', $_[0]) {
        $crc ^= $byte;
        $crc = $crc & 1 ? $crc >> 1 ^ 0x82f63b78 : $crc >> 1 for 1 .. 8;
    }

    return $crc ^ 0xffffffff;
}


sub with_crc {
    my ($wrong, @tlvs) = @_;

    my $header = v2(@tlvs, [0x03, "\0\0\0\0"]);

    substr($header, -4) = pack 'N', crc32c($header) ^ $wrong;

    return $header;
}


my @tlvs = ([0xe0, 'Name.Example:443'], [0xe1, 'verify.example'],
            [0xe2, "us\x00er"], [0xe3, $id], [0xe4, "a\xff"], [0x01, 'h2']);

my $w = words(answer('SHOW', v2(@tlvs)));

is($w->{target}, 'name.example:443', '$divert_target, in normal form');
is($w->{name}, 'verify.example', '$divert_tls_name');
is($w->{user}, "us\x00er", '$divert_username, with any byte in it');
is($w->{id}, $id_text, '$divert_task_id');
is($w->{client}, '192.0.2.7:777', '$divert_client_addr and _port');
is($w->{server}, '192.0.2.8:888', '$divert_server_addr and _port');
is($w->{pp}, '192.0.2.7:777', '$proxy_protocol_addr and _port');
is($w->{e4}, "a\xff", '$divert_tlv_0xE4: a TLV nobody knows, by number');
is($w->{alpn}, 'h2', '$divert_tlv_alpn: one of the specification, by name');

$w = words(answer('SHOW', v2([0xe4, ''], [0xe4, 'b'])));

is($w->{$_}, '', "no $_ in the header, no value") for qw/target name user id/;
is($w->{e4}, '', 'a TLV that comes twice has no value');

$w = words(answer('SHOW', EgressProxyHeader::v2('2001:db8::7', 777,
                          '2001:db8::8', 888, [0xe0, '[2001:DB8::1]:80'])));

is($w->{target}, '[2001:db8::1]:80', 'an IPv6 target');
is($w->{client}, '2001:db8::7:777', 'an IPv6 client');

$w = words(answer('SHOW',
                  EgressProxyHeader::v1('192.0.2.7', 777, '192.0.2.8', 888)));

is($w->{client}, '192.0.2.7:777', 'version 1');
is($w->{target}, '', 'version 1 names no target');

$w = words(answer('SHOW', "PROXY UNKNOWN\r\n"));

like($w->{client}, qr/^127.0.0.1:\d+$/,
     'UNKNOWN: the client is who has connected');
is($w->{pp}, ':', 'UNKNOWN: no $proxy_protocol_addr');

$w = words(answer('SHOW', EgressProxyHeader::v2(undef, undef, undef, undef,
                                                @tlvs)));

like($w->{client}, qr/^127.0.0.1:\d+$/, 'LOCAL: the client is the connection');
like($w->{server}, qr/^127.0.0.1:$ENV{TEST_NGINX_SHOW_PORT}$/,
     'LOCAL: and so is the server');
is($w->{target}, 'name.example:443', 'LOCAL: the target of a unix client');
is($w->{id}, $id_text, 'LOCAL: and its task id');

$w = words(answer('SHOW', "\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x05trash"));

is($w->{target}, '', 'LOCAL of a health check may carry anything');

my $unspec = v2(@tlvs);
substr($unspec, 13, 15) = pack 'Cn', 0, length($unspec) - 28;
$w = words(answer('SHOW', $unspec));
is($w->{target}, 'name.example:443', 'PROXY without addresses');

$w = words(answer('SHOW', with_crc(0, @tlvs)));
is($w->{target}, 'name.example:443', 'a right checksum');

my $fh = IO::Socket::UNIX->new(Peer => $unix) or die "$unix: $!\n";
my $c = EgressSocket->new($fh);
$c->write(v2(@tlvs));
is(words($c->read_all)->{target}, 'name.example:443',
   'a sender on a unix socket');


# split at any byte: two pieces everywhere, then byte by byte

for my $header (v2(@tlvs), with_crc(0, [0xe0, 'a:1']),
                EgressProxyHeader::v1('192.0.2.7', 777, '192.0.2.8', 888))
{
    my $want = answer('SHOW', $header);

    my @bad = grep {
        answer('SHOW', substr($header, 0, $_), substr $header, $_) ne $want
    } 1 .. length($header) - 1;

    is("@bad", '', 'split at any byte: ' . length($header) . ' bytes');
    is(answer('SHOW', split //, $header), $want, 'and at every byte');
}


# larger than a first buffer, up to the limit

my $big = v2([0xe0, 'a:1'], [0xe4, 'x' x 7000]);
$w = words(answer('SHOW', substr($big, 0, 600), substr $big, 600));
is(length $w->{e4}, 7000, 'a header of 7k');


# what follows belongs to others

is(answer('REAL', v2()), '192.0.2.7:777 127.0.0.1',
   'realip takes the client from the header');
is(answer('REAL', EgressProxyHeader::v2('192.0.2.9', 1, '192.0.2.8', 2)), '',
   'and access rules are about that client');

$c = client('TLS', first => v2([0xe0, 'a:1']), tls =>
            EgressCert::client_options(name => 'localhost'));
like($c->read_all, qr/^a:1 over TLSv1/, 'TLS begins after the header');

is(answer('NAME', v2([0xe0, 'a:1']) . EgressHello::make(sni => 'sni.test')),
   'a:1 sni.test', 'ssl_preread reads what follows in one segment');
is(answer('NAME', split //, v2([0xe0, 'a:1'])
          . EgressHello::make(sni => 'sni.test')),
   'a:1 sni.test', 'and byte by byte');

$c = client('MAP');
$c->write(v2([0xe0, "127.0.0.1:$ENV{TEST_NGINX_ECHO_PORT}"], [0xe2, 'joe'],
             [0xe3, $id]) . 'early');
is($c->read_n(5), 'early', 'egress_tcp_stream goes to $divert_target');
$c->shut;
$c->read_all;
ok($ngx->wait_until(sub { $ngx->access_log =~
    /^200 $id_text $id_text joe 127.0.0.1:$ENV{TEST_NGINX_ECHO_PORT}$/m }),
   'with the id and the user of the sender');

is(answer('OTHER', ''), '-', 'off: no header is waited for');


# refused

my $sig = "\r\n\r\n\0\r\nQUIT\n";

my @bad = (
    ['plain bytes', "GET / HTTP/1.1\r\n\r\n", 'no PROXY protocol header'],
    ['a wrong signature', "\r\n\r\n\0\r\nQUIT\r",
     'no PROXY protocol header'],
    ['version 3', "$sig\x31\x11\0\0", 'unknown version or command'],
    ['an unknown command', "$sig\x22\x11\0\0", 'unknown version or command'],
    ['an unknown family', "$sig\x21\x41\0\0",
     'unknown address family or protocol'],
    ['an unknown protocol', "$sig\x21\x13\0\0",
     'unknown address family or protocol'],
    ['no room for addresses', "$sig\x21\x11\0\x0b" . 'x' x 11,
     'header is too short for its addresses'],
    ['a TLV beyond the end', do {
        my $h = v2([0xe0, 'a:1']); substr($h, -4, 1) = "\x04"; $h
     }, 'TLV is longer than the header'],
    ['half a TLV', do {
        my $h = v2() . "\xe0\0"; substr($h, 14, 2) = pack 'n', 14; $h
     }, 'TLV is longer than the header'],
    ['a wrong checksum', with_crc(1, [0xe0, 'a:1']), 'invalid checksum'],
    ['a checksum of 3 bytes', v2([0x03, 'abc']), 'invalid checksum'],
    ['a header over the limit', v2([0xe4, 'x' x 8200]), 'header is too long'],
    ['version 1 without addresses', "PROXY TCP4\r\n",
     'malformed PROXY protocol version 1 header'],
    ['version 1 of garbage', "PROXY TCP4 1.2.3 4.5.6.7 1 2\r\n",
     'malformed PROXY protocol version 1 header'],
    ['version 1 with a port too many', "PROXY TCP4 1.2.3.4 4.5.6.7 1 2 3\r\n",
     'malformed PROXY protocol version 1 header'],
    ['version 1 without an end', 'PROXY TCP4 ' . 'x' x 100,
     'header is too long'],
    ['two targets', v2([0xe0, 'a:1'], [0xe0, 'b:1']),
     'TLV 0xe0 comes twice'],
    ['two users', v2([0xe2, 'a'], [0xe2, 'a']), 'TLV 0xe2 comes twice'],
    ['a task id of 15 bytes', v2([0xe3, 'x' x 15]), 'task id of 15 bytes'],
    ['a target without a port', v2([0xe0, 'a']), 'target "a": '],
    ['a target with a zero', v2([0xe0, "a\0b:1"]), 'target "a'],
    ['a target of port 0', v2([0xe0, 'a:0']), 'target "a:0": '],
    ['an octal target', v2([0xe0, '0177.0.0.1:1']), 'target "0177.0.0.1:1": '],
);

for my $case (@bad) {
    my ($name, $header, $words) = @$case;

    my $seen = length $ngx->error_log;

    is(answer('SHOW', $header), '', "refused: $name");
    ok($ngx->wait_until(sub {
        index(substr($ngx->error_log, $seen),
              "invalid PROXY header: $words") >= 0
    }), "and the log says: $words");
}

is(answer('SMALL', v2([0xe4, 'x' x 900])), 'small', 'a limit of one\'s own');
is(answer('SMALL', v2([0xe4, 'x' x 1000])), '', 'refused: over that');

is(answer('STRANGER', v2([0xe0, 'a:1'])), '', 'refused: an untrusted sender');
ok($ngx->wait_log(qr/127.0.0.1 is not in "divert_trusted"/),
   'and the log names it');

$c = client('STRANGER', bind => '127.0.0.2');
$c->write(v2([0xe0, 'a:1']));
is($c->read_all, 'trusted', 'a sender that is in the list');

$c = client('SHOW');
$c->write(substr v2(@tlvs), 0, 20);
$c->shut;
is($c->read_all, '', 'refused: an end in the middle');
ok($ngx->wait_log(qr/PROXY header ended after 20 bytes/),
   'and the log tells where');

$c = client('SHOW');
$c->shut;
is($c->read_all, '', 'a probe that says nothing');

$c = client('SLOW');
$c->write('PROXY ');
ok($c->ended(3), 'refused: a header that takes too long');
ok($ngx->wait_log(qr/no complete PROXY header came in time/),
   'and the log says so');

$c = client('SLOW');
$c->write_slowly([split //, substr v2(@tlvs), 0, 60], 0.02);
ok($c->ended(0.5), 'the deadline is that of the whole header');

$c = client('SHOW');
$c->write('PROXY ');
$c->reset;

is(words(answer('SHOW', v2(@tlvs)))->{target}, 'name.example:443',
   'after all that it still serves');

$ngx->stop;

done_testing();
