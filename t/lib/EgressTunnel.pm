package EgressTunnel;

# Copyright (C) ngx_egress authors
#
# What the tests of the relay have in common: one configuration with every
# kind of tunnel, all leading to a scripted peer, in copy and in splice mode.
#
#     EgressTunnel::each_mode(sub { my ($mode, $ngx) = @_; ... },
#                             egress => text, server => text, direct => text,
#                             master => 0)
#                             runs the tests with nginx in mode "splice", then
#                             "copy"; the texts go into egress {}, into each
#                             server {} and into the escaper
#     kinds()                 their names:
#                                 connect       CONNECT
#                                 connect_tls   CONNECT, the client speaks TLS
#                                 connect_unix  CONNECT over a unix socket
#                                 stream        a mapped port
#                                 stream_tls    the same, TLS to the target
#     open($kind, "bulk 100") a client at the end of a tunnel to an EgressTcp
#                             peer in that mode
#     connect_to($kind)       the same as far as the proxy; the script is to come
#     peer($kind, qr/.../)    waits for a line that the peer recorded
#     exchange($s, $n)        sends $n bytes of pattern, half-closes, reads all
#                             the while: (bytes, md5), or () on failure
#     logged($ngx)            the next line of the access log: reason, bytes
#                             to the client, bytes from it
#     pipes($ngx)             how many pipes the worker has

use strict;
use warnings;

use Digest::MD5;
use File::Temp;
use IO::Socket::UNIX;
use Test::More ();

use EgressCert;
use EgressClient;
use EgressNginx;
use EgressPort qw/HTTP TLS MAP MAP_TLS/;
use EgressTcp PEER => 'command', PEER_TLS => { mode => 'command', tls => 1 };

my $dir = File::Temp->newdir;
my $lines;

chmod 0755, "$dir";


sub each_mode {
    my ($tests, %opt) = @_;

    for my $mode (qw/splice copy/) {
        my $ngx = EgressNginx->new(conf => conf($mode, %opt),
                                   master => $opt{master} // 0);
        chmod 0777, "$dir/$mode.sock";
        $lines = 0;

        local $EgressTunnel::mode = $mode;
        Test::More::subtest($mode, sub { $tests->($mode, $ngx) });

        $ngx->stop;
    }
}

our $mode;


sub conf {
    my ($how, %opt) = @_;

    my $pipes = $how eq 'copy' ? 'relay_pipes 0;' : '';

    $opt{$_} //= '' for qw/egress server direct/;

    return <<"_EOC_";
egress {
    $pipes $opt{egress}
    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
        $opt{direct}
    }
}

http {
    ssl_certificate      \$TEST_NGINX_CERT_DIR/server.pem;
    ssl_certificate_key  \$TEST_NGINX_CERT_DIR/server.key;
    log_format           t '\$egress_reason \$egress_bytes_sent '
                           '\$egress_bytes_received';
    access_log           logs/access.log t;

    server {
        listen             127.0.0.1:\$TEST_NGINX_HTTP_PORT;
        listen             127.0.0.1:\$TEST_NGINX_TLS_PORT ssl;
        listen             unix:$dir/$how.sock;
        egress_http_proxy  direct;
        $opt{server}
    }
}

stream {
    log_format  t '\$egress_reason \$egress_bytes_sent \$egress_bytes_received';
    access_log  logs/access.log t;

    server {
        listen             127.0.0.1:\$TEST_NGINX_MAP_PORT;
        egress_tcp_stream  direct 127.0.0.1:\$TEST_NGINX_PEER_PORT;
        $opt{server}
    }

    server {
        listen             127.0.0.1:\$TEST_NGINX_MAP_TLS_PORT;
        egress_tcp_stream  direct 127.0.0.1:\$TEST_NGINX_PEER_TLS_PORT;
        egress_tls_client  { ca_certificate \$TEST_NGINX_CERT_DIR/ca.pem; }
        $opt{server}
    }
}
_EOC_
}


sub kinds { qw/connect connect_tls connect_unix stream stream_tls/ }


sub open {
    my ($kind, $script) = @_;

    my $s = connect_to($kind);

    if ($kind =~ /^connect/) {
        my $m = $s->tunnel("127.0.0.1:$ENV{TEST_NGINX_PEER_PORT}");
        die "no tunnel: $m->{status}\n" if $m->{status} != 200;
    }

    $s->write("$script\n");

    return $s;
}


sub connect_to {
    my ($kind) = @_;

    if ($kind eq 'connect_unix') {
        my $fh = IO::Socket::UNIX->new(Peer => "$dir/$mode.sock")
            or die "unix socket: $!\n";
        return bless EgressSocket->new($fh), 'EgressClient';
    }

    my $name = { connect => 'HTTP', connect_tls => 'TLS', stream => 'MAP',
                 stream_tls => 'MAP_TLS' }->{$kind};

    return EgressClient->new($ENV{"TEST_NGINX_${name}_PORT"},
        $kind eq 'connect_tls'
        ? (tls => EgressCert::client_options(name => 'localhost')) : ());
}


sub peer {
    my ($kind, $re) = @_;

    my $name = $kind eq 'stream_tls' ? 'PEER_TLS' : 'PEER';
    my $line = EgressDaemon::wait_line($name, $re);

    EgressDaemon::forget($name);

    return $line;
}


sub exchange {
    my ($s, $n) = @_;

    my ($off, $got, $md5) = (0, 0, Digest::MD5->new);

    my $take = sub {
        my $data = $s->take;
        $got += length $data;
        $md5->add($data);
    };

    while ($off < $n) {
        my $len = $n - $off < 65536 ? $n - $off : 65536;
        my $sent = syswrite $s->handle, EgressTcp::pattern($off, $len);

        if (defined $sent) {
            $off += $sent;

        } else {
            $s->again or return;
            $s->wait_for('both', 10) or return;
        }

        $s->fill(0);
        $take->();
    }

    $s->shut;

    while ($s->fill(time + 10)) {
        $take->();
    }

    return if $s->how_ended !~ /^(?:fin|close_notify)$/;

    $take->();

    return ($got, $md5->hexdigest);
}


sub logged {
    my ($ngx) = @_;

    my @all = $ngx->wait_access(++$lines);

    return $all[-1];
}


sub pipes {
    my ($ngx) = @_;

    my ($worker) = ($ngx->workers, $ngx->pid);

    # both ends of ours are there, only one of what it has from its parent

    my %ends;
    $ends{readlink || ''}++ for glob "/proc/$worker/fd/*";

    return scalar grep { /^pipe:/ && $ends{$_} == 2 } keys %ends;
}


1;
