package EgressNginx;

# Copyright (C) ngx_egress authors
#
# Our nginx under a plain Test::More file, for what Test::Nginx cannot do:
# several workers, reload, quit, binary upgrade, several clients at once.
#
#     my $ngx = EgressNginx->new(conf => $text, workers => 2, master => 0,
#                                expect => qr/\[alert\] .../,
#                                log_level => 'info', env => { A => 'b' });
#
# starts TEST_NGINX_BINARY (else build/nginx, else nginx) in a prefix of its
# own; it serves when new() returns, and dies with the output of nginx when
# it does not start.  $text is what follows "events {}" ("egress {}",
# "http {}", ...) and may say "events {}" itself; $TEST_NGINX_... in it are
# expanded.  Relative paths start at the prefix; certificates are in
# $TEST_NGINX_CERT_DIR.  In "http {}" the access log is logs/access.log in the
# usual format, unless $text says otherwise.
#
#     prefix(), pid(), workers()      the path, the master, its workers that
#                                     are not shutting down
#     reload($text)                   1: all new workers serve, 0: refused.
#                                     Without $text the same configuration
#     quit($timeout)                  graceful: 1 when it is gone in time
#     stop()                          fast
#     upgrade()                       SIGUSR2: pid of the new master; the old
#                                     one is old_pid(); then:
#     quit_old($timeout)              graceful end of the old generation
#     signal('USR1'), signal('WINCH', $pid)
#     error_log(), access_log()       the texts; file("logs/x.log") any file
#     wait_log(qr/.../, $timeout)     until the error log has it: the match
#     wait_access($n, $timeout)       until it has $n lines: the lines
#     wait_until(sub { ... }, $timeout)
#     faults()                        lines nobody expected
#     EgressNginx::test($text)        "nginx -t": (1 or 0, its output)
#
# TEST_NGINX_EVENT_TYPE is the event method, unless $text has "events {}".
# TEST_NGINX_VALGRIND=1 runs all of it but "nginx -t" under valgrind, which is
# slow: times to wait for something are five times as long.
#
# At the end of the test file nginx is stopped and the file fails when a log
# has [alert], [emerg], "AddressSanitizer", "runtime error:" or the like which
# "expect" does not match, or valgrind has a complaint.  With master => 0 there is one process.

use strict;
use warnings;

use Cwd qw/abs_path/;
use File::Basename qw/dirname/;
use File::Temp;
use POSIX ();
use Time::HiRes qw/sleep time/;

use EgressDaemon;

my $owner = $$;
my $count = 0;
my @running;

my $slow = $ENV{TEST_NGINX_VALGRIND} ? 5 : 1;

my $fault = qr/\[alert\]|\[emerg\]|AddressSanitizer|runtime\ error:
               |LeakSanitizer|exited\ on\ signal
               |(?:free|malloc|realloc|calloc)\(\):\ |stack\ smashing/x;


sub new {
    my ($class, %opt) = @_;

    my $self = bless {
        workers => 1, master => 1, log_level => 'info', %opt,
        dir => File::Temp->newdir('egress_nginx_XXXXXX', TMPDIR => 1),
        name => 'nginx' . ++$count,
    }, $class;

    mkdir "$self->{dir}/$_" for qw/conf logs temp/;

    $self->write_conf;

    my ($ok, $output) = $self->run;
    die "nginx does not start: $output\n" if !$ok;

    push @running, $self;
    $self->guard;
    $self->wait_until(sub { $self->pid && $self->is_up }, 30)
        or die "nginx does not come up: " . $self->error_log . "\n";

    return $self;
}


sub test {
    my ($text, %opt) = @_;

    my $self = bless {
        workers => 1, master => 1, log_level => 'info', %opt,
        dir => File::Temp->newdir('egress_nginx_XXXXXX', TMPDIR => 1),
    }, __PACKAGE__;

    mkdir "$self->{dir}/$_" for qw/conf logs temp/;

    $self->{conf} = $text;
    $self->write_conf;

    return $self->run('-t');
}


sub binary {
    my $root = dirname(dirname(dirname(abs_path(__FILE__))));

    my $name = $ENV{TEST_NGINX_BINARY}
               || (grep { -x } "$root/build/nginx")[0] || 'nginx';

    return abs_path($name) if $name =~ m{/};

    # a binary upgrade executes argv[0], which execve(2) does not search for

    return (grep { -x } map { "$_/$name" } split /:/, $ENV{PATH})[0] || $name;
}


sub write_conf {
    my ($self) = @_;

    my $text = $self->{conf};
    my $method = $ENV{TEST_NGINX_EVENT_TYPE};
    my $events = $text =~ /^\s*events\b/m ? ''
                 : $method ? "events { use $method; }" : 'events { }';
    my $user = $> == 0 ? 'user root;' : '';
    my $http = $self->http_lines($text);

    $text =~ s/\$(TEST_NGINX_\w+)/$ENV{$1} \/\/ die "no \$$1\n"/ge;
    $text =~ s/^(\s*http\s*\{)/$1 $http/m;

    open my $fh, '>', "$self->{dir}/conf/nginx.conf" or die "nginx.conf: $!\n";
    print $fh join ' ', $user, 'daemon on;', $self->{master}
        ? "worker_processes $self->{workers};" : 'master_process off;',
        "error_log logs/error.log $self->{log_level};", 'pid logs/nginx.pid;',
        # a sanitizer reads its options again after a binary upgrade
        $events, map { "env $_;" } grep { exists $ENV{$_} || !/SAN_/ }
            qw/ASAN_OPTIONS UBSAN_OPTIONS/, sort keys %{ $self->{env} || {} };
    print $fh "\n$text\n";
}


# Paths that the build made absolute must not be shared between tests.

sub http_lines {
    my ($self, $text) = @_;

    my $lines = $text =~ /^\s*access_log\b/m ? ''
                : 'access_log logs/access.log;';
    my $built = join '', map { qx($_ -V 2>&1) } binary();

    for my $kind (qw/client_body proxy fastcgi uwsgi scgi/) {
        my $option = '--http-' . $kind =~ tr/_/-/r . '-temp-path=/';

        if (index($built, $option) >= 0 && $text !~ /${kind}_temp_path/) {
            $lines .= " ${kind}_temp_path temp/$kind;";
        }
    }

    return $lines;
}


sub run {
    my ($self, @args) = @_;

    my $output = "$self->{dir}/logs/stderr.log";
    my $pid = fork();

    die "fork: $!\n" if !defined $pid;

    if (!$pid) {
        my %env = %{ $self->{env} || {} };

        @ENV{keys %env} = values %env;
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $output;
        open STDERR, '>>', $output;
        exec $self->valgrind(@args), binary(), '-p', "$self->{dir}/", '-c', 'conf/nginx.conf', '-e',
             'logs/error.log', @args or POSIX::_exit(127);
    }

    waitpid $pid, 0;

    return ($? == 0 ? 1 : 0, $self->file('logs/stderr.log'));
}


# Reports are files, one a process.  Leaks are looked for where nginx ends in
# order: connections that are open when it is told to stop at once are not.

sub valgrind {
    my ($self, @args) = @_;

    return if $slow == 1 || @args;

    my $tools = dirname(dirname(dirname(abs_path(__FILE__)))) . '/tools';

    return ('valgrind', '-q', '--num-callers=30', '--trace-children=yes',
            '--leak-check=full', '--show-leak-kinds=definite',
            "--suppressions=$tools/valgrind.suppress",
            "--log-file=$self->{dir}/logs/valgrind.%p");
}


# Ends nginx when the test file was killed.

sub guard {
    my ($self) = @_;

    EgressDaemon::spawn("GUARD_$self->{name}", sub {
        my ($alive) = @_;

        sleep 0.5 while $alive->();
        kill TERM => $_ for $self->masters;
    });
}


sub is_up {
    my ($self) = @_;

    return !$self->{master} || $self->workers == $self->{workers};
}


sub prefix { "$_[0]{dir}" }


sub file {
    my ($self, $name) = @_;

    open my $fh, '<', "$self->{dir}/$name" or return '';
    local $/;

    return scalar <$fh> // '';
}


sub error_log { $_[0]->file('logs/error.log') }
sub access_log { $_[0]->file('logs/access.log') }
sub pid { ($_[0]->file('logs/nginx.pid') =~ /(\d+)/)[0] }
sub old_pid { ($_[0]->file('logs/nginx.pid.oldbin') =~ /(\d+)/)[0] }
sub masters { grep { defined && alive($_) } $_[0]->pid, $_[0]->old_pid }


# Only a child that has its own title is past the start of a worker.  Under
# valgrind none has one, but those that quit say so.

sub workers {
    my ($self, $master) = @_;

    $master ||= $self->pid or return;

    my %quits = map { $_ => 1 }
                $self->error_log =~ /(\d+)#\d+: gracefully shutting down/g;
    my @workers;

    for my $stat (glob '/proc/[0-9]*/stat') {
        my ($pid, $parent) = slurp($stat) =~ /^(\d+) \(.*\) \S (\d+)/s or next;

        next if $parent != $master;

        if ($slow > 1 ? !$quits{$pid}
            : slurp("/proc/$pid/cmdline") =~ /worker process(?! is shutting)/)
        {
            push @workers, $pid;
        }
    }

    return @workers;
}


sub slurp {
    open my $fh, '<', $_[0] or return '';
    local $/;

    return scalar <$fh> // '';
}


sub signal {
    my ($self, $name, $pid) = @_;

    $pid ||= $self->pid or return 0;

    return kill $name => $pid;
}


sub reload {
    my ($self, $text) = @_;

    my %old = map { $_ => 1 } $self->workers;
    my $seen = length $self->error_log;
    my $refused;

    $self->{conf} = $text if defined $text;
    $self->write_conf;
    $self->signal('HUP');

    my $done = $self->wait_until(sub {
        $refused = substr($self->error_log, $seen) =~ /\[emerg\]/;
        my @now = $self->workers;

        $refused || @now == $self->{workers} && !grep { $old{$_} } @now;
    }, 30);

    return $done && !$refused ? 1 : 0;
}


sub upgrade {
    my ($self) = @_;

    my $old = $self->pid;

    $self->signal('USR2');

    my $done = $self->wait_until(sub {
        my $new = $self->pid;

        $new && $new != $old && $self->old_pid
        && $self->workers($new) == $self->{workers};
    }, 30);

    return $done ? $self->pid : undef;
}


sub quit_old {
    my ($self, $timeout) = @_;

    my $old = $self->old_pid or return 1;

    return $self->end($old, 'QUIT', $timeout);
}


sub quit {
    my ($self, $timeout) = @_;

    my $pid = $self->pid or return 1;

    return $self->end($pid, 'QUIT', $timeout);
}


# A signal that comes right before nginx waits for events may go unseen.

sub end {
    my ($self, $pid, $signal, $timeout) = @_;

    my $sent = 0;

    return $self->wait_until(sub {
        if (time() - $sent > 2) {
            kill $signal => $pid;
            $sent = time();
        }

        !alive($pid);
    }, $timeout || 10) ? 1 : 0;
}


# A zombie is gone, whenever its new parent cares to look.

sub alive {
    my ($pid) = @_;

    return kill(0, $pid) && slurp("/proc/$pid/stat") !~ /^\d+ \(.*\) Z/s;
}


sub stop {
    my ($self) = @_;

    for my $pid ($self->masters) {
        next if $self->end($pid, 'TERM', 10);
        kill KILL => $self->workers($pid), $pid;
    }

    EgressDaemon::stop("GUARD_$self->{name}");
}


sub wait_until {
    my ($self, $code, $timeout) = @_;

    my $end = time() + $slow * ($timeout || 15);

    while (1) {
        my $value = $code->();

        return $value if $value || time() > $end;
        sleep 0.03;
    }
}


sub wait_log {
    my ($self, $re, $timeout) = @_;

    return $self->wait_until(sub {
        $self->error_log =~ $re ? $& : undef;
    }, $timeout);
}


sub wait_access {
    my ($self, $n, $timeout) = @_;

    my @lines;

    $self->wait_until(sub {
        (@lines = split /\n/, $self->access_log) >= ($n || 1);
    }, $timeout);

    return @lines;
}


sub faults {
    my ($self) = @_;

    my @lines = grep { $_ =~ $fault } split /\n/,
                $self->error_log . $self->file('logs/stderr.log');

    @lines = grep { !$self->{expect} || $_ !~ $self->{expect} } @lines;

    push @lines, split /\n/, slurp($_)
        for glob "$self->{dir}/logs/valgrind.*";

    return @lines;
}


END {
    if ($$ == $owner) {
        my $rc = $?;

        for my $ngx (@running) {
            $ngx->stop;

            for my $line ($ngx->faults) {
                print STDERR "# nginx: $line\n";
                $rc ||= 1;
            }
        }

        $? = $rc;
    }
}


1;
