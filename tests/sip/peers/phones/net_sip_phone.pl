# A phone of Perl's Net::SIP. It answers at once, as Net::SIP knows no ringing.
use strict;
use warnings;
use JSON::PP;
use Net::SIP qw(:all);
use Net::SIP::Dispatcher::Eventloop;
use Net::SIP::Simple::RTP;

my $settings = decode_json( $ARGV[0] );
my ( $host, $port ) = @$settings{qw(host port)};
my $call;
$| = 1;
open( my $heard, '>:raw', $settings->{heard} ) or die $!;
$heard->autoflush(1);

sub tell_test {
    my ( $event, $value ) = @_;
    print encode_json( { event => $event, value => $value // '' } ), "\n";
}

my $agent = Net::SIP::Simple->new(
    leg    => { proto => 'udp', addr => $host, port => $port },
    from   => "sip:$settings->{user}\@$host:$port",
    domain => $host,
);
my $number = $settings->{codec} eq 'pcma' ? 8 : 0;
my %media  = (
    init_media => $agent->rtp(
        'media_send_recv', $settings->{says}, -1,
        sub {
            my ( $payload, undef, undef, undef, $type ) = @_;
            print {$heard} $payload if $type == $number;
        }
    ),
    rtp_param    => [ $number, 160, 160 / 8000, uc( $settings->{codec} ) . '/8000' ],
    cb_dtmf      => sub { tell_test( 'key', $_[0] ) },
    dtmf_methods => 'rfc2833',
    recv_bye     => sub { tell_test('closed') },
    send_bye     => sub { tell_test('closed') },
);

$agent->listen(
    %media,
    cb_create      => sub { $call = $_[0]; tell_test('incoming'); 1 },
    cb_established => sub { tell_test('established') },
);

my %commands = (
    dial => sub {
        $call = $agent->invite(
            $_[0], %media,
            cb_preliminary => sub { tell_test('ringing') if $_[1] == 180 },
            cb_final       => sub {
                my ( $status, undef, %about ) = @_;
                tell_test( $status eq 'OK' ? 'established' : 'closed', $about{code} );
            },
        );
    },
    accept  => sub { },
    press   => sub {
        my ($keys) = @_;
        if ( $settings->{keys} eq 'info' ) {
            $call->request(
                'INFO', "Signal=$_\r\nDuration=160\r\n",
                'content-type' => 'application/dtmf-relay',
                cb_final       => sub { },
            ) for split //, $keys;
        } else {
            $call->dtmf( join( '-', split //, $keys ), cb_final => sub { } );
        }
    },
    hold    => sub { $call->reinvite( call_on_hold => 1, cb_final => sub { tell_test('held') } ) },
    # It would offer 0.0.0.0 again: only a description made anew has an address.
    resume  => sub { $call->reinvite( clear_sdp => 1, cb_final => sub { tell_test('resumed') } ) },
    hang_up => sub { $call->bye( cb_final => sub { } ) },
    quit    => sub { exit 0 },
);

my $typed = '';
$agent->{loop}->addFD(
    \*STDIN, EV_READ,
    sub {
        sysread( STDIN, my $more, 4096 ) or exit 0;
        $typed .= $more;
        while ( $typed =~ s/^([^\n]*)\n// ) {
            my ( $command, $argument ) = split / /, $1, 2;
            $commands{$command}->($argument);
        }
    },
    'commands'
);
tell_test( 'ready', $Net::SIP::VERSION );
$agent->loop;
