package EgressDns;

# Copyright (C) ngx_egress authors
#
# A DNS server over UDP and TCP with a zone given as perl data.
#
#     use EgressDns DNS => {
#         zone => {
#             'a.test'    => { A => '127.0.0.1', AAAA => '::1', ttl => 5 },
#             'two.test'  => { A => ['127.0.0.1', '127.0.0.2'] },
#             'c.test'    => { CNAME => 'a.test' },
#             '*.w.test'  => { A => '127.0.0.1' },
#         },
#     };
#
# listens on 127.0.0.1 (or "addr") and $ENV{TEST_NGINX_DNS_PORT}.  A name that
# is not in the zone is NXDOMAIN; a type that its name does not have is an
# empty answer.  A record may hold:
#
#     A, AAAA     an address, or [addresses], or [[...], [...]]: the first list
#                 answers the first question, the last one all later ones;
#                 'asker': the address that the question came from
#     CNAME       a name; its addresses are added when the zone has them
#                 (cname_only => 1: not)
#     TXT         a text
#     flip => 1   the lists of [[...], [...]] go round for ever
#     ttl         60; may be { A => 1, AAAA => 100 }
#     rcode       'SERVFAIL', 'REFUSED', 'NXDOMAIN', 'FORMERR', 'NOTIMP'
#     drop => 1   no answer
#     delay => MS late answer
#     tc => 1     over UDP truncated and empty, over TCP complete
#     mangle      'id' wrong id, 'question' other question, 'short' cut header,
#                 'garbage', 'loop' a compression pointer to itself, 'other' an
#                 answer of another name, 'qr' a question instead of an answer
#
# drop, delay, rcode, tc and mangle may be { A => ..., AAAA => ... } as well,
# for one type.  The entry "default" => {...} stands for all other names.
#
#     EgressDns::set("DNS", "a.test", {...})  changes a record; undef removes
#                                             it; returns when it is in force
#     EgressDns::count("DNS", "a.test", "A")  questions; name, type optional
#     EgressDns::questions("DNS")             "udp A a.test" lines, in order
#
# The questions are the record of EgressDaemon (wait_line, forget).  A TXT
# question "count.NAME" answers "A=n AAAA=n other=n" from inside of a test.

use strict;
use warnings;

use IO::Socket::IP;
use JSON::PP;
use Socket qw/AF_INET AF_INET6 SOCK_STREAM SOCK_DGRAM inet_pton getnameinfo
              NI_NUMERICHOST NIx_NOSERV/;
use Time::HiRes qw/time/;

use EgressDaemon;
use EgressDnsMessage qw/parse build rr encode_name mangle/;

my (%zone, %asked, %turn, %buffer, %addr);
my $asker;
my @later;
my $log;


sub import {
    my ($class, @args) = @_;

    EgressDaemon::start_all(\&start, @args);
}


sub start {
    my ($name, $opt) = @_;

    my @socks = EgressDaemon::bind_name($name, $opt, SOCK_DGRAM, SOCK_STREAM);

    ($addr{$name}) = EgressDaemon::addresses($opt);

    EgressDaemon::spawn($name, sub {
        my ($alive) = @_;

        $log = $name;
        %zone = map { lc $_ => $opt->{zone}{$_} } keys %{ $opt->{zone} || {} };

        my @udp = grep { $_->socktype == SOCK_DGRAM } @socks;
        my @tcp = grep { $_->socktype == SOCK_STREAM } @socks;

        loop(\@udp, \@tcp) while $alive->();
    });
}


sub loop {
    my ($udp, $tcp) = @_;

    my $bits = '';
    my @clients = map { $_->{fh} } values %buffer;

    vec($bits, fileno $_, 1) = 1 for @$udp, @$tcp, @clients;

    @later = sort { $a->[0] <=> $b->[0] } @later;
    my $timeout = @later ? $later[0][0] - time() : 0.5;

    my $n = select $bits, undef, undef, $timeout < 0 ? 0
                                        : $timeout > 0.5 ? 0.5 : $timeout;

    (shift @later)->[1]->() while @later && $later[0][0] <= time();

    return if $n <= 0;

    for my $sock (grep { vec $bits, fileno $_, 1 } @$udp) {
        from_udp($sock);
    }

    for my $sock (grep { vec $bits, fileno $_, 1 } @clients) {
        from_tcp($sock);
    }

    for my $sock (grep { vec $bits, fileno $_, 1 } @$tcp) {
        my $client = $sock->accept() or next;
        $buffer{fileno $client} = { fh => $client, data => '' };
    }
}


sub from_udp {
    my ($sock) = @_;

    my $from = recv $sock, my $packet, 4096, 0;
    return if !defined $from;

    if ($packet =~ /^ctl:(.*)/s) {
        control($1);
        send $sock, 'ok', 0, $from;
        return;
    }

    $asker = host_of($from);

    answer($packet, 'udp', sub { send $sock, $_[0], 0, $from });
}


sub from_tcp {
    my ($sock) = @_;

    my $client = $buffer{fileno $sock};

    if (!sysread $sock, $client->{data}, 4096, length $client->{data}) {
        delete $buffer{fileno $sock};
        close $sock;
        return;
    }

    $asker = host_of(getpeername $sock);

    while (length $client->{data} >= 2) {
        my $len = unpack 'n', $client->{data};
        last if length $client->{data} < $len + 2;

        my $packet = substr substr($client->{data}, 0, $len + 2, ''), 2;
        answer($packet, 'tcp', sub { syswrite $sock, pack 'n/a*', $_[0] });
    }
}


sub host_of {
    my ($sockaddr) = @_;

    return (getnameinfo($sockaddr, NI_NUMERICHOST, NIx_NOSERV))[1];
}


sub control {
    my ($name, $record) = @{ decode_json($_[0]) };

    $name = lc $name;
    delete $turn{$name};

    if (defined $record) {
        $zone{$name} = $record;

    } else {
        delete $zone{$name};
    }
}


sub answer {
    my ($packet, $proto, $send) = @_;

    my $q = parse($packet) or return;
    my $type = $q->{type};

    EgressDaemon::record($log, "$proto $type $q->{name}");

    if ($type eq 'TXT' && $q->{name} =~ /^count\.(.*)/) {
        $send->(build($q, {}, 'NOERROR', rr($q->{name}, 'TXT', 0, counts($1))));
        return;
    }

    $asked{$q->{name}}{$type =~ /^A(AAA)?$/ ? $type : 'other'}++;

    my $record = find($q->{name});
    my $reply = reply($q, $record, $proto);
    return if !defined $reply;

    my $delay = of_type($record, 'delay', $type);

    if (!$delay) {
        $send->($reply);
        return;
    }

    push @later, [time() + $delay / 1000, sub { $send->($reply) }];
}


sub find {
    my ($name) = @_;

    return $zone{$name} if $zone{$name};

    for (my $rest = $name; $rest =~ s/^[^.]*\.//;) {
        return $zone{"*.$rest"} if $zone{"*.$rest"};
    }

    return $zone{default} || { rcode => 'NXDOMAIN' };
}


# A setting of a record, which may differ between types.

sub of_type {
    my ($record, $key, $type) = @_;

    my $value = $record->{$key};

    return ref $value eq 'HASH' ? $value->{$type} : $value;
}


sub reply {
    my ($q, $record, $proto) = @_;

    my $type = $q->{type};

    return if of_type($record, 'drop', $type);

    my $rcode = of_type($record, 'rcode', $type);
    return build($q, {}, $rcode) if $rcode;

    if ($proto eq 'udp' && of_type($record, 'tc', $type)) {
        return build($q, { tc => 1 }, 'NOERROR');
    }

    my @answers = answers($q->{name}, $type, $record, 0);
    my $mangle = of_type($record, 'mangle', $type);

    return $mangle ? mangle($mangle, $q, @answers)
                   : build($q, {}, 'NOERROR', @answers);
}


sub answers {
    my ($name, $type, $record, $depth) = @_;

    my $ttl = of_type($record, 'ttl', $type) // 60;
    my $next = $record->{CNAME};

    if (defined $next) {
        my @more;

        if (!$record->{cname_only} && $type ne 'CNAME' && $depth < 20) {
            @more = answers($next, $type, find(lc $next), $depth + 1);
        }

        return (rr($name, 'CNAME', $ttl, encode_name($next)), @more);
    }

    return rr($name, $type, $ttl, $record->{TXT})
        if $type eq 'TXT' && defined $record->{TXT};

    return if $type !~ /^A(AAA)?$/ || !defined $record->{$type};

    my $af = $type eq 'A' ? AF_INET : AF_INET6;

    return map { rr($name, $type, $ttl, inet_pton($af, $_)) }
           addresses($name, $type, $record);
}


sub addresses {
    my ($name, $type, $record) = @_;

    my $value = $record->{$type};

    return $asker if $value eq 'asker';
    return $value if !ref $value;
    return @$value if !@$value || !ref $value->[0];

    my $turn = $turn{$name}{$type}++;

    $turn = $record->{flip} ? $turn % @$value
            : $turn > $#$value ? $#$value : $turn;

    return @{ $value->[$turn] };
}


sub counts {
    my ($name) = @_;

    return join ' ', map { "$_=" . ($asked{$name}{$_} || 0) } qw/A AAAA other/;
}


sub set {
    my ($name, @record) = @_;

    my $sock = IO::Socket::IP->new(PeerHost => $addr{$name},
        PeerPort => EgressPort::port($name), Type => SOCK_DGRAM)
        or die "no DNS server: $@\n";

    send $sock, 'ctl:' . encode_json([@record[0, 1]]), 0;
    my $bits = '';
    vec($bits, fileno $sock, 1) = 1;

    select($bits, undef, undef, 5) > 0 or die "the DNS server is silent\n";
    recv $sock, my $ok, 16, 0;
}


sub questions { EgressDaemon::lines($_[0]) }


sub count {
    my ($name, $host, $type) = @_;

    return scalar grep {
        my (undef, $t, $h) = split / /;
        (!defined $host || $h eq lc $host) && (!defined $type || $t eq $type);
    } questions($name);
}


1;
