package EgressExample;

# Copyright (C) ngx_egress authors
#
# The examples of conf.d, made to run beside each other and everything else:
# ports are replaced by free ones (the same number by the same one in all
# examples of a test file), files beside the example by their full names,
# cert.pem by a certificate of EgressCert.
#
#     EgressExample::names()             ("quickstart", ...)
#     EgressExample::text("quickstart")  for EgressNginx->new(conf => ...); what
#                                        that sets by itself is left out
#     EgressExample::port(3128)          the port that took its place

use strict;
use warnings;

use Cwd qw/abs_path/;
use File::Basename qw/dirname basename/;

use EgressCert;
use EgressPort;

my $dir = dirname(dirname(dirname(abs_path(__FILE__)))) . '/conf.d';
my %port;


sub names {
    return sort map { basename($_, '.conf') } glob "$dir/*.conf";
}


sub port {
    my ($number) = @_;

    return $port{$number} //= EgressPort::any();
}


sub text {
    my ($name) = @_;

    open my $in, '<', "$dir/$name.conf" or die "$name.conf: $!\n";
    my $text = do { local $/; <$in> };

    # what EgressNginx says itself

    $text =~ s/^(?:worker_processes|pid|user|daemon|error_log)\s[^;]*;//mg;

    my $host = qr/127\.0\.0\.\d+|\[::1?\]|localhost|0\.0\.0\.0|\*/;

    $text =~ s/(?<![\w.\]])($host):(\d+)/"$1:" . port($2)/ge;
    $text =~ s/^(\s*listen\s+)(\d+)\b(?!\.)/$1 . port($2)/gme;

    $text =~ s{(?<![\w/.-])cert\.(pem|key)\b}{EgressCert::file("server.$1")}ge;
    $text =~ s{(?<=\s)([\w.-]+\.\w+)(?=[\s;])}
              {my $file = $1;
               $file !~ /\.conf$/ && -f "$dir/$file" ? "$dir/$file" : $file}ge;

    return $text;
}

1;
