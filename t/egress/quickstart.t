# Copyright (C) ngx_egress authors
#
# The commands of the README's quick start, as a user types them.

use strict;
use warnings;

use lib 't/lib';
use Test::More;

use EgressCert;
use EgressExample;
use EgressNginx;

my $origin = EgressNginx->new(conf => EgressExample::text('origin'));
my $proxy = EgressNginx->new(conf => EgressExample::text('quickstart'));

my %port = map { $_ => EgressExample::port($_) } 3128, 3129, 8080, 8443;


# a command of the README, with the ports and the certificate of this test

sub shell {
    my ($command) = @_;

    $command =~ s/(\d{4})/$port{$1} \/\/ $1/ge;
    $command =~ s{build/run/conf/cert\.pem}{EgressCert::file('ca.pem')}e;
    $command =~ s/^curl/curl -q -sS -m 10 --noproxy ''/;

    return scalar `$command 2>&1 < /dev/null`;
}


open my $in, '<', 'README.md' or die "README.md: $!\n";
my $readme = do { local $/; <$in> };

my ($block) = $readme =~ /^## Quick start\n.*?(^# a request.*?)^```/ms;
$block =~ s/\\\n\s*//g;

my @commands = grep { /^curl/ } split /\n/, $block;

is(scalar @commands, 4, 'the README shows four requests of curl');

for my $command (@commands) {
    my $scheme = $command =~ /https:\S+$/ ? 'https' : 'http';

    is(shell($command), "GET / from 127.0.0.1, $scheme\n", $command);
}

my ($client) = $block =~ /^(openssl s_client.*)/m;
like(shell($client), qr/^subject=.*CN\s*=\s*server/m, $client);

$proxy->wait_until(sub { () = $proxy->access_log =~ /\n/g; }, 5);
like($proxy->access_log, qr/"CONNECT .* way=direct .* reason=/,
     'the access log tells the way');

done_testing();
