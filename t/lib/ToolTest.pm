package ToolTest;

# For the tests of tools/*: writes a small tree into a temporary folder, runs a
# tool there and gives back what it printed and its exit code.

use strict;
use warnings;

use Cwd qw(getcwd);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);

use parent 'Exporter';
our @EXPORT = qw(run_tool);

my $ROOT = getcwd();


# run_tool("style --core", { "a.c" => $text, ... }) runs tools/style there; its
# arguments may name files of the tree

sub run_tool {
    my ($command, $files) = @_;

    my $dir = tempdir(CLEANUP => 1);

    for my $path (keys %$files) {
        make_path(dirname("$dir/$path"));
        open my $out, '>', "$dir/$path" or die "$path: $!";
        print $out $files->{$path};
        close $out;
    }

    my $text = `cd $dir && $ROOT/tools/$command 2>&1`;

    return ($text, $? >> 8);
}

1;
