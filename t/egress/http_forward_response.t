#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Faulty and unusual answers of origins: each either becomes one answer that
# nobody can understand differently, or a 502, or a closed connection.  Never
# does a byte behind an answer become part of the next one.

use strict;
use warnings;

use lib 't/lib';

use Test::More;

use EgressClient;
use EgressHttp;
use EgressNginx;
use EgressOrigin;
use EgressPort qw/PROXY/;
use EgressRawReply;
use EgressTcp;

my %port = map { /^TEST_NGINX_(\w+)_PORT$/ ? ($1 => $ENV{$_}) : () } keys %ENV;
my $at = "127.0.0.1:$port{ORIGIN}";

my $ngx = EgressNginx->new(conf => <<'_EOC_', master => 0);
egress {
    escaper direct direct_fixed {
        egress_network_filter { allow 127.0.0.0/8; }
    }
}

http {
    log_format  t '$status $egress_reason $request';
    access_log  logs/access.log t;

    server {
        listen             127.0.0.1:$TEST_NGINX_PROXY_PORT;
        egress_http_proxy  direct;
    }
}
_EOC_

# ok: "abc" reaches the client.  invalid: 502.  cut: what was said before the
# fault may have reached the client, but never a complete answer.

my %want = (
    'te-and-cl'        => 'invalid',
    'cl-and-te'        => 'invalid',
    'cl-twice'         => 'invalid',
    'cl-twice-same'    => 'ok',
    'cl-list'          => 'invalid',
    'cl-negative'      => 'invalid',
    'cl-plus'          => 'invalid',
    'cl-hex'           => 'invalid',
    'cl-overflow'      => 'invalid',
    'cl-empty'         => 'invalid',
    'cl-space'         => 'invalid',
    'te-upper'         => 'ok',
    'te-comma'         => 'invalid',
    'te-tab'           => 'ok',
    'te-twice'         => 'invalid',
    'te-gzip'          => 'invalid',
    'te-identity'      => 'invalid',
    'te-on-10'         => 'invalid',

    'chunk-overflow'   => 'cut',
    'chunk-huge'       => 'cut',
    'chunk-negative'   => 'cut',
    'chunk-hex'        => 'cut',
    'chunk-space'      => 'ok',
    'chunk-empty'      => 'cut',
    'chunk-garbage'    => 'cut',
    'chunk-no-crlf'    => 'cut',
    'chunk-lf'         => 'cut',
    'chunk-cr'         => 'cut',
    'chunk-ext'        => 'ok',
    'chunk-ext-lf'     => 'cut',
    'chunk-cut'        => 'cut',
    'chunk-no-last'    => 'cut',
    'chunk-zeros'      => 'ok',
    'trailers'         => 'ok',
    'trailer-length'   => 'ok',
    'trailer-cut'      => 'cut',

    'extra'            => 'ok',
    'extra-204'        => 'empty',
    'extra-304'        => 'empty',
    'body-204'         => 'empty',
    'many-100'         => 'ok',
    '101-unasked'      => 'invalid',

    'no-head'          => 'closed',
    'head-cut'         => 'closed',
    'head-lf'          => 'ok',
    'head-obs-fold'    => 'invalid',
    'head-nul'         => 'invalid',
    'head-cr'          => 'invalid',
    'head-no-colon'    => 'invalid',
    'head-huge'        => 'invalid',
    'http09'           => 'invalid',
    'garbage'          => 'invalid',
    'other-protocol'   => 'invalid',
    'status-0'         => 'invalid',
    'status-2'         => 'invalid',
    'status-1000'      => 'invalid',
    'status-text'      => 'invalid',
    'status-no-reason' => 'ok',
    'version-2'        => 'invalid',
    'version-9'        => 'ok',
);

my $lines = 0;


sub logged {
    my @all = $ngx->wait_access(++$lines);

    return $all[-1];
}


sub raw {
    my ($name, @headers) = @_;

    my $c = EgressClient->new($port{PROXY}, timeout => 3);

    return ($c, $c->get("http://$at/raw?$name", @headers));
}


is(join(' ', sort keys %want), join(' ', EgressRawReply::names()),
   'every faulty answer is judged');

for my $name (EgressRawReply::names()) {
    my ($c, $r) = raw($name);

    if ($want{$name} eq 'ok') {
        is($r->{status}, 200, "$name: an answer");
        is($r->{body}, 'abc', 'with its body');
        is($r->{error}, undef, 'and its end');
        like(logged(), qr/^200 - /, 'well');
        is($c->get("http://$at/")->{body}, "origin\n",
           'and the next one is its own');
        logged();

    } elsif ($want{$name} eq 'empty') {
        like($r->{status}, qr/^(?:204|304)$/, "$name: an answer");
        is($r->{framing}, 'none', 'without a body');
        is(EgressHttp::header($r, 'Content-Length'),
           $name eq 'extra-304' ? 3 : undef, 'and with a length for 304 only');
        logged();
        is($c->get("http://$at/")->{body}, "origin\n",
           'and the next one is its own');
        logged();

    } elsif ($want{$name} eq 'cut') {
        ok(!$r || $r->{error}, "$name: no complete answer");
        ok($c->ended, 'and the end');
        undef $c;
        like(logged(), qr/^200 upstream_(?:invalid|closed) /, 'is logged');

    } else {
        is($r->{status}, 502, "$name: no answer");
        like(EgressHttp::header($r, 'Proxy-Status'), qr/^ngx_egress; error=/,
             'Proxy-Status');
        like(logged(), qr/^502 upstream_$want{$name} /, 'is logged');
        is($c->get("http://$at/")->{body}, "origin\n",
           'and the next one is its own');
        logged();
    }
}


# Whatever the pieces are: the same for each byte alone.

for my $name (EgressRawReply::names()) {
    next if $name eq 'head-huge' || $name eq 'many-100';

    # what comes much later than an answer is taken for the next one of the
    # same origin, as in every client of HTTP/1

    next if $want{$name} eq 'empty' || $name eq 'extra';

    my ($c, $r) = raw("$name,0.1");

    if ($want{$name} eq 'cut') {
        ok(!$r || $r->{error}, "$name, byte by byte: no complete answer");

    } else {
        is($r->{status}, $want{$name} eq 'ok' ? 200 : 502,
           "$name, byte by byte: the same");
    }

    if ($want{$name} eq 'ok') {
        is($r->{body}, 'abc', 'its body');
        is($r->{error}, undef, 'its end');
    }

    undef $c;
    logged();
}


# Interim answers.

{
    my (undef, $r) = raw('many-100');
    is(scalar @{ $r->{interim} }, 100, 'interim answers are passed on');
    logged();
}


# Trailers.

{
    my ($c, $r) = raw('trailers', TE => 'trailers', Connection => 'TE');
    is_deeply($r->{trailers}, [['A', '1'], ['B', '2']],
              'trailers reach a client that takes them');
    logged();

    ($c, $r) = raw('trailers');
    is_deeply($r->{trailers}, [], 'and no other');
    logged();

    ($c, $r) = raw('trailer-length', TE => 'trailers', Connection => 'TE');
    is_deeply($r->{trailers}, [], 'fields that frame are no trailers');
    logged();

    $c = EgressClient->new($port{PROXY});
    $r = $c->get("http://$at/chunked?10,5", TE => 'trailers',
                 Connection => 'TE');
    is_deeply($r->{trailers}, [['X-Trailer', 'done']], 'they may be many');
    is(EgressHttp::header($r, 'Trailer'), 'X-Trailer', 'and announced');
    logged();

    $c->write("GET http://$at/chunked?10,5 HTTP/1.0\r\nTE: trailers\r\n"
              . "Connection: TE\r\n\r\n");
    $r = $c->response;
    is(length $r->{body}, 10, 'HTTP/1.0 gets the body');
    is(EgressHttp::header($r, 'Trailer'), undef, 'and no promise');
    logged();
}


# Switching protocols.

{
    my $c = EgressClient->new($port{PROXY});

    $c->send_request('GET', "http://$at/upgrade?hello",
                     [Upgrade => 'websocket', Connection => 'keep-alive, '
                      . 'Upgrade', 'Sec-WebSocket-Key' => 'x']);
    my $r = EgressHttp::read_head($c);

    is($r->{status}, 101, 'the origin switches protocols');
    is(EgressHttp::header($r, 'Upgrade'), 'websocket', 'to what was asked for');
    like(EgressHttp::header($r, 'Connection'), qr/^upgrade$/i, 'Connection');
    is($c->read_n(5), 'hello', 'what it says at once arrives');

    my $data = EgressTcp::pattern(0, 1_000_000);

    for (1 .. 20) {
        $c->write(substr $data, 0, 50000);
        ok($c->read_n(50000) eq substr($data, 0, 50000), "echo $_") or last;
    }

    $c->shut;
    ok($c->ended, 'the end');
    undef $c;
    like(logged(), qr/^101 - /, 'is logged');

    my $head = EgressOrigin::last('ORIGIN')->{head};
    like($head, qr/^Upgrade: websocket\r$/m, 'the origin was asked');
    like($head, qr/^Connection: upgrade\r$/m, 'in the right way');

    $c = EgressClient->new($port{PROXY});
    $c->write("GET http://$at/upgrade HTTP/1.1\r\nHost: h\r\n"
              . "Upgrade: x\r\nConnection: upgrade\r\n\r\nearly");
    is(EgressHttp::read_head($c)->{status}, 101, 'bytes sent early');
    is($c->read_n(5), 'early', 'are not lost');
    $c->close;
    logged();

    $c = EgressClient->new($port{PROXY});
    is($c->get("http://$at/upgrade", Upgrade => 'x')->{status}, 426,
       'without Connection nothing is asked');
    logged();

    is($c->get("http://$at/echo", Upgrade => 'x', Connection => 'upgrade')
         ->{status}, 200, 'an origin need not switch');
    logged();

    is($c->get("http://$at/")->{body}, "origin\n", 'and all goes on');
    logged();
}


# Heads of any size, in any pieces.

for my $n (1, 20, 400) {
    my $r = EgressClient->new($port{PROXY})->get(
        "http://$at/headers?" . join('&', map { "X-$_=" . '1' x 5 } 1 .. $n));

    is(EgressHttp::header($r, "X-$n"), '11111', "$n fields");
    logged();
}

done_testing();
