# EgressGuard: a file whose nginx logs something that no test may cause fails,
# although no block asks for it; what a block expects is no reason.

use strict;
use warnings;

use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use Test::More;

plan skip_all => 'no TEST_NGINX_BINARY' unless $ENV{TEST_NGINX_BINARY};

my $lib = getcwd() . '/t/lib';


# runs one block under the guard; gives back what it said and the exit code

sub run_block {
    my ($block) = @_;

    my $dir = tempdir(CLEANUP => 1);
    mkdir "$dir/t";

    open my $out, '>', "$dir/t/a.t" or die;
    print $out "use Test::Nginx::Socket 'no_plan';\n",
               "no_root_location();\nrun_tests();\n__DATA__\n$block";
    close $out;

    local $ENV{TEST_NGINX_RANDOMIZE} = 1;
    my $text = `cd $dir && perl -I$lib -MEgressGuard t/a.t 2>&1`;

    return ($text, $? >> 8);
}


my $plain = <<'_EOC_';
=== TEST 1: plain
--- config
    location / { return 200; }
--- request
GET /
_EOC_

my ($text, $code) = run_block($plain);
is($code, 0, 'a block that logs nothing passes') or diag($text);

for my $line ('[alert] 1#1: open socket #3 left in connection 4',
              'x.c:1:2: runtime error: null pointer',
              '==1==ERROR: AddressSanitizer: heap-use-after-free',
             'free(): invalid next size (normal)',
              '[emerg] 1#1: bind() failed')
{
    my $say = "--- init\nsystem(qq{echo '$line' >> "
              . "\$Test::Nginx::Util::ErrLogFile});\n";

    ($text, $code) = run_block($plain . $say);
    isnt($code, 0, "a log with \"$line\" fails");
    like($text, qr/not ok .* the error log is clean/, '... and says why');

    ($text, $code) = run_block("$plain$say--- error_log\n$line\n");
    is($code, 0, '... but not when it is expected') or diag($text);
}

($text, $code) = run_block(<<'_EOC_');
=== TEST 1: must die
--- config
    location / { return; }
--- must_die
_EOC_
is($code, 0, 'an [emerg] of a block that must die is expected') or diag($text);

done_testing();
