#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - speak to a lender: the peer protocol, line by line, or the beginning of NBD
#
# Copyright (C) 2026 The tbtf authors
#
# usage: peer.pl control PORT FROM	each line of stdin is sent, what comes is printed
#	 peer.pl burst PORT FROM	all of stdin at once, and no more; what comes is printed
#	 peer.pl go PORT FROM EXPORT	asks for an export: "size N", or "error N text"
#	 peer.pl hold PORT FROM EXPORT HEX	the same, sends bytes, and waits for the end
#	 peer.pl raw PORT FROM HEX	sends bytes after the greeting, prints what comes
#
# FROM is the address to come from. "wait WORD" on stdin sends nothing and waits for
# a line with this word, also a notice, which otherwise are skipped; "+" before a line: nothing is waited for.
use strict;
use warnings;
use IO::Socket::INET;

my ($what, $port, $from, $arg, $bytes) = @ARGV;
my $sock = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $port,
	LocalAddr => $from, Proto => "tcp", Timeout => 10) or die "connect: $!\n";
$sock->autoflush(1);
$| = 1;
$SIG{ALRM} = sub { print "timeout\n"; exit 3 };
$SIG{PIPE} = "IGNORE";

sub get
{
	my ($len, $data) = (shift, "");

	while (length $data < $len) {
		sysread($sock, $data, $len - length $data, length $data) or do { print "closed\n"; exit 1 };
	}
	return $data;
}

if ($what eq "control") {
	while (my $line = <STDIN>) {
		my $silent = $line =~ s/^\+//;
		alarm 30;
		my $word = $line =~ /^wait (.*)/ ? $1 : undef;
		syswrite $sock, $line if !defined $word;
		next if $silent;
		my $answer = <$sock>;
		# Notices come whenever they like.
		$answer = <$sock> while defined $answer &&
			(defined $word ? index($answer, $word) < 0 : $answer =~ /"notice"/);
		print $answer // "closed\n";
		last if !defined $answer;
		alarm 0;
	}
	exit 0;
}

alarm 60;
if ($what eq "burst") {
	local $/;
	syswrite $sock, scalar <STDIN>;
	shutdown $sock, 1;
	print scalar <$sock>;
	exit 0;
}
get(18);
syswrite $sock, pack("N", 3);
if ($what eq "raw") {
	syswrite $sock, pack("H*", $arg);
	shutdown $sock, 1;
	my $data = "";
	1 while sysread($sock, $data, 65536, length $data);
	print unpack("H*", $data), "\n";
	exit 0;
}
syswrite $sock, "IHAVEOPT" . pack("NN/a*", 7, pack("N/a*n", $arg, 0));
while (1) {
	my (undef, undef, undef, $type, $len) = unpack("NNNNN", get(20));
	my $data = get($len);

	last if $type == 1;
	printf("size %d\n", unpack("x2Q>", $data)) if $type == 3 && unpack("n", $data) == 0;
	if ($type & 0x80000000) {
		printf("error %d %s\n", $type & 0x7fffffff, $data);
		exit 1;
	}
}
if ($what eq "hold") {
	my $data;
	syswrite $sock, pack("H*", $bytes) if $bytes;
	alarm 0;
	1 while sysread $sock, $data, 65536;
	print "closed\n";
}
