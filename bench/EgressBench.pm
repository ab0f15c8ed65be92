package EgressBench;

# Copyright (C) ngx_egress authors
#
# What the measurements share: an nginx with one worker, the peer, the load,
# and what the kernel says a process has used.
#
#     my $b = EgressBench->new("build-bench/nginx");   builds the programs
#     $b->peer                       starts the target: its three ports are
#                                    {echo}, {sink}, {source}
#     my $n = $b->nginx($conf)       starts an nginx; $conf is what follows
#                                    "events {}", @PORT1@ ... are free ports
#     $n->{ports}[0]  $n->worker     a port, the pid of the worker
#     $n->signal("HUP"), $n->stop
#     my $l = $b->load("pingpong -p 1 -c 16")          opens the connections
#     $l->go                         starts, waits, returns the results
#     $l->close
#     cpu($pid), pss($pid), files($pid)    ns used, KiB, open descriptors
#
# The proxy runs on the first processor, the peer and the load on the last.

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Cwd qw(abs_path);
use IPC::Open2;
use IO::Socket::INET;
use Time::HiRes qw(sleep time);

my $SOURCES = dirname(abs_path(__FILE__));

our %children;


sub new {
    my ($class, $binary) = @_;

    my $cpus = `nproc --all`;
    my $self = bless {
        binary => abs_path($binary),
        last_cpu => $cpus - 1,
    }, $class;

    $self->{bin} = abs_path(dirname($binary));

    for my $program (qw(load peer)) {
        system(qw(cc -O2 -g -Wall -o), "$self->{bin}/$program",
               "$SOURCES/$program.c") == 0 or die "bench: no $program\n";
    }

    return $self;
}


sub free_port {
    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
        or die "bench: no port: $!\n";

    return $s->sockport;
}


# a child whose input and output we hold, on the last processor

sub child {
    my ($self, @command) = @_;

    my ($out, $in);
    my $pid = open2($out, $in, 'taskset', '-c', $self->{last_cpu}, @command);

    $children{$pid} = 1;

    my $ready = <$out> // '';
    die "bench: @command: $ready\n" if $ready !~ /^ready/;

    return { pid => $pid, in => $in, out => $out };
}


sub peer {
    my ($self) = @_;

    @$self{qw(echo sink source)} = map { free_port() } 1 .. 3;
    $self->{peer} = $self->child("$self->{bin}/peer",
                                 @$self{qw(echo sink source)});
    return $self;
}


sub load {
    my ($self, $arguments) = @_;

    return bless $self->child("$self->{bin}/load", split ' ', $arguments),
                 'EgressBench::Load';
}


sub nginx {
    my ($self, $conf, %opt) = @_;

    my $dir = tempdir(CLEANUP => 1);
    my $workers = $opt{workers} // 1;
    my @ports;

    mkdir "$dir/$_" for qw(conf logs);
    $conf =~ s/\@PORT(\d+)\@/$ports[$1 - 1] \/\/= free_port()/ge;

    open my $fh, '>', "$dir/conf/nginx.conf" or die "bench: $!\n";
    print $fh "daemon off; worker_processes $workers;\n",
              "error_log logs/error.log error;\n",
              "pid logs/nginx.pid; worker_cpu_affinity ", '1 ' x $workers,
              ";\n", ($> == 0 ? "user root;\n" : ''),
              "events { worker_connections 16384; }\n$conf\n";
    close $fh;

    my $pid = fork() // die "bench: $!\n";

    if ($pid == 0) {
        exec 'sh', '-c', 'ulimit -n $(ulimit -Hn); exec "$@"', 'sh',
             $self->{binary}, '-p', "$dir/", '-e', "$dir/logs/error.log",
             '-c', 'conf/nginx.conf';
        exit 127;
    }

    $children{$pid} = 1;

    for (1 .. 100) {
        last if IO::Socket::INET->new("127.0.0.1:$ports[0]");
        sleep 0.05;
        die "bench: nginx does not start\n", `cat $dir/logs/error.log`
            if $_ == 100;
    }

    return bless { pid => $pid, dir => $dir, ports => \@ports },
                 'EgressBench::Nginx';
}


sub cpu {
    my ($pid) = @_;

    open my $in, '<', "/proc/$pid/schedstat" or return 0;
    return (split ' ', <$in>)[0];
}


sub pss {
    my ($pid) = @_;

    open my $in, '<', "/proc/$pid/smaps_rollup" or return 0;
    my ($pss) = join('', <$in>) =~ /^Pss:\s+(\d+)/m;
    return $pss;
}


sub files {
    my ($pid) = @_;

    return scalar(() = glob "/proc/$pid/fd/*");
}


sub median {
    my @sorted = sort { $a <=> $b } @_;

    return $sorted[$#sorted / 2] if @sorted % 2;
    return ($sorted[@sorted / 2 - 1] + $sorted[@sorted / 2]) / 2;
}


END {
    local $?;
    kill TERM => keys %children;
}


package EgressBench::Load;

use strict;
use warnings;


sub go {
    my ($self) = @_;

    print { $self->{in} } "\n";
    $self->{in}->flush;

    my $line = readline($self->{out}) // '';

    return { $line =~ /(\w+)=([\d.]+)/g };
}


sub close {
    my ($self) = @_;

    close $self->{in};
    waitpid $self->{pid}, 0;
    delete $children{ $self->{pid} };
}


package EgressBench::Nginx;

use strict;
use warnings;


sub workers {
    my ($self) = @_;

    return grep { my $name = `cat /proc/$_/cmdline 2>/dev/null` // '';
                  $name =~ /worker process(?! is)/ }
           split ' ', `cat /proc/$self->{pid}/task/*/children`;
}


sub worker {
    my ($self) = @_;

    return ($self->workers)[0];
}


sub signal {
    my ($self, $signal) = @_;

    kill $signal => $self->{pid};
}


sub log {
    my ($self) = @_;

    return scalar `cat $self->{dir}/logs/error.log`;
}


sub stop {
    my ($self) = @_;

    kill QUIT => $self->{pid};
    waitpid $self->{pid}, 0;
    delete $children{ $self->{pid} };
}

1;
