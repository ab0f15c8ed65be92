package EgressNextProxy;

# Copyright (C) ngx_egress authors
#
# A next proxy: HTTP (CONNECT and absolute-form) or SOCKS5, that relays or
# misbehaves as it is told.
#
#     use EgressNextProxy HTTP => 'http', SOCKS => { mode => 'socks5',
#         auth => 'user:password', tls => 1 };
#
# Settings common to all daemons (addr, port, tls) are told in EgressDaemon.
# A target that is a name is taken for 127.0.0.1, unless "map" knows better.
#
#     mode => 'http'          or 'socks5'
#     auth => 'user:password' demanded; else 407, or failure of RFC 1929
#     map => { 'a.test:80' => '127.0.0.2:8080', 'b.test' => '127.0.0.2' }
#     proxy_protocol => 1     expects a PROXY header first
#     for => { 'a.test:80' => {...}, 'b.test' => {...} }
#                             other settings of this list for one target
#     delay => MS             before the reply
#     split => 1              the reply comes byte by byte
#     hang => 1, close => 1, reset => 1      instead of the reply
#     raw => BYTES            instead of the reply, then the end
#     early => BYTES          in one segment with the reply
#
#     status => 403           HTTP: the refusal; 407 brings a challenge
#     headers => ['A: b']     HTTP: more lines of the reply's head
#     body => TEXT            HTTP: of a refusal
#     keep => 1               HTTP: keeps the connection after a refusal
#     reply => 5              SOCKS5: the reply code
#     method => 255           SOCKS5: the method chosen
#     bound => 'host:port'    SOCKS5: the address of the reply
#
# A target that cannot be reached is 502, or SOCKS5 reply 5.  Each request is
# recorded before its reply:
#
#     EgressNextProxy::requests("HTTP")   { conn, peer, kind, target, head,
#                                           auth, methods, pp, sni } ...
#     EgressNextProxy::last("HTTP")       kind: a method, or connect, udp

use strict;
use warnings;

use JSON::PP;
use MIME::Base64 qw/decode_base64/;
use Time::HiRes qw/sleep/;

use EgressClient;
use EgressDaemon;
use EgressHttp;
use EgressRelay;
use EgressSocket;

my $idle = 60;
my $json = JSON::PP->new->canonical->latin1;

my %mode = (http => \&http, socks5 => \&socks5);


sub import {
    my ($class, @args) = @_;

    EgressDaemon::start_all(\&start, @args);
}


sub start {
    my ($name, $opt) = @_;

    my $serve = $mode{$opt->{mode} || 'http'} || die "unknown mode\n";
    my @socks = EgressDaemon::bind_name($name, $opt);
    my $tls = EgressDaemon::tls_options($opt);

    EgressDaemon::serve_tcp($name, \@socks, sub {
        my ($fh, $n) = @_;

        my $s = EgressSocket->new($fh, timeout => $idle);
        my %c = (s => $s, name => $name, conn => $n, peer => $s->peer);

        if ($opt->{proxy_protocol}) {
            require EgressProxyHeader;
            $c{pp} = EgressProxyHeader::text(EgressProxyHeader::read($s));
        }

        if ($tls && !$s->accept_tls($tls)) {
            EgressDaemon::record("${name}_TLS", $EgressSocket::tls_error);
            return;
        }

        $serve->(\%c, $opt);
        $s->close;
    });
}


sub note {
    my ($c, %what) = @_;

    EgressDaemon::record($c->{name}, $json->encode({
        (map { ($_ => $c->{$_}) } qw/conn peer pp/), %what,
        sni => $c->{s}->is_tls ? $c->{s}->handle->get_servername : undef,
    }));
}


sub requests { map { $json->decode($_) } EgressDaemon::lines($_[0]) }


sub last { (requests($_[0]))[-1] }


# The settings for one target.

sub settings {
    my ($opt, $target) = @_;

    my $host = $target =~ s/:\d+$//r;
    my $own = ($opt->{for} || {})->{$target} || ($opt->{for} || {})->{$host};

    return { %$opt, %{ $own || {} } };
}


# Delays and faults of a reply; false when there will be none.

sub may_reply {
    my ($s, $set) = @_;

    sleep $set->{delay} / 1000 if $set->{delay};
    sleep $idle if $set->{hang};

    $s->write($set->{raw}) if defined $set->{raw};
    $s->reset if $set->{reset};

    return !grep { defined $set->{$_} } qw/hang close reset raw/;
}


sub send_reply {
    my ($s, $set, $bytes) = @_;

    $bytes .= $set->{early} // '';

    return $s->write($bytes) if !$set->{split};
    return $s->write_slowly([split //, $bytes], 0.002);
}


sub connect_to {
    my ($opt, $target) = @_;

    my ($host, $port) = $target =~ /^\[?(.*?)\]?:(\d+)$/ or return;
    my $map = $opt->{map} || {};
    my $to = $map->{$target} || $map->{$host};

    if (defined $to) {
        ($host, $port) = $to =~ /^\[?(.*?)\]?:(\d+)$/ ? ($1, $2) : ($to, $port);

    } elsif ($host !~ /:/ && $host !~ /^[\d.]+$/) {
        $host = '127.0.0.1';
    }

    return EgressClient->try($port, host => $host, timeout => $idle);
}


sub http {
    my ($c, $opt) = @_;

    my $s = $c->{s};

    while (my $r = EgressHttp::read_head($s)) {
        my $connect = $r->{method} eq 'CONNECT';
        my $target = $connect ? $r->{target}
                     : $r->{target} =~ m{^http://([^/?]*)} ? $1 : '';

        $target .= ':80' if $target !~ /:\d+$/;

        my $set = settings($opt, $target);
        my $auth = EgressHttp::header($r, 'Proxy-Authorization');

        note($c, kind => $r->{method}, target => $r->{target},
             head => $r->{raw}, auth => basic($auth));

        may_reply($s, $set) or return;

        my $status = http_status($set, basic($auth));

        if (!$status) {
            return tunnel($s, $set, $target) if $connect;
            forward($s, $r, $set, $target) or return;
            next;
        }

        refuse($s, $set, $status);
        return if !$set->{keep};
    }
}


sub basic {
    my ($value) = @_;

    return defined $value && $value =~ /^Basic (.*)/i ? decode_base64($1)
           : $value;
}


# 0: the request may pass

sub http_status {
    my ($set, $auth) = @_;

    return 407 if defined $set->{auth} && ($auth // '') ne $set->{auth};

    return $set->{status} || 0;
}


sub refuse {
    my ($s, $set, $status) = @_;

    my $body = $set->{body} // "refused\n";
    my @lines = ("HTTP/1.1 $status Refused", 'Content-Length: ' . length $body,
                 'Connection: ' . ($set->{keep} ? 'keep-alive' : 'close'),
                 @{ $set->{headers} || [] });

    push @lines, 'Proxy-Authenticate: Basic realm="next"' if $status == 407;

    send_reply($s, $set, join("\r\n", @lines, '', '') . $body);
}


sub tunnel {
    my ($s, $set, $target) = @_;

    my $up = connect_to($set, $target);
    return refuse($s, $set, 502) if !$up;

    send_reply($s, $set, join "\r\n", 'HTTP/1.1 200 Connection established',
               @{ $set->{headers} || [] }, '', '');

    EgressRelay::run($s, $up);
}


# One absolute-form request, sent on in origin-form on a connection of its own.

sub forward {
    my ($s, $r, $set, $target) = @_;

    my $up = connect_to($set, $target);

    if (!$up) {
        refuse($s, $set, 502);
        return;
    }

    my $head = $r->{raw} =~ s{ http://[^/? ]*/?}{ /}r
               =~ s{^(?:Proxy-[^:]*|Connection):[^\n]*\n}{}gmri;

    $head =~ s{\r\n\r\n$}{\r\nConnection: close\r\nVia: 1.1 next\r\n\r\n};

    EgressHttp::read_body($s, $r) or return;
    $up->write($head . $r->{raw_body});

    my $m = $up->response(head => $r->{method} eq 'HEAD') or return;

    send_reply($s, $set, $m->{raw} =~ s/^Connection: .*\n//mri
                         . $m->{raw_body});

    return $m->{framing} ne 'close';
}


sub socks5 {
    my ($c, $opt) = @_;

    my $s = $c->{s};
    my ($version, @methods) = read_methods($s) or return;
    return note($c, kind => "version $version") if $version != 5;

    my $method = $opt->{method} // (defined $opt->{auth} ? 2 : 0);

    $method = 255 if !grep { $_ == $method } @methods;
    $method = $opt->{method} if defined $opt->{method};

    $s->write(pack 'CC', 5, $method);

    if ($method == 255) {
        note($c, kind => 'none', methods => \@methods);
        return;
    }

    my $auth = $method == 2 ? read_auth($s) : undef;

    if (defined $auth && $auth ne ($opt->{auth} // '')) {
        note($c, kind => 'auth', methods => \@methods, auth => $auth);
        $s->write("\1\1");
        return;
    }

    $s->write("\1\0") if defined $auth;

    my ($command, $target) = read_request($s) or return;
    my $set = settings($opt, $target);

    note($c, kind => (qw/0 connect bind udp/)[$command] || $command,
         methods => \@methods, auth => $auth, target => $target);

    may_reply($s, $set) or return;

    socks5_serve($s, $set, $command, $target);
}


sub read_methods {
    my ($s) = @_;

    my ($version, $n) = unpack 'CC', $s->read_n(2) // return;

    return ($version, unpack 'C*', $s->read_n($n) // return);
}


sub read_auth {
    my ($s) = @_;

    my $user = $s->read_n(unpack 'xC', $s->read_n(2) // return) // return;
    my $password = $s->read_n(unpack 'C', $s->read_n(1) // return) // return;

    return "$user:$password";
}


sub read_request {
    my ($s) = @_;

    my ($command, $type) = unpack 'xCxC', $s->read_n(4) // return;
    my $n = $type == 1 ? 4 : $type == 4 ? 16
            : unpack 'C', $s->read_n(1) // return;
    my ($host, $port) = unpack "a${n}n", $s->read_n($n + 2) // return;

    $host = EgressClient::socks_host($type, $host);

    return ($command, $type == 4 ? "[$host]:$port" : "$host:$port");
}


sub socks5_serve {
    my ($s, $set, $command, $target) = @_;

    my $code = $set->{reply} || 0;

    if (!$code && $command == 3) {
        require EgressUdpRelay;
        return EgressUdpRelay::serve($s, $set);
    }

    my $up = $code ? undef : $command == 1 ? connect_to($set, $target) : undef;
    $code ||= $command != 1 ? 7 : $up ? 0 : 5;

    my ($host, $port) = ($set->{bound} || ($up ? $up->local : '0.0.0.0:0'))
                        =~ /^\[?(.*?)\]?:(\d+)$/;

    send_reply($s, $set, pack('CCC', 5, $code, 0)
                         . EgressClient::socks_address($host, $port));

    EgressRelay::run($s, $up) if !$code;
}


1;
