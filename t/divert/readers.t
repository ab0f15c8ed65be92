#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Programs that share no line with this repository read what it sends: nginx's
# own "listen ... proxy_protocol", tshark's dissector, haproxy.  One that is not
# installed is skipped, which is said.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use File::Temp;
use Test::More;

use EgressClient;
use EgressDaemon;
use EgressNginx;
use EgressPort qw/PROXY ALL PLAIN TOHAPROXY NGINX HAPROXY RAW/;
use EgressProxyHeader;

my $dir = File::Temp->newdir;

# a core that knows TLVs

my ($tlvs) = EgressNginx::test(<<'_EOC_');
stream { server { listen unix:x.sock; return $proxy_protocol_tlv_0xe0; } }
_EOC_

my $tlv_text = $tlvs ? '$proxy_protocol_tlv_0xe0 $proxy_protocol_tlv_alpn '
                       . '$proxy_protocol_tlv_unique_id' : '';

my $reader = EgressNginx->new(conf => <<"_EOC_");
stream {
    server {
        listen 127.0.0.1:\$TEST_NGINX_NGINX_PORT proxy_protocol;
        listen [::1]:\$TEST_NGINX_NGINX_PORT proxy_protocol;
        return "\$proxy_protocol_addr \$proxy_protocol_port \$proxy_protocol_server_addr \$proxy_protocol_server_port $tlv_text";
    }
}
_EOC_

my $ngx = EgressNginx->new(conf => <<"_EOC_");
egress {
    escaper nginx divert_tcp { proxy_addr 127.0.0.1:\$TEST_NGINX_NGINX_PORT; }
    escaper haproxy divert_tcp {
        proxy_addr 127.0.0.1:\$TEST_NGINX_HAPROXY_PORT;
    }
    escaper raw divert_tcp { proxy_addr 127.0.0.1:\$TEST_NGINX_RAW_PORT; }
}
http {
    server {
        listen 127.0.0.1:\$TEST_NGINX_PROXY_PORT;
        listen [::1]:\$TEST_NGINX_PROXY_PORT;
        egress_http_proxy \$http_x_way;
    }
}
stream {
    divert_target name.example:443;
    divert_tls_name verify.example;
    divert_username "joe";
    divert_tlv 0xE4 \$binary_remote_addr;
    divert_tlv alpn h2;
    divert_tlv unique_id one-\$server_port;
    divert_tlv authority sni.example;
    divert_tlv crc32c on;

    server {
        listen 127.0.0.1:\$TEST_NGINX_ALL_PORT proxy_protocol;
        set_real_ip_from 127.0.0.1;
        divert_pass 127.0.0.1:\$TEST_NGINX_RAW_PORT;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_PLAIN_PORT proxy_protocol;
        set_real_ip_from 127.0.0.1;
        divert_pass 127.0.0.1:\$TEST_NGINX_NGINX_PORT;
        # nginx before 1.23.2 reads 107 bytes
        divert_tls_name "";
        divert_username "";
        divert_tlv alpn h2;
        divert_tlv unique_id one;
    }
    server {
        listen 127.0.0.1:\$TEST_NGINX_TOHAPROXY_PORT proxy_protocol;
        set_real_ip_from 127.0.0.1;
        divert_pass 127.0.0.1:\$TEST_NGINX_HAPROXY_PORT;
    }
}
_EOC_

my $request = "GET / HTTP/1.0\r\n\r\n";


sub port { $ENV{"TEST_NGINX_$_[0]_PORT"} }
sub from { EgressProxyHeader::v1(@_) }


sub answer {
    my ($name, $first) = @_;

    my $c = EgressClient->new(port($name), first => $first);

    $c->write($request);

    return $c->read_all;
}


# by CONNECT, with the client's own port as <port>

sub connected {
    my ($way, %opt) = @_;

    my $c = EgressClient->new(port('PROXY'), %opt);
    my ($own) = $c->local =~ /:(\d+)$/;

    $c->tunnel('name.example:443', 'X-Way' => $way);
    $c->write($request);

    return $c->read_all =~ s/(?<![.\d])$own\b/<port>/gr;
}


# nginx

my $want = $tlvs ? ' name.example:443' : '';
my $proxy = port('PROXY');

like(connected('nginx'), qr/^127.0.0.1 <port> 127.0.0.1 $proxy$want/,
     'nginx reads divert_tcp');
like(connected('nginx', host => '::1'), qr/^::1 <port> ::1 $proxy$want/,
     'nginx reads divert_tcp: IPv6');

my $more = $tlvs ? ' name.example:443 h2 one' : '';

like(answer('PLAIN', from('192.0.2.7', 777, '192.0.2.8', 888)),
     qr/^192.0.2.7 777 127.0.0.1 @{[port('PLAIN')]}$more/,
     'nginx reads divert_pass');
like(answer('PLAIN', from('2001:db8::7', 777, '2001:db8::8', 888)),
     qr/^2001:db8::7 777 ::ffff:127.0.0.1 @{[port('PLAIN')]}$more/,
     'nginx reads divert_pass: families that differ');

diag('this nginx knows no TLVs of the PROXY protocol') if !$tlvs;


# haproxy

sub installed {
    my ($program) = @_;

    my ($path) = grep { -x } map { "$_/$program" }
                 split(/:/, $ENV{PATH}), qw(/usr/sbin /sbin);

    diag("$program is not installed: not asked") if !$path;

    return $path;
}


sub haproxy {
    my ($path) = @_;

    my $file = "$dir/haproxy.cfg";

    open my $fh, '>', $file or die "$file: $!\n";
    print $fh <<"_EOC_";
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 10s
frontend pp
    bind 127.0.0.1:$ENV{TEST_NGINX_HAPROXY_PORT} accept-proxy
    http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port] %[fc_pp_authority] %[fc_pp_unique_id]"
_EOC_
    close $fh;

    EgressDaemon::spawn('HAPROXY', sub { exec $path, '-q', '-db', '-f', $file });

    for (1 .. 100) {
        return 1 if EgressClient->try(port('HAPROXY'));
        select undef, undef, undef, 0.05;
    }

    die "haproxy does not come up\n";
}


SKIP: {
    my $path = installed('haproxy') or skip 'haproxy is not installed', 4;

    haproxy($path);

    like(connected('haproxy'), qr/\r\n\r\n127.0.0.1 <port> 127.0.0.1 $proxy/,
         'haproxy reads divert_tcp');

    my $own = port('TOHAPROXY');

    like(answer('TOHAPROXY', from('192.0.2.7', 777, '192.0.2.8', 888)),
         qr/\r\n\r\n192.0.2.7 777 127.0.0.1 $own sni.example one-$own/,
         'haproxy reads divert_pass, with TLVs and checksum');
    like(answer('TOHAPROXY', from('2001:db8::7', 777, '2001:db8::8', 888)),
         qr/\r\n\r\n2001:db8::7 777 ::ffff:127.0.0.1 $own sni.example/,
         'haproxy reads divert_pass: families that differ');
    like(answer('TOHAPROXY', "PROXY UNKNOWN\r\n"), qr/\r\n\r\n127.0.0.1 /,
         'haproxy reads divert_pass: a client as it has connected');
}


# tshark: the bytes as they came, in a capture of one packet

my $listen = EgressDaemon::listen_on('127.0.0.1', port('RAW'),
                                     Socket::SOCK_STREAM());


sub captured {
    my ($send) = @_;

    my $c = $send->();
    my $s = EgressSocket->new(scalar $listen->accept);

    $c->write($request);

    return $s->read_until(qr/\Q$request\E/);
}


sub write_capture {
    my ($file, $bytes) = @_;

    my $tcp = pack('nnNNCCnnn', 40000, 9000, 1, 1, 0x50, 0x18, 65535, 0, 0)
              . $bytes;
    my $ip = pack('CCnnnCCnNN', 0x45, 0, 20 + length $tcp, 1, 0, 64, 6, 0,
                  0x7f000001, 0x7f000001) . $tcp;

    open my $fh, '>', $file or die "$file: $!\n";
    binmode $fh;
    print $fh pack('VvvVVVV', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101),
              pack('VVVV', 1, 0, length $ip, length $ip), $ip;
}


sub dissected {
    my ($path, $bytes) = @_;

    my $file = "$dir/x.pcap";
    my @fields = map { ('-e', "proxy.$_") }
                 qw/v2.cmd src.ipv4 src.ipv6 srcport dst.ipv4 dst.ipv6 dstport
                    v2.tlv.type v2.tlv.value bad_format/;

    write_capture($file, $bytes);

    open my $out, '-|', "$path --enable-heuristic proxy_tcp "
        . "-o tcp.try_heuristic_first:TRUE -r $file -T fields "
        . "-E separator=/s -E occurrence=a @fields 2>/dev/null"
        or die "tshark: $!\n";

    return join '', <$out>;
}


# The types and values that it shows; some versions of the dissector end a list
# 16 bytes before its end.

sub shows {
    my ($text, $types, $values, $least) = @_;

    my ($got_types, $got_values) = $text =~ /(0xe0\S*) (\S+)/ or return 0;
    my $n = () = $got_types =~ /0x/g;

    return $n >= $least && index("$types,", "$got_types,") == 0
           && index("$values,", "$got_values,") == 0;
}


SKIP: {
    my $path = installed('tshark') or skip 'tshark is not installed', 5;
    my $hex = sub { join ',', map { unpack 'H*', $_ } @_ };

    my $client;
    my $bytes = captured(sub {
        $client = EgressClient->new(port('PROXY'));
        $client->tunnel('name.example:443', 'X-Way' => 'raw');
        $client;
    });

    my ($own) = $client->local =~ /:(\d+)$/;
    my $text = dissected($path, $bytes);

    like($text, qr/^1 127.0.0.1  $own 127.0.0.1  $proxy 0xe0/,
         'tshark reads divert_tcp: addresses');
    ok(shows($text, '0xe0,0xe3', $hex->('name.example:443',
                                        substr $bytes, 50, 16), 1),
       'tshark reads divert_tcp: TLVs') or diag($text);

    my $all = port('ALL');
    my @values = ('name.example:443', 'verify.example', 'joe');
    my @others = ("\xc0\0\2\7", 'h2', "one-$all", 'sni.example');

    $bytes = captured(sub { EgressClient->new($all, first =>
                            from('192.0.2.7', 777, '192.0.2.8', 888)) });
    $text = dissected($path, $bytes);

    my ($task) = $text =~ /,6a6f65,([0-9a-f]{32}),/;
    $task = pack 'H*', $task // '';

    like($text, qr/^1 192.0.2.7  777 127.0.0.1  $all 0xe0/,
         'tshark reads divert_pass: addresses');
    ok(shows($text, '0xe0,0xe1,0xe2,0xe3,0xe4,0x01,0x05,0x02,0x03',
             $hex->(@values, $task, @others, substr $bytes,
                    -4 - length($request), 4), 6),
       'tshark reads divert_pass: TLVs, also one with zeros') or diag($text);

    $bytes = captured(sub { EgressClient->new($all, first =>
                            from('2001:db8::7', 777, '2001:db8::8', 888)) });

    like(dissected($path, $bytes),
         qr/^1  2001:db8::7 777  ::ffff:127.0.0.1 $all 0xe0/,
         'tshark reads divert_pass: IPv6');
}

done_testing();
