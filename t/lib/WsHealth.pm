package WsHealth;

# Copyright (C) ngx_egress authors
#
# Servers whose health can be chosen while nginx runs; what they can do is
# written in t/ws_proxy/peers/health_backend.py.
#
#     my $h = WsHealth->new("127.0.0.1:PORT", ...);
#     $h->set("127.0.0.1:PORT", "hang")   one server; "default": all others
#     $h->requests(qr/.../)               lines of requests that match
#     $h->count(qr/.../)                  how many
#     $h->forget()                        empties that record
#     WsHealth::get($port, "/path")       (status, body) of a plain request
#     WsHealth::view($port, "/status")    the JSON view, decoded
#     WsHealth::state($port, "/status", "upstream", "address")
#                                         "up", "down" or "disabled"

use strict;
use warnings;

use Cwd qw/abs_path/;
use File::Basename qw/dirname/;
use File::Temp;
use IO::Socket::INET;
use JSON::PP;
use Time::HiRes qw/sleep/;

use EgressDaemon;
use WsPeer;

my $count = 0;
my $script = dirname(dirname(abs_path(__FILE__)))
             . '/ws_proxy/peers/health_backend.py';


sub new {
    my ($class, @names) = @_;

    my $self = bless {
        name => 'HEALTH' . ++$count,
        dir => File::Temp->newdir('egress_health_XXXXXX', TMPDIR => 1),
    }, $class;

    EgressDaemon::spawn($self->{name}, sub {
        my ($alive) = @_;

        my $pid = fork();

        if (!$pid) {
            open STDOUT, '>', "$self->{dir}/ready";
            exec WsPeer::python(), $script, $self->{dir}, @names;
        }

        sleep 0.3 while $alive->();
        kill TERM => $pid;
    });

    for (1 .. 400) {
        return $self if -s "$self->{dir}/ready";
        sleep 0.05;
    }

    die "health_backend.py does not come up\n";
}


sub set {
    my ($self, $name, $mode) = @_;

    open my $fh, '>', "$self->{dir}/.new" or die;
    print $fh $mode;
    close $fh;
    rename "$self->{dir}/.new", "$self->{dir}/$name" or die;
}


sub requests {
    my ($self, $re) = @_;

    open my $fh, '<', "$self->{dir}/log" or return;

    return grep { $_ =~ $re } <$fh>;
}


sub count { scalar(() = requests(@_)) }


sub DESTROY { EgressDaemon::stop($_[0]{name}) }


sub forget { unlink "$_[0]{dir}/log" }


sub get {
    my ($port, $path) = @_;

    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                     PeerPort => $port, Timeout => 5)
        or return (0, '');

    syswrite $sock, "GET $path HTTP/1.0\r\nHost: h.test\r\n\r\n";

    my $text = '';
    1 while sysread $sock, $text, 65536, length $text;

    my ($status) = $text =~ m{^HTTP/1.\d (\d+)};
    my ($body) = $text =~ /\r\n\r\n(.*)/s;

    return ($status || 0, $body // '');
}


sub view { decode_json((get(@_))[1]) }


sub state {
    my ($port, $path, $upstream, $address) = @_;

    for my $u (@{ view($port, $path)->{upstreams} }) {
        next if $u->{name} ne $upstream;

        for my $s (@{ $u->{servers} }) {
            return $s->{state} if $s->{address} eq $address;
        }
    }

    return 'unknown';
}


1;
