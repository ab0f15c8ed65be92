package EgressOrigin;

# Copyright (C) ngx_egress authors
#
# An HTTP/1.x origin that does what a path says.
#
#     use EgressOrigin;                             # the name is ORIGIN
#     use EgressOrigin 'ORIGIN', SECURE => { tls => 1 };
#
# Settings common to all daemons (addr, port, tls) are told in EgressDaemon;
# proxy_protocol => 1 expects a PROXY header on each connection.
#
# Every answer holds X-Conn (number of the connection), X-Req (number of the
# request on it) and X-Peer (who connected).  Paths, N in bytes, MS in
# milliseconds:
#
#     /                 200 "origin\n"
#     /echo             200, the request as received: head and raw body
#     /body             200, the decoded body
#     /md5              200 "bytes=N md5=HEX framing=length|chunked|none\n"
#     /status?N         that status with a small body where one is allowed;
#                       /204 and /304 are short for it
#     /headers?A=b&C=d  200 with these header fields
#     /slow?MS          head after MS        /drip?N,MS  a byte every MS
#     /hang             no answer            /big?N      N bytes of pattern
#     /chunked?N,M      N bytes in chunks of M, then trailer X-Trailer: done
#     /close?N          N bytes up to the end of the connection
#     /http10?N         the same as HTTP/1.0
#     /short?N,M        promises N bytes, sends M, then FIN; /reset?N,M then RST
#     /stale            answers, promises keep-alive and closes
#     /stale-next       the next request here ends the connection, unanswered
#     /100, /103        an interim answer first
#     /no100            417 instead of 100, then closes
#     /early            413 before the body was read, then closes
#     /upgrade          101 and then echo; "/upgrade?TEXT" sends TEXT first
#     /raw?NAME         a faulty answer of EgressRawReply, then closes;
#                       /raw?NAME,MS a byte every MS
#
# A method HEAD gets the head alone.  "Expect: 100-continue" gets 100 when the
# body is read.  Each request is recorded:
#
#     EgressOrigin::requests("ORIGIN")    { conn, req, method, target, head,
#                                           body, framing, peer, sni } ...
#     EgressOrigin::last("ORIGIN")        the last one; clear with
#                                         EgressDaemon::forget("ORIGIN")

use strict;
use warnings;

use Digest::MD5 qw/md5_hex/;
use JSON::PP;
use Time::HiRes qw/sleep/;

use EgressDaemon;
use EgressHttp;
use EgressRawReply;
use EgressSocket;
use EgressTcp ();

my $idle = 60;
my $json = JSON::PP->new->canonical->latin1;

my %path = (
    '' => sub { reply($_[0], "origin\n") },
    echo => sub { reply($_[0], $_[0]{raw} . $_[0]{raw_body}) },
    body => sub { reply($_[0], $_[0]{body}) },
    md5 => \&md5,
    status => sub { status($_[0], $_[1]) },
    204 => sub { status($_[0], 204) },
    304 => sub { status($_[0], 304) },
    headers => \&headers,
    slow => sub { sleep $_[1] / 1000; reply($_[0], "slow\n") },
    hang => sub { sleep $idle; 0 },
    big => sub { reply($_[0], EgressTcp::pattern(0, $_[1])) },
    drip => \&drip,
    chunked => \&chunked,
    close => sub { until_close($_[0], 'HTTP/1.1', $_[1]) },
    http10 => sub { until_close($_[0], 'HTTP/1.0', $_[1]) },
    short => sub { cut($_[0], @_[1, 2]); 0 },
    reset => sub { cut($_[0], @_[1, 2]); $_[0]{s}->reset; 0 },
    stale => sub { reply($_[0], "stale\n"); 0 },
    'stale-next' => sub { $_[0]{stale} = 1; reply($_[0], "stale-next\n") },
    100 => sub { interim($_[0], '100 Continue'); reply($_[0], "100\n") },
    103 => sub { interim($_[0], "103 Early Hints\r\nLink: </s>; rel=preload");
                 reply($_[0], "103\n") },
    upgrade => \&upgrade,
    raw => \&raw,
);

my %unread = (
    no100 => '417 Expectation Failed',
    early => '413 Content Too Large',
);


sub import {
    my ($class, @args) = @_;

    EgressDaemon::start_all(\&start, @args ? @args : 'ORIGIN');
}


sub start {
    my ($name, $opt) = @_;

    my @socks = EgressDaemon::bind_name($name, $opt);
    my $tls = EgressDaemon::tls_options($opt);

    EgressDaemon::serve_tcp($name, \@socks, sub {
        my ($fh, $n) = @_;

        my $s = EgressSocket->new($fh, timeout => $idle);

        if ($opt->{proxy_protocol}) {
            require EgressProxyHeader;
            my $pp = EgressProxyHeader::text(EgressProxyHeader::read($s));
            EgressDaemon::record("${name}_PP", "$n $pp");
        }

        if ($tls && !$s->accept_tls($tls)) {
            EgressDaemon::record("${name}_TLS", $EgressSocket::tls_error);
            return;
        }

        connection($name, $s, $n);
    });
}


sub connection {
    my ($name, $s, $n) = @_;

    my $stale;

    for (my $i = 1; my $r = EgressHttp::read_head($s); $i++) {
        last if $stale;

        @$r{qw/s conn req/} = ($s, $n, $i);
        ($r->{path}, my $args) = split_target($r->{target});

        if ($unread{$r->{path}}) {
            note($name, $r);
            head($r, $unread{$r->{path}}, 'Connection', 'close');
            last;
        }

        my $read = read_body($r);

        note($name, $r);

        if (!$read) {
            status($r, 400);
            last;
        }

        my $handler = $path{$r->{path}} || sub { status($_[0], 404) };

        $handler->($r, @$args) && !wants_close($r) or last;
        $stale = $r->{stale};
    }

    $s->close;
}


sub split_target {
    my ($target) = @_;

    $target =~ s{^\w+://[^/?]*}{};
    $target =~ s{^/}{};

    my ($path, $query) = split /\?/, $target, 2;

    return ($path // '', [split /,/, $query // '']);
}


sub read_body {
    my ($r) = @_;

    my $expect = EgressHttp::header($r, 'Expect');

    if ($expect && lc $expect eq '100-continue'
        && EgressHttp::framing($r) ne 'none')
    {
        interim($r, '100 Continue');
    }

    return EgressHttp::read_body($r->{s}, $r);
}


sub note {
    my ($name, $r) = @_;

    my $s = $r->{s};

    EgressDaemon::record($name, $json->encode({
        conn => $r->{conn}, req => $r->{req}, method => $r->{method},
        target => $r->{target}, head => $r->{raw}, peer => $s->peer,
        framing => $r->{framing}, error => $r->{error},
        body => length($r->{body} // '') <= 65536 ? $r->{body} : undef,
        bytes => length($r->{body} // ''), trailers => $r->{trailers},
        sni => $s->is_tls ? $s->handle->get_servername : undef,
    }));
}


sub wants_close {
    my ($r) = @_;

    my $connection = lc join ',', EgressHttp::header($r, 'Connection');

    return $connection =~ /\bclose\b/
           || $r->{version} eq '1.0' && $connection !~ /keep-alive/;
}


sub head {
    my ($r, $status, @headers) = @_;

    my $version = $status =~ s{^(HTTP/\S+) }{} ? $1 : 'HTTP/1.1';

    unshift @headers, 'X-Conn' => $r->{conn}, 'X-Req' => $r->{req},
                      'X-Peer' => $r->{s}->peer;

    if ($r->{version} eq '1.0' && !wants_close($r)) {
        push @headers, Connection => 'keep-alive';
    }

    my $head = "$version $status\r\n";

    while (my ($name, $value) = splice @headers, 0, 2) {
        $head .= "$name: $value\r\n";
    }

    return $r->{s}->write("$head\r\n");
}


sub body {
    my ($r, $data) = @_;

    return $r->{method} eq 'HEAD' ? 1 : $r->{s}->write($data);
}


sub reply {
    my ($r, $data, $status, @headers) = @_;

    return head($r, $status || '200 OK', 'Content-Length', length $data,
                @headers) && body($r, $data);
}


sub interim { $_[0]{s}->write("HTTP/1.1 $_[1]\r\n\r\n") }


sub status {
    my ($r, $code) = @_;

    return head($r, "$code Status") if $code == 204 || $code == 304;

    return reply($r, "status $code\n", "$code Status");
}


sub headers {
    my ($r) = @_;

    my ($query) = $r->{target} =~ /\?(.*)/;
    my @pairs = map { my ($n, $v) = split /=/, $_, 2; ($n, $v // '') }
                split /&/, $query // '';

    s/\+/ /g, s/%([0-9a-fA-F]{2})/chr hex $1/ge for @pairs;

    return reply($r, "headers\n", undef, @pairs);
}


sub md5 {
    my ($r) = @_;

    return reply($r, sprintf "bytes=%d md5=%s framing=%s\n", length $r->{body},
                 md5_hex($r->{body}), $r->{framing});
}


sub drip {
    my ($r, $n, $ms) = @_;

    head($r, '200 OK', 'Content-Length', $n);

    return $r->{s}->write_slowly([split //, EgressTcp::pattern(0, $n)],
                                 $ms / 1000);
}


sub chunked {
    my ($r, $n, $size) = @_;

    $n ||= 0;

    my @pieces = unpack "(a" . ($size || 65536) . ")*",
                        EgressTcp::pattern(0, $n);

    head($r, '200 OK', 'Transfer-Encoding', 'chunked', Trailer => 'X-Trailer');

    return body($r, EgressHttp::chunked(@pieces)
                    . "0\r\nX-Trailer: done\r\n\r\n");
}


sub until_close {
    my ($r, $version, $n) = @_;

    head($r, "$version 200 OK", Connection => 'close');
    body($r, EgressTcp::pattern(0, $n // 10));

    return 0;
}


sub cut {
    my ($r, $promised, $sent) = @_;

    head($r, '200 OK', 'Content-Length', $promised // 100);
    body($r, EgressTcp::pattern(0, $sent // 10));
    sleep 0.05;
}


sub upgrade {
    my ($r, $text) = @_;

    my $to = EgressHttp::header($r, 'Upgrade');
    return status($r, 426) if !defined $to;

    head($r, '101 Switching Protocols', Upgrade => $to,
         Connection => 'Upgrade');
    $r->{s}->write($text) if defined $text;

    while (defined(my $data = $r->{s}->read_some)) {
        $r->{s}->write($data) or last;
    }

    return 0;
}


sub raw {
    my ($r, $name, $ms) = @_;

    my $reply = EgressRawReply::get($name);
    return status($r, 404) if !defined $reply;

    $r->{s}->write_slowly([defined $ms ? split(//, $reply) : $reply],
                          ($ms // 0) / 1000);
    $r->{s}->shut;
    $r->{s}->read_all(2);

    return 0;
}


sub requests { map { $json->decode($_) } EgressDaemon::lines($_[0]) }


sub last { (requests($_[0]))[-1] }


1;
