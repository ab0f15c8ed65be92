package EgressGuard;

# Fails a test file when nginx logged something that no test may cause: an
# [alert] (a bug of ours), an [emerg] in a block that does not expect one, a
# crashed worker, a sanitizer's report.  The log of each block is read after
# its nginx has exited, so what is said while quitting counts too.
#
# Loaded by make test in front of every file (perl -MEgressGuard); a line that
# the block itself names in --- error_log is expected.

use strict;
use warnings;

use Test::More ();
use Test::Nginx::Util ();

my $BAD = qr{ \[alert\] | \[emerg\]
            | exited\ on\ signal
            | (?:free|malloc|realloc|calloc)\(\):\  | stack\ smashing
            | runtime\ error: | (?:Address|Leak|UndefinedBehavior)Sanitizer }x;


sub expected {
    my ($block, $line) = @_;

    return 1 if defined $block->must_die && $line =~ /\[emerg\]/;

    my $want = $block->error_log;
    return 0 unless defined $want;

    for my $p (ref $want eq 'ARRAY' ? @$want : split /\n/, $want) {
        next if ref $p eq '' && $p =~ /^\s*$/;
        return 1 if ref $p ? $line =~ $p : index($line, $p) >= 0;
    }

    return 0;
}


sub scan {
    my ($block) = @_;

    return unless defined $block;

    my @bad;

    for my $log (glob "$Test::Nginx::Util::LogDir/*.log") {
        open my $in, '<', $log or next;

        while (my $line = <$in>) {
            push @bad, $line if $line =~ $BAD && !expected($block, $line);
        }

        close $in;
    }

    if (@bad) {
        Test::More::fail($block->name . ' - the error log is clean');
        Test::More::diag(splice @bad, 0, 10);
    }
}


# Test::Nginx calls this between two blocks and at the end, with the previous
# nginx gone and its log still there.

{
    no warnings 'redefine';

    my $check = \&Test::Nginx::Util::check_prev_block_shutdown_error_log;

    *Test::Nginx::Util::check_prev_block_shutdown_error_log = sub () {
        scan($Test::Nginx::Util::PrevBlock);
        $check->();
    };
}

1;
