# Copyright (C) ngx_egress authors

# tools/builds, with a tree whose configure knows one file of ours: what needs
# something that was left out is found, and all builds are tried.

use strict;
use warnings;

use File::Temp;
use Test::More;

my $tree = File::Temp->newdir;


sub put {
    my ($name, $text) = @_;

    open my $fh, '>', "$tree/$name" or die "$name: $!\n";
    print $fh $text;
    close $fh;
    chmod 0755, "$tree/$name";
}


sub builds {
    my ($code) = @_;

    put('ours.c', $code);

    my $text = qx(tools/builds $tree 2>&1);

    return ($text, $? >> 8);
}


# no TLS unless it is asked for, as nginx's own configure

put('configure', <<'_EOC_');
#!/bin/sh
mkdir -p objs
case "$*" in *ssl_module*) tls=-DTLS;; esac
printf 'objs/addon/ours.o: ours.c\n\t$(CC) '$tls' -c -o $@ ours.c\n' \
    > objs/Makefile
_EOC_

my ($text, $code) = builds("int ours;\n");

is($code, 0, 'a file that needs nothing');
is(scalar(() = $text =~ /: ok$/mg), 3, 'compiles in all builds');

($text, $code) = builds("#ifndef TLS\n#error no TLS\n#endif\nint ours;\n");

is($code, 1, 'a file that needs TLS does not');
like($text, qr/^builds: without http, TLS: failed\n.*error: .*no TLS/m,
     'and is told');
like($text, qr/^builds: dynamic: ok$/m, 'but does with it');

done_testing();
