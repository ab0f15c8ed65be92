package EgressClient;

# Copyright (C) ngx_egress authors
#
# A client that can misbehave: an EgressSocket (whose methods read, write,
# half-close and reset) that connects, and speaks to HTTP and SOCKS proxies.
#
#     my $c = EgressClient->new(port, host => '127.0.0.1', bind => address,
#                               timeout => 5, tls => {...}, first => bytes);
#                             dies when the connection fails; try() gives undef
#                             and $EgressClient::error.  "first" is sent before
#                             TLS begins (a PROXY header)
#     $c->get($url, name => value ...)
#                             GET with Host and these headers; the response as
#                             EgressHttp::read_response() gives it
#     $c->request($method, $target, \@headers, $body)
#                             the same for any method; @headers are pairs;
#                             adds Host and Content-Length when missing
#     $c->response(head => 1) only reads
#     $c->tunnel("host:port", name => value ...)
#                             CONNECT: the response, without its body on 2xx
#     $c->refused()           reads the refusal's body and its end: 1 or 0
#     $c->basic($user, $password)    value of an authorization header
#
# SOCKS; each returns the reply as { reply, host, port, method }, or undef when
# the proxy closed.  An IPv6 or IPv4 literal is sent as an address, anything
# else as a name; "pieces" bytes are written at a time.
#
#     $c->socks4($host, $port, $user)     socks4a: $host is a name
#     $c->socks5($host, $port, user => , password => , command => 1,
#                methods => [0, 2], pieces => 1, after => bytes)
#     EgressUdpClient->associate($port, %same)
#                             an association, see EgressUdpClient

use strict;
use warnings;

use parent -norequire => 'EgressSocket';

use IO::Socket::IP;
use List::Util qw/pairkeys/;
use MIME::Base64 qw/encode_base64/;
use Socket qw/AF_INET AF_INET6 inet_pton inet_ntop/;

use EgressHttp;
use EgressSocket;
use EgressUdpClient;

our $error;


sub new {
    my ($class, $port, %opt) = @_;

    return $class->try($port, %opt) || die "cannot connect: $error\n";
}


sub try {
    my ($class, $port, %opt) = @_;

    my ($host, $bind) = delete @opt{qw/host bind/};
    my ($tls, $first) = delete @opt{qw/tls first/};

    my $fh = IO::Socket::IP->new(
        PeerHost => $host || '127.0.0.1',
        PeerPort => $port,
        Timeout  => $opt{timeout} || 10,
        $bind ? (LocalHost => $bind) : (),
        GetAddrInfoFlags => 0,          # ::1 where there is loopback only
    );

    if (!$fh) {
        $error = $@;
        return;
    }

    setsockopt $fh, Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1;

    my $self = $class->SUPER::new($fh, %opt);

    $self->write($first) if defined $first;

    if ($tls && !$self->start_tls(ref $tls ? $tls : {})) {
        $error = $EgressSocket::tls_error;
        return;
    }

    return $self;
}


sub get {
    my ($self, $target, @headers) = @_;

    return $self->request('GET', $target, \@headers);
}


sub request {
    my ($self, $method, $target, $headers, $body) = @_;

    $self->send_request($method, $target, $headers, $body);

    return $self->response(head => $method eq 'HEAD');
}


sub send_request {
    my ($self, $method, $target, $headers, $body) = @_;

    my @headers = @{ $headers || [] };
    my %seen = map { lc $_ => 1 } pairkeys @headers;

    if (!$seen{host}) {
        my $host = $target =~ m{^\w+://([^/?]*)} ? $1 : 'localhost';
        unshift @headers, Host => $host;
    }

    if (defined $body && !$seen{'content-length'}
        && !$seen{'transfer-encoding'})
    {
        push @headers, 'Content-Length' => length $body;
    }

    my $head = "$method $target HTTP/1.1\r\n";

    while (my ($name, $value) = splice @headers, 0, 2) {
        $head .= "$name: $value\r\n";
    }

    return $self->write("$head\r\n" . ($body // ''));
}


sub response {
    my ($self, %how) = @_;

    return EgressHttp::read_response($self, %how);
}


sub tunnel {
    my ($self, $target, @headers) = @_;

    $self->send_request('CONNECT', $target, [Host => $target, @headers]);

    my $m = EgressHttp::read_head($self) or return;

    if ($m->{status} && $m->{status} !~ /^2/) {
        EgressHttp::read_body($self, $m, response => 1);
    }

    return $m;
}


sub refused {
    my ($self, $timeout) = @_;

    return defined $self->read_all($timeout) ? 1 : 0;
}


sub basic {
    my ($self, $user, $password) = @_;

    return 'Basic ' . encode_base64("$user:$password", '');
}


sub socks4 {
    my ($self, $host, $port, $user, %opt) = @_;

    my $ip = inet_pton(AF_INET, $host);
    my $message = pack('CCn', 4, $opt{command} || 1, $port)
                  . ($ip || "\0\0\0\1") . ($user // '') . "\0"
                  . ($ip ? '' : "$host\0") . ($opt{after} // '');

    $self->send_pieces($message, $opt{pieces});

    my $reply = $self->read_n(8);
    return if !defined $reply;

    my ($version, $code, $rport, $rip) = unpack 'CCna4', $reply;

    return { version => $version, reply => $code, port => $rport,
             host => inet_ntop(AF_INET, $rip) };
}


sub socks5 {
    my ($self, $host, $port, %opt) = @_;

    my @methods = $opt{methods} ? @{ $opt{methods} }
                  : defined $opt{user} ? (0, 2) : 0;

    $self->send_pieces(pack('CC/C*', 5, @methods), $opt{pieces});

    my $answer = $self->read_n(2);
    return if !defined $answer;

    my ($version, $method) = unpack 'CC', $answer;

    if ($method == 2) {
        $self->send_pieces(pack('CC/a*C/a*', 1, $opt{user}, $opt{password}),
                           $opt{pieces});

        my $auth = $self->read_n(2);
        return if !defined $auth;

        if ($auth ne "\1\0") {
            return { method => 2, auth => unpack 'xC', $auth };
        }

    } elsif ($method == 0xff) {
        return { method => $method };
    }

    my $message = pack('CCC', 5, $opt{command} || 1, 0)
                  . socks_address($host, $port) . ($opt{after} // '');

    $self->send_pieces($message, $opt{pieces});

    return $self->socks5_reply($method);
}


sub socks5_reply {
    my ($self, $method) = @_;

    my $head = $self->read_n(4);
    return if !defined $head;

    my ($version, $code, $reserved, $type) = unpack 'C4', $head;
    my $n = $type == 1 ? 4 : $type == 4 ? 16 : ord($self->read_n(1) // "\0");
    my $rest = $self->read_n($n + 2);
    return if !defined $rest;

    my ($host, $port) = unpack "a${n}n", $rest;

    return {
        version => $version, reply => $code, type => $type, port => $port,
        host => socks_host($type, $host), method => $method,
    };
}


sub socks_address {
    my ($host, $port) = @_;

    my $ip;

    return "\1$ip" . pack 'n', $port if $ip = inet_pton(AF_INET, $host);
    return "\4$ip" . pack 'n', $port if $ip = inet_pton(AF_INET6, $host);

    return pack 'CC/a*n', 3, $host, $port;
}


sub socks_host {
    my ($type, $bytes) = @_;

    return $type == 3 ? $bytes
           : inet_ntop($type == 1 ? AF_INET : AF_INET6, $bytes);
}


sub send_pieces {
    my ($self, $message, $size) = @_;

    return $self->write($message) if !$size;

    return $self->write_slowly([$message =~ /(.{1,$size})/gs], 0.01);
}


1;
