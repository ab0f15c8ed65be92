package EgressRawReply;

# Copyright (C) ngx_egress authors
#
# Faulty or unusual answers of an origin, by name, for EgressOrigin's
# /raw?NAME.  What an answer must become is up to the test; the comment says
# what is strange about it.
#
#     get($name)    the bytes, undef for an unknown name
#     names()       all names, sorted

use strict;
use warnings;

my $ok = "HTTP/1.1 200 OK\r\n";
my $te = "${ok}Transfer-Encoding: chunked\r\n";
my $evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";

my %reply = (
    # framing that two readers understand differently
    'te-and-cl'        => "${te}Content-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    'cl-and-te'        => "${ok}Content-Length: 3\r\n"
                          . "Transfer-Encoding: chunked\r\n\r\n"
                          . "3\r\nabc\r\n0\r\n\r\n",
    'cl-twice'         => "${ok}Content-Length: 3\r\nContent-Length: 7\r\n\r\n"
                          . "abcdefg",
    'cl-twice-same'    => "${ok}Content-Length: 3\r\nContent-Length: 3\r\n\r\n"
                          . "abc",
    'cl-list'          => "${ok}Content-Length: 3, 3\r\n\r\nabc",
    'cl-negative'      => "${ok}Content-Length: -3\r\n\r\nabc",
    'cl-plus'          => "${ok}Content-Length: +3\r\n\r\nabc",
    'cl-hex'           => "${ok}Content-Length: 0x3\r\n\r\nabc",
    'cl-overflow'      => "${ok}Content-Length: 99999999999999999999\r\n\r\nabc",
    'cl-empty'         => "${ok}Content-Length:\r\n\r\nabc",
    'cl-space'         => "${ok}Content-Length : 3\r\n\r\nabc",
    'te-upper'         => "${ok}Transfer-Encoding: Chunked\r\n\r\n"
                          . "3\r\nabc\r\n0\r\n\r\n",
    'te-comma'         => "${ok}Transfer-Encoding: chunked,\r\n\r\n"
                          . "3\r\nabc\r\n0\r\n\r\n",
    'te-tab'           => "${ok}Transfer-Encoding: chunked\t\r\n\r\n"
                          . "3\r\nabc\r\n0\r\n\r\n",
    'te-twice'         => "${te}Transfer-Encoding: chunked\r\n\r\n"
                          . "3\r\nabc\r\n0\r\n\r\n",
    'te-gzip'          => "${ok}Transfer-Encoding: gzip\r\n\r\nto the end",
    'te-identity'      => "${ok}Transfer-Encoding: identity\r\n\r\nto the end",
    'te-on-10'         => "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n"
                          . "\r\n3\r\nabc\r\n0\r\n\r\n",

    # chunks
    'chunk-overflow'   => "${te}\r\n10000000000000003\r\nabc\r\n0\r\n\r\n",
    'chunk-huge'       => "${te}\r\n7fffffffffffffff\r\nabc\r\n0\r\n\r\n",
    'chunk-negative'   => "${te}\r\n-3\r\nabc\r\n0\r\n\r\n",
    'chunk-hex'        => "${te}\r\n0x3\r\nabc\r\n0\r\n\r\n",
    'chunk-space'      => "${te}\r\n3 \r\nabc\r\n0\r\n\r\n",
    'chunk-empty'      => "${te}\r\n\r\nabc\r\n0\r\n\r\n",
    'chunk-garbage'    => "${te}\r\nxyz\r\nabc\r\n0\r\n\r\n",
    'chunk-no-crlf'    => "${te}\r\n3\r\nabcdef0\r\n\r\n",
    'chunk-lf'         => "${te}\r\n3\nabc\n0\n\n",
    'chunk-cr'         => "${te}\r\n3\rabc\r0\r\r",
    'chunk-ext'        => "${te}\r\n3;name=value\r\nabc\r\n0;last\r\n\r\n",
    'chunk-ext-lf'     => "${te}\r\n3;a\nb\r\nabc\r\n0\r\n\r\n",
    'chunk-cut'        => "${te}\r\n5\r\nabc",
    'chunk-no-last'    => "${te}\r\n3\r\nabc\r\n",
    'chunk-zeros'      => "${te}\r\n0000003\r\nabc\r\n000\r\n\r\n",
    'trailers'         => "${te}\r\n3\r\nabc\r\n0\r\nA: 1\r\nB: 2\r\n\r\n",
    'trailer-length'   => "${te}\r\n3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n",
    'trailer-cut'      => "${te}\r\n3\r\nabc\r\n0\r\nA: 1",

    # more than one answer
    'extra'            => "${ok}Content-Length: 3\r\n\r\nabc$evil",
    'extra-204'        => "HTTP/1.1 204 No Content\r\n\r\n$evil",
    'extra-304'        => "HTTP/1.1 304 Not Modified\r\n"
                          . "Content-Length: 3\r\n\r\n$evil",
    'body-204'         => "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n"
                          . "abc",
    'many-100'         => "HTTP/1.1 100 Continue\r\n\r\n" x 100
                          . "${ok}Content-Length: 3\r\n\r\nabc",
    '101-unasked'      => "HTTP/1.1 101 Switching Protocols\r\n"
                          . "Upgrade: x\r\nConnection: Upgrade\r\n\r\nabc",

    # heads
    'no-head'          => '',
    'head-cut'         => "HTTP/1.1 200 OK\r\nContent-Le",
    'head-lf'          => "HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
    'head-obs-fold'    => "${ok}A: 1\r\n 2\r\nContent-Length: 3\r\n\r\nabc",
    'head-nul'         => "${ok}A: 1\0002\r\nContent-Length: 3\r\n\r\nabc",
    'head-cr'          => "${ok}A: 1\rB: 2\r\nContent-Length: 3\r\n\r\nabc",
    'head-no-colon'    => "${ok}nonsense\r\nContent-Length: 3\r\n\r\nabc",
    'head-huge'        => $ok . 'A: ' . 'x' x 70000 . "\r\n\r\nabc",
    'http09'           => "just text\n",
    'garbage'          => "\0\1\2\3\r\n\r\n",
    'other-protocol'   => "SSH-2.0-x\r\n",
    'status-0'         => "HTTP/1.1 000 Zero\r\nContent-Length: 3\r\n\r\nabc",
    'status-2'         => "HTTP/1.1 20 Short\r\nContent-Length: 3\r\n\r\nabc",
    'status-1000'      => "HTTP/1.1 1000 Long\r\nContent-Length: 3\r\n\r\nabc",
    'status-text'      => "HTTP/1.1 OK\r\nContent-Length: 3\r\n\r\nabc",
    'status-no-reason' => "HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc",
    'version-2'        => "HTTP/2.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    'version-9'        => "HTTP/1.9 200 OK\r\nContent-Length: 3\r\n\r\nabc",
);


sub get { $reply{ $_[0] // '' } }


sub names { sort keys %reply }


1;
