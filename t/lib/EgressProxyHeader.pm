package EgressProxyHeader;

# Copyright (C) ngx_egress authors
#
# PROXY protocol headers, written apart from the product's own codec so that
# the tests do not share its mistakes.
#
#     read($socket)     reads a version 1 or 2 header from an EgressSocket:
#                       { version, command, family, protocol, src, src_port,
#                         dst, dst_port, tlvs => [[type, bytes], ...], raw },
#                       undef when there is none
#     text($header)     one line: 'v2 PROXY TCP4 1.2.3.4:5 6.7.8.9:10
#                       E0="name:443" E3=00112233...'; printable values are
#                       quoted, others in hexadecimal
#     v1($src, $sport, $dst, $dport), v2(the same, [type, bytes], ...)
#                       make a header; without addresses v2() is LOCAL

use strict;
use warnings;

use Socket qw/AF_INET AF_INET6 inet_pton inet_ntop/;

my $signature = "\r\n\r\n\0\r\nQUIT\n";


sub read {
    my ($s) = @_;

    # TLS may follow: take no more from the socket than the header

    local $s->{chunk} = 1;

    my $first = $s->read_n(1);
    return if !defined $first;

    if ($first eq 'P') {
        my $line = $s->read_until(qr/\r\n/);
        return defined $line ? read_v1("P$line") : undef;
    }

    my $head = $s->read_n(15);
    return if !defined $head || substr("$first$head", 0, 12) ne $signature;

    my $rest = $s->read_n(unpack 'n', substr $head, 13);

    return defined $rest ? read_v2("$first$head", $rest) : undef;
}


sub read_v1 {
    my ($line) = @_;

    my ($word, $family, @addr) = split / /, $line =~ s/\r\n//r;

    return if $word ne 'PROXY';

    return {
        version => 1, command => 'PROXY', raw => $line, tlvs => [],
        family => $family, src => $addr[0], dst => $addr[1],
        src_port => $addr[2], dst_port => $addr[3],
    };
}


sub read_v2 {
    my ($head, $rest) = @_;

    my ($vc, $fp) = unpack 'x12 CC', $head;
    my %h = (version => $vc >> 4, raw => "$head$rest", tlvs => [],
             command => (qw/LOCAL PROXY/)[$vc & 15] || 'BAD');

    my ($name, $af, $size) = $fp >> 4 == 1 ? ('4', AF_INET, 4)
                             : $fp >> 4 == 2 ? ('6', AF_INET6, 16) : ();

    $h{family} = $name ? ('UNSPEC', 'TCP', 'UDP')[$fp & 15] . $name : 'UNSPEC';

    if ($name) {
        my @addr = unpack "a$size a$size n n", substr $rest, 0, $size * 2 + 4,
                                                     '';
        $h{$_} = inet_ntop($af, shift @addr) for qw/src dst/;
        $h{$_} = shift @addr for qw/src_port dst_port/;
    }

    while (length $rest >= 3) {
        my ($type, $len) = unpack 'Cn', substr $rest, 0, 3, '';
        push @{ $h{tlvs} }, [$type, substr $rest, 0, $len, ''];
    }

    return \%h;
}


sub text {
    my ($h) = @_;

    return 'none' if !$h;

    my @words = ("v$h->{version}", $h->{command}, $h->{family});

    for my $end (qw/src dst/) {
        push @words, $h->{$end} =~ /:/ ? "[$h->{$end}]:$h->{$end . '_port'}"
                     : "$h->{$end}:$h->{$end . '_port'}" if defined $h->{$end};
    }

    for my $tlv (@{ $h->{tlvs} }) {
        my ($type, $value) = @$tlv;
        push @words, sprintf '%02X=%s', $type, $value =~ /^[ !#-~]*$/
                                ? "\"$value\"" : unpack 'H*', $value;
    }

    return join ' ', @words;
}


sub v1 {
    my ($src, $sport, $dst, $dport) = @_;

    my $family = $src =~ /:/ ? 'TCP6' : 'TCP4';

    return "PROXY $family $src $dst $sport $dport\r\n";
}


sub v2 {
    my ($src, $sport, $dst, $dport, @tlvs) = @_;

    my $rest = '';
    my ($command, $family) = (0x20, 0);

    if (defined $src) {
        my $af = $src =~ /:/ ? AF_INET6 : AF_INET;

        ($command, $family) = (0x21, $af == AF_INET6 ? 0x21 : 0x11);
        $rest = inet_pton($af, $src) . inet_pton($af, $dst)
                . pack 'nn', $sport, $dport;
    }

    $rest .= pack 'Cn/a*', @$_ for @tlvs;

    return $signature . pack 'CCn/a*', $command, $family, $rest;
}


1;
