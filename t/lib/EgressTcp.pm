package EgressTcp;

# Copyright (C) ngx_egress authors
#
# Scripted TCP peers.
#
#     use EgressTcp ECHO => 'echo', CMD => 'command', DEAD => 'refuse',
#                   SIX => { mode => 'no_accept', addr => '::1' };
#
# Settings common to all daemons (addr, port, tls) are told in EgressDaemon.
# proxy_protocol => 1 reads and records a PROXY header before the mode begins.
# Modes and their arguments:
#
#     echo                 send back what comes, end when the peer ends
#     sink                 read until the end, then send "bytes=N md5=HEX\n"
#     discard              read until the end, send nothing
#     bulk N               send N bytes of pattern(), end, then read as sink
#                          does, but only record
#     both N               send N bytes while reading; at the end of both
#                          record the sum
#     say TEXT             send TEXT, half-close, then read until the end
#     wait TEXT            read until the end, then send TEXT
#     slow N MS            read N bytes every MS milliseconds until the end,
#                          with a receive buffer as small as can be
#     lazy N MS            the same with the usual buffer
#     drip N MS            send N bytes of pattern, one every MS milliseconds
#     reset N              read N bytes, then RST
#     reset_after N        send N bytes, read one byte, then RST
#     peer                 send "peer ADDRESS:PORT\n" (who connected), then echo
#     pp                   send the PROXY header received as text, then echo
#     hang                 read nothing, send nothing
#     close                end at once
#     no_accept            never complete a handshake: connect() times out
#     refuse               nobody listens: connect() is refused
#     command              the first line says which of the modes it is
#
# In TEXT, \n, \r, \t, \0 and \xHH stand for bytes.  Each connection records
# "<number> open <peer address>" and "<number> MODE in=N md5=HEX how".
#
#     EgressTcp::pattern($offset, $length)   the bytes that bulk sends

use strict;
use warnings;

use Digest::MD5 qw/md5_hex/;
use IO::Socket::IP;
use Socket qw/SOL_SOCKET SO_RCVBUF SOCK_STREAM/;
use Time::HiRes qw/sleep time/;

use EgressDaemon;
use EgressSocket;

my $idle = 60;
my $block;
my @parked;

my %mode = (
    echo => \&echo,
    sink => \&sink,
    discard => \&discard,
    bulk => \&bulk,
    both => \&both,
    say => \&say_text,
    wait => \&wait_text,
    slow => \&slow,
    lazy => \&lazy,
    drip => \&drip,
    reset => \&reset_read,
    reset_after => \&reset_sent,
    peer => \&peer,
    pp => \&proxy_header,
    hang => \&hang,
    close => sub { },
    command => \&command,
);


sub import {
    my ($class, @args) = @_;

    EgressDaemon::start_all(\&start, @args);
}


sub start {
    my ($name, $opt) = @_;

    my ($mode, @args) = split / /, $opt->{mode} || 'echo', 2;

    if ($mode eq 'refuse') {
        EgressDaemon::bind_name($name, $opt);
        return;
    }

    return no_accept($name, $opt) if $mode eq 'no_accept';

    die "unknown mode \"$mode\"\n" if !$mode{$mode};

    my @socks = EgressDaemon::bind_name($name, $opt);
    my $tls = EgressDaemon::tls_options($opt);

    EgressDaemon::serve_tcp($name, \@socks, sub {
        my ($fh, $n) = @_;

        my $s = EgressSocket->new($fh, timeout => $idle, name => $name,
            number => $n, mode => $mode, md5 => Digest::MD5->new, in => 0);

        EgressDaemon::record($name, "$n open " . $s->peer);
        connection($s, $opt, $tls, $mode, @args);
    });
}


sub connection {
    my ($s, $opt, $tls, $mode, @args) = @_;

    if ($opt->{proxy_protocol}) {
        my $pp = read_proxy_header($s) or return done($s);
        EgressDaemon::record($s->{name}, "$s->{number} $pp");
    }

    if ($tls && !$s->accept_tls($tls)) {
        die "TLS $EgressSocket::tls_error\n";
    }

    $mode{$mode}->($s, @args);
    done($s);
}


sub command {
    my ($s) = @_;

    my $line = $s->read_until(qr/\n/);
    return if !defined $line;

    my ($mode, @args) = split / /, $line =~ s/\r?\n//r, 2;

    $s->{mode} = $mode;
    ($mode{$mode} || die "unknown mode \"$mode\"\n")->($s, @args);
}


# Reads until the peer ends; returns the bytes counted into the record.

sub drain {
    my ($s) = @_;

    while (defined(my $data = $s->read_some)) {
        count($s, $data);
    }
}


sub count {
    my ($s, $data) = @_;

    $s->{in} += length $data;
    $s->{md5}->add($data);
}


sub done {
    my ($s) = @_;

    my $how = $s->{did} || $s->how_ended || 'open';

    EgressDaemon::record($s->{name}, sprintf '%d %s in=%d md5=%s %s',
        $s->{number}, $s->{mode}, $s->{in}, $s->{md5}->clone->hexdigest, $how);

    $s->close if !$s->{did};
}


sub echo {
    my ($s) = @_;

    while (defined(my $data = $s->read_some)) {
        count($s, $data);
        $s->write($data) or last;
    }
}


sub sink {
    my ($s) = @_;

    drain($s);
    $s->write("bytes=$s->{in} md5=" . $s->{md5}->clone->hexdigest . "\n");
}


sub discard { drain($_[0]) }


sub bulk {
    my ($s, $n) = @_;

    send_pattern($s, $n);
    $s->shut;
    drain($s);
}


sub both {
    my ($s, $n) = @_;

    my $off = 0;

    while ($off < $n) {
        my $len = $n - $off < 65536 ? $n - $off : 65536;
        my $sent = syswrite $s->handle, pattern($off, $len);

        if (defined $sent) {
            $off += $sent;

        } else {
            $s->again or return;
            $s->wait_for($s->how_ended ? 'write' : 'both', $idle) or return;
        }

        $s->fill(0);
        count($s, $s->take);
    }

    $s->shut;
    drain($s);
}


sub send_pattern {
    my ($s, $n) = @_;

    for (my $off = 0; $off < $n; $off += 65536) {
        my $len = $n - $off < 65536 ? $n - $off : 65536;
        $s->write(pattern($off, $len)) or return;
    }
}


sub say_text {
    my ($s, $text) = @_;

    $s->write(unescape($text));
    $s->shut;
    drain($s);
}


sub wait_text {
    my ($s, $text) = @_;

    drain($s);
    $s->write(unescape($text));
}


sub slow {
    my ($s, $args) = @_;

    setsockopt $s->handle, SOL_SOCKET, SO_RCVBUF, 4096;
    lazy($s, $args);
}


sub lazy {
    my ($s, $args) = @_;

    my ($n, $ms) = split / /, $args;

    $s->{chunk} = $n;

    while (length $s->{buf} || $s->fill(time() + $idle)) {
        count($s, $s->take($n));
        sleep $ms / 1000;
    }
}


sub drip {
    my ($s, $args) = @_;

    my ($n, $ms) = split / /, $args;

    $s->write_slowly([split //, pattern(0, $n)], $ms / 1000);
}


sub reset_read {
    my ($s, $n) = @_;

    count($s, $s->read_n($n || 0) // '');
    $s->reset;
    $s->{did} = 'sent reset';
}


sub reset_sent {
    my ($s, $n) = @_;

    send_pattern($s, $n || 0);
    reset_read($s, 1);
}


sub peer {
    my ($s) = @_;

    $s->write('peer ' . $s->peer . "\n");
    echo($s);
}


sub proxy_header {
    my ($s) = @_;

    $s->write(read_proxy_header($s) . "\n");
    echo($s);
}


sub read_proxy_header {
    require EgressProxyHeader;

    return EgressProxyHeader::text(EgressProxyHeader::read($_[0]));
}


# Nothing is read, so the end of the peer is not seen.

sub hang { sleep $idle }


# A queue of length 0 that is full: the kernel drops further SYNs.

sub no_accept {
    my ($name, $opt) = @_;

    EgressDaemon::bind_name($name, { %$opt, addr => [] });

    for my $addr (EgressDaemon::addresses($opt)) {
        my $port = EgressPort::port($name);

        my $sock = EgressDaemon::listen_on($addr, $port, SOCK_STREAM);

        listen $sock, 0;
        push @parked, $sock;

        for (1 .. 3) {
            push @parked, IO::Socket::IP->new(PeerHost => $addr,
                PeerPort => $port, Blocking => 0);
        }

        sleep 0.05;
    }
}


sub unescape {
    my ($text) = @_;

    my %byte = (n => "\n", r => "\r", t => "\t", 0 => "\0");

    $text //= '';
    $text =~ s/\\(?:x([0-9a-fA-F]{2})|([nrt0]))/
               defined $1 ? chr hex $1 : $byte{$2}/gex;

    return $text;
}


# 65521 is prime: shifted, lost or repeated blocks never look right.

sub pattern {
    my ($off, $len) = @_;

    if (!$block) {
        my $x = 1;
        $block = join '', map {
            chr(($x = ($x * 1103515245 + 12345) & 0x7fffffff) >> 16 & 0xff)
        } 1 .. 65521;
    }

    my $start = $off % 65521;
    my $out = substr $block, $start;

    $out .= $block while length $out < $len;

    return substr $out, 0, $len;
}


sub pattern_md5 {
    my ($len) = @_;

    return md5_hex(pattern(0, $len));
}


1;
