package EgressResolve;

# Copyright (C) ngx_egress authors
#
# What resolvers answer, seen through CONNECT to names.
#
#     my $r = EgressResolve->new(<<'_EOC_', %options_of_EgressNginx);
#     resolver plain c_ares { server 127.0.0.1:$TEST_NGINX_DNS_PORT; }
#     _EOC_
#
# starts nginx with two escapers for each resolver, one for each family, that
# may reach the target: 127.0.0.1 .. 127.0.0.9 and ::1.  More lines of
# "egress {}" may stand in the text.
#
#     $r->ask('plain', 'a.test')     the address that was connected to, or the
#     $r->ask('plain', 'a.test', 6)  reason why none was; AAAA instead of A
#     $r->took                       seconds that the last answer took
#     my $q = $r->start(@same)       asks and does not wait
#     $r->answer($q)                 as ask() gives it
#     $r->drop($q)                   the client goes
#     $r->nginx                      the EgressNginx
#     $r->reload($text)              the same with other resolvers

use strict;
use warnings;

use Time::HiRes qw/time/;

use EgressClient;
use EgressHttp;
use EgressNginx;
use EgressPort qw/RESOLVE/;
use EgressTcp RESOLVED => {
    mode => 'echo',
    addr => ['::1', map { "127.0.0.$_" } 1 .. 9],
};


sub new {
    my ($class, $text, %opt) = @_;

    my $self = bless { serial => 0 }, $class;

    $self->{nginx} = EgressNginx->new(conf => conf($text), %opt);

    return $self;
}


sub conf {
    my ($text) = @_;

    my $escapers = '';

    for my $name ($text =~ /^\s*resolver\s+(\w+)/mg) {
        for my $family (4, 6) {
            $escapers .= <<"_EOC_";
    escaper $name$family direct_fixed {
        resolver $name;
        resolve_strategy ipv${family}_only first;
        egress_network_filter { allow 127.0.0.0/8; allow ::1; }
    }
_EOC_
        }
    }

    return <<"_EOC_";
egress {
$text
$escapers
}

http {
    log_format  r '\$http_x_serial \$egress_reason \$egress_addr';
    access_log  logs/access.log r;

    server {
        listen             127.0.0.1:\$TEST_NGINX_RESOLVE_PORT;
        egress_http_proxy  \$http_x_escaper;
    }
}
_EOC_
}


sub nginx { $_[0]{nginx} }
sub took { $_[0]{took} }
sub reload { $_[0]{nginx}->reload(defined $_[1] ? conf($_[1]) : ()) }


sub start {
    my ($self, $resolver, $name, $family) = @_;

    my $serial = ++$self->{serial};
    my $target = "$name:$ENV{TEST_NGINX_RESOLVED_PORT}";
    my $client = EgressClient->new($ENV{TEST_NGINX_RESOLVE_PORT},
                                   timeout => 20);

    $client->write(join "\r\n", "CONNECT $target HTTP/1.1", "Host: $target",
                   'X-Escaper: ' . $resolver . ($family || 4),
                   "X-Serial: $serial", '', '');

    return { serial => $serial, client => $client, start => time() };
}


sub answer {
    my ($self, $q) = @_;

    EgressHttp::read_head($q->{client});
    $self->{took} = time() - $q->{start};
    $q->{client}->close;

    my ($reason, $addr) = @{ $self->logged($q) || ['nothing'] };

    $addr =~ s/^\[?(.*?)\]?:\d+$/$1/ if defined $addr;

    return $reason ne '-' ? $reason : $addr;
}


sub logged {
    my ($self, $q) = @_;

    return $self->{nginx}->wait_until(sub {
        $self->{nginx}->access_log =~ /^$q->{serial} (\S+) (\S+)/m
        ? [$1, $2] : undef;
    });
}


sub drop {
    my ($self, $q) = @_;

    $q->{client}->close;

    return $self->logged($q)->[0];
}


sub ask {
    my ($self, @question) = @_;

    return $self->answer($self->start(@question));
}


1;
