package EgressHello;

# Copyright (C) ngx_egress authors
#
# Makes TLS ClientHello messages, well-formed or not, independently of any TLS
# library.
#
#     EgressHello::make(sni => 'a.test', ech => 1, alpn => ['h2'], pad => 2000,
#                       records => 3)
#
# gives the bytes: "pad" bytes of a padding extension (a post-quantum key share
# has about 1200), "records" TLS records of about the same size, ech => 1 an
# encrypted_client_hello extension, sni => undef no server_name, sni => [...]
# several names.

use strict;
use warnings;


sub make {
    my %opt = @_;

    my $body = pack('n a32 C/a n/a C/a n/a', 0x0303, 'r' x 32, 's' x 32,
                    pack('n*', 0x1301, 0x1302, 0xc02f), "\0",
                    join('', extensions(%opt)));

    my $message = "\x01" . substr(pack('N', length $body), 1) . $body;

    my $n = $opt{records} || 1;
    my $size = int(length($message) / $n) || 1;
    my $hello = '';

    while ($n-- > 0) {
        my $part = substr($message, 0, $n ? $size : length $message, '');
        $part =~ s/(.{1,16384})/pack('C n n\/a', 0x16, 0x0301, $1)/gse;
        $hello .= $part;
    }

    return $hello;
}


sub extensions {
    my %opt = @_;

    my @list;

    push @list, extension(0x0015, "\0" x $opt{pad}) if $opt{pad};
    push @list, extension(0xfe0d, "\0" x 32) if $opt{ech};

    if (defined $opt{sni}) {
        my @names = ref $opt{sni} ? @{ $opt{sni} } : $opt{sni};
        push @list, extension(0x0000, pack('n/a', join '',
                                           map { pack 'C n/a', 0, $_ } @names));
    }

    if ($opt{alpn}) {
        push @list, extension(0x0010, pack('n/a', join '', map { pack 'C/a', $_ }
                                                           @{ $opt{alpn} }));
    }

    return @list;
}


sub extension { pack 'n n/a', @_ }


1;
