package WsPeer;

# Copyright (C) ngx_egress authors
#
# WebSocket libraries as peers: echo servers behind the proxy, clients that
# echo in front of it, and the table of cases that is played against them.
#
#     use WsPeer;
#
#     WsPeer::names()                     those of websockets (python3), ws
#                                         (node) and wsproto (python3) that
#                                         are installed; says which are not
#     WsPeer::serve("ECHO", "ws", 1)      an echo server, with deflate, on
#                                         $ENV{TEST_NGINX_ECHO_PORT}
#     WsPeer::client_cases($port, "/path", @more)
#     WsPeer::server_cases($port, "ws", $url, @more)
#                                         plays t/ws_proxy/peers/cases.py, one
#                                         test a case; more: "deflate"
#     WsPeer::scenario($script, @args)    the same for a script of
#                                         t/ws_proxy/peers that prints TAP
#     WsPeer::python()                    the interpreter for such scripts

use strict;
use warnings;

use Cwd qw/abs_path/;
use File::Basename qw/dirname/;
use IO::Socket::INET;
use Test::More ();
use Time::HiRes qw/sleep/;

use EgressDaemon;
use EgressPort;

my $dir = dirname(dirname(abs_path(__FILE__))) . '/ws_proxy/peers';

# modules of the distribution's packages are seen by its own interpreter only

my $python = (grep { -x } qw{/usr/bin/python3 /usr/local/bin/python3})[0]
             || 'python3';

$ENV{NODE_PATH} = join ':', grep { $_ } $ENV{NODE_PATH}, '/usr/share/nodejs';
$ENV{PYTHONDONTWRITEBYTECODE} = 1;

my %peer = (
    websockets => { run => [$python, "$dir/peer_websockets.py"],
                    try => [$python, '-c', 'import websockets'],
                    from => 'python3-websockets' },
    wsproto    => { run => [$python, "$dir/peer_wsproto.py"],
                    try => [$python, '-c', 'import wsproto'],
                    from => 'python3-wsproto',
                    skip => '12.3.2' },
    ws         => { run => ['node', "$dir/peer_ws.js"],
                    try => ['node', '-e', 'require("ws")'],
                    from => 'nodejs, node-ws' },
);

my $names;


sub names {
    $names ||= [ grep { installed($_) } sort keys %peer ];

    return @$names;
}


sub installed {
    my ($name) = @_;

    my $p = $peer{$name};
    my @try = map { s/'/'\\''/gr } @{ $p->{try} };

    return 1 if system(join(' ', map { "'$_'" } @try) . ' 2>/dev/null') == 0;

    Test::More::diag("NOT TESTED with $name: install $p->{from}");

    return 0;
}


sub serve {
    my ($name, $kind, $deflate) = @_;

    my $port = EgressPort::reserve($name);

    $ENV{"TEST_NGINX_${name}_PORT"} = $port;

    EgressDaemon::spawn($name, sub {
        my ($alive) = @_;

        my $pid = fork();

        if (!$pid) {
            exec @{ $peer{$kind}{run} }, 'serve', $port,
                 $deflate ? 'deflate' : ();
        }

        sleep 0.3 while $alive->();
        kill TERM => $pid;
    });

    for (1 .. 200) {
        my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                         PeerPort => $port);
        return $port if $sock;
        sleep 0.05;
    }

    die "$kind does not listen\n";
}


sub client_cases {
    my ($port, $path, $kind, @more) = @_;

    cases($kind, 'client', $port, $path, @more);
}


sub server_cases {
    my ($port, $kind, $url, @more) = @_;

    cases($kind, 'server', $port, "@{ $peer{$kind}{run} }", $url, @more);
}


sub cases {
    my ($kind, @args) = @_;

    push @args, "skip=$peer{$kind}{skip}" if $peer{$kind}{skip};

    play("$kind as " . ($args[0] eq 'client' ? 'server' : 'client') . ': ',
         'cases.py', @args);
}


sub scenario {
    my ($script, @args) = @_;

    play('', $script, @args);
}


sub play {
    my ($prefix, $script, @args) = @_;

    my $pid = open my $out, '-|', $python, "$dir/$script", @args
        or die "python3: $!\n";

    my $done;

    while (my $line = <$out>) {
        chomp $line;

        if ($line =~ /^(not )?ok \d+ - (.*)/) {
            Test::More::ok(!$1, "$prefix$2");

        } elsif ($line eq '# done') {
            $done = 1;

        } else {
            Test::More::diag($line);
        }
    }

    close $out;
    Test::More::ok($done, "$prefix$script has come to its end");
}


sub python { $python }


1;
