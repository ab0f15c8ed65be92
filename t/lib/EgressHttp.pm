package EgressHttp;

# Copyright (C) ngx_egress authors
#
# HTTP/1.x messages on an EgressSocket, for clients and servers of the tests.
# Strict where a proxy could hide a fault (framing), blind otherwise.
#
#     read_head($s)       { first, headers => [[name, value], ...], raw,
#                           and for requests method, target, version,
#                           for responses version, status, reason }
#                         undef: no complete head came
#     read_body($s, $m, %how)
#                         adds body, raw_body, trailers, framing ("length",
#                         "chunked", "close", "none") to the message;
#                         response => 1, head => 1 (answer to HEAD);
#                         1, or undef with $m->{error}
#     read_response($s, %how)
#                         a final response; interim ones are in {interim}
#     header($m, "Name")  the value, or in list context all values
#     chunked(@pieces)    chunks; the last chunk and trailers are the caller's

use strict;
use warnings;


sub read_head {
    my ($s, $timeout) = @_;

    my $raw = $s->read_until(qr/\r?\n\r?\n/, $timeout);
    return if !defined $raw;

    my ($first, @lines) = split /\r?\n/, $raw =~ s/^(?:\r?\n)+//r;
    my %m = (first => $first, raw => $raw, headers => []);

    for my $line (@lines) {
        push @{ $m{headers} }, [$1, $2] if $line =~ /^([^:]*):\s*(.*?)\s*$/;
    }

    if ($first =~ m{^HTTP/(\S+) (\d+) ?(.*)}) {
        @m{qw/version status reason/} = ($1, $2, $3);

    } else {
        my ($method, $target, $version) = split / /, $first;

        @m{qw/method target/} = ($method, $target);
        $m{version} = $version && $version =~ m{^HTTP/(.*)} ? $1 : '0.9';
    }

    return \%m;
}


sub header {
    my ($m, $name) = @_;

    my @values = map { $_->[1] }
                 grep { lc $_->[0] eq lc $name } @{ $m->{headers} };

    return wantarray ? @values : $values[0];
}


sub framing {
    my ($m, %how) = @_;

    if ($how{response}) {
        my $status = $m->{status};

        return 'none' if $how{head} || $status < 200 || $status == 204
                         || $status == 304;
    }

    my @te = header($m, 'Transfer-Encoding');
    my @length = header($m, 'Content-Length');

    return 'both' if @te && @length;
    return 'chunked' if @te && lc $te[-1] =~ /(?:^|,\s*)chunked$/;
    return $how{response} ? 'close' : 'bad' if @te;
    return @length > 1 || $length[0] !~ /^\d+$/ ? 'bad' : 'length' if @length;

    return $how{response} ? 'close' : 'none';
}


sub read_body {
    my ($s, $m, %how) = @_;

    $m->{framing} = framing($m, %how);
    $m->{body} = $m->{raw_body} = '';
    $m->{trailers} = [];

    return 1 if $m->{framing} eq 'none';
    return read_chunked($s, $m) if $m->{framing} eq 'chunked';

    if ($m->{framing} =~ /^(?:both|bad)$/) {
        $m->{error} = "ambiguous framing";
        return;
    }

    my $body = $m->{framing} eq 'length'
               ? $s->read_n(scalar header($m, 'Content-Length'))
               : $s->read_all;

    if (!defined $body) {
        $m->{error} = 'body cut after ' . length $s->{buf};
        return;
    }

    $m->{body} = $m->{raw_body} = $body;

    return 1;
}


sub read_chunked {
    my ($s, $m) = @_;

    while (1) {
        my $line = $s->read_until(qr/\n/);

        if (!defined $line || $line !~ /^([0-9a-fA-F]+)(?:[ \t]*;.*)?\r\n$/) {
            $m->{error} = 'bad chunk size';
            return;
        }

        $m->{raw_body} .= $line;
        my $size = hex $1;
        last if $size == 0;

        my $data = $s->read_n($size + 2);

        if (!defined $data || substr($data, -2) ne "\r\n") {
            $m->{error} = 'bad chunk';
            return;
        }

        $m->{raw_body} .= $data;
        $m->{body} .= substr $data, 0, $size;
    }

    return read_trailers($s, $m);
}


sub read_trailers {
    my ($s, $m) = @_;

    while (defined(my $line = $s->read_until(qr/\n/))) {
        $m->{raw_body} .= $line;

        return 1 if $line eq "\r\n";

        if ($line =~ /^([^:]+):\s*(.*?)\r\n$/) {
            push @{ $m->{trailers} }, [$1, $2];
        }
    }

    $m->{error} = 'trailers cut';

    return;
}


sub read_response {
    my ($s, %how) = @_;

    my @interim;

    while (my $m = read_head($s)) {
        if (!$m->{status}) {
            $m->{error} = 'no status line';
            return $m;
        }

        if ($m->{status} < 200 && $m->{status} != 101) {
            push @interim, $m;
            next;
        }

        $m->{interim} = \@interim;
        read_body($s, $m, %how, response => 1);

        return $m;
    }

    return;
}


sub chunked {
    my (@pieces) = @_;

    return join '', map { sprintf "%x\r\n%s\r\n", length $_, $_ } @pieces;
}


1;
