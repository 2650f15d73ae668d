#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
#
# tbtf - a recording of known numbers, for the tests of report and why
#
# Copyright (C) 2026 The tbtf authors
#
# usage: recording.pl [samples|events]
#
# Episode 3 of the machine: seven kills for postgres (812), of 100, 200, ... 700
# MiB, a wait, an eighth kill, a wait on rungs two and three, and the end: postgres dies. Episode 4 of
# /build.slice: a dry run. Episode 5 of the machine is open, and nobody died in
# it. Some of the names are hostile.
use strict;
use warnings;
use JSON::PP;
use POSIX qw(strftime);

my $json = JSON::PP->new->utf8->canonical;
my $samples = ($ARGV[0] // "samples") eq "samples";
my @lines;

sub event
{
	my ($t, $event, %fields) = @_;

	my ($s, $us) = (int $t, int(($t - int $t) * 1e6 + .5));

	push @lines, [$t, { event => $event, ns => int(1e12 + $t * 1e9), seq => @lines + 1,
			    time => strftime("%Y-%m-%dT%H:%M:%S", gmtime(1795349000 + $s)) .
				    sprintf(".%06dZ", $us), %fields }];
}

sub process
{
	my ($comm, $pid, $kb, $cgroup, $adj) = @_;

	return { comm => $comm, pid => $pid, start_ns => $pid * 1000, size_kb => $kb, adj => $adj // 0,
		 cgroup_id => 10 + length $cgroup, cgroup => $cgroup };
}

my $big = process("postgres", 812, 4 << 20, "/system.slice/postgresql.service");
my @names = ("chrome", "updatedb", "<script>x(1)</s", "a\"'&<b>\x{202e}\e[2J", "node", "\x{fffd}\x{4e2d}\x{6587}",
	     "</title><h1>");
my @machine = (episode => 3, scope => "global", protected => $big);

if ($samples) {
	for my $t (0 .. 120) {
		my $crowd = grep { 30 + 5 * $_ > $t } 1 .. 7;

		event($t, "sample", total_kb => 8 << 20,
		      available_kb => $t == 80 ? 12345 : $t < 60 ? (4 << 20) - $t * 50000 : 500000,
		      swap_total_kb => 1 << 20, swap_free_kb => 1 << 19, some_us => $t * 400000,
		      full_us => $t * 100000, protected_kb => (2 << 20) + $t * 10000,
		      crowd_kb => $crowd * 200000, crowd => $crowd);
	}
}
event(29, "episode_begin", episode => 3, scope => "global");
my $freed = 0;
for my $i (1 .. 7) {
	event(30 + 5 * $i, "sacrifice", @machine, worth_kb => $i * 102400 - 1024, band => "ordinary",
	      policy => "uniform", tries => 3,
	      task => process($names[$i - 1], 900 + $i, $i * 102400, "/user.slice/<u>&'\"", 0));
	$freed += $i * 102400 - 1024;
}
event(70, "killless", @machine, futile => "nobody");
event(70.5, "nap", @machine, task => process("postgres", 813, 0, ""), duration_ns => 200e6);
event(74, "sacrifice", @machine, worth_kb => 11264, band => "lowered", policy => "uniform",
      candidates => 1, task => process("cron", 950, 12288, "/system.slice/cron.service", -100));
$freed += 11264;
event(76, "killless", @machine, futile => "max_kills");
event(79, "rung_end", @machine, outcome => "open", rung => "steal", duration_ns => int(3e9));
event(85.9, "rung_end", @machine, outcome => "killed", rung => "print", duration_ns => int(6.9e9));
event(86, "exhausted", @machine, outcome => "killed", duration_ns => int(10e9));
event(86.1, "died", episode => 3, task => $big, death => "exhausted");
event(90, "episode_end", @machine, outcome => "killed", rounds => 31, kills => 8, naps => 20,
      freed_kb => $freed, duration_ns => int(61e9));
my @group = (episode => 4, scope => "memcg", scope_cgroup => "/build.slice",
	     protected => process("ninja", 4999, 500000, "/build.slice"));
event(100, "episode_begin", @group);
event(100.5, "sacrifice", @group, worth_kb => 390000, band => "raised", policy => "largest",
      dry_run => JSON::PP::true, task => process("cc1plus", 5001, 400000, "/build.slice", 500));
event(105, "episode_end", @group, outcome => "sacrificed", rounds => 1, kills => 1, naps => 0,
      freed_kb => 390000);
event(110, "episode_begin", episode => 5, scope => "global");
event(111, "killless", episode => 5, scope => "global", protected => $big, futile => "nobody");
event(119, "lost", count => 17);
event(119.5, "pass", scope => "global", scope_cgroup => undef, pass => "unprotected",
      task => process("lonely", 777, 0, "/system.slice/lonely.service"));
event(120, "mark", role => "tbtf", local => JSON::PP::false, task => process("last", 1, 0, "/"));

print $json->encode($_->[1]), "\n" for sort { $a->[0] <=> $b->[0] } @lines;
