# Plays a session of the manual and compares what is shown there with what is printed now:
#
#     perl session.pl MANUAL SUBSECTION
#
# In the subsection's literal blocks, a line that begins with a prompt is a command: "# ..." one of
# the system, "1: vsw> ..." one of vswsh as "# vswsh ..." before it has started it. What it prints
# follows. "..." is any text in a line, and any lines when it stands alone. Addresses, and numbers of
# more than one digit, are others each time: where one is shown first it gets the value that is
# printed now, and it has this value wherever it is shown or typed again. So a command's address
# is the one that stands in the same place as in the manual, and what is equal there is equal here.
use strict;
use warnings;

my ($manual, $subsection) = @ARGV;
my %now; # what stands in the manual => what is printed now
my $shell;
my @steps = steps();

die "$manual: '$subsection' has no commands\n" if !@steps;
play($_) for @steps;
print scalar(@steps), " commands\n";

# The commands, each with the lines that are shown behind it.
sub steps {
	my ($inside, $literal, @steps) = (0, 0);

	open(my $file, '<', $manual) or die "$manual: $!\n";
	while (<$file>) {
		chomp;
		$inside = /^\.Ss \Q$subsection\E$/ if /^\.S[hs] /;
		$literal = 0 if /^\.Ed/;
		if ($inside && $literal) {
			s/\\\(aq/'/g;
			s/\\[&]//g;
			s/\\-/-/g;
			die "$manual:$.: what is this escape?\n" if /\\/;
			if (/^(#|\d+: vsw>) (.*)/) {
				push @steps, {line => $., prompt => $1, command => $2, shown => []};
			} else {
				die "$manual:$.: nothing prints this\n" if !@steps;
				push @{$steps[-1]{shown}}, $_;
			}
		}
		$literal = 1 if /^\.Bd -literal/;
	}
	return @steps;
}

sub play {
	my ($step) = @_;
	my $command = typed($step);
	my @printed;

	if ($step->{prompt} ne '#') {
		die "$manual:$step->{line}: vswsh is not started\n" if !defined $shell;
		@printed = printed($step, "timeout 20 $shell 2>&1 <<<\"\$1\"", $command);
	} elsif ($command =~ /^vswsh\b/) {
		$shell = $command;
		return;
	} else {
		@printed = printed($step, "timeout 60 $command 2>&1");
	}
	check_prompt($step) if $step->{prompt} ne '#';
	die "$manual:$step->{line}: it is not shown what '$command' prints\n"
		if !@{$step->{shown}} && $command ne 'quit';
	compare($step, @printed);
}

# The command with what was printed in the place of what is shown.
sub typed {
	my ($step) = @_;
	my $line = $step->{command};

	$line =~ s{(?<![\w.-])([0-9a-f]{16}|\d{2,})(?![\w.-])}{
		$now{$1} // die "$manual:$step->{line}: $1 is typed, but nothing has printed it\n"}ge;
	return $line;
}

sub printed {
	my ($step, @command) = @_;

	open(my $out, '-|', 'bash', '-c', $command[0], 'bash', @command[1 .. $#command]) or die "bash: $!\n";
	# A build by a compiler that makes no type data says so each time.
	my @lines = map { s/\s+$//r } grep { !/^vswsh: this vswd .* carries no type data; / } <$out>;
	close($out) or die "$manual:$step->{line}: '$step->{command}' ends with $?:\n", map { "  $_\n" } @lines;
	return @lines;
}

# It shows the number of procs.
sub check_prompt {
	my ($step) = @_;
	my $n = grep { /^PROC / } printed($step, "timeout 20 $shell proc 2>&1");

	die "$manual:$step->{line}: there are $n procs\n" if $step->{prompt} ne "$n: vsw>";
}

# Pieces between lines of "..." are looked for one behind the other.
sub compare {
	my ($step, @printed) = @_;
	my @pieces = ([]);
	my ($at, $is_next) = (0, 1);

	for my $line (@{$step->{shown}}) {
		if ($line eq '...') {
			push @pieces, [];
		} else {
			push @{$pieces[-1]}, $line;
		}
	}
	for my $i (0 .. $#pieces) {
		my $piece = $pieces[$i];
		my $last = $i > 0 ? @printed - @$piece : 0;

		$at = $last if $i > 0 && $i == $#pieces && @$piece > 0 && $at < $last;
		$at++ while $at < $last && !matches($piece, @printed[$at .. $#printed]);
		matches($piece, @printed[$at .. $#printed])
			or die "$manual:$step->{line}: '$step->{command}' prints no longer:\n",
				(map { "  $_\n" } @$piece), "but:\n", map { "  $_\n" } @printed;
		$at += @$piece;
	}
	return if @pieces > 1;
	die "$manual:$step->{line}: '$step->{command}' prints more:\n", map { "  $_\n" } @printed[$at .. $#printed]
		if $at < @printed;
}

# Whether the printed lines begin with those of the piece; if so, what they mean now is kept.
sub matches {
	my ($piece, @lines) = @_;
	my %before = %now;

	for my $line (@$piece) {
		my @names;
		my $pattern = pattern($line, \@names);
		my $printed = shift @lines;
		my @values = defined $printed ? $printed =~ /^$pattern$/ : ();

		if (!@values) {
			%now = %before;
			return 0;
		}
		@now{@names} = @values if @names;
	}
	return 1;
}

# A regular expression for a line of the manual, and what its groups are called there.
sub pattern {
	my ($line, $names) = @_;
	my ($pattern, %group) = ('');

	while ($line =~ /\G(?:(?<any>\.\.\.)|(?<date>\d{4}-\d\d-\d\d[ ]\d\d:\d\d:\d\d)
			|(?<time>(?<![\w.])[\d.]+[ ](?:us|ms|s)\b)
			|(?<value>(?<![\w.-])(?:[0-9a-f]{16}|\d{2,})(?![\w-]|\.\d))
			|(?<blank>\s+)|(?<other>.))/gx) {
		if (defined $+{any}) {
			$pattern .= '.*';
		} elsif (defined $+{date}) {
			$pattern .= '\d{4}-\d\d-\d\d \d\d:\d\d:\d\d';
		} elsif (defined $+{time}) {
			$pattern .= '[\d.]+ (?:us|ms|s)\b';
		} elsif (defined $+{blank}) {
			$pattern .= '\s+';
		} elsif (defined $+{other}) {
			$pattern .= quotemeta($+{other});
		} elsif (defined $now{$+{value}}) {
			$pattern .= "\\b$now{$+{value}}\\b";
		} elsif (defined $group{$+{value}}) {
			$pattern .= "\\g{$group{$+{value}}}\\b";
		} else {
			push @$names, $+{value};
			$group{$+{value}} = @$names;
			$pattern .= length($+{value}) == 16 ? '\b([0-9a-f]{16})\b' : '\b(\d+)\b';
		}
	}
	return $pattern;
}
