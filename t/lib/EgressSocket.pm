package EgressSocket;

# Copyright (C) ngx_egress authors
#
# A buffered stream socket with deadlines, TCP or TLS, used by the clients and
# by the daemons of the tests.  Every timeout is in seconds; the default is the
# "timeout" of the object (10).  "chunk" is the most that is read at once.
#
#     new($handle, timeout => 5)
#     write($data), write_slowly([pieces], $delay)
#                                1, or undef when the peer does not take it
#     read_until($re)            bytes up to and including the match
#     read_n($n)                 exactly n bytes
#     read_some()                what is there, at least one byte
#     read_all()                 all bytes until the peer ends
#                                undef: timeout, or the end came before that;
#                                the bytes stay in $s->{buf}
#     flood($seconds)            writes without end and reads all the while,
#                                until the peer ends; 1, or undef: it did not
#     quiet($seconds)            nothing arrives, not even an end
#     ended($seconds)            the peer ends (FIN, close_notify or RST) and
#                                sends nothing before
#     how_ended()                '', 'fin', 'close_notify', 'reset', or 'closed'
#                                when it was we who closed
#     shut()                     half-close: close_notify over TLS, else FIN
#     reset()                    close with RST
#     close(), peer(), local(), handle(), is_tls()
#     start_tls(\%options)       client side, options of IO::Socket::SSL
#     accept_tls(\%options)      server side; both return 1 or set tls_error

use strict;
use warnings;

use Errno qw/EAGAIN EINTR EWOULDBLOCK/;
use Socket qw/SOL_SOCKET SO_LINGER SHUT_WR/;
use Time::HiRes qw/sleep time/;

$SIG{PIPE} = 'IGNORE';

our $tls_error;


sub new {
    my ($class, $fh, %opt) = @_;

    $fh->blocking(0);
    binmode $fh;

    return bless { fh => $fh, buf => '', end => '', timeout => 10,
                   chunk => 65536, %opt }, $class;
}


sub handle { $_[0]{fh} }
sub is_tls { $_[0]{tls} }
sub how_ended { $_[0]{end} }
sub peer { address($_[0]{fh}->peerhost, $_[0]{fh}->peerport) }
sub local { address($_[0]{fh}->sockhost, $_[0]{fh}->sockport) }


sub address {
    my ($host, $port) = @_;

    return 'unknown' if !defined $host;

    return $host =~ /:/ ? "[$host]:$port" : "$host:$port";
}


# $what: "read", "write" or "both".  1: the socket is ready, 0: timeout

sub wait_for {
    my ($self, $what, $timeout) = @_;

    return 0 if $timeout < 0;

    my $bits = '';
    vec($bits, fileno($self->{fh}), 1) = 1;

    my $read = $what eq 'write' ? undef : $bits;
    my $write = $what eq 'read' ? undef : $bits;

    return select($read, $write, undef, $timeout) > 0;
}


sub again {
    my ($self) = @_;

    return $! == EINTR || $! == EAGAIN || $! == EWOULDBLOCK if !$self->{tls};

    no warnings 'once';
    return $IO::Socket::SSL::SSL_ERROR == IO::Socket::SSL::SSL_WANT_READ()
           || $IO::Socket::SSL::SSL_ERROR == IO::Socket::SSL::SSL_WANT_WRITE();
}


sub write {
    my ($self, $data, $timeout) = @_;

    my $end = time() + ($timeout || $self->{timeout});
    my $done = 0;

    while ($done < length $data) {
        my $n = syswrite $self->{fh}, $data, 65536, $done;

        if (defined $n) {
            $done += $n;
            next;
        }

        return if !$self->again();
        return if !$self->wait_for('write', $end - time());
    }

    return 1;
}


sub write_slowly {
    my ($self, $pieces, $delay) = @_;

    for my $i (0 .. $#$pieces) {
        sleep $delay if $i;
        $self->write($pieces->[$i]) or return;
    }

    return 1;
}


sub flood {
    my ($self, $timeout) = @_;

    my $end = time() + (defined $timeout ? $timeout : $self->{timeout});
    my $data = 'x' x 65536;

    while (!$self->{end}) {
        return if time() > $end;

        syswrite $self->{fh}, $data or $self->wait_for('both', 0.1);
        $self->fill(0);
    }

    return 1;
}


# 1: more bytes are in the buffer, 0: the peer ended, undef: deadline

sub fill {
    my ($self, $deadline) = @_;

    return 0 if $self->{end};

    if (!defined fileno $self->{fh}) {
        $self->{end} = 'closed';
        return 0;
    }

    while (1) {
        my $n = sysread $self->{fh}, $self->{buf}, $self->{chunk},
                        length $self->{buf};

        return 1 if $n;

        if (defined $n) {
            $self->{end} = $self->end_word();
            return 0;
        }

        if (!$self->again()) {
            $self->{end} = 'reset';
            return 0;
        }

        return if !$self->wait_for('read', $deadline - time());
    }
}


sub end_word {
    my ($self) = @_;

    return 'fin' if !$self->{tls};

    my $ssl = $self->{ssl};

    return Net::SSLeay::get_shutdown($ssl) & 2 ? 'close_notify' : 'fin';
}


# Fills the buffer until $done->() is true and returns what it returned.

sub fill_until {
    my ($self, $timeout, $done) = @_;

    my $deadline = time() + (defined $timeout ? $timeout : $self->{timeout});

    while (1) {
        my $value = $done->();
        return $value if defined $value;
        $self->fill($deadline) or return $done->();
    }
}


# The first $n bytes of the buffer, or all of it.

sub take {
    my ($self, $n) = @_;

    return substr $self->{buf}, 0, defined $n ? $n : length $self->{buf}, '';
}


sub read_until {
    my ($self, $re, $timeout) = @_;

    return $self->fill_until($timeout, sub {
        $self->{buf} =~ $re ? $self->take($+[0]) : undef;
    });
}


sub read_n {
    my ($self, $n, $timeout) = @_;

    return $self->fill_until($timeout, sub {
        length $self->{buf} >= $n ? $self->take($n) : undef;
    });
}


sub read_some {
    my ($self, $timeout) = @_;

    return $self->fill_until($timeout, sub {
        length $self->{buf} ? $self->take : undef;
    });
}


sub read_all {
    my ($self, $timeout) = @_;

    return $self->fill_until($timeout, sub {
        $self->{end} ? $self->take : undef;
    });
}


sub quiet {
    my ($self, $timeout) = @_;

    return 0 if length $self->{buf} || $self->{end};

    return !defined $self->fill(time() + $timeout);
}


sub ended {
    my ($self, $timeout) = @_;

    return 0 if length $self->{buf};

    my $rc = $self->fill(time() + ($timeout || $self->{timeout}));

    return defined $rc && $rc == 0;
}


sub shut {
    my ($self) = @_;

    return Net::SSLeay::shutdown($self->{ssl}) if $self->{tls};

    return shutdown $self->{fh}, SHUT_WR;
}


sub reset {
    my ($self) = @_;

    my $fh = $self->{fh};

    setsockopt $fh, SOL_SOCKET, SO_LINGER, pack 'll', 1, 0;
    $self->close(SSL_fast_shutdown => 1, SSL_no_shutdown => 1);
}


sub close {
    my ($self, @how) = @_;

    return if !defined fileno $self->{fh};

    return $self->{tls} ? $self->{fh}->close(@how) : close $self->{fh};
}


sub start_tls {
    my ($self, $opt) = @_;

    return $self->tls_handshake({ %{ $opt || {} } });
}


sub accept_tls {
    my ($self, $opt) = @_;

    return $self->tls_handshake({ %$opt, SSL_server => 1 });
}


sub tls_handshake {
    my ($self, $opt) = @_;

    require IO::Socket::SSL;

    my $fh = $self->{fh};

    die "bytes before the TLS handshake\n" if length $self->{buf};

    $fh->blocking(1);
    $fh = IO::Socket::SSL->start_SSL($fh, Timeout => $self->{timeout}, %$opt);

    if (!$fh) {
        no warnings 'once';
        $tls_error = $IO::Socket::SSL::SSL_ERROR;
        return;
    }

    $fh->blocking(0);
    $self->{tls} = 1;
    $self->{fh} = $fh;
    $self->{ssl} = $fh->_get_ssl_object;

    return 1;
}


1;
