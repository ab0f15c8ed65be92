package EgressDnsMessage;

# Copyright (C) ngx_egress authors
#
# DNS messages for EgressDns, and a small client for the tests of it and of
# UDP relays.
#
#     parse($packet)      { id, rd, flags, name, type, bytes (the question) }
#     rr($name, $type, $ttl, $data)     one resource record
#     build($question, \%flags, $rcode, @records)
#                         an answer; flags: tc => 1, qr => 0, id, question
#     mangle($how, $question, @records) a faulty one, see EgressDns
#     query($name, $type, $id)          a question
#     decode($packet)     { rcode, tc, id, answers => ["name type ttl data"] }
#     ask($port, $name, $type, tcp => 1, timeout => 2)
#                         the decoded answer of 127.0.0.1, undef without one;
#                         raw => 1: its bytes

use strict;
use warnings;

use Exporter qw/import/;
use IO::Socket::IP;
use Socket qw/AF_INET AF_INET6 SOCK_DGRAM SOCK_STREAM inet_ntop/;

our @EXPORT_OK = qw/parse build rr encode_name mangle query decode ask/;

my %type = (A => 1, NS => 2, CNAME => 5, SOA => 6, TXT => 16, AAAA => 28,
            SRV => 33, HTTPS => 65);
my %type_name = reverse %type;
my %rcode = (NOERROR => 0, FORMERR => 1, SERVFAIL => 2, NXDOMAIN => 3,
             NOTIMP => 4, REFUSED => 5);
my %rcode_name = reverse %rcode;


sub parse {
    my ($packet) = @_;

    return if length $packet < 17;

    my ($id, $flags) = unpack 'nn', $packet;
    my ($at, @labels) = 12;

    while (my $len = ord substr $packet, $at, 1) {
        return if $len > 63 || $at + $len + 5 > length $packet;
        push @labels, substr $packet, $at + 1, $len;
        $at += $len + 1;
    }

    my $number = unpack 'n', substr $packet, $at + 1, 2;

    return {
        id => $id, rd => $flags & 0x100, name => lc join('.', @labels),
        type => $type_name{$number} || "TYPE$number", flags => $flags,
        bytes => substr $packet, 12, $at + 5 - 12,
    };
}


sub encode_name {
    my ($name) = @_;

    return join('', map { pack 'C/a*', $_ } split /\./, $name) . "\0";
}


sub rr {
    my ($name, $type, $ttl, $data) = @_;

    $data = pack 'C/a*', $data if $type eq 'TXT';

    return encode_name($name) . pack 'nnNn/a*', $type{$type}, 1, $ttl, $data;
}


sub build {
    my ($q, $flags, $rcode, @answers) = @_;

    my $bits = ($flags->{qr} // 0x8000) | 0x0480 | $q->{rd}
               | ($flags->{tc} ? 0x200 : 0) | ($rcode{$rcode} // 2);

    return pack('n6', $flags->{id} // $q->{id}, $bits, 1, scalar @answers, 0, 0)
           . ($flags->{question} // $q->{bytes}) . join '', @answers;
}


sub mangle {
    my ($how, $q, @answers) = @_;

    my $none = 'NOERROR';
    my $other = encode_name('other.invalid');

    return build($q, { id => $q->{id} ^ 1 }, $none, @answers) if $how eq 'id';
    return build($q, { qr => 0 }, $none, @answers) if $how eq 'qr';
    return substr build($q, {}, $none), 0, 7 if $how eq 'short';
    return pack('n', $q->{id}) . "\xff" x 40 if $how eq 'garbage';
    return build($q, {}, $none, "\xc0" . chr(12 + length $q->{bytes}) . "\0" x 10)
        if $how eq 'loop';
    return build($q, { question => $other . pack 'nn', 1, 1 }, $none, @answers)
        if $how eq 'question';

    return build($q, {}, $none, map { s/^.*?\0/$other/sr } @answers);
}


sub query {
    my ($name, $type, $id) = @_;

    return pack('n6', $id // int rand 65536, 0x100, 1, 0, 0, 0)
           . encode_name($name) . pack 'nn', $type{$type} || $type, 1;
}


sub decode {
    my ($packet) = @_;

    my ($id, $flags, $questions, $count) = unpack 'n4', $packet;
    my ($at, @answers) = 12;

    for (1 .. $questions) {
        (undef, $at) = decode_name($packet, $at);
        $at += 4;
    }

    for (1 .. $count) {
        (my $name, $at) = decode_name($packet, $at);
        my ($number, $class, $ttl, $len) = unpack "x$at nnNn", $packet;
        my $type = $type_name{$number} || $number;

        $at += 10;
        push @answers, "$name $type $ttl "
                       . decode_data($packet, $type, $at, $len);
        $at += $len;
    }

    return { id => $id, rcode => $rcode_name{$flags & 15}, answers => \@answers,
             tc => $flags & 0x200 ? 1 : 0 };
}


sub decode_data {
    my ($packet, $type, $at, $len) = @_;

    my $data = substr $packet, $at, $len;

    return inet_ntop($type eq 'A' ? AF_INET : AF_INET6, $data)
        if $type =~ /^A(AAA)?$/;

    return (decode_name($packet, $at))[0] if $type eq 'CNAME';
    return unpack 'C/a*', $data if $type eq 'TXT';

    return unpack 'H*', $data;
}


sub decode_name {
    my ($packet, $at) = @_;

    my (@labels, $after);

    while (my $len = ord substr $packet, $at, 1) {
        if ($len >= 0xc0) {
            $after //= $at + 2;
            $at = unpack("x$at n", $packet) & 0x3fff;
            die "loop in a name\n" if @labels > 127 || $at >= $after - 2;
            next;
        }

        push @labels, substr $packet, $at + 1, $len;
        $at += $len + 1;
    }

    return (join('.', @labels), $after // $at + 1);
}


sub ask {
    my ($port, $name, $type, %opt) = @_;

    my $sock = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port,
        Type => $opt{tcp} ? SOCK_STREAM : SOCK_DGRAM) or return;
    my $query = query($name, $type, $opt{id});
    my $bits = '';

    syswrite $sock, $opt{tcp} ? pack 'n/a*', $query : $query;

    vec($bits, fileno $sock, 1) = 1;
    return if select($bits, undef, undef, $opt{timeout} || 2) <= 0;

    sysread $sock, my $packet, 65536 or return;

    $packet = unpack 'n/a*', $packet if $opt{tcp};

    return $opt{raw} ? $packet : decode($packet);
}


1;
