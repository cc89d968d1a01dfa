# Calls nearly every method of Mail::IMAPTalk and prints what each returned.
use strict;
use warnings;
use Data::Dumper;
use Mail::IMAPTalk qw(get_body_part);

binmode STDOUT, ':utf8';
$| = 1;
$Data::Dumper::Terse = $Data::Dumper::Sortkeys = $Data::Dumper::Indent = 1;
my ($port, $user) = @ARGV;
my $talk = Mail::IMAPTalk->new(
    Server => 'localhost', Port => $port, Username => $user, Password => 'secret', Uid => 0,
) or die "cannot connect: $@";

sub show {
    my ($name, @values) = @_;
    my $text = Dumper(@values > 1 ? \@values : $values[0]);
    print "== $name\n$text";
}

sub call {
    my ($method, @arguments) = @_;
    my @values = $talk->$method(@arguments);
    my $words = join ' ', map { ref $_ ? '...' : $_ // 'undef' } @arguments;
    show("$method $words", @values);
    print "error: ", $talk->get_last_error() // "none", "\n" unless defined $values[0];
}

sub message {
    my ($subject, $body) = @_;
    return join "\r\n", "From: \"A. Writer\" <a\@example.org>", "To: b\@example.org", "Subject: $subject",
        "Date: Mon, 2 Nov 2026 10:20:30 +0100", "Message-ID: <$subject\@example.org>", "MIME-Version: 1.0",
        "Content-Type: multipart/mixed; boundary=x", "", "--x", "Content-Type: text/plain", "", $body,
        "--x", "Content-Type: multipart/alternative; boundary=y", "", "--y", "Content-Type: text/plain", "",
        "alternative", "--y", "Content-Type: text/html", "", "<b>html</b>", "--y--", "--x",
        "Content-Type: image/png; name=a.png", "Content-Disposition: attachment; filename=a.png",
        "Content-Transfer-Encoding: base64", "", "UE5H", "--x--", "";
}

show('state', $talk->state() == Mail::IMAPTalk::Authenticated());
show('capability', join ' ', grep { /^(imap4rev1|idle|uidplus|sort|acl|quota|move)$/ } sort keys %{$talk->capability()});
call('namespace');
call('noop');
call('is_open');
call('enable', 'condstore');

# folders
call('create', 'Work');
call('create', 'Work/Deep');
call('create', 'Work');
$talk->set_unicode_folders(1);
call('create', "Gr\x{f6}\x{df}e \x{65e5}");
call('select', "Gr\x{f6}\x{df}e \x{65e5}");
call('unselect');
call('rename', "Gr\x{f6}\x{df}e \x{65e5}", "Sch\x{f6}n");
call('delete', "Sch\x{f6}n");
$talk->set_unicode_folders(0);
call('rename', 'Work/Deep', 'Work/Deeper');
call('list', '', '*');
call('list', ['SUBSCRIBED'], '', '*');
call('xlist', '', '*');
call('subscribe', 'Work');
call('lsub', '', '*');
call('unsubscribe', 'Work');
call('lsub', '', '*');
call('delete', 'Nowhere');
call('setmetadata', 'Work', '/private/comment', 'mine', '/shared/comment', undef);
call('getmetadata', 'Work', '/private/comment');
call('getmetadata', 'Work', { depth => 'infinity' }, '/private');
call('multigetmetadata', ['/private/comment'], 'Work', 'Work/Deeper');
call('setacl', 'Work', 'friend', 'lrs');
call('getacl', 'Work');
call('myrights', 'Work');
call('deleteacl', 'Work', 'friend');
call('getacl', 'Work');
call('getquotaroot', 'INBOX');
call('getquota', 'INBOX');

# messages
for my $subject (qw(one two three four)) {
    call('append', 'INBOX', '(\\Flagged)', ' 1-Nov-2026 12:13:14 +0000', { Literal => message($subject, "text $subject") });
}
call('append', 'INBOX', { Literal => "Subject: nul\r\n\r\nbare\r\n" });
show('appenduid', scalar @{$talk->get_response_code('appenduid') || []});
call('message_count', 'INBOX');
call('status', 'INBOX', '(messages unseen uidnext recent)');
call('multistatus', '(messages uidnext)', 'INBOX', 'Work');
call('select', 'INBOX');
show('permanentflags', $talk->get_response_code('permanentflags'));
call('fetch', 1, 'rfc822.size');
call('fetch', '1:2', '(uid flags internaldate envelope)');
$talk->parse_mode(BodyStructure => 1, Envelope => 1);
call('fetch', 1, '(bodystructure envelope)');
my $structure = $talk->fetch(1, 'bodystructure')->{1}{bodystructure};
show('get_body_part', get_body_part($structure, '2.2')->{'MIME-TxtType'});
$talk->parse_mode(BodyStructure => 0, Envelope => 0);
call('fetch', 1, 'body[1]');
call('fetch', 2, 'body[header]');
call('fetch', 2, 'body.peek[]<9.12>');
call('search', 'subject', 'two');
call('search', 'not', 'seen');
call('search', 'charset', 'utf-8', 'text', { Literal => "text three" });
call('search', '1:3', 'or', 'subject', 'one', 'subject', { Quote => 'three' });
call('sort', '(reverse subject)', 'utf-8', 'all');
call('thread', 'references', 'utf-8', 'all');
call('store', '1', '+flags', '(\\Answered Mine)');
call('store', '1', '-flags', '(\\Flagged)');
call('store', '2', 'flags', '()');
call('store', '2:3', '+flags.silent', '(\\Deleted)');
call('copy', '1,3', 'Work');
show('copyuid', scalar @{$talk->get_response_code('copyuid') || []});
$talk->uid(1);
call('fetch', '3:*', 'flags');
call('uidexpunge', '2');
call('search', 'all');
call('move', '4', 'Work');
call('expunge');
call('search', 'all');
call('check');
call('close');
call('examine', 'Work');
call('store', '1', '+flags', '(\\Seen)');
call('fetch', '1:*', '(flags body.peek[text])');
call('close');

# waiting
call('select', 'INBOX');
my $other = Mail::IMAPTalk->new(
    Server => 'localhost', Port => $port, Username => $user, Password => 'secret',
);
$other->append('INBOX', { Literal => message('idle', 'idle') });
my $told = 0;
$talk->idle(sub { $told = 1 if $talk->get_response_code('exists') }, 30) unless $talk->get_response_code('exists') > 2;
show('told', ($told || $talk->get_response_code('exists') > 2) ? 'yes' : 'no');
call('search', 'all');
$other->logout();
call('localdelete', 'Work/Deeper');

# as the administrator
my $reader = $talk;
$talk = Mail::IMAPTalk->new(
    Server => 'localhost', Port => $port, Username => 'admin', Password => 'secret', Uid => 1,
);
call('setquota', "user/$user", '(storage 1000)');
call('getquota', "user/$user");
call('getquotaroot', "user/$user/Work");
call('setquota', "user/$user", '()');
call('getquotaroot', "user/$user");
call('getacl', "user/$user");
call('setacl', "user/$user/Work/Deeper", 'admin', 'lrx');
call('localdelete', "user/$user/Work/Deeper");
call('list', '', "user/$user/*");
call('setmetadata', '', '/shared/admin', 'mailto:admin@example.org');
call('getmetadata', '', '/shared/admin');
call('setmetadata', '', '/shared/admin', undef);
$talk->logout();
$talk = $reader;
call('select', 'Nowhere');
show('completion', $talk->get_last_completion_response());
show('logout', scalar $talk->logout());
