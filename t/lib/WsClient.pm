package WsClient;

# Copyright (C) ngx_egress authors
#
# A small WebSocket client for tests that hold sessions while nginx reloads.
#
#     my $c = WsClient->new($port, "/path", tls => { SSL_... });
#                                 dies unless the answer is 101; headers => "A:
#                                 b\r\n" are sent as well
#     $c->send("text")            a text message
#     $c->recv(), $c->recv($s)    [opcode, payload] of the next frame, undef at
#                                 the end or after so many seconds (5)
#     $c->echo("text")            sends it, waits for the echo: 1 if it comes
#     $c->close_code()            the code of the next Close frame, 0 for none;
#                                 other frames are skipped, and it is answered
#     WsClient::status($port, "/path")    of the answer to a handshake

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw/time/;


sub connect_to {
    my ($port, $path, %opt) = @_;

    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                     PeerPort => $port, Timeout => 5)
        or return;

    if ($opt{tls}) {
        require IO::Socket::SSL;
        IO::Socket::SSL->start_SSL($sock, %{ $opt{tls} }) or return;
    }

    syswrite $sock, "GET $path HTTP/1.1\r\nHost: ws.test\r\n"
                    . "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                    . "Sec-WebSocket-Version: 13\r\n"
                    . "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    . ($opt{headers} // '') . "\r\n";

    my $self = bless { sock => $sock, buf => '' }, __PACKAGE__;
    my $end = time() + ($opt{timeout} || 10);

    while (index($self->{buf}, "\r\n\r\n") < 0) {
        $self->fill($end) or return;
    }

    ($self->{head}, $self->{buf}) = split /(?<=\r\n\r\n)/, $self->{buf}, 2;
    $self->{buf} //= '';

    return $self;
}


sub new {
    my ($class, $port, $path, %opt) = @_;

    my $self = connect_to($port, $path, %opt)
        or die "no answer to a handshake\n";

    $self->{head} =~ m{^HTTP/1.1 101 } or die "not 101: $self->{head}";

    return $self;
}


sub status {
    my $self = connect_to(@_) or return 0;

    return ($self->{head} =~ m{^HTTP/1.1 (\d+)})[0];
}


sub head { $_[0]{head} }


sub fill {
    my ($self, $end) = @_;

    my $sock = $self->{sock};
    my $pending = $sock->can('pending') ? $sock->pending : 0;

    if (!$pending) {
        my $left = $end - time();
        return 0 if $left <= 0 || !IO::Select->new($sock)->can_read($left);
    }

    return sysread $sock, $self->{buf}, 65536, length $self->{buf};
}


sub take {
    my ($self, $n, $end) = @_;

    while (length $self->{buf} < $n) {
        $self->fill($end) or return;
    }

    return substr $self->{buf}, 0, $n, '';
}


sub send_frame {
    my ($self, $opcode, $data) = @_;

    my $mask = pack 'N', int rand 2 ** 32;
    my $n = length $data;
    my $head = $n < 126 ? pack 'CC', 0x80 | $opcode, 0x80 | $n
               : pack 'CCn', 0x80 | $opcode, 0xfe, $n;

    my $key = substr $mask x ($n / 4 + 1), 0, $n;

    $data = $head . $mask . ($data ^ $key);

    # TLS takes a record at a time

    while (length $data) {
        my $sent = syswrite $self->{sock}, $data or return;
        substr $data, 0, $sent, '';
    }
}


sub send { $_[0]->send_frame(1, $_[1]) }


sub recv {
    my ($self, $timeout) = @_;

    my $end = time() + ($timeout || 5);
    my $head = $self->take(2, $end) // return;
    my ($first, $n) = unpack 'CC', $head;

    $n = unpack 'n', $self->take(2, $end) // return if $n == 126;
    $n = unpack 'Q>', $self->take(8, $end) // return if $n == 127;

    my $data = $n ? $self->take($n, $end) // return : '';

    return [$first & 15, $data];
}


sub echo {
    my ($self, $text) = @_;

    $self->send($text);

    my $frame = $self->recv or return 0;

    return $frame->[0] == 1 && $frame->[1] eq $text ? 1 : 0;
}


sub close_code {
    my ($self, $timeout) = @_;

    while (my $frame = $self->recv($timeout)) {
        next if $frame->[0] != 8;

        $self->send_frame(8, substr $frame->[1], 0, 2);

        return length $frame->[1] ? unpack 'n', $frame->[1] : 1005;
    }

    return 0;
}


1;
