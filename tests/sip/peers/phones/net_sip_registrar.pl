# A registrar of Perl's Net::SIP with one account, which it asks for its password.
use strict;
use warnings;
use JSON::PP;
use Net::SIP;

my $settings = decode_json( $ARGV[0] );
my ( $host, $port ) = @$settings{qw(host port)};
$| = 1;

my $agent = Net::SIP::Simple->new(
    leg    => { proto => 'udp', addr => $host, port => $port },
    domain => $host,
);
$agent->create_registrar(
    domain         => $host,
    min_expires    => 10,
    max_expires    => 300,
    auth_user2pass => { $settings->{user} => $settings->{password} },
    auth_realm     => 'net-sip',
);
print encode_json( { event => 'ready', value => "$Net::SIP::VERSION" } ), "\n";
$agent->loop;
