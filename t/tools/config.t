# config: what it refuses, it refuses with a message that says what to do.

use strict;
use warnings;

use Cwd qw(abs_path getcwd);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Test::More;

plan skip_all => 'no TEST_NGINX_BINARY' unless $ENV{TEST_NGINX_BINARY};

my $root = getcwd();
my $tree = dirname(dirname(abs_path($ENV{TEST_NGINX_BINARY})));
my $build = tempdir(CLEANUP => 1);

plan skip_all => "no nginx source in $tree" unless -f "$tree/auto/modules";


sub configure {
    my (@options) = @_;

    # a copy: configure writes a Makefile beside itself

    my $copy = "$build/tree";
    my $script = -x "$tree/configure" ? './configure' : 'auto/configure';

    system("rm -rf $copy && mkdir $copy && tar -C $tree --exclude=./objs -cf -"
           . " . | tar -C $copy -xf -") == 0 or die 'copy failed';

    my $text = `cd $copy && $script --with-stream --with-http_ssl_module \\
                --with-stream_ssl_module @options 2>&1`;

    return ($text, $? >> 8, $copy);
}


# a compiler that does not find a library

sub compiler_without {
    my ($header) = @_;

    my $cc = "$build/cc";

    open my $out, '>', $cc or die;
    print $out <<"_EOC_";
#!/bin/sh
for f; do
    case \$f in
    *.c) grep -q '$header' "\$f" && exit 1;;
    esac
done
exec cc "\$@"
_EOC_
    close $out;
    chmod 0755, $cc;

    return "--with-cc=$cc";
}


my ($text, $code);

for (['ares.h', 'libc-ares-dev'], ['jansson.h', 'libjansson-dev']) {
    my ($header, $package) = @$_;

    ($text, $code) = configure("--add-module=$root",
                               compiler_without($header));
    isnt($code, 0, "without $header configure fails");
    like($text, qr/error: ngx_egress requires.*apt-get install \Q$package\E/s,
         '... and names the package');
}

SKIP: {
    skip 'this nginx knows CONNECT', 2
        if system("grep -q allow_connect $tree/src/http/"
                  . 'ngx_http_core_module.h') == 0;

    ($text, $code) = configure("--add-module=$root", '--with-cc-opt=-flto');
    isnt($code, 0, 'link time optimization is refused');
    like($text, qr/Remove -flto/, '... with the way out');
}

SKIP: {
    skip 'no such module', 2 unless -f "$root/ngx_ws_proxy_module/config";

    ($text, $code, my $copy)
        = configure("--add-module=$root/ngx_ws_proxy_module");
    is($code, 0, 'the WebSocket proxy can be configured alone');
    is(system("grep -q ngx_egress_module $copy/objs/ngx_modules.c") >> 8, 1,
       '... without the rest');
}

done_testing();
