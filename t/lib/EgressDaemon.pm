package EgressDaemon;

# Copyright (C) ngx_egress authors
#
# What all fixture daemons share: names, ports, listening sockets, processes,
# logs.  Test files use the modules built on it (EgressOrigin, EgressTcp, ...).
#
#     use EgressTcp 'ECHO', SLOW => { mode => 'slow 10 50', addr => '::1' };
#
# starts one daemon for each name.  Common settings of such a hash:
#
#     addr => '127.0.0.1'         address or [addresses] to listen on
#     port => 'NAME' or number    share the port number of another daemon,
#                                 which listens on another address
#     tls  => 1 or {...}          see EgressCert::server_options()
#
# Each daemon exports $ENV{TEST_NGINX_<NAME>_PORT} and TEST_NGINX_<NAME>_LOG.
# It listens before import() returns, serves each connection in a process of
# its own, and ends with the test file, however that ends.
#
#     EgressDaemon::lines("ECHO")            what it recorded until now
#     EgressDaemon::wait_line("ECHO", qr//)  wait for such a line, returns it
#     EgressDaemon::forget("ECHO")           empty the record
#     EgressDaemon::stop("ECHO")             end it now

use strict;
use warnings;

use File::Temp;
use IO::Socket::IP;
use POSIX ();
use Socket qw/SOCK_STREAM SOMAXCONN/;
use Time::HiRes qw/sleep time/;

use EgressPort;

my $owner = $$;
my $dir;
my (%pid, %log);

$SIG{PIPE} = 'IGNORE';


# Calls $start->(NAME, \%settings) for each name; a plain word that follows a
# name is its mode.

sub start_all {
    my ($start, @args) = @_;

    while (@args) {
        my $name = shift @args;
        my $opt = @args && (ref $args[0] || $args[0] !~ /^[A-Z][A-Z0-9_]*$/)
                  ? shift @args : {};

        $opt = { mode => $opt } if !ref $opt;
        $start->($name, { %$opt });
    }
}


# The port, log and sockets of a daemon.  "types" are those to listen with.

sub bind_name {
    my ($name, $opt, @types) = @_;

    my $share = $opt->{port};
    my $port = !defined $share ? EgressPort::reserve($name)
               : $share =~ /^\d+$/ ? $share : EgressPort::port($share);

    $ENV{"TEST_NGINX_${name}_PORT"} = $port;
    forget($name);

    my @socks;

    for my $addr (addresses($opt)) {
        for my $type (@types ? @types : SOCK_STREAM) {
            push @socks, listen_on($addr, $port, $type);
        }
    }

    return @socks;
}


sub addresses {
    my ($opt) = @_;

    my $addr = $opt->{addr} || '127.0.0.1';

    return ref $addr ? @$addr : $addr;
}


sub listen_on {
    my ($addr, $port, $type) = @_;

    return IO::Socket::IP->new(
        LocalHost => $addr,
        LocalPort => $port,
        Type      => $type,
        V6Only    => 1,
        $type == SOCK_STREAM
            ? (Listen => SOMAXCONN, ReuseAddr => 1) : (),
    ) || die "cannot listen on $addr:$port: $@\n";
}


# Runs $code in a process group of its own until stop() or the end of the test.

sub spawn {
    my ($name, $code) = @_;

    my $parent = $$;
    my $pid = fork();

    die "fork: $!\n" if !defined $pid;

    if ($pid) {
        $pid{$name} = $pid;
        return $pid;
    }

    POSIX::setpgid(0, 0);
    $SIG{$_} = 'DEFAULT' for qw/TERM INT HUP CHLD ALRM/;
    $SIG{__DIE__} = 'DEFAULT';

    open STDIN, '<', '/dev/null';
    open STDOUT, '>', '/dev/null';

    eval { $code->(sub { getppid() == $parent }); 1 }
        or print STDERR "fixture $name: $@";

    $SIG{TERM} = 'IGNORE';
    kill TERM => -$$;
    POSIX::_exit(0);
}


# A TCP daemon: $handler->($handle, $number) runs in a process of its own for
# each accepted connection; the first one is number 1.

sub serve_tcp {
    my ($name, $socks, $handler) = @_;

    spawn($name, sub {
        my ($alive) = @_;
        my ($n, $bits) = (0, '');

        vec($bits, fileno($_), 1) = 1 for @$socks;
        $SIG{CHLD} = 'IGNORE';

        while ($alive->()) {
            next if select(my $ready = $bits, undef, undef, 0.5) <= 0;

            for my $sock (grep { vec($ready, fileno($_), 1) } @$socks) {
                my $client = $sock->accept() or next;
                serve_one($name, $handler, $client, ++$n);
            }
        }
    });
}


sub serve_one {
    my ($name, $handler, $client, $n) = @_;

    return if fork();

    $SIG{CHLD} = 'DEFAULT';

    eval { $handler->($client, $n); 1 }
        or record($name, "$n error $@");

    POSIX::_exit(0);
}


# Server options for EgressSocket::accept_tls(), undef without "tls".

sub tls_options {
    my ($opt) = @_;

    return if !$opt->{tls};

    require EgressCert;

    return EgressCert::server_options($opt->{tls});
}


sub log_file {
    my ($name) = @_;

    $dir ||= File::Temp->newdir('egress_fixture_XXXXXX', TMPDIR => 1);

    return $log{$name} ||= $ENV{"TEST_NGINX_${name}_LOG"} = "$dir/$name.log";
}


sub record {
    my ($name, $line) = @_;

    $line =~ s/\s*\z//;

    open my $fh, '>>', log_file($name) or return;
    syswrite $fh, "$line\n";
}


sub lines {
    my ($name) = @_;

    open my $fh, '<', log_file($name) or return;
    chomp(my @lines = <$fh>);

    return @lines;
}


sub wait_line {
    my ($name, $re, $timeout) = @_;

    my $end = time() + ($timeout || 15);

    do {
        my ($line) = grep { $_ =~ $re } lines($name);
        return $line if defined $line;
        sleep 0.02;
    } while (time() < $end);

    return;
}


sub forget {
    my ($name) = @_;

    open my $fh, '>', log_file($name) or die "cannot write a log: $!\n";
}


sub stop {
    my ($name) = @_;

    my $pid = delete $pid{$name} or return;

    kill(TERM => -$pid) || kill(TERM => $pid);
    waitpid $pid, 0;
}


END {
    if ($$ == $owner) {
        local $?;
        stop($_) for keys %pid;
    }
}


1;
